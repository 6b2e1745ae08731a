//! The list of any resource as the admin area shows it: columns, counts by value and by time, what can be done.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};
use serde_json::Value;

use super::{Action, Cell, Choice, ColumnChoice, Dates, Facet, Heading, Kind, LastChange, Line, Table};
use crate::access::gate::{Access, Enter};
use crate::access::holds;
use crate::base::form::{Field, Kind as FieldKind};
use crate::base::listing::{Format, ListQuery, Listing, PAGE_SIZE, encoded};
use crate::base::time::zone::Zone;
use crate::base::time::{Moment, month, zones};
use crate::base::{Error, Result};
use crate::history::entity as history;
use crate::server::AppState;
use crate::server::managed::{Managed, Object};
use crate::server::record::facets::{Drill, Facet as Counted, bounds, span};
use crate::server::web;
use crate::ui::facts::readable;

/// Columns that are shown when none were chosen.
const COLUMNS: usize = 6;

/// Rows of a page.
const SIZES: [u32; 4] = [25, 50, 100, 200];

/// Every resource the person may see, with its count and its latest change. Two statements each.
///
/// # Errors
/// `Forbidden`.
pub async fn overview() -> Result<Vec<Kind>> {
    let (access, state) = entered().await?;
    let mut kinds = Vec::new();
    for managed in state.managed.iter().filter(|managed| may(&access, managed, "view")) {
        let last = history::Entity::find()
            .filter(history::Column::Resource.eq(managed.name))
            .order_by_desc(history::Column::At)
            .order_by_desc(history::Column::Id)
            .limit(1)
            .one(access.reader())
            .await?;
        kinds.push(Kind {
            title: title(managed.name),
            href: path(managed),
            count: managed.count(&access).await?,
            last: last.map(|event| LastChange { command: event.command, actor: event.actor_name, at: event.at.into() }),
        });
    }
    Ok(kinds)
}

/// The proof that the person may enter, and what they find.
///
/// # Errors
/// `Unauthenticated` or `Forbidden`.
pub(super) async fn entered() -> Result<(Access<Enter>, AppState)> {
    let access = web::access().await?;
    let state =
        leptos::prelude::use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    Ok((access, state))
}

/// A resource by its name in the address.
///
/// # Errors
/// `NotFound`.
pub(super) fn named(state: &AppState, resource: &str) -> Result<Managed> {
    let known = state.managed.iter().find(|managed| managed.name == resource);
    known.copied().ok_or_else(|| Error::not_found("page"))
}

pub(super) fn may(access: &Access<Enter>, managed: &Managed, action: &str) -> bool {
    holds(&access.caller().permissions, &(managed.permission)(action))
}

/// The list of a resource in the admin area.
pub(super) fn path(managed: &Managed) -> String {
    format!("/admin/{}", managed.name)
}

/// The page of a record, up to its id; nothing where it has none of its own.
pub(super) fn record_path(managed: &Managed) -> Option<String> {
    managed.part_of.is_none().then(|| format!("{}/", managed.listing.path))
}

