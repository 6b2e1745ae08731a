//! The page of imports: upload, map, try, import. Its forms are plain ones, each step a document of its own.

use std::time::Duration;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use wasm_split_helpers::wasm_split;

use super::rpc::read_import;
use super::{Activity, Columns, Desk, Kind, MAX_COLUMNS, MAX_ROWS, Report, Review, Waiting};
use crate::base::Result;
use crate::base::money::grouped;
use crate::ui::chunk::Chunk;
use crate::ui::found::Found;
use crate::ui::page::{Crumb, Heading, unescaped_place};
use crate::ui::when::When;

/// How often a page looks how far an import got.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The same without JavaScript.
const RELOAD: &str = "<meta http-equiv=\"refresh\" content=\"2\">";

/// `/import`, and `/import?upload=…`.
pub fn chunk() -> Chunk<()> {
    Chunk { name: "own", fetch: || Box::pin(fetch_import_page()), page: (), draw: |()| Box::pin(import_page()) }
}

#[wasm_split(own, preload(fetch_import_page), fallible)]
fn import_page() -> Result<AnyView> {
    Ok(view! { <ImportPage /> }.into_any())
}

#[component]
fn ImportPage() -> impl IntoView {
    let query = use_query_map();
    let id = Memo::new(move |_| query.with(|query| query.get("upload")).unwrap_or_default());
    let desk = Resource::new(move || id.get(), read_import);
    view! {
        <Found
            found=desk
            draw=move |read| {
                if !is_server() && read.review.as_ref().is_some_and(|review| review.activity.is_active()) {
                    set_timeout(move || desk.refetch(), LOOK_EVERY);
                }
                drawn(read)
            }
        />
    }
}

fn drawn(desk: Desk) -> AnyView {
    let crumb = desk.review.is_some().then_some(Crumb { label: "Import", href: "/import" });
    let title = match &desk.review {
        None => "Import",
        Some(review) if review.is_done => "Imported",
        Some(Review { activity: Activity::Queued { is_import } | Activity::Running { is_import, .. }, .. }) => {
            if *is_import {
                "Importing"
            } else {
                "Checking"
            }
        }
        Some(review) if review.report.is_some() => "Check the import",
        Some(_) => "Map the columns",
    };
    let refused = desk.refused.map(|message| {
        view! {
            <p class="notice bad" role="alert">
                {message}
            </p>
        }
    });
    let stage = desk.review.as_ref().filter(|review| !review.activity.is_active()).map(|review| {
        let is_clean = review.report.as_ref().is_some_and(Report::is_clean);
        (review.id.clone(), is_clean, review.is_done)
    });
    let body = match desk.review {
        None => upload(&desk.limit, desk.waiting),
        Some(review) => reviewed(review),
    };
    view! {
        <Heading title crumb actions=move || stage.clone().map(|(id, is_clean, is_done)| actions(id, is_clean, is_done)) />
        <div class="import stack">{refused} {body}</div>
    }
    .into_any()
}

/// What comes next: trying, importing what has no problems, or other files.
fn actions(id: String, is_clean: bool, is_done: bool) -> AnyView {
    if is_done {
        return view! {
            <a class="btn" href="/import">
                "Import other files"
            </a>
        }
        .into_any();
    }
    let import = is_clean.then(|| {
        view! {
            <form action="/-/import/run" method="post">
                <input type="hidden" name="page" value=here(&id) />
                <input type="hidden" name="id" value=id />
                <button class="btn primary">"Import"</button>
            </form>
        }
    });
    view! {
        <button class="btn" class:primary=!is_clean form="mapping-form">
            "Check without writing"
        </button>
        {import}
    }
    .into_any()
}

/// Step 1: choose files.
fn upload(limit: &str, waiting: Vec<Waiting>) -> AnyView {
    let kinds = [
        (Kind::Customers, "Matched by code."),
        (Kind::Products, "Matched by SKU."),
        (Kind::Orders, "Matched by number. One with a shipped date arrives shipped, others placed."),
        (Kind::Lines, "Of the orders; each names its order and its product."),
    ];
    let fields = kinds.map(|(kind, help)| file(kind.name(), kind.label(), ".csv,text/csv", help));
    view! {
        <form class="card upload" action="/-/import/upload" method="post" enctype="multipart/form-data">
            <p>
                "Choose CSV files. They are checked as a whole before anything is written, and importing the same file twice changes
                nothing."
            </p>
            {fields.into_iter().collect_view()}
            {file("mapping", "Mapping", ".toml", "A mapping file as the command line takes it; not needed.")}
            <p class="muted">
                {format!(
                    "UTF-8, up to {limit} together, each up to {MAX_COLUMNS} columns and {} rows; kept for a day.",
                    grouped(&MAX_ROWS.to_string()),
                )}
            </p>
            <button class="btn primary">"Upload"</button>
        </form>
        {(!waiting.is_empty()).then(|| uploads(waiting))}
    }
    .into_any()
}

