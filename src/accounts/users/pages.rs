//! The pages of people: list, one person, their form.

use leptos::prelude::*;
use serde_json::Value;

use super::rpc::{delete_user, list_users, new_user, read_user, user_taken_along};
use super::{Choice, UserDesk, UserStart};
use crate::access::people::{USERS, UserInput};
use crate::accounts::AccessNav;
use crate::accounts::sessions::pages::Sessions;
use crate::accounts::tokens::pages::Tokens;
use crate::base::form::{Field, Input, Typed, shown, suggested};
use crate::base::record::Row;
use crate::ui::confirm::AskButton;
use crate::ui::context::FailedForm;
use crate::ui::form::{Conflict, FieldRow, Summary};
use crate::ui::found::Found;
use crate::ui::icon::{Icon, Shape};
use crate::ui::page::{Heading, use_here};
use crate::ui::plain::{PlainForm, Told};
use crate::ui::records::{Calls, Delete, ListPage, Pages, with_record};
use crate::ui::rows::Said;
use crate::ui::table::{ACTIVE, Column, Filter};
use crate::ui::timeline::Timeline;
use crate::ui::when::When;

/// `/admin/users` and below.
pub static PAGES: Pages = Pages {
    resource: "users",
    one: "user",
    title: "Users",
    aside: "email",
    purpose: "Invite people, or make service accounts that act by API tokens.",
    listing: &USERS,
    columns: &[
        Column { order: "name", label: "Name", class: "name", cell: |row| Said::Name(row.text("name")) },
        Column { order: "email", label: "E-mail", class: "code muted", cell: |row| Said::Text(row.text("email")) },
        Column { order: "", label: "Roles", class: "opt", cell: |row| Said::Text(roles(row).join(", ")) },
        Column { order: "", label: "State", class: "state", cell: |row| Said::badge(standing(row)) },
    ],
    tabs: &[],
    filters: &[
        ACTIVE,
        Filter::Choice {
            name: "is_service",
            label: "Kind",
            options: &[("false", "People"), ("true", "Service accounts")],
        },
        Filter::Linked { name: "role_id", label: "Role" },
    ],
    calls: Calls {
        list: |query| Box::pin(list_users(query)),
        delete: |id, version| Box::pin(delete_user(id, version)),
        taken_along: |id| Box::pin(user_taken_along(id)),
        record: None,
    },
};

fn roles(row: &Row) -> Vec<String> {
    let roles = row.values.get("roles").and_then(Value::as_array);
    roles.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The shape and the text of a badge for whether somebody can come in.
fn standing(row: &Row) -> (&'static str, &'static str) {
    match (row.is("is_active"), row.is("is_service"), row.is("has_password")) {
        (false, ..) => ("inactive", "Inactive"),
        (true, true, _) => ("active", "Service account"),
        (true, false, true) => ("active", "Active"),
        (true, false, false) => ("waiting", "Invited"),
    }
}

/// The list.
pub fn list() -> AnyView {
    view! {
        <AccessNav />
        <ListPage pages=&PAGES />
    }
    .into_any()
}

/// The form of a new person.
pub fn new() -> AnyView {
    let new = Resource::new(|| (), |()| new_user());
    view! {
        <Heading title="New user" crumb=PAGES.crumb() />
        <Found found=new draw=|UserStart { once, choices }| {
            view! {
                <p class="muted lead">
                    "A person gets a link to choose a password; it is shown once, for you to hand over."
                </p>
                <UserForm
                    verb="create"
                    typed=suggested(UserInput::FIELDS)
                    version=None
                    hidden=vec![("once", once)]
                    choices
                    cancel=USERS.path.to_owned()
                    submit="Create user"
                />
            }
            .into_any()
        } />
    }
    .into_any()
}

/// Draws the person in the address, if who asks may do this with them.
fn with_user(action: &'static str, draw: fn(&'static Pages, UserDesk) -> AnyView) -> AnyView {
    with_record(&PAGES, action, |_, id, within| Box::pin(read_user(id, within)), draw)
}

/// One person.
pub fn detail() -> AnyView {
    with_user("view", |_, desk| drawn(desk))
}