/// A name as a heading.
pub(super) fn title(name: &str) -> String {
    let words = name.replace(['-', '_'], " ");
    let mut letters = words.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// One page of a list.
///
/// # Errors
/// `NotFound`; `Forbidden`; `Invalid` for a query that makes no sense.
pub async fn table(resource: &str, query: &str) -> Result<Table> {
    let (access, state) = entered().await?;
    let managed = named(&state, resource)?;
    let listing = managed.listing;
    let query = ListQuery::parse(listing, &with_columns(query))?;
    let query = ListQuery { walk: None, format: None, expand: None, ..query };
    let page = managed.page(&access, &query).await?;
    let columns = Columns::of(&managed, &query);
    let names = references(&access, &managed, &columns.chosen, &page.results).await?;
    let drill = managed.drill(&access, &query).await?;
    let (path, zone) = (path(&managed), zones::zone(access.caller().time_zone.as_deref().unwrap_or_default()));
    let mut lines: Vec<Line> =
        page.results.iter().map(|row| line(&zone, &managed, row, &columns.chosen, &names)).collect();
    let mut headings: Vec<Heading> =
        columns.chosen.iter().map(|column| heading(&zone, listing, &query, &path, column)).collect();
    if query.fields.is_empty() {
        drop_repeated(&mut headings, &mut lines);
    }
    let (first, shown) = (query.offset() + 1, u64::try_from(lines.len()).unwrap_or_default());
    let last = query.offset() + shown;
    let file = |format: Format| {
        let all = ListQuery { format: Some(format), page: 1, page_size: PAGE_SIZE, ..query.clone() };
        (format.name().to_uppercase(), all.href(&format!("/api/{}/", managed.name)))
    };
    let new = record_path(&managed).filter(|_| may(&access, &managed, "add")).map(|path| format!("{path}new"));
    Ok(Table {
        title: title(managed.name),
        one: managed.one.to_owned(),
        state: pairs(&query.at_page(1)),
        search: (!listing.searched.is_empty()).then(|| (query.search.clone(), listing.searched.to_owned())),
        headings,
        count: page.counted(),
        shown: (first.min(page.count), last),
        previous: (query.page > 1).then(|| query.at_page(query.page - 1).href(&path)),
        next: (last < page.count).then(|| query.at_page(query.page + 1).href(&path)),
        sizes: SIZES.into_iter().map(|size| sized(&query, &path, size)).collect(),
        columns: columns.offered,
        chips: chips(&zone, listing, &query, &path),
        facets: managed
            .facets(&access, &query)
            .await?
            .iter()
            .filter_map(|counted| facet(&zone, counted, &query, &path))
            .collect(),
        dates: drill.map(|drill| dates(&drill, &query, &path, &zone.name)).unwrap_or_default(),
        actions: actions(&access, &managed),
        files: [Format::Csv, Format::Ndjson].map(file).into(),
        is_narrowed: query.is_narrowed(),
        lines,
        new,
        path,
    })
}

/// The query with the boxes of the form that chooses columns as one parameter.
fn with_columns(query: &str) -> String {
    let boxes = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "columns");
    let chosen: Vec<_> = boxes.map(|(_, value)| value.into_owned()).collect();
    match (rest(query, &["columns"]), chosen.join(",")) {
        (rest, chosen) if chosen.is_empty() => rest,
        (rest, chosen) => format!("{rest}{}fields={}", if rest.is_empty() { "" } else { "&" }, encoded(&chosen)),
    }
}

/// A value that is shown: its name, what it says above, and its rule if it has one.
struct Column {
    name: &'static str,
    label: String,
    field: Option<&'static Field>,
}

impl Column {
    fn is_moment(&self) -> bool {
        self.field.map_or_else(|| self.name.ends_with("_at"), |field| field.kind == FieldKind::Moment)
    }
}

struct Columns {
    chosen: Vec<Column>,
    offered: Vec<ColumnChoice>,
}