/// Uploads that wait, each with the way on and the way out.
fn uploads(waiting: Vec<Waiting>) -> AnyView {
    let rows = waiting.into_iter().map(|Waiting { id, names, size, at, is_active }| {
        let remove = (!is_active).then(|| {
            view! {
                <form action="/-/import/remove" method="post">
                    <input type="hidden" name="page" value="/import" />
                    <input type="hidden" name="id" value=id.clone() />
                    <button class="btn small" aria-label=format!("Remove {names}")>
                        "Remove"
                    </button>
                </form>
            }
        });
        view! {
            <tr>
                <th scope="row">
                    <a href=here(&id)>
                        <bdi>{names.clone()}</bdi>
                    </a>
                </th>
                <td class="num">{size}</td>
                <td>
                    <When at />
                </td>
                <td class="num">{remove}</td>
            </tr>
        }
    });
    view! {
        <section class="card uploads">
            <h2>"Uploaded, not imported yet"</h2>
            <table>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}

fn file(name: &'static str, label: &'static str, accept: &'static str, help: &'static str) -> AnyView {
    let described = format!("{name}-help");
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input id=name name=name type="file" accept=accept aria-describedby=described.clone() />
            <span class="help" id=described>
                {help}
            </span>
        </div>
    }
    .into_any()
}

/// Steps 2 to 4: what the last try said, and the mapping as long as it can change.
fn reviewed(review: Review) -> AnyView {
    let Review { id, files, extra, report, is_done, activity, undo } = review;
    if activity.is_active() {
        return progress(&id, &activity);
    }
    let ended = ended(activity);
    let told = report.filter(|_| ended.is_none()).map(|report| told(&id, report, is_done, undo));
    let form = (!is_done).then(|| mapping(&id, files, extra));
    view! {
        {ended}
        {told}
        {form}
    }
    .into_any()
}

/// How far the work on the files got. The page looks again by itself, with JavaScript and without.
fn progress(id: &str, activity: &Activity) -> AnyView {
    let (said, done, all) = match activity {
        Activity::Running { done, all, .. } if *all > 0 => {
            let (done, all) = (*done.min(all), *all);
            (format!("{} of {} steps done.", grouped(&done.to_string()), grouped(&all.to_string())), done, all)
        }
        Activity::Running { .. } => ("Reading the files.".to_owned(), 0, 0),
        _ => ("Others come first: this waits for its turn.".to_owned(), 0, 0),
    };
    view! {
        <section class="card section working" aria-live="polite">
            <progress aria-label="Progress" max=(all > 0).then_some(all) value=(all > 0).then_some(done)></progress>
            <p>{said}</p>
            <p class="muted">
                "You can leave this page: the work goes on, and is found again under " <a href="/import">"Import"</a> ". "
                <a href=here(id) rel="external">
                    "Look again"
                </a>
            </p>
            <noscript inner_html=RELOAD></noscript>
        </section>
    }
    .into_any()
}

/// That the last work on the files came to no end.
fn ended(activity: Activity) -> Option<AnyView> {
    let said = match activity {
        Activity::None | Activity::Queued { .. } | Activity::Running { .. } => return None,
        Activity::Interrupted { is_import: true } => {
            "The server stopped while it imported. Nothing was written: import again.".to_owned()
        }
        Activity::Interrupted { is_import: false } => "The server stopped while it checked: check again.".to_owned(),
        Activity::Failed { why } => format!("{why} Nothing was written."),
    };
    let notice = view! {
        <p class="notice bad" role="alert">
            {said}
        </p>
    };
    Some(notice.into_any())
}

fn told(id: &str, report: Report, is_done: bool, undo: String) -> AnyView {
    let (found, is_clean) = (report.found(), report.is_clean());
    let verdict = match (is_done, found) {
        (true, _) => {
            let undo = (!undo.is_empty()).then(|| {
                view! {
                    <form action="/-/changes/undo" method="post">
                        <input type="hidden" name="request" value=undo />
                        <input type="hidden" name="page" value=here(id) />
                        <button class="btn small">"Undo"</button>
                    </form>
                }
            });
            view! {
                <div class="notice good over-page" role="status">
                    <span>"Everything was imported, as one change."</span>
                    {undo}
                </div>
            }
            .into_any()
        }
        (false, 0) => {
            view! { <p class="notice good" role="status">"No problems. Nothing is written yet."</p> }.into_any()
        }
        (false, found) => {
            let text = if found == 1 { "1 problem".to_owned() } else { format!("{found} problems") };
            view! {
                <p class="notice bad" role="alert">
                    {text}
                    ": nothing can be imported until the files or the mapping are mended. "
                    <a href=format!("/-/import/report?upload={id}") rel="external" download="problems.csv">
                        "Download them as CSV"
                    </a>
                </p>
            }
            .into_any()
        }
    };
    let notes = report.notes.iter().map(|note| view! { <p class="note">{note.clone()}</p> }).collect_view();
    view! {
        {verdict}
        {(!is_clean).then(|| problems(&report))}
        {is_clean.then(|| counts(&report, is_done))}
        {notes}
    }
    .into_any()
}

