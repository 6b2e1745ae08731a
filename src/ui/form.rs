//! A form drawn from a table of rules: checks before it is sent, says what is wrong at the field and in a summary, keeps
//! what was typed, and shows both values when somebody else saved meanwhile.

use std::sync::Arc;

use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::html::Form;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::{Element, FormData, HtmlElement, HtmlFormElement, HtmlInputElement, HtmlTextAreaElement, js_sys};

use super::context::FailedForm;
use super::notice::Told;
use super::page::{unescaped_place, use_here};
use super::records::Answer;
use super::unsaved::guard;
use crate::base::Error;
use crate::base::country;
use crate::base::error::Code;
use crate::base::form::{Field, Kind, Typed, check_typed, shown};

/// What a form starts with.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// What stands in the fields.
    pub typed: Typed,
    /// What goes along unseen, such as the id.
    pub hidden: Vec<(&'static str, String)>,
    /// The version the form was opened on; absent for a new record.
    pub version: Option<i64>,
}

/// What a form holds when it is sent.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// What stands in the fields.
    pub typed: Typed,
    /// Everything else.
    beside: Typed,
}

impl Sent {
    /// What goes along unseen under this name.
    pub fn hidden(&self, name: &str) -> String {
        self.beside.get(name).cloned().unwrap_or_default()
    }

    /// The version the form was decided on.
    pub fn version(&self) -> i64 {
        self.hidden("version").parse().unwrap_or_default()
    }
}

/// Sends a form by script.
pub type Sender = Arc<dyn Fn(Sent) -> Answer<()> + Send + Sync>;

/// A form on its way to the server, and what came of it.
#[derive(Clone, Copy)]
pub struct Sending {
    send: StoredValue<Sender>,
    pub pending: RwSignal<bool>,
    pub found: RwSignal<Option<Error>>,
    told: Option<Told>,
}

impl Sending {
    /// For the form of the server function at `action`; starts with what the page without JavaScript was refused.
    pub fn of(action: &str, send: Sender) -> Self {
        let failed = use_context::<FailedForm>().filter(|failed| failed.action == action);
        Self {
            send: StoredValue::new(send),
            pending: RwSignal::new(false),
            found: RwSignal::new(failed.map(|failed| failed.error)),
            told: use_context::<Told>(),
        }
    }

    /// Sends it, once at a time. Success leads to another page.
    pub fn send(self, sent: Sent) {
        if self.pending.get_untracked() {
            return;
        }
        self.pending.set(true);
        let answer = self.send.with_value(|send| send(sent));
        spawn_local(async move {
            let refused = answer.await.err();
            // The page may be gone by now, and its signals with it.
            self.pending.try_set(false);
            let failed = refused.is_some();
            self.found.try_set(refused);
            if failed {
                focus_drawn("error-summary");
            } else if let Some(told) = self.told {
                told.look();
            }
        });
    }
}

/// The form of a record.
#[component]
pub fn RecordForm(
    /// The address of the server function.
    action: String,
    /// The same by script.
    send: Sender,
    fields: &'static [Field],
    start: Start,
    /// Where "Cancel" leads.
    #[prop(into)]
    cancel: String,
    #[prop(into)] submit: String,
) -> impl IntoView {
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == action);
    let typed = RwSignal::new(failed.map_or(start.typed, |failed| failed.typed));
    let sending = Sending::of(&action, send);
    let checked = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(sent) = sent_by(&event) else { return };
        typed.set(sent.typed.clone());
        match check_typed(fields, &sent.typed) {
            Ok(_) => sending.send(sent),
            Err(error) => {
                sending.found.set(Some(error));
                focus_drawn("error-summary");
            }
        }
    };
    let form = NodeRef::<Form>::new();
    guard(move || Some(typed_into(pairs(&form.try_get_untracked()??)?)));
    view! {
        <form node_ref=form action=action method="post" class="form" novalidate=true on:submit=checked>
            <FormBody fields typed found=sending.found start_version=start.version hidden=start.hidden />
            <div class="form-actions">
                <button class="btn primary" disabled=move || sending.pending.get()>
                    {submit}
                </button>
                <a class="btn quiet" href=cancel>
                    "Cancel"
                </a>
            </div>
        </form>
    }
}