impl Columns {
    fn of(managed: &Managed, query: &ListQuery) -> Self {
        let listing = managed.listing;
        let all: Vec<Column> = listing
            .names()
            .filter(|name| !["version", "name"].contains(name) && listing.expands != Some(*name))
            .map(|name| {
                let field = listing.fields.iter().chain(listing.also).find(|field| field.name == name);
                Column { name, label: field.map_or_else(|| title(name), |field| field.label.to_owned()), field }
            })
            .collect();
        let ordered = |column: &&Column| {
            listing.ordering.contains(&column.name) && !["created_at", "updated_at"].contains(&column.name)
        };
        let few = |column: &&Column| {
            column.field.is_some_and(|field| matches!(field.kind, FieldKind::Flag { .. } | FieldKind::Choice(_)))
        };
        // A reference whose name is shown says it twice.
        let named = |name: &str| listing.names().any(|known| known.strip_suffix("_name") == Some(name));
        let short = |column: &&Column| column.field.is_some_and(|field| !matches!(field.kind, FieldKind::Text { .. }));
        let mut shown: Vec<&'static str> = Vec::new();
        if query.fields.is_empty() {
            let wanted = all.iter().filter(ordered).chain(all.iter().filter(few)).chain(all.iter().filter(short));
            for column in wanted {
                if shown.len() < COLUMNS && !shown.contains(&column.name) && column.name != "id" && !named(column.name)
                {
                    shown.push(column.name);
                }
            }
        } else {
            shown.extend(
                all.iter().map(|column| column.name).filter(|name| query.fields.iter().any(|field| field == name)),
            );
        }
        let offered = all
            .iter()
            .map(|column| ColumnChoice {
                name: column.name.to_owned(),
                label: column.label.clone(),
                is_on: shown.contains(&column.name),
            })
            .collect();
        let mut chosen: Vec<Column> = all.into_iter().filter(|column| shown.contains(&column.name)).collect();
        chosen.sort_by_key(|column| shown.iter().position(|name| *name == column.name));
        Self { chosen, offered }
    }
}

fn heading(zone: &Zone, listing: &Listing, query: &ListQuery, path: &str, column: &Column) -> Heading {
    let orders = listing.ordering.contains(&column.name) || column.name == "id";
    let is_number = column.field.is_some_and(|field| {
        matches!(
            field.kind,
            FieldKind::Money
                | FieldKind::UnitPrice
                | FieldKind::Percent
                | FieldKind::Quantity
                | FieldKind::Whole { .. }
        )
    });
    let label = if column.is_moment() { format!("{}, {}", column.label, zone.name) } else { column.label.clone() };
    Heading {
        label,
        is_number,
        href: orders.then(|| query.sorted(listing, column.name).href(path)),
        down: query.ordered_by(listing, column.name),
    }
}

/// What references in the shown rows are called. One statement a reference.
type References = HashMap<&'static str, HashMap<i64, Cell>>;

async fn references(
    access: &Access<Enter>,
    managed: &Managed,
    columns: &[Column],
    rows: &[Object],
) -> Result<References> {
    let mut references = References::new();
    let part_of = managed.part_of.into_iter();
    let shown =
        columns.iter().filter(|column| column.field.is_some_and(|field| matches!(field.kind, FieldKind::Reference(_))));
    for name in shown.map(|column| column.name).chain(part_of) {
        let Some(related) = (managed.related)(name).filter(|_| !references.contains_key(name)) else { continue };
        let mut ids: Vec<i64> = rows.iter().filter_map(|row| row.get(name)?.as_i64()).collect();
        ids.sort_unstable();
        ids.dedup();
        let names = related.names(access, &ids).await?;
        let cells = names.into_iter().map(|(id, text)| (id, Cell { text, href: Some(related.href(id)) }));
        references.insert(name, cells.collect());
    }
    Ok(references)
}

fn line(zone: &Zone, managed: &Managed, row: &Object, columns: &[Column], names: &References) -> Line {
    let id = row.get("id").and_then(Value::as_i64).unwrap_or_default();
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let reference = |name: &'static str| {
        let id = row.get(name)?.as_i64()?;
        Some(names.get(name)?.get(&id).cloned().unwrap_or_else(|| Cell { text: id.to_string(), href: None }))
    };
    let whole = managed.part_of.and_then(reference);
    let href = match (record_path(managed), whole) {
        (Some(path), _) => Some(format!("{path}{id}")),
        (None, whole) => whole.and_then(|whole| whole.href),
    };
    let name = text("name").or_else(|| text("sku")).unwrap_or_else(|| format!("#{id}"));
    let cell = |column: &Column| {
        if let Some(cell) = reference(column.name) {
            return cell;
        }
        let value = row.get(column.name).unwrap_or(&Value::Null);
        let text = match (column.field.map(|field| field.kind), value) {
            (_, Value::String(moment)) if column.is_moment() => short(zone, moment),
            (Some(kind), value) => readable(kind, value),
            (None, Value::String(text)) => text.clone(),
            (None, Value::Bool(flag)) => if *flag { "yes" } else { "no" }.to_owned(),
            (None, Value::Null) => String::new(),
            (None, value) => value.to_string(),
        };
        Cell { text, href: None }
    };
    Line { id, name: Cell { text: name, href }, cells: columns.iter().map(cell).collect() }
}

