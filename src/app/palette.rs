//! The command palette: go somewhere, make something new, find a record, by a few letters. Its code comes when it is asked for.

use std::cell::Cell;
use std::time::Duration;

use leptos::ev::{KeyboardEvent, MouseEvent};
use leptos::html::{Dialog, Input, Ul};
use leptos::mount::mount_to_body;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::{Element, HtmlElement, HtmlInputElement};
use wasm_split_helpers::wasm_split;

use super::ENTRIES;
use crate::access::Me;
use crate::base::Result;
use crate::base::listing::{ListQuery, encoded};
use crate::search::KINDS;
use crate::ui::chunk::Later;
use crate::ui::icon::{Icon, Shape};
use crate::ui::keys::FINDER;
use crate::ui::records::Pages;

/// Matches shown of each kind of record.
const SHOWN: u32 = 5;

/// How long somebody pauses until it is looked for what was typed.
const PAUSE: Duration = Duration::from_millis(120);

thread_local! {
    /// Whether the palette of this document is open, once it was drawn.
    static OPEN: Cell<Option<RwSignal<bool>>> = const { Cell::new(None) };
}

/// Opens the palette, or closes it. It stands beside the app, which comes and goes under it.
pub(super) fn open(me: Me) -> Later<Result<()>> {
    Box::pin(palette(me))
}

#[wasm_split(own, fallible)]
fn palette(me: Me) -> Result<()> {
    // What asks something has to be answered first.
    if document().query_selector("dialog[open]:not(.palette)").is_ok_and(|dialog| dialog.is_some()) {
        return Ok(());
    }
    match OPEN.get() {
        Some(open) => open.update(|open| *open = !*open),
        None => mount_to_body(move || {
            provide_context(me);
            let open = RwSignal::new(true);
            OPEN.set(Some(open));
            view! { <Palette open /> }
        }),
    }
    Ok(())
}

/// Somewhere to go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    label: String,
    aside: String,
    href: String,
}

/// What is offered for what is typed.
#[derive(Debug, Clone, Copy)]
struct Offers {
    kinds: StoredValue<Vec<&'static Pages>>,
    text: RwSignal<String>,
    /// The number of the latest search: a late answer is not taken for its own.
    search: StoredValue<u32>,
    /// Its answers so far, by kind.
    answers: StoredValue<Vec<Option<Vec<Place>>>>,
    /// What the search with this number found. It is shown whole, so that nothing moves while somebody chooses.
    found: RwSignal<(u32, Vec<Place>)>,
    commands: Memo<Vec<Place>>,
    /// Whether the first is to be opened once it is known.
    is_awaited: StoredValue<bool>,
    list: NodeRef<Ul>,
}

impl Offers {
    fn new() -> Self {
        let me = use_context::<Me>();
        let kinds: Vec<_> = KINDS.into_iter().filter(|pages| pages.may("view")).collect();
        let (commands, text) = (commands(me.as_ref()), RwSignal::new(String::new()));
        Self {
            kinds: StoredValue::new(kinds),
            text,
            search: StoredValue::new(0),
            answers: StoredValue::new(Vec::new()),
            found: RwSignal::new((0, Vec::new())),
            commands: Memo::new(move |_| text.with(|text| matching(&commands, text))),
            is_awaited: StoredValue::new(false),
            list: NodeRef::new(),
        }
    }

    /// Looks for what was typed. What an earlier search found stays until this one has found all, but Enter does not lead there.
    fn look_for(self, text: String) {
        let search = self.search.get_value() + 1;
        self.search.set_value(search);
        self.is_awaited.set_value(false);
        let wanted = text.trim().to_owned();
        self.text.set(text);
        if wanted.is_empty() {
            self.found.set((search, Vec::new()));
            return;
        }
        let ask = move || {
            if self.search.try_get_value() == Some(search) {
                self.ask(search, wanted);
            }
        };
        set_timeout(ask, PAUSE);
    }