fn drawn(desk: UserDesk) -> AnyView {
    let UserDesk { detail, choices, has_second_factor, invited_until, sessions, tokens } = desk;
    let (row, beside) = (detail.record, detail.beside);
    let (id, version, name) = (row.id, row.version, row.text("name"));
    let deletable = PAGES.may("delete") && !row.is("has_password");
    let actions = {
        let name = name.clone();
        move || {
            let name = name.clone();
            view! {
                {PAGES
                    .may("change")
                    .then(|| {
                        view! {
                            <a class="btn" href=format!("{}/edit", PAGES.href(id)) data-key="e">
                                <Icon shape=Shape::Pencil />
                                "Edit"
                                <kbd>"e"</kbd>
                            </a>
                        }
                    })}
                {deletable
                    .then(|| {
                        view! {
                            <AskButton
                                href=format!("{}/delete", PAGES.href(id))
                                label="Delete"
                                shape=Shape::Trash
                                title=format!("Delete {name}?")
                            >
                                <Delete pages=&PAGES id version />
                            </AskButton>
                        }
                    })}
            }
        }
    };
    let badge = {
        let row = row.clone();
        move || {
            let (shape, text) = standing(&row);
            view! { <span class=format!("badge {shape}")>{text}</span> }
        }
    };
    let names: Vec<_> = roles(&row)
        .into_iter()
        .map(|code| choices.iter().find(|choice| choice.code == code).map_or(code, |choice| choice.name.clone()))
        .collect();
    let names = if names.is_empty() { "none: may do nothing".to_owned() } else { names.join(", ") };
    let second = if has_second_factor { "on" } else { "off" };
    let signs_in = !row.is("is_service");
    let manage = PAGES.may("change").then(|| view! { <Manage row=row.clone() has_second_factor /> });
    view! {
        <Heading title=name crumb=PAGES.crumb() beside badge actions />
        <Told />
        <div class="cols">
            <div class="stack">
                <section class="card">
                    <h2>"Account"</h2>
                    <dl class="facts">
                        <dt>"E-mail"</dt>
                        <dd>{row.text("email")}</dd>
                        <dt>"Roles"</dt>
                        <dd>
                            <bdi>{names}</bdi>
                        </dd>
                        {signs_in.then(|| view! { <dt>"Second factor"</dt><dd>{second}</dd> })}
                        {invited_until
                            .map(|until| view! { <dt>"Invited until"</dt><dd><When at=until /></dd> })}
                    </dl>
                </section>
                {manage}
                {sessions
                    .filter(|_| signs_in)
                    .map(|sessions| {
                        view! {
                            <section class="card">
                                <h2>"Sessions"</h2>
                                <Sessions sessions action="/-/sessions/end" named=false back=PAGES.href(id) />
                            </section>
                        }
                    })}
                {tokens
                    .map(|tokens| {
                        let may_add = crate::access::may("tokens", "add");
                        view! {
                            <section class="card">
                                <h2>
                                    "API tokens"
                                    {may_add
                                        .then(|| {
                                            view! {
                                                <a class="btn small aside" href=format!("/admin/tokens/new?user={id}")>
                                                    "New token"
                                                </a>
                                            }
                                        })}
                                </h2>
                                <Tokens tokens action="/-/tokens/revoke" named=false back=PAGES.href(id) />
                            </section>
                        }
                    })}
            </div>
            <aside class="stack">
                <Timeline events=detail.events fields=UserInput::FIELDS />
            </aside>
        </div>
    }
    .into_any()
}

/// What can be done with somebody's account.
#[component]
fn Manage(row: Row, has_second_factor: bool) -> impl IntoView {
    let (id, version) = (row.id.to_string(), row.version.to_string());
    let (active, service) = (row.is("is_active"), row.is("is_service"));
    let one = |action: &'static str, versioned: bool, label: &'static str, help: &'static str| {
        let mut hidden = vec![("id", id.clone())];
        hidden.extend(versioned.then(|| ("version", version.clone())));
        view! {
            <PlainForm action hidden class="deed">
                <button class="btn">{label}</button>
                <span class="help">{help}</span>
            </PlainForm>
        }
    };
    let (invite, meaning) = match row.is("has_password") {
        true => {
            ("Reset password", "Makes a link to choose another one; all sessions end. The old one works until then.")
        }
        false => ("New invitation link", "The earlier link stops."),
    };
    view! {
        <section class="card">
            <h2>"Sign-in"</h2>
            <div class="deeds">
                {(active && !service).then(|| one("/-/users/invite", false, invite, meaning))}
                {(active && !service)
                    .then(|| one("/-/users/sign-out", false, "Sign out everywhere", "Ends all sessions; tokens stay."))}
                {has_second_factor
                    .then(|| {
                        one(
                            "/-/users/take-factor",
                            false,
                            "Take the second factor away",
                            "For who lost the app and the recovery codes; all sessions end.",
                        )
                    })}
                {if active {
                    one("/-/users/deactivate", true, "Deactivate", "Sessions and tokens stop at once; the history stays.")
                } else {
                    one("/-/users/activate", true, "Activate", "Lets them in again, with their tokens.")
                }}
            </div>
        </section>
    }
}