fn here(id: &str) -> String {
    format!("/import?upload={id}")
}

/// What becomes of the rows; what is there leads to its list.
fn counts(report: &Report, is_done: bool) -> AnyView {
    let rows = report.counts.iter().map(|(kind, counts)| {
        let label = match kind {
            Kind::Customers | Kind::Products | Kind::Orders if is_done => {
                view! { <a href=format!("/{}", kind.name())>{kind.label()}</a> }.into_any()
            }
            kind => kind.label().into_any(),
        };
        view! {
            <tr>
                <th scope="row">{label}</th>
                <td class="num">{counts.created}</td>
                <td class="num">{counts.changed}</td>
                <td class="num">{counts.unchanged}</td>
            </tr>
        }
    });
    view! {
        <section class="card counts">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Rows"</th>
                        <th scope="col" class="num">
                            "New"
                        </th>
                        <th scope="col" class="num">
                            "Changed"
                        </th>
                        <th scope="col" class="num">
                            "The same"
                        </th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}

fn problems(report: &Report) -> AnyView {
    let rows = report.problems.iter().cloned().map(|problem| {
        view! {
            <tr>
                <td class="file">
                    <bdi>{if problem.file.is_empty() { "Mapping".to_owned() } else { problem.file }}</bdi>
                </td>
                <td class="num row">{problem.row}</td>
                <td class="column">
                    <bdi>{problem.column}</bdi>
                </td>
                <td class="message">
                    <bdi>{problem.message}</bdi>
                </td>
            </tr>
        }
    });
    let more = (report.more > 0).then(|| view! { <p class="note">{format!("… and {} more.", report.more)}</p> });
    view! {
        <section class="card problems">
            <table>
                <thead>
                    <tr>
                        <th scope="col" class="file">"File"</th>
                        <th scope="col" class="num row">
                            "Row"
                        </th>
                        <th scope="col" class="column">"Column"</th>
                        <th scope="col">"Problem"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </section>
        {more}
    }
    .into_any()
}

fn mapping(id: &str, files: Vec<Columns>, extra: String) -> AnyView {
    let is_open = !extra.is_empty();
    view! {
        <form id="mapping-form" class="stack" action="/-/import/check" method="post">
            <input type="hidden" name="id" value=id.to_owned() />
            <input type="hidden" name="page" value=here(id) />
            {files.into_iter().map(columns).collect_view()}
            <details class="card section" open=is_open>
                <summary>"Further rules"</summary>
                <div class="fields field">
                    <label class="hidden" for="extra">
                        "Further rules"
                    </label>
                    <textarea id="extra" name="form[extra]" rows="6" spellcheck="false" aria-describedby="extra-help">
                        {unescaped_place(extra)}
                    </textarea>
                    <span class="help" id="extra-help">
                        "As in a mapping file, such as " <code>"[products]"</code> " and below it " <code>"unit = \"=pcs\""</code>
                        " for what a file does not have. They win over the choices above."
                    </span>
                </div>
            </details>
        </form>
    }
    .into_any()
}

fn columns(file: Columns) -> AnyView {
    let Columns { kind, name, columns, targets } = file;
    let rows = columns.into_iter().map(|column| {
        let options = targets.iter().map(|target| {
            let selected = *target == column.target;
            view! {
                <option value=target.clone() selected=selected>
                    {target.clone()}
                </option>
            }
        });
        view! {
            <tr>
                <th scope="row">
                    <bdi>{column.header.clone()}</bdi>
                </th>
                <td class="sample">
                    <bdi>{column.sample}</bdi>
                </td>
                <td>
                    <select name=format!("form[{}]", column.choice) aria-label=format!("Where {} goes", column.header)>
                        <option value="">"nowhere"</option>
                        {options.collect_view()}
                    </select>
                </td>
            </tr>
        }
    });
    view! {
        <section class="card columns">
            <h2>{kind.label()} " " <bdi class="faint">{name}</bdi></h2>
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Column"</th>
                        <th scope="col">"First value"</th>
                        <th scope="col">"Goes to"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}