    fn ask(self, search: u32, wanted: String) {
        let kinds = self.kinds.get_value();
        self.answers.set_value(vec![None; kinds.len()]);
        let query = ListQuery { search: wanted.clone(), page_size: SHOWN, ..ListQuery::default() }.query_string();
        for (kind, pages) in kinds.into_iter().enumerate() {
            let (query, wanted) = (query.clone(), wanted.to_lowercase());
            spawn_local(async move {
                let rows = (pages.calls.list)(query).await.map(|page| page.results).unwrap_or_default();
                if self.search.try_get_value() != Some(search) {
                    return;
                }
                let places = rows.iter().map(|row| Place {
                    label: row.text("name"),
                    aside: row.text(pages.aside),
                    href: pages.href(row.id),
                });
                let places: Vec<_> = places.collect();
                let all = self.answers.try_update_value(|answers| {
                    if let Some(answer) = answers.get_mut(kind) {
                        *answer = Some(places);
                    }
                    answers.iter().cloned().collect::<Option<Vec<_>>>()
                });
                if let Some(Some(all)) = all {
                    self.show(search, all.concat(), &wanted);
                }
            });
        }
    }

    /// Shows what was found: what is called so first, then what has it in its name, as a customer before their orders.
    fn show(self, search: u32, mut found: Vec<Place>, wanted: &str) {
        found.sort_by_key(|place| {
            let (label, aside) = (place.label.to_lowercase(), place.aside.to_lowercase());
            if label == wanted || aside == wanted { 0 } else { 2 - u8::from(label.contains(wanted)) }
        });
        self.found.try_set((search, found));
        // When it is drawn.
        request_animation_frame(move || {
            if self.is_awaited.try_get_value() == Some(true) {
                self.open_first();
            }
        });
    }

    /// Opens the first that is offered, as soon as it is known which that is.
    fn open_first(self) {
        let search = self.search.try_get_value();
        let is_found = self.found.try_with_untracked(|(answers, _)| Some(*answers) == search) == Some(true);
        let is_known = is_found || self.commands.try_with_untracked(|commands| !commands.is_empty()) == Some(true);
        self.is_awaited.try_set_value(!is_known);
        if let (true, Some(link)) = (is_known, self.links().into_iter().next()) {
            link.click();
        }
    }

    fn links(self) -> Vec<HtmlElement> {
        let links = self.list.try_get_untracked().flatten().and_then(|list| list.query_selector_all("a").ok());
        let links = links.into_iter().flat_map(|links| (0..links.length()).filter_map(move |at| links.item(at)));
        links.filter_map(|link| link.dyn_into().ok()).collect()
    }

    /// Moves the focus from the field through what is offered, and back.
    fn step(self, field: NodeRef<Input>, down: bool) {
        let links = self.links();
        let focused = document().active_element();
        let at = links.iter().position(|link| focused.as_ref() == Some(link.unchecked_ref::<Element>()));
        let to = match (at, down) {
            (None, true) => Some(0),
            (Some(at), true) => Some(at + 1),
            (at, false) => at.and_then(|at| at.checked_sub(1)),
        };
        let to = match to {
            Some(to) => links.get(to).cloned(),
            None => field.get_untracked().map(Into::into),
        };
        // The focus stays where it is when it cannot move.
        let _ = to.map(|to| to.focus());
    }

    /// All that is offered, in its order.
    fn places(self) -> Vec<Place> {
        let mut places = self.commands.get();
        self.found.with(|(_, found)| places.extend_from_slice(found));
        let text = self.text.with(|text| text.trim().to_owned());
        if !text.is_empty() {
            let href = format!("/search?q={}", encoded(&text));
            places.push(Place { label: format!("Search everything for “{text}”"), aside: String::new(), href });
        }
        places
    }
}

