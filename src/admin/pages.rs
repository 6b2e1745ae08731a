//! The pages of the admin area. Every form of theirs is a plain one.

use leptos::html::Table as TableElement;
use leptos::prelude::*;
use leptos_router::components::{Outlet, ParentRoute, Route};
use leptos_router::hooks::use_params_map;
use leptos_router::path;
use wasm_bindgen::JsCast;
use wasm_split_helpers::wasm_split;

use super::rpc::{admin_data, admin_health, admin_overview, admin_question, admin_run, admin_settings, admin_table};
use super::{Choice, Control, Facet, Files, Heading as HeadingOf, Kind, Line, Part, Question, Run, Setting, Table};
use crate::access::Me;
use crate::base::Result;
use crate::base::money::grouped;
use crate::ui::chunk::Chunk;
use crate::ui::confirm::Taken;
use crate::ui::context::FailedForm;
use crate::ui::found::Found;
use crate::ui::icon::{Icon, Shape};
use crate::ui::page::{Crumb, Heading, use_here};
use crate::ui::table::use_query_text;
use crate::ui::when::When;

/// Does something to many records.
const ACT: &str = "/-/admin/act";

#[derive(Clone, Copy)]
enum Page {
    Overview,
    Health,
    Settings,
    Data,
    Run,
    Table,
    Question,
}

fn chunk(page: Page) -> Chunk<Page> {
    Chunk { name: "admin", fetch: || Box::pin(fetch_admin_page()), page, draw: |page| Box::pin(admin_page(page)) }
}

#[wasm_split(admin, preload(fetch_admin_page), fallible)]
fn admin_page(page: Page) -> Result<AnyView> {
    Ok(match page {
        Page::Overview => view! { <OverviewPage /> }.into_any(),
        Page::Health => view! { <HealthPage /> }.into_any(),
        Page::Settings => view! { <SettingsPage /> }.into_any(),
        Page::Data => view! { <DataPage /> }.into_any(),
        Page::Run => view! { <RunPage /> }.into_any(),
        Page::Table => view! { <TablePage /> }.into_any(),
        Page::Question => view! { <QuestionPage /> }.into_any(),
    })
}

/// `/admin` and below: what serves every resource alike.
#[component(transparent)]
pub fn AdminRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <ParentRoute path=path!("admin") view=Outlet>
            <Route path=path!("") view=chunk(Page::Overview) />
            <Route path=path!("health") view=chunk(Page::Health) />
            <Route path=path!("settings") view=chunk(Page::Settings) />
            <Route path=path!("data") view=chunk(Page::Data) />
            <Route path=path!("runs/:id") view=chunk(Page::Run) />
            <Route path=path!(":resource") view=chunk(Page::Table) />
            <Route path=path!(":resource/act") view=chunk(Page::Question) />
        </ParentRoute>
    }
    .into_inner()
}

const CRUMB: Crumb = Crumb { label: "Admin", href: "/admin" };

fn use_param(name: &'static str) -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get(name)).unwrap_or_default())
}

/// What stands beside the resources: page, what it is for, the permission it needs.
const TOOLS: [(&str, &str, &str, &str); 9] = [
    ("/admin/users", "People", "Who signs in, invitations, service accounts.", "users.view"),
    ("/admin/roles", "Roles", "What people and tokens may do.", "roles.view"),
    ("/admin/sessions", "Sessions", "Who is signed in, since when and from where.", "sessions.view"),
    ("/admin/tokens", "API tokens", "What scripts may do, until when, and their last use.", "tokens.view"),
    ("/admin/security", "Security", "Who signed in, from where, and what was refused.", "security.view"),
    ("/admin/log", "Log", "Everything that was done, by whom and through which door.", "history.view"),
    ("/admin/settings", "Settings", "Limits, the log and open reading, without a restart.", "settings.change"),
    ("/admin/data", "Data", "Import, export, and a company to try things on.", "admin.view"),
    ("/admin/health", "Health", "Version, database, connections, disk.", "admin.view"),
];

#[component]
fn OverviewPage() -> impl IntoView {
    let found = Resource::new(|| (), |()| admin_overview());
    let me = use_context::<Me>();
    let tools = TOOLS
        .into_iter()
        .filter(|(.., permission)| me.as_ref().is_some_and(|me| me.holds(permission)))
        .map(|(href, label, purpose, _)| {
            view! {
                <li>
                    <a class="key" href=href>
                        {label}
                    </a>
                    <p class="muted">{purpose}</p>
                </li>
            }
        })
        .collect_view();
    view! {
        <Heading title="Admin" />
        <div class="admin stack">
            <Found found draw=|kinds| view! { <Kinds kinds /> }.into_any() />
            <section class="card">
                <h2>"People and house"</h2>
                <ul class="doors">{tools}</ul>
            </section>
        </div>
    }
}