/// The form of a person.
pub fn edit() -> AnyView {
    with_user("change", |_, desk| {
        let row = desk.detail.record;
        let mut typed = shown(UserInput::FIELDS, &row.values);
        typed.extend(roles(&row).into_iter().map(|code| (format!("roles.{code}"), "true".to_owned())));
        view! {
            <Heading title=format!("Edit {}", row.text("name")) crumb=PAGES.crumb() />
            <UserForm
                verb="update"
                typed
                version=Some(row.version)
                hidden=vec![("id", row.id.to_string())]
                choices=desk.choices
                cancel=PAGES.href(row.id)
                submit="Save changes"
            />
        }
        .into_any()
    })
}

/// The question before deleting.
pub fn delete() -> AnyView {
    with_user("delete", |_, desk| {
        let row = desk.detail.record;
        view! {
            <Heading title=format!("Delete {}?", row.text("name")) crumb=PAGES.crumb() />
            <section class="card ask">
                <Delete pages=&PAGES id=row.id version=row.version />
                <a class="btn quiet" href=PAGES.href(row.id)>
                    "Keep it"
                </a>
            </section>
        }
        .into_any()
    })
}

#[component]
fn UserForm(
    verb: &'static str,
    typed: Typed,
    version: Option<i64>,
    hidden: Vec<(&'static str, String)>,
    choices: Vec<Choice>,
    cancel: String,
    submit: &'static str,
) -> impl IntoView {
    let action = PAGES.action(verb);
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == action);
    let found = RwSignal::new(failed.as_ref().map(|failed| failed.error.clone()));
    let typed = failed.map_or(typed, |failed| failed.typed);
    let version = found.with_untracked(|error| Some(error.as_ref()?.stale.as_ref()?.version)).or(version);
    let kept = RwSignal::new(typed.clone());
    // Nobody becomes a service account later, or stops being one.
    let service = typed.get("is_service").is_some_and(|text| text == "true");
    let fields = UserInput::FIELDS.iter().filter(|field| version.is_none() || field.name != "is_service");
    let rows = fields.map(|field: &'static Field| {
        let value = typed.get(field.name).cloned().unwrap_or_default();
        view! { <FieldRow field value found /> }
    });
    let boxes = choices.into_iter().map(|choice| {
        let (id, name) = (format!("role-{}", choice.code), format!("roles.{}", choice.code));
        let checked = typed.get(&name).is_some_and(|text| text == "true");
        let locked = !choice.may_give && !checked;
        view! {
            <div class="field flag">
                <input type="checkbox" id=id.clone() name=format!("form[{name}]") value="true" checked=checked disabled=locked />
                <label for=id>
                    <bdi>{choice.name}</bdi>
                </label>
                {choice.description.map(|text| view! { <p class="help">{text}</p> })}
                {locked.then(|| view! { <p class="help">"It permits more than you may do yourself."</p> })}
            </div>
        }
    });
    let message = found.with_untracked(|error| Some(error.as_ref()?.errors.get("roles")?.join(" ")));
    let page = use_here();
    view! {
        <form action=action method="post" class="form">
            <Summary fields=UserInput::FIELDS found />
            <Conflict fields=UserInput::FIELDS typed=kept found />
            <input type="hidden" name="page" value=untrack(page) />
            {hidden.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view()}
            {version.map(|version| view! { <input type="hidden" name="version" value=version.to_string() /> })}
            {(version.is_some() && service).then(|| view! { <input type="hidden" name="form[is_service]" value="true" /> })}
            <fieldset class="card section">
                <legend>"Details"</legend>
                <div class="fields">{rows.collect_view()}</div>
            </fieldset>
            <fieldset class="card section">
                <legend>"Roles"</legend>
                <div class="fields">{boxes.collect_view()}</div>
                {message.map(|message| view! { <p class="error inset">{message}</p> })}
            </fieldset>
            <div class="form-actions">
                <button class="btn primary">{submit}</button>
                <a class="btn quiet" href=cancel>
                    "Cancel"
                </a>
            </div>
        </form>
    }
}