#[component]
fn Palette(open: RwSignal<bool>) -> impl IntoView {
    let offers = Offers::new();
    let (dialog, field) = (NodeRef::<Dialog>::new(), NodeRef::<Input>::new());
    Effect::new(move || {
        let Some(dialog) = dialog.get() else { return };
        match open.get() {
            true if !dialog.open() => {
                let early = typed_early();
                // One that cannot be shown stays away.
                let _ = dialog.show_modal();
                let Some(field) = field.get_untracked() else { return };
                match early {
                    Some(early) => field.set_value(&early),
                    None => field.select(),
                }
                // Also what was typed before, as what there is may have changed.
                offers.look_for(field.value());
            }
            false if dialog.open() => dialog.close(),
            _ => {}
        }
    });
    let closed = move |_| {
        offers.is_awaited.set_value(false);
        open.set(false);
    };
    let pressed = move |event: KeyboardEvent| {
        // Those that belong to the choice of letters, or to somebody else.
        if event.is_composing() || event.ctrl_key() || event.meta_key() || event.alt_key() || event.shift_key() {
            return;
        }
        let down = match event.key().as_str() {
            "ArrowDown" => true,
            "ArrowUp" => false,
            "Enter" if is_at(&event, field) => {
                event.prevent_default();
                return offers.open_first();
            }
            _ => return,
        };
        event.prevent_default();
        offers.step(field, down);
    };
    // Whoever follows a link leaves the palette, and so does whoever presses beside it.
    let followed = move |event: MouseEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        if target.is_some_and(|target| target.closest("a").is_ok_and(|link| link.is_some())) {
            open.set(false);
        }
    };
    let beside = move |event: MouseEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        if target.is_some_and(|target| target.tag_name() == "DIALOG") {
            open.set(false);
        }
    };
    let places = Memo::new(move |_| offers.places());
    let said = move || {
        let known = offers.found.with(|(_, found)| found.len());
        let first = places.with(|places| places.first().map(|place| place.label.clone()).unwrap_or_default());
        format!("{known} found. Enter: {first}")
    };
    view! {
        <dialog
            node_ref=dialog
            class="dialog palette"
            aria-label="Go to, create or find"
            on:close=closed
            on:click=followed
            on:mousedown=beside
            on:keydown=pressed
        >
            <div>
                <label class="search">
                    <Icon shape=Shape::Search />
                    // Not of the type for searches, which Esc empties first.
                    <input
                        node_ref=field
                        type="text"
                        autocomplete="off"
                        spellcheck="false"
                        placeholder="Go to, create or find"
                        aria-label="Go to, create or find"
                        aria-controls="palette-offers"
                        on:input=move |event| offers.look_for(event_target_value(&event))
                    />
                </label>
                <ul node_ref=offers.list id="palette-offers">
                    {move || {
                        places
                            .get()
                            .into_iter()
                            .map(|place| {
                                view! {
                                    <li>
                                        <a href=place.href>
                                            <bdi>{place.label}</bdi>
                                            <span class="muted">{place.aside}</span>
                                        </a>
                                    </li>
                                }
                            })
                            .collect_view()
                    }}
                </ul>
                <p class="hidden" role="status">
                    {said}
                </p>
            </div>
        </dialog>
    }
}

/// What was typed until the code came, into what searches everything.
fn typed_early() -> Option<String> {
    let finder = document().query_selector(FINDER).ok()??.dyn_into::<HtmlInputElement>().ok()?;
    let is_focused = document().active_element().as_ref() == Some(finder.unchecked_ref());
    let early = Some(finder.value()).filter(|early| is_focused && !early.is_empty())?;
    finder.set_value("");
    Some(early)
}

/// Whether a key was pressed in the field.
fn is_at(event: &KeyboardEvent, field: NodeRef<Input>) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    target.is_some() && target == field.get_untracked().map(Into::into)
}

/// What the person can go to and make, in the order of the sidebar.
fn commands(me: Option<&Me>) -> Vec<Place> {
    let Some(me) = me else { return Vec::new() };
    let place = |label: &str, aside: &str, href: String| Place { label: label.into(), aside: aside.into(), href };
    let entries = ENTRIES.iter().filter(|entry| me.holds(entry.permission));
    let entries = entries.map(|entry| place(entry.label, "Go to", entry.href.into()));
    let new = KINDS.iter().filter(|pages| me.may(pages.resource, "add"));
    let new = new.map(|pages| place(&format!("New {}", pages.one), "Create", format!("{}/new", pages.listing.path)));
    entries.chain(new).chain([place("Your account", "Go to", "/account".into())]).collect()
}

/// The commands in whose label every word of the text begins a word.
fn matching(commands: &[Place], text: &str) -> Vec<Place> {
    let text = text.to_lowercase();
    let fits = |place: &&Place| {
        let label = place.label.to_lowercase();
        text.split_whitespace().all(|word| label.split_whitespace().any(|said| said.starts_with(word)))
    };
    commands.iter().filter(fits).cloned().collect()
}