/// Everything between the tags of a form but its buttons.
#[component]
fn FormBody(
    fields: &'static [Field],
    typed: RwSignal<Typed>,
    found: RwSignal<Option<Error>>,
    start_version: Option<i64>,
    hidden: Vec<(&'static str, String)>,
) -> impl IntoView {
    let page = use_here();
    let version = move || {
        let stale = found.with(|error| error.as_ref().and_then(|error| Some(error.stale.as_ref()?.version)));
        stale.or(start_version)
    };
    let initial = typed.get_untracked();
    let mut sections: Vec<&'static str> = Vec::new();
    for field in fields {
        if !sections.contains(&field.section) {
            sections.push(field.section);
        }
    }
    let countries = fields.iter().any(|field| field.kind == Kind::Country);
    view! {
        <Summary fields found />
        <Conflict fields typed found />
        <input type="hidden" name="page" value=page />
        {hidden
            .into_iter()
            .map(|(name, value)| {
                let value = initial.get(name).cloned().unwrap_or(value);
                view! { <input type="hidden" name=name value=value /> }
            })
            .collect_view()}
        {start_version
            .map(|_| {
                view! { <input type="hidden" name="version" prop:value=version value=version /> }
            })}
        {sections
            .into_iter()
            .map(|section| {
                let of_section = fields
                    .iter()
                    .filter(|field| field.section == section)
                    .map(|field| {
                        let value = initial.get(field.name).cloned().unwrap_or_default();
                        view! { <FieldRow field value found /> }
                    })
                    .collect_view();
                view! {
                    <fieldset class="card section">
                        <legend>{if section.is_empty() { "Details" } else { section }}</legend>
                        <div class="fields">{of_section}</div>
                    </fieldset>
                }
            })
            .collect_view()}
        {countries
            .then(|| {
                view! {
                    <datalist id="countries">
                        {country::countries().map(|(code, name)| view! { <option value=code>{name}</option> }).collect_view()}
                    </datalist>
                }
            })}
    }
}

/// Something wrong that is said with a link to its control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Where it is, as people read it.
    pub label: String,
    /// The id of its control.
    pub control: String,
    pub message: String,
}

/// Follows a link to a control of the page to where it can be typed into; the router would only show it.
pub(crate) fn followed(event: MouseEvent) {
    let link = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let link = link.and_then(|link| link.closest("a").ok().flatten()?.get_attribute("href"));
    if let Some(id) = link.as_deref().and_then(|href| href.strip_prefix('#')) {
        event.prevent_default();
        go_to(id);
    }
}