/// Leaves out columns that only say once more what the records are called.
fn drop_repeated(headings: &mut Vec<Heading>, lines: &mut [Line]) {
    let repeats = |at: usize| {
        let mut cells = lines.iter().filter_map(|line| Some((line.cells.get(at)?, &line.name)));
        cells.all(|(cell, name)| cell.text.is_empty() || cell.text == name.text)
    };
    let kept: Vec<bool> = (0..headings.len()).map(|at| lines.is_empty() || !repeats(at)).collect();
    let keep = |at: &mut usize| {
        *at += 1;
        kept.get(*at - 1).copied().unwrap_or(true)
    };
    let mut at = 0;
    headings.retain(|_| keep(&mut at));
    for line in lines {
        let mut at = 0;
        line.cells.retain(|_| keep(&mut at));
    }
}

/// A moment as it stands in a column.
fn short(zone: &Zone, text: &str) -> String {
    Moment::written(text).map_or_else(|| text.to_owned(), |at| zone.short(&at))
}

fn sized(query: &ListQuery, path: &str, size: u32) -> Choice {
    let href = ListQuery { page_size: size, page: 1, ..query.clone() }.href(path);
    Choice { label: size.to_string(), href, count: None, is_on: query.page_size == size }
}

/// The state as the pairs of a form.
fn pairs(query: &ListQuery) -> Vec<(String, String)> {
    form_urlencoded::parse(query.query_string().as_bytes()).into_owned().collect()
}

/// What a value of a filter says.
fn said(zone: &Zone, field: &Field, value: &str) -> String {
    let value = match (field.kind, value) {
        (FieldKind::Flag { .. }, value) => Value::Bool(value == "true"),
        (_, value) => Value::String(value.to_owned()),
    };
    if let Some(at) = value.as_str().and_then(Moment::written) {
        return zone.said(&at);
    }
    match readable(field.kind, &value) {
        text if text.is_empty() => "(blank)".to_owned(),
        text => text,
    }
}

/// What narrows the list, but for dates and what the counts show.
fn chips(zone: &Zone, listing: &Listing, query: &ListQuery, path: &str) -> Vec<Choice> {
    let chip = |(name, value): (&String, &String)| {
        let filter = listing.filter(name)?;
        let relation = filter.relation.map_or(String::new(), |relation| format!("{}'s ", title(relation)));
        let how = name.rsplit_once("__").map_or("", |(_, how)| match how {
            "gte" => "from ",
            "lte" => "to ",
            "gt" => "above ",
            "lt" => "below ",
            "contains" => "with ",
            "startswith" => "begins with ",
            "isnull" => "blank: ",
            _ => "",
        });
        let label = format!("{relation}{}: {how}{}", filter.field.label, said(zone, filter.field, value));
        Some(Choice { label, href: query.filtered(name, "").href(path), count: None, is_on: true })
    };
    query.filters.iter().filter_map(chip).collect()
}

