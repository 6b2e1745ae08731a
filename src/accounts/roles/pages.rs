//! The pages of roles: list, one role, and its form with the matrix.

use leptos::prelude::*;
use serde_json::Value;

use super::rpc::{delete_role, list_roles, new_role, read_role, role_taken_along};
use super::{RoleDesk, RoleStart};
use crate::access::people::{ROLES, RoleInput};
use crate::access::permission::{ACTIONS, Catalogue};
use crate::access::{EVERYTHING, Me, holds};
use crate::accounts::AccessNav;
use crate::base::form::{Input, Typed, shown, suggested};
use crate::base::record::Row;
use crate::ui::confirm::AskButton;
use crate::ui::context::FailedForm;
use crate::ui::facts::Facts;
use crate::ui::form::{Conflict, FieldRow, Summary};
use crate::ui::found::Found;
use crate::ui::icon::{Icon, Shape};
use crate::ui::page::{Heading, use_here};
use crate::ui::records::{Calls, Delete, ListPage, Pages, with_record};
use crate::ui::rows::Said;
use crate::ui::table::Column;
use crate::ui::timeline::Timeline;

/// `/admin/roles` and below.
pub static PAGES: Pages = Pages {
    resource: "roles",
    one: "role",
    title: "Roles",
    aside: "code",
    purpose: "A role is a set of permissions; people have any number of them.",
    listing: &ROLES,
    columns: &[
        Column { order: "name", label: "Name", class: "name", cell: |row| Said::Name(row.text("name")) },
        Column { order: "code", label: "Code", class: "code muted", cell: |row| Said::Text(row.text("code")) },
        Column { order: "", label: "Permits", class: "state", cell: |row| Said::Text(permits(row)) },
        Column {
            order: "",
            label: "Second factor",
            class: "opt",
            cell: |row| Said::Text(if row.is("requires_second_factor") { "required".into() } else { String::new() }),
        },
    ],
    tabs: &[],
    filters: &[],
    calls: Calls {
        list: |query| Box::pin(list_roles(query)),
        delete: |id, version| Box::pin(delete_role(id, version)),
        taken_along: |id| Box::pin(role_taken_along(id)),
        record: None,
    },
};