#[component]
fn Kinds(kinds: Vec<Kind>) -> impl IntoView {
    let rows = kinds
        .into_iter()
        .map(|kind| {
            let last = kind.last.map(|last| {
                view! {
                    <bdi>{last.actor}</bdi>
                    {format!(": {} ", last.command.replace('_', " "))}
                    <When at=last.at.clone() />
                }
            });
            view! {
                <tr>
                    <td class="name">
                        <a class="key" href=kind.href>
                            {kind.title}
                        </a>
                    </td>
                    <td class="num">{kind.count.to_string()}</td>
                    <td class="opt muted">{last}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card">
            <table class="list kinds">
                <caption class="hidden">"Resources"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Records"</th>
                        <th scope="col" class="num">
                            "Count"
                        </th>
                        <th scope="col" class="opt">
                            "Last change"
                        </th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
}

#[component]
fn HealthPage() -> impl IntoView {
    let found = Resource::new(|| (), |()| admin_health());
    view! {
        <Heading title="Health" crumb=Some(CRUMB) />
        <Found found draw=parts />
    }
}

fn parts(parts: Vec<Part>) -> AnyView {
    view! { <div class="admin parts">{parts.into_iter().map(part).collect_view()}</div> }.into_any()
}

fn part(part: Part) -> impl IntoView {
    let facts = part
        .facts
        .into_iter()
        .map(|fact| {
            let ill = (!fact.is_well).then(|| view! { <span class="badge inactive">"Look at this"</span> " " });
            view! {
                <dt>{fact.name}</dt>
                <dd>{ill} {fact.value}</dd>
            }
        })
        .collect_view();
    view! {
        <section class="card">
            <h2>{part.title}</h2>
            <dl class="facts">{facts}</dl>
        </section>
    }
}

#[component]
fn DataPage() -> impl IntoView {
    let found = Resource::new(|| (), |()| admin_data());
    view! {
        <Heading title="Data" crumb=Some(CRUMB) />
        <Found found draw=|files| view! { <Data files /> }.into_any() />
    }
}

#[component]
fn Data(files: Files) -> impl IntoView {
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == DEMO);
    let message = failed.map(|failed| view! { <p class="notice bad" role="alert">{failed.error.detail}</p> });
    let exports = files
        .exports
        .into_iter()
        .map(|(name, forms)| {
            let links = forms
                .into_iter()
                .map(|(form, href)| {
                    view! {
                        <a class="btn small" href=href download="" rel="external">
                            {form}
                        </a>
                        " "
                    }
                })
                .collect_view();
            view! {
                <tr>
                    <td class="name">{name}</td>
                    <td class="num">{links}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="admin stack">
            {message} <section class="card">
                <h2>"Take along"</h2>
                <table class="list">
                    <caption class="hidden">"Exports"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Records"</th>
                            <th scope="col" class="num">
                                "All of them as"
                            </th>
                        </tr>
                    </thead>
                    <tbody>{exports}</tbody>
                </table>
            </section>
            {files
                .may_import
                .then(|| {
                    view! {
                        <section class="card ask">
                            <h2>"Bring in"</h2>
                            <p class="muted">"Customers, products, orders and their lines out of CSV files, tried before anything is written."</p>
                            <a class="btn" href="/import">
                                "Import files"
                            </a>
                        </section>
                    }
                })}
            {files
                .may_demo
                .then(|| {
                    view! {
                        <form class="card ask" action=DEMO method="post">
                            <h2>"Try things"</h2>
                            <p class="muted">"The house is empty. A small company can move in: customers, products and orders."</p>
                            <input type="hidden" name="page" value="/admin/data" />
                            <button class="btn">"Load the demo company"</button>
                        </form>
                    }
                })}
        </div>
    }
}

/// Loads the demo company.
const DEMO: &str = "/-/admin/demo";

/// Changes settings.
const SET: &str = "/-/admin/set";

#[component]
fn SettingsPage() -> impl IntoView {
    let found = Resource::new(|| (), |()| admin_settings());
    view! {
        <Heading title="Settings" crumb=Some(CRUMB) />
        <Found found draw=|settings| view! { <Settings settings /> }.into_any() />
    }
}

#[component]
fn Settings(settings: Vec<Setting>) -> impl IntoView {
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == SET);
    let (fixed, open): (Vec<_>, Vec<_>) = settings.into_iter().partition(|setting| setting.fixed.is_some());
    let fields = open
        .into_iter()
        .map(|setting| {
            let typed = failed.as_ref().and_then(|failed| failed.typed.get(&setting.name).cloned());
            let said =
                failed.as_ref().and_then(|failed| failed.error.errors.get(&setting.name)).map(|said| said.join(" "));
            let (id, help) = (format!("s-{}", setting.name), format!("s-{}-help", setting.name));
            let invalid = said.is_some().then_some("true");
            view! {
                <div class="field">
                    <label for=id.clone()>
                        <code>{setting.name.clone()}</code>
                    </label>
                    <input type="hidden" name=format!("form[was.{}]", setting.name) value=setting.set.clone() />
                    <input
                        id=id
                        name=format!("form[{}]", setting.name)
                        value=typed.unwrap_or(setting.set)
                        placeholder=setting.default
                        aria-describedby=help.clone()
                        aria-invalid=invalid
                    />
                    <p class="help" id=help>
                        {said.map(|said| view! { <span class="error">{said}</span> " " })}
                        {setting.meaning}
                    </p>
                </div>
            }
        })
        .collect_view();
    let message = failed.as_ref().map(|failed| {
        let detail = failed.error.detail.clone();
        view! { <p class="notice bad" role="alert">{detail}</p> }
    });
    let rows = fixed
        .into_iter()
        .map(|setting| {
            view! {
                <tr>
                    <td class="name">
                        <code>{setting.name}</code>
                    </td>
                    <td>{setting.value}</td>
                    <td class="opt muted">{setting.fixed}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="admin stack">
            {message} <form class="card settings" action=SET method="post">
                <h2>"While the server runs"</h2>
                <input type="hidden" name="page" value="/admin/settings" />
                <div class="fields">{fields}</div>
                <p class="buttons">
                    <button class="btn primary">"Save"</button>
                </p>
            </form> <section class="card">
                <h2>"Set elsewhere"</h2>
                <table class="list">
                    <caption class="hidden">"Settings that are set elsewhere"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Setting"</th>
                            <th scope="col">"Value"</th>
                            <th scope="col" class="opt">
                                "Where"
                            </th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </section>
        </div>
    }
}

#[component]
fn TablePage() -> impl IntoView {
    let (resource, query) = (use_param("resource"), use_query_text());
    let found = Resource::new(move || (resource.get(), query()), |(resource, query)| admin_table(resource, query));
    view! { <Found found draw=|table| view! { <Listed table /> }.into_any() /> }
}

#[component]
fn Listed(table: Table) -> impl IntoView {
    let new = table.new.clone().zip(Some(table.one.clone()));
    let actions = move || {
        new.clone().map(|(href, one)| {
            view! {
                <a class="btn primary" href=href data-key="n">
                    <Icon shape=Shape::Plus />
                    {format!("New {one}")}
                    <kbd>"n"</kbd>
                </a>
            }
        })
    };
    let many = table.title.to_lowercase();
    view! {
        <Heading title=table.title.clone() crumb=Some(CRUMB) actions />
        <div class="admin cols">
            <section class="card">
                <Tools table=table.clone() />
                {if table.lines.is_empty() {
                    view! {
                        <div class="empty">
                            <p>
                                <b>{if table.is_narrowed { format!("No {many} match.") } else { format!("No {many} yet.") }}</b>
                            </p>
                            {table.is_narrowed.then(|| view! { <a class="btn" href=table.path.clone()>"Show all"</a> })}
                        </div>
                    }
                        .into_any()
                } else {
                    view! { <Lines table=table.clone() /> }.into_any()
                }}
            </section>
            <Narrowing table />
        </div>
    }
}

/// Search, what narrows the list, and which columns are shown.
#[component]
fn Tools(table: Table) -> impl IntoView {
    let Table { path, state, search, chips, columns, .. } = table;
    let hidden = |without: &'static str| {
        let pairs = state.iter().filter(|(name, _)| name != without).cloned();
        pairs.map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view()
    };
    let chips = chips
        .into_iter()
        .map(|chip| {
            view! {
                <a class="chip on" href=chip.href aria-label=format!("Take the filter {} away", chip.label)>
                    <bdi>{chip.label.clone()}</bdi>
                    <Icon shape=Shape::Close />
                </a>
            }
        })
        .collect_view();
    let boxes = columns
        .into_iter()
        .map(|column| {
            view! {
                <label class="check">
                    <input type="checkbox" name="columns" value=column.name checked=column.is_on />
                    {column.label}
                </label>
            }
        })
        .collect_view();
    let searched = search.map(|(words, searched)| {
        view! {
            <form method="get" action=path.clone() role="search" aria-label="Records">
                <label class="search">
                    <Icon shape=Shape::Search />
                    <input
                        type="search"
                        name="search"
                        value=words
                        placeholder=format!("Search {searched}")
                        aria-label=format!("Search {searched}")
                    />
                    <kbd>"/"</kbd>
                </label>
                {hidden("search")}
            </form>
        }
    });
    view! {
        <div class="filters">
            {searched} {chips}
            <details class="choose">
                <summary class="btn small">"Columns"</summary>
                <form method="get" action=path class="pop">
                    {hidden("fields")}
                    <div class="boxes">{boxes}</div>
                    <button class="btn small primary">"Show these"</button>
                </form>
            </details>
        </div>
    }
}

/// The records, and what can be done to those that are chosen.
#[component]
fn Lines(table: Table) -> impl IntoView {
    let Table {
        path, state, headings, lines, count, shown: (first, last), previous, next, sizes, actions, files, ..
    } = table;
    let rows = NodeRef::<TableElement>::new();
    let choose_all = move |event: leptos::ev::Event| {
        let is_on = event_target_checked(&event);
        let Some(boxes) = rows.get_untracked().and_then(|table| table.query_selector_all("[name=ids]").ok()) else {
            return;
        };
        for index in 0..boxes.length() {
            if let Some(node) = boxes.get(index) {
                node.unchecked_into::<web_sys::HtmlInputElement>().set_checked(is_on);
            }
        }
    };
    let choosable = !actions.is_empty();
    let head = headings
        .iter()
        .map(|heading| {
            let sort = heading.down.map(|down| if down { "descending" } else { "ascending" });
            let arrow =
                heading.down.map(|down| view! { <span aria-hidden="true">{if down { " ↓" } else { " ↑" }}</span> });
            let label = heading.label.clone();
            let label = match heading.href.clone() {
                Some(href) => view! { <a href=href>{label} {arrow}</a> }.into_any(),
                None => label.into_any(),
            };
            view! {
                <th scope="col" class:num=heading.is_number aria-sort=sort>
                    {label}
                </th>
            }
        })
        .collect_view();
    let body = lines.into_iter().map(|line| row(line, &headings, choosable)).collect_view();
    let doing = choosable.then(|| {
        let options = actions
            .into_iter()
            .map(|action| view! { <option value=action.value>{action.label}</option> })
            .collect_view();
        view! {
            <div class="doing">
                <label>
                    <span class="hidden">"What to do"</span>
                    <select name="action" required=true>
                        <option value="">"With those chosen…"</option>
                        {options}
                    </select>
                </label>
                <label class="check">
                    <input type="checkbox" name="all" />
                    {format!("all {} that match", count)}
                </label>
                <button class="btn small">"Go on"</button>
            </div>
        }
    });
    let hidden =
        state.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view();
    let turn = |href: Option<String>, rel: &'static str, label: &'static str| {
        href.map(|href| view! { <a class="btn quiet" rel=rel href=href>{label}</a> })
    };
    view! {
        <form method="get" action=format!("{path}/act")>
            {hidden} {doing} <div class="wide">
                <table class="list" node_ref=rows>
                    <caption class="hidden">"Records"</caption>
                    <thead>
                        <tr>
                            {choosable
                                .then(|| {
                                    view! {
                                        <th scope="col" class="pick">
                                            <input
                                                type="checkbox"
                                                class="needs-script"
                                                aria-label="Choose all on this page"
                                                on:change=choose_all
                                            />
                                        </th>
                                    }
                                })} <th scope="col">"Record"</th> {head}
                        </tr>
                    </thead>
                    <tbody>{body}</tbody>
                </table>
            </div>
        </form>
        <div class="pager">
            <span>{format!("{first}–{last} of {}", count)}</span>
            <span class="take">
                {files
                    .into_iter()
                    .map(|(form, href)| {
                        view! {
                            <a class="btn quiet" href=href download="" rel="external">
                                {format!("Export {form}")}
                            </a>
                        }
                    })
                    .collect_view()} <span class="muted">"Rows:"</span>
                {sizes
                    .into_iter()
                    .map(|size| {
                        view! {
                            <a class="btn quiet" href=size.href aria-current=size.is_on.then_some("true")>
                                {size.label}
                            </a>
                        }
                    })
                    .collect_view()}
            </span>
            <nav aria-label="Pages">{turn(previous, "prev", "Previous")} {turn(next, "next", "Next")}</nav>
        </div>
    }
}

fn row(line: Line, headings: &[HeadingOf], choosable: bool) -> AnyView {
    let name = line.name.text.clone();
    let linked = match line.name.href {
        Some(href) => view! { <a class="key" href=href><bdi>{line.name.text}</bdi></a> }.into_any(),
        None => view! { <bdi>{line.name.text}</bdi> }.into_any(),
    };
    let cells = line
        .cells
        .into_iter()
        .zip(headings)
        .map(|(cell, heading)| {
            let text = view! { <bdi>{cell.text}</bdi> };
            let text = match cell.href {
                Some(href) => view! { <a class="over" href=href>{text}</a> }.into_any(),
                None => text.into_any(),
            };
            view! {
                <td class:num=heading.is_number data-label=heading.label.clone()>
                    {text}
                </td>
            }
        })
        .collect_view();
    view! {
        <tr>
            {choosable
                .then(|| {
                    view! {
                        <td class="pick">
                            <input type="checkbox" name="ids" value=line.id.to_string() aria-label=format!("Choose {name}") />
                        </td>
                    }
                })} <td class="name">{linked}</td> {cells}
        </tr>
    }
    .into_any()
}

/// The counts by value and by time.
#[component]
fn Narrowing(table: Table) -> impl IntoView {
    let dates = table.dates;
    let back = dates
        .back
        .into_iter()
        .map(|step| view! { <a href=step.href aria-current=step.is_on.then_some("true")>{step.label}</a> " " })
        .collect_view();
    let timed = (!dates.steps.is_empty() || !back.is_empty()).then(|| {
        view! {
            <section class="card facet">
                <h2>{dates.label}</h2>
                {(!back.is_empty()).then(|| view! { <p class="back">{back}</p> })}
                <ul>{dates.steps.into_iter().map(choice).collect_view()}</ul>
            </section>
        }
    });
    view! {
        <aside class="stack" aria-label="Filters">
            {table.facets.into_iter().map(facet).collect_view()} {timed}
        </aside>
    }
}

fn facet(facet: Facet) -> impl IntoView {
    view! {
        <section class="card facet">
            <h2>{facet.label}</h2>
            <ul>{facet.choices.into_iter().map(choice).collect_view()}</ul>
        </section>
    }
}

fn choice(choice: Choice) -> impl IntoView {
    view! {
        <li>
            <a href=choice.href aria-current=choice.is_on.then_some("true")>
                <bdi>{choice.label}</bdi>
                {choice.count.map(|count| view! { <span class="count">{grouped(&count.to_string())}</span> })}
            </a>
        </li>
    }
}

#[component]
fn QuestionPage() -> impl IntoView {
    let (resource, query) = (use_param("resource"), use_query_text());
    let found = Resource::new(move || (resource.get(), query()), |(resource, query)| admin_question(resource, query));
    view! { <Found found draw=|question| view! { <Asked question /> }.into_any() /> }
}

#[component]
fn Asked(question: Question) -> impl IntoView {
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == ACT);
    let typed = |name: &str| failed.as_ref().and_then(|failed| failed.typed.get(name).cloned()).unwrap_or_default();
    let page = untrack(use_here());
    let ids: Vec<String> = question.ids.iter().map(i64::to_string).collect();
    let more = question.ids.len().saturating_sub(question.names.len());
    let named = question
        .names
        .iter()
        .map(|(_, name)| {
            view! {
                <li>
                    <bdi>{name.clone()}</bdi>
                </li>
            }
        })
        .collect_view();
    let (label, control) = question.asked;
    let is_value = question.action.starts_with("set:");
    let name = if is_value { "value" } else { "reason" };
    let asked = match control {
        Control::None => ().into_any(),
        Control::Input(kind) => view! {
            <div class="field">
                <label for="asked">{label}</label>
                <input id="asked" name=format!("form[{name}]") type=kind value=typed(name) required=question.is_required autofocus=true />
            </div>
        }
        .into_any(),
        Control::Select(options) => {
            let now = typed(name);
            let options = options
                .into_iter()
                .map(|(value, text)| {
                    let selected = value == now;
                    view! { <option value=value selected=selected>{text}</option> }
                })
                .collect_view();
            view! {
                <div class="field">
                    <label for="asked">{label}</label>
                    <select id="asked" name=format!("form[{name}]") required=question.is_required autofocus=true>
                        <option value="">"(blank)"</option>
                        {options}
                    </select>
                </div>
            }
            .into_any()
        }
    };
    let message = failed.map(|failed| {
        let said = failed.error.errors.values().flatten().cloned().collect::<Vec<_>>().join(" ");
        let text = if said.is_empty() { failed.error.detail } else { said };
        view! { <p class="notice bad" role="alert">{text}</p> }
    });
    if let Some(file) = question.file {
        let label = question.label;
        return view! {
            <Heading title=question.title crumb=Some(CRUMB) />
            <section class="card ask admin">
                <ul class="named">{named}</ul>
                <div class="buttons">
                    <a class="btn primary" href=file download="" rel="external">
                        {label}
                    </a>
                    <a class="btn quiet" href=question.back.1>
                        "Back to the list"
                    </a>
                </div>
            </section>
        }
        .into_any();
    }
    let class = if question.is_dangerous { "btn danger solid" } else { "btn primary" };
    view! {
        <Heading title=question.title crumb=Some(CRUMB) />
        <section class="card ask admin">
            {message} <ul class="named">
                {named}
                {(more > 0).then(|| view! { <li class="muted">{format!("and {} more", grouped(&more.to_string()))}</li> })}
            </ul> {question.taken_along.map(|taken| view! { <Taken taken /> })}
            <form action=ACT method="post" class="stack">
                <input type="hidden" name="page" value=page />
                <input type="hidden" name="resource" value=question.resource />
                <input type="hidden" name="form[action]" value=question.action />
                <input type="hidden" name="form[ids]" value=ids.join(",") />
                {asked}
                <fieldset>
                    <legend>"If one of them refuses"</legend>
                    <label class="check">
                        <input type="radio" name="form[policy]" value="all" checked=true />
                        "leave all as they are"
                    </label>
                    <label class="check">
                        <input type="radio" name="form[policy]" value="each" />
                        "go on with the others"
                    </label>
                </fieldset>
                <div class="buttons">
                    <button class=class>{question.label}</button>
                    <a class="btn quiet" href=question.back.1>
                        "Back to the list"
                    </a>
                </div>
            </form>
        </section>
    }
    .into_any()
}

#[component]
fn RunPage() -> impl IntoView {
    let id = use_param("id");
    let found = Resource::new(move || id.get(), admin_run);
    view! { <Found found draw=|run| view! { <Ran run /> }.into_any() /> }
}

#[component]
fn Ran(run: Run) -> impl IntoView {
    let (class, said) = match (run.written, run.refused) {
        (true, 0) => ("notice good", format!("Done with all {}.", run.done)),
        (true, refused) => ("notice warn", format!("Done with {}; {refused} refused.", run.done)),
        (false, refused) => ("notice bad", format!("Nothing was changed, as {refused} refused.")),
    };
    let rows = run
        .outcomes
        .into_iter()
        .map(|outcome| {
            let name = match run.record.is_empty() {
                true => view! { <bdi>{outcome.name}</bdi> }.into_any(),
                false => {
                    let href = format!("{}{}", run.record, outcome.id);
                    view! { <a class="key" href=href><bdi>{outcome.name}</bdi></a> }.into_any()
                }
            };
            let (badge, text) = match (&outcome.error, run.written) {
                (Some(_), _) => ("badge inactive", "Refused"),
                (None, true) => ("badge active", "Done"),
                (None, false) => ("badge inactive", "Left"),
            };
            view! {
                <tr>
                    <td class="name">{name}</td>
                    <td class="state">
                        <span class=badge>{text}</span>
                    </td>
                    <td>{outcome.error}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Heading title=run.title crumb=Some(CRUMB) />
        <div class="admin stack">
            <p class=class role="status">
                {said}
                " "
                <a href=run.back.1>{format!("Back to {}", run.back.0.to_lowercase())}</a>
            </p>
            <section class="card">
                <table class="list">
                    <caption class="hidden">"Results"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Record"</th>
                            <th scope="col">"Result"</th>
                            <th scope="col">"Why"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </section>
            <p class="faint">
                <When at=run.at.clone() />
                {format!(" · {}", run.request_id)}
            </p>
        </div>
    }
}