fn facet(zone: &Zone, counted: &Counted, query: &ListQuery, path: &str) -> Option<Facet> {
    let field = counted.field;
    let on = query.filters.get(field.name);
    let choices: Vec<Choice> = counted
        .counts
        .iter()
        .filter(|(value, _)| !value.is_empty())
        .map(|(value, count)| {
            let is_on = on == Some(value);
            let href = query.filtered(field.name, if is_on { "" } else { value }).href(path);
            Choice { label: said(zone, field, value), href, count: *count, is_on }
        })
        .collect();
    (choices.len() > 1 || on.is_some()).then(|| Facet { label: field.label.to_owned(), choices })
}

fn dates(drill: &Drill, query: &ListQuery, path: &str, zone: &str) -> Dates {
    let field = drill.field;
    let at = |span: Option<&str>| {
        let mut query = query.at_page(1);
        for end in ["gte", "lte", "gt", "lt"] {
            query.filters.remove(&format!("{}__{end}", field.name));
        }
        query.filters.extend(span.into_iter().flat_map(|span| bounds(field, span, zone)));
        query.href(path)
    };
    let within = span(query, field, zone);
    let choice = |span: &str, count, is_on| Choice { label: spoken(span), href: at(Some(span)), count, is_on };
    let mut back = Vec::new();
    if let Some(within) = &within {
        back.push(Choice { label: "All".to_owned(), href: at(None), count: None, is_on: false });
        for letters in [4, 7, 10] {
            if let Some(span) = within.get(..letters) {
                back.push(choice(span, None, span == within));
            }
        }
    }
    let steps = drill.counts.iter().map(|(span, count)| choice(span, *count, false)).collect();
    Dates { label: field.label.to_owned(), back, steps }
}

/// A year, a month or a day as people say it.
fn spoken(span: &str) -> String {
    let number = |from: usize, to: usize| span.get(from..to).and_then(|digits| digits.parse::<u32>().ok());
    match (span.get(..4), number(5, 7), number(8, 10)) {
        (Some(_), Some(of), Some(day)) => format!("{day} {}", month(of)),
        (Some(year), Some(of), None) => format!("{} {year}", month(of)),
        _ => span.to_owned(),
    }
}

/// What the person may do to records that are chosen.
pub(super) fn actions(access: &Access<Enter>, managed: &Managed) -> Vec<Action> {
    let action = |value: String, label: &str| Action { value, label: label.to_owned() };
    let mut actions = Vec::new();
    let changes = may(access, managed, "change");
    let fields = settable(managed).filter(|_| changes);
    if fields.clone().any(|field| field.name == "is_active") {
        actions.push(action("set:is_active=true".into(), "Activate"));
        actions.push(action("set:is_active=false".into(), "Deactivate"));
    }
    let commands = managed.commands.iter().filter(|command| may(access, managed, command.name));
    actions.extend(commands.map(|command| action(format!("command:{}", command.name), command.label)));
    let fields = fields.filter(|field| field.name != "is_active");
    actions.extend(
        fields.map(|field| action(format!("set:{}", field.name), &format!("Set {}…", field.label.to_lowercase()))),
    );
    for format in [Format::Csv, Format::Ndjson] {
        actions.push(action(format!("export:{}", format.name()), &format!("Export {}", format.name().to_uppercase())));
    }
    if may(access, managed, "delete") {
        actions.push(action("delete".into(), "Delete…"));
    }
    actions
}

/// The fields that can be given another value on many records: not those that tell records apart.
pub(super) fn settable(managed: &Managed) -> impl Iterator<Item = &'static Field> + Clone {
    managed.listing.fields.iter().filter(|field| !field.unique)
}

/// The address of a list with its state.
pub(super) fn list_href(managed: &Managed, within: &str) -> String {
    match within {
        "" => path(managed),
        within => format!("{}?{within}", path(managed)),
    }
}

/// A query text without the parameters of the form that asks.
pub(super) fn rest(query: &str, without: &[&str]) -> String {
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| !without.contains(&&**name));
    let kept: Vec<_> = kept.map(|(name, value)| format!("{}={}", encoded(&name), encoded(&value))).collect();
    kept.join("&")
}