/// What is wrong, with a link to each field.
#[component]
pub fn Summary(
    fields: &'static [Field],
    found: RwSignal<Option<Error>>,
    /// What is wrong in the rows of a table, by the name errors give it, such as `items`.
    #[prop(optional)]
    nested: Option<(&'static str, Memo<Vec<Wrong>>)>,
) -> impl IntoView {
    move || {
        let error = found.get().filter(|error| error.code != Code::Stale)?;
        let rows = nested.map_or_else(Vec::new, |(_, rows)| rows.get());
        let in_rows = |name: &str| {
            let rest = nested.and_then(|(table, _)| name.strip_prefix(table));
            rest.is_some_and(|rest| rest.starts_with('['))
        };
        let in_fields = fields.iter().filter_map(|field| {
            let message = error.errors.get(field.name)?.join(" ");
            Some(Wrong { label: field.label.into(), control: format!("f-{}", field.name), message })
        });
        let links = in_fields
            .chain(rows)
            .map(|Wrong { label, control, message }| {
                view! {
                    <li>
                        <a href=format!("#{control}")>{label}</a>
                        ": "
                        {message}
                    </li>
                }
            })
            .collect_view();
        let others = error
            .errors
            .iter()
            .filter(|(name, _)| !in_rows(name) && !fields.iter().any(|field| field.name == *name))
            .map(|(name, messages)| view! { <li>{format!("{name}: {}", messages.join(" "))}</li> })
            .collect_view();
        Some(view! {
            <div class="notice bad" role="alert" id="error-summary" tabindex="-1" on:click=followed>
                <p>
                    <b>{error.detail.clone()}</b>
                    {if error.status() < 500 { " Nothing was saved; what you typed is still here." } else { " What you typed is still here." }}
                </p>
                <ul>{links} {others}</ul>
            </div>
        })
    }
}

/// Both values of every field in which the form and the stored record differ.
#[component]
pub fn Conflict(
    fields: &'static [Field],
    typed: RwSignal<Typed>,
    found: RwSignal<Option<Error>>,
    /// What else differs.
    #[prop(optional)]
    children: Option<ChildrenFn>,
) -> impl IntoView {
    let hydrated = RwSignal::new(false);
    Effect::new(move || hydrated.set(true));
    move || {
        let stale = found.get()?.stale?;
        let (theirs, mine) = (shown(fields, &stale.values), typed.get());
        let rows: Vec<_> = fields
            .iter()
            .filter_map(|field| {
                let their = theirs.get(field.name).cloned().unwrap_or_default();
                let my = mine.get(field.name).cloned().unwrap_or_default();
                if my.trim() == their {
                    return None;
                }
                let take = their.clone();
                let choose = move || {
                    let take = take.clone();
                    hydrated.get().then(|| {
                        view! {
                            <button
                                type="button"
                                class="btn small"
                                aria-label=format!("Take the stored value for {}", field.label)
                                on:click=move |_| put(field, &take)
                            >
                                "Take theirs"
                            </button>
                        }
                    })
                };
                Some(view! {
                    <tr>
                        <th scope="row">
                            <a href=format!("#f-{}", field.name) on:click=followed>
                                {field.label}
                            </a>
                        </th>
                        <td>
                            <bdi>{said(field, &my)}</bdi>
                        </td>
                        <td>
                            <bdi>{said(field, &their)}</bdi>
                        </td>
                        <td>{choose}</td>
                    </tr>
                })
            })
            .collect();
        let same = rows.is_empty();
        Some(view! {
            <div class="notice warn" role="alert" id="error-summary" tabindex="-1">
                <p>
                    <b>"Somebody else saved this meanwhile."</b>
                    " Nothing of yours is lost: it is still in the form. Compare, change what you want to keep, and save again."
                </p>
                {children.as_ref().map(|children| children())}
                {(!same)
                    .then(|| {
                        view! {
                            <table class="conflict">
                                <thead>
                                    <tr>
                                        <th scope="col">"Field"</th>
                                        <th scope="col">"You typed"</th>
                                        <th scope="col">"Stored now"</th>
                                        <td></td>
                                    </tr>
                                </thead>
                                <tbody>{rows}</tbody>
                            </table>
                        }
                    })}
            </div>
        })
    }
}

fn said(field: &Field, value: &str) -> String {
    match (field.kind, value) {
        (Kind::Flag { .. }, "true") => "yes".into(),
        (Kind::Flag { .. }, _) => "no".into(),
        (_, "") => "(blank)".into(),
        (_, value) => value.to_owned(),
    }
}

/// One field: label, control, help, and what is wrong with it.
#[component]
pub fn FieldRow(field: &'static Field, value: String, found: RwSignal<Option<Error>>) -> impl IntoView {
    let id = format!("f-{}", field.name);
    let (help_id, error_id) = (format!("{id}-help"), format!("{id}-error"));
    let message = Memo::new(move |_| found.with(|error| Some(error.as_ref()?.errors.get(field.name)?.join(" "))));
    let invalid = move || message.with(Option::is_some).then_some("true");
    let described = {
        let (help_id, error_id) = (help_id.clone(), error_id.clone());
        move || {
            let help = (!field.help.is_empty()).then_some(help_id.as_str());
            let error = message.with(Option::is_some).then_some(error_id.as_str());
            let ids = help.into_iter().chain(error).collect::<Vec<_>>().join(" ");
            (!ids.is_empty()).then_some(ids)
        }
    };
    let name = format!("form[{}]", field.name);
    let control = match field.kind {
        Kind::Text { .. } => view! {
            <textarea id=id.clone() name=name rows="4" dir="auto" aria-invalid=invalid aria-describedby=described>
                {unescaped_place(value)}
            </textarea>
        }
        .into_any(),
        Kind::Flag { .. } => view! {
            <input
                type="checkbox"
                id=id.clone()
                name=name
                value="true"
                checked=value == "true"
                aria-invalid=invalid
                aria-describedby=described
            />
        }
        .into_any(),
        kind => {
            let (control, mode) = match kind {
                Kind::Email => ("email", "email"),
                Kind::Date => ("date", "none"),
                Kind::Moment => ("text", "none"),
                Kind::Whole { .. } | Kind::Reference(_) => ("text", "numeric"),
                Kind::Money | Kind::UnitPrice | Kind::Percent | Kind::Quantity => ("text", "decimal"),
                _ => ("text", "text"),
            };
            let numeric = matches!(mode, "numeric" | "decimal");
            view! {
                <input
                    type=control
                    id=id.clone()
                    name=name
                    value=value
                    class:num=numeric
                    inputmode=mode
                    dir="auto"
                    autocomplete="off"
                    list=(kind == Kind::Country).then_some("countries")
                    required=field.required
                    aria-invalid=invalid
                    aria-describedby=described
                />
            }
            .into_any()
        }
    };
    let flag = matches!(field.kind, Kind::Flag { .. });
    view! {
        <div class="field" class:flag=flag class:wide=matches!(field.kind, Kind::Text { .. })>
            <label for=id>
                {field.label}
                {field.required.then(|| view! { <span class="required" aria-hidden="true">" *"</span> })}
            </label>
            {control}
            {(!field.help.is_empty()).then(|| view! { <p class="help" id=help_id>{field.help}</p> })}
            {move || {
                message
                    .get()
                    .map(|message| {
                        view! {
                            <p class="error" id=error_id.clone()>
                                {message}
                            </p>
                        }
                    })
            }}
        </div>
    }
}

/// The controls of the form that is being sent, by name. Only a browser knows.
pub(super) fn fields(event: &SubmitEvent) -> Option<Vec<(String, String)>> {
    pairs(&event.target()?.dyn_into().ok()?)
}

/// The controls of a form, by name.
pub(crate) fn pairs(form: &HtmlFormElement) -> Option<Vec<(String, String)>> {
    let data = FormData::new_with_form(form).ok()?;
    let pair = |pair| {
        let pair = js_sys::Array::from(&pair);
        Some((pair.get(0).as_string()?, pair.get(1).as_string().unwrap_or_default()))
    };
    data.entries().into_iter().map(|entry| pair(entry.ok()?)).collect()
}

/// What somebody typed into the controls of a form, without what goes along unseen.
pub(crate) fn typed_into(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    pairs.into_iter().filter(|(name, text)| name.starts_with("form[") && !text.is_empty()).collect()
}

/// What the form that is being sent holds.
pub(crate) fn sent_by(event: &SubmitEvent) -> Option<Sent> {
    let mut sent = Sent::default();
    for (name, value) in fields(event)? {
        match name.strip_prefix("form[").and_then(|name| name.strip_suffix(']')) {
            Some(field) => sent.typed.insert(field.to_owned(), value),
            None => sent.beside.insert(name, value),
        };
    }
    Some(sent)
}

/// Puts a value into a control of the form.
fn put(field: &Field, value: &str) {
    let Some(control) = document().get_element_by_id(&format!("f-{}", field.name)) else { return };
    if let Some(input) = control.dyn_ref::<HtmlInputElement>() {
        input.set_checked(value == "true");
        if !matches!(field.kind, Kind::Flag { .. }) {
            input.set_value(value);
        }
    } else if let Some(area) = control.dyn_ref::<HtmlTextAreaElement>() {
        area.set_value(value);
    }
    if let Some(control) = control.dyn_ref::<HtmlElement>() {
        // Focus is a convenience here; a control that cannot take it is still filled.
        let _ = control.focus();
    }
}

/// Moves the focus to an element: now if it is there, so that no key is lost, else as soon as it is drawn.
pub(crate) fn focus(id: impl Into<String>) {
    let id = id.into();
    if !focused(&id) {
        request_animation_frame(move || {
            focused(&id);
        });
    }
}

/// Whether the focus could be moved there.
pub(crate) fn focused(id: &str) -> bool {
    let element = document().get_element_by_id(id).and_then(|element| element.dyn_into::<HtmlElement>().ok());
    let Some(element) = element.filter(|element| element.focus().is_ok()) else { return false };
    // As when Tab leads there: what is typed takes the place of what stands there.
    if let Some(input) = element.dyn_ref::<HtmlInputElement>() {
        input.select();
    }
    true
}

/// Moves the focus back to a control in which somebody types on.
pub(crate) fn resume(id: &str) {
    go_to(id);
    let control = document().get_element_by_id(id).and_then(|control| control.dyn_into::<HtmlInputElement>().ok());
    if let Some(input) = control {
        let end = u32::try_from(input.value().encode_utf16().count()).unwrap_or(u32::MAX);
        // What has no caret, as a day, stays as it is.
        let _ = input.set_selection_range(end, end);
    }
}

/// Moves the focus to a control, and opens what it is folded into.
pub(crate) fn go_to(id: &str) {
    let folded = document().get_element_by_id(id).and_then(|control| control.closest("details").ok().flatten());
    if let Some(folded) = folded {
        // If it stays closed the control takes no focus.
        let _ = folded.set_attribute("open", "");
    }
    focused(id);
}

/// Moves the focus to an element that is being drawn anew.
pub(crate) fn focus_drawn(id: impl Into<String>) {
    let id = id.into();
    request_animation_frame(move || {
        focused(&id);
    });
}