fn permissions(row: &Row) -> Vec<String> {
    let permissions = row.values.get("permissions").and_then(Value::as_array);
    permissions.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// How much a role permits, in words.
fn permits(row: &Row) -> String {
    let permissions = permissions(row);
    match permissions.len() {
        0 => "nothing".into(),
        _ if permissions.iter().any(|code| code == EVERYTHING) => "everything".into(),
        1 => "1 permission".into(),
        count => format!("{count} permissions"),
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

/// The form of a new role.
pub fn new() -> AnyView {
    let new = Resource::new(|| (), |()| new_role());
    view! {
        <Heading title="New role" crumb=PAGES.crumb() />
        <Found found=new draw=|RoleStart { once, catalogue }| {
            view! {
                <RoleForm
                    verb="create"
                    typed=suggested(RoleInput::FIELDS)
                    version=None
                    hidden=vec![("once", once)]
                    catalogue
                    cancel=ROLES.path.to_owned()
                    submit="Create role"
                />
            }
            .into_any()
        } />
    }
    .into_any()
}

/// Draws the role in the address, if who asks may do this with it.
fn with_role(action: &'static str, draw: fn(&'static Pages, RoleDesk) -> AnyView) -> AnyView {
    with_record(&PAGES, action, |_, id, within| Box::pin(read_role(id, within)), draw)
}

/// One role.
pub fn detail() -> AnyView {
    with_role("view", |_, desk| drawn(desk))
}

fn drawn(RoleDesk { detail, catalogue }: RoleDesk) -> AnyView {
    let (row, beside) = (detail.record, detail.beside);
    let (id, version, name) = (row.id, row.version, row.text("name"));
    let held = permissions(&row);
    let actions = {
        let name = name.clone();
        move || {
            let name = name.clone();
            view! {
                {crate::access::may("users", "view")
                    .then(|| {
                        view! {
                            <a class="btn quiet" href=format!("/admin/users?role_id={id}")>
                                "Who has it"
                            </a>
                        }
                    })}
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
                {PAGES
                    .may("delete")
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
    view! {
        <Heading title=name crumb=PAGES.crumb() beside actions />
        <div class="cols">
            <div class="stack">
                <Facts fields=RoleInput::FIELDS values=row.values />
                <section class="card">
                    <h2>"Permissions"</h2>
                    <Matrix catalogue held editable=None />
                </section>
            </div>
            <aside class="stack">
                <Timeline events=detail.events fields=RoleInput::FIELDS />
            </aside>
        </div>
    }
    .into_any()
}

/// What is permitted: resources as rows, actions as columns, everything else below. `editable` are the permissions that
/// whoever edits holds, and so can give; without them it is only shown.
#[component]
pub fn Matrix(catalogue: Catalogue, held: Vec<String>, editable: Option<Vec<String>>) -> impl IntoView {
    let cell = move |code: String, label: String| {
        let on = held.contains(&code);
        match &editable {
            Some(mine) => {
                let locked = !holds(mine, &code) && !on;
                view! {
                    <input
                        type="checkbox"
                        name=format!("form[permissions.{code}]")
                        value="true"
                        aria-label=label
                        checked=on
                        disabled=locked
                    />
                }
                .into_any()
            }
            None if on || holds(&held, &code) => view! {
                <span class="mark-on">
                    <Icon shape=Shape::Check />
                    <span class="hidden">{format!("{label}: yes")}</span>
                </span>
            }
            .into_any(),
            None => view! { <span class="faint" aria-hidden="true">"–"</span> }.into_any(),
        }
    };
    let headers = ACTIONS.map(|(_, label)| view! { <th scope="col">{label}</th> });
    let rows = catalogue.rows.into_iter().map(|row| {
        let cells = row.codes.into_iter().zip(ACTIONS).map(|(code, (_, action))| {
            let control = code.map(|code| cell(code, format!("{}: {action}", row.label)));
            view! { <td>{control}</td> }
        });
        let cells = cells.collect_view();
        view! {
            <tr>
                <th scope="row">{row.label.clone()}</th>
                {cells}
            </tr>
        }
    });
    let rows = rows.collect_view();
    let everything = (EVERYTHING.to_owned(), "Everything, now and in future".to_owned());
    let extras = catalogue.extras.into_iter().map(|extra| (extra.code, extra.label));
    let extras = std::iter::once(everything).chain(extras).map(|(code, label)| {
        view! {
            <li>
                <label>{cell(code.clone(), label.clone())} <span>{label}</span> <code class="faint">{code}</code></label>
            </li>
        }
    });
    let extras = extras.collect_view();
    view! {
        <table class="matrix">
            <thead>
                <tr>
                    <td></td>
                    {headers}
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        <ul class="extras" aria-label="Further permissions">
            {extras}
        </ul>
    }
}

/// The form of a role.
pub fn edit() -> AnyView {
    with_role("change", |_, RoleDesk { detail, catalogue }| {
        let row = detail.record;
        let mut typed = shown(RoleInput::FIELDS, &row.values);
        typed.extend(permissions(&row).into_iter().map(|code| (format!("permissions.{code}"), "true".to_owned())));
        view! {
            <Heading title=format!("Edit {}", row.text("name")) crumb=PAGES.crumb() />
            <RoleForm
                verb="update"
                typed
                version=Some(row.version)
                hidden=vec![("id", row.id.to_string())]
                catalogue
                cancel=PAGES.href(row.id)
                submit="Save changes"
            />
        }
        .into_any()
    })
}

/// The question before deleting.
pub fn delete() -> AnyView {
    with_role("delete", |_, RoleDesk { detail, .. }| {
        let row = detail.record;
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
fn RoleForm(
    verb: &'static str,
    typed: Typed,
    version: Option<i64>,
    hidden: Vec<(&'static str, String)>,
    catalogue: Catalogue,
    cancel: String,
    submit: &'static str,
) -> impl IntoView {
    let action = PAGES.action(verb);
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == action);
    let found = RwSignal::new(failed.as_ref().map(|failed| failed.error.clone()));
    let typed = failed.map_or(typed, |failed| failed.typed);
    let version = found.with_untracked(|error| Some(error.as_ref()?.stale.as_ref()?.version)).or(version);
    let kept = RwSignal::new(typed.clone());
    let held: Vec<String> = typed
        .iter()
        .filter(|(_, text)| *text == "true")
        .filter_map(|(name, _)| name.strip_prefix("permissions.").map(str::to_owned))
        .collect();
    let mine = use_context::<Me>().map(|me| me.permissions);
    let rows = RoleInput::FIELDS.iter().map(|field| {
        let value = typed.get(field.name).cloned().unwrap_or_default();
        view! { <FieldRow field value found /> }
    });
    let message = found.with_untracked(|error| Some(error.as_ref()?.errors.get("permissions")?.join(" ")));
    let page = use_here();
    view! {
        <form action=action method="post" class="form">
            <Summary fields=RoleInput::FIELDS found />
            <Conflict fields=RoleInput::FIELDS typed=kept found />
            <input type="hidden" name="page" value=untrack(page) />
            {hidden.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view()}
            {version.map(|version| view! { <input type="hidden" name="version" value=version.to_string() /> })}
            <fieldset class="card section">
                <legend>"Details"</legend>
                <div class="fields">{rows.collect_view()}</div>
            </fieldset>
            <fieldset class="card section">
                <legend>"Permissions"</legend>
                {message.map(|message| view! { <p class="error inset">{message}</p> })}
                <Matrix catalogue held editable=Some(mine.unwrap_or_default()) />
                <p class="help inset">"What you do not hold yourself cannot be given."</p>
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
