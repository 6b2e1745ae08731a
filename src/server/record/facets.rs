//! How the rows of a list spread over the values of a field, and over time.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Asterisk, Func, Query, SelectStatement};
use sea_orm::{ConnectionTrait, Order as Direction, QueryOrder, QuerySelect, QueryTrait};

use super::narrow::{Approach, few, is_led, narrowing};
use super::{Resource, column};
use crate::access::gate::Access;
use crate::base::Result;
use crate::base::form::{Field, Kind};
use crate::base::listing::{CREATED, ListQuery, Order};
use crate::base::time::{Moment, stored, zones};
use crate::server::reader::Reader;

/// The most values a field is counted by.
const VALUES: usize = 12;

/// The most years, months or days.
const STEPS: usize = 40;

/// How many rows have each value of a field, the most frequent first; nothing for a blank.
#[derive(Debug)]
pub struct Facet {
    pub field: &'static Field,
    /// Without a number where there are too many rows to be counted.
    pub counts: Vec<(String, Option<u64>)>,
}

/// How many rows fall into each year, month or day.
#[derive(Debug)]
pub struct Drill {
    pub field: &'static Field,
    /// `2026`, `2026-11` or `2026-11-24` to the number of rows, the latest first; without one where they are too many to be
    /// counted.
    pub counts: Vec<(String, Option<u64>)>,
}

/// The fields whose values are few: flags, choices, countries, and those the listing names.
pub fn faceted<R: Resource>() -> impl Iterator<Item = &'static Field> {
    let few = |kind| matches!(kind, Kind::Flag { .. } | Kind::Choice(_) | Kind::Country);
    R::LISTING
        .fields
        .iter()
        .chain(R::LISTING.also)
        .filter(move |field| few(field.kind) || R::LISTING.facets.contains(&field.name))
}

/// The counts of each of these fields, each within all filters but its own. One statement a field.
///
/// # Errors
/// When the database does not answer.
pub async fn facets<R: Resource, P>(access: &Access<P>, query: &ListQuery) -> Result<Vec<Facet>> {
    let most = few::<R, _>(access);
    let mut facets = Vec::new();
    for field in faceted::<R>() {
        let rows = first::<R>(access.reader(), query, Some(field.name), most)?
            .expr_as(column::<R>(field.name)?.into_expr(), "value");
        let select = counted(rows).order_by("counted", Direction::Desc).to_owned();
        let mut counts = Vec::new();
        for row in access.reader().query_all(&select).await? {
            let value = match field.kind {
                Kind::Flag { .. } => row.try_get_by_index::<Option<bool>>(0)?.map(|flag| flag.to_string()),
                _ => row.try_get_by_index(0)?,
            };
            counts.push((value, u64::try_from(row.try_get_by_index::<i64>(1)?).unwrap_or_default()));
        }
        let is_counted = counts.iter().map(|(_, rows)| rows).sum::<u64>() <= most;
        let known: &[&str] = match field.kind {
            Kind::Flag { .. } => &["true", "false"],
            Kind::Choice(choices) => &choices.iter().map(|(value, _)| *value).collect::<Vec<_>>(),
            _ => &[],
        };
        let counts = match is_counted || known.is_empty() {
            true => told(counts, most).take(VALUES).collect(),
            // The first rows need not have every value.
            false => known.iter().map(|value| ((*value).to_owned(), None)).collect(),
        };
        facets.push(Facet { field, counts });
    }
    Ok(facets)
}

/// The rows of a list, up to one more than are counted, nothing selected yet.
fn first<R: Resource>(reader: &Reader, query: &ListQuery, without: Option<&str>, most: u64) -> Result<Select<R>> {
    let approach = Approach::Gather { most: Some(most) };
    let narrowing = narrowing::<R>(reader.get_database_backend(), query, without, approach)?;
    Ok(R::find().filter(narrowing).select_only().limit(most + 1))
}

/// The rows by their `value`.
fn counted<R: EntityTrait>(rows: Select<R>) -> SelectStatement {
    Query::select()
        .column("value")
        .expr_as(Func::count(Expr::col(Asterisk)), "counted")
        .from_subquery(rows.into_query(), "few")
        .group_by_col("value")
        .to_owned()
}

/// What was found, without numbers if there was more than is counted, and without the blank.
fn told(counts: Vec<(Option<String>, u64)>, most: u64) -> impl Iterator<Item = (String, Option<u64>)> {
    let all: u64 = counts.iter().map(|(_, rows)| rows).sum();
    counts.into_iter().filter_map(move |(value, rows)| Some((value?, (all <= most).then_some(rows))))
}

/// The field time is told by: the first date of the input, or when the record was made, if that is kept.
pub fn dated<R: Resource>() -> Option<&'static Field> {
    let date = R::LISTING.fields.iter().find(|field| field.kind == Kind::Date);
    date.or_else(|| R::LISTING.also.iter().find(|field| field.name == CREATED.name))
}

/// Rows by year; within a year by month, within a month by day, nothing within a day or without a time; moments by the calendar
/// of the caller's zone. One statement; three where there are too many rows to be counted, whose years are told only where an index leads to the first and the last.
///
/// # Errors
/// When the database does not answer.
pub async fn drill<R: Resource, P>(access: &Access<P>, query: &ListQuery) -> Result<Option<Drill>> {
    let most = few::<R, _>(access);
    let Some(field) = dated::<R>() else { return Ok(None) };
    let zone = access.caller().time_zone.as_deref().unwrap_or_default();
    let letters = match span(query, field, zone).map(|span| span.len()) {
        None => 4,
        Some(4) => 7,
        Some(7) => 10,
        Some(_) => return Ok(Some(Drill { field, counts: Vec::new() })),
    };
    // Both databases write dates and moments as ISO 8601, in UTC. A zone is never further from it than minutes tell.
    let text = Func::cast_as(column::<R>(field.name)?.into_expr(), "text");
    let (is_moment, day) = (field.kind == Kind::Moment, zones::days(zone));
    let step =
        Func::cust("substr").arg(text).arg(1).arg(if is_moment { 16 } else { i32::try_from(letters).unwrap_or(10) });
    let local = |text: String| match is_moment {
        true => day(stored::moment(&format!("{}:00Z", text.replace(' ', "T")))?)?.get(..letters).map(str::to_owned),
        false => Some(text),
    };
    let rows = first::<R>(access.reader(), query, None, most)?.expr_as(step.clone(), "value");
    let select = counted(rows).order_by("value", Direction::Desc).to_owned();
    let mut counts: Vec<(Option<String>, u64)> = Vec::new();
    for row in access.reader().query_all(&select).await? {
        let rows = u64::try_from(row.try_get_by_index::<i64>(1)?).unwrap_or_default();
        let value = row.try_get_by_index::<Option<String>>(0)?.and_then(local);
        match counts.last_mut().filter(|(last, _)| *last == value) {
            Some((_, counted)) => *counted += rows,
            None => counts.push((value, rows)),
        }
    }
    if counts.iter().map(|(_, rows)| rows).sum::<u64>() <= most {
        return Ok(Some(Drill { field, counts: told(counts, most).take(STEPS).collect() }));
    }
    let mut ends = Vec::new();
    for direction in [Direction::Asc, Direction::Desc] {
        let ordering = vec![Order { field: field.name.into(), descending: direction == Direction::Desc }];
        let query = ListQuery { ordering, ..query.clone() };
        if !is_led::<R>(&query) {
            break;
        }
        let narrowing = narrowing::<R>(access.reader().get_database_backend(), &query, None, Approach::Natural)?;
        let row = R::find().filter(narrowing).select_only().expr_as(step.clone(), "step").limit(1);
        let row = row.filter(column::<R>(field.name)?.is_not_null()).order_by(column::<R>(field.name)?, direction);
        ends.extend(row.into_tuple::<String>().one(access.reader()).await?.and_then(local));
    }
    let between = match ends.as_slice() {
        [first, last] => steps(first, last),
        _ => Vec::new(),
    };
    Ok(Some(Drill { field, counts: between.into_iter().take(STEPS).map(|step| (step, None)).collect() }))
}

/// All years, months of a year or days of a month from `first` to `last`, the latest first.
fn steps(first: &str, last: &str) -> Vec<String> {
    let at = first.rfind('-').map_or(0, |dash| dash + 1);
    let (within, number) = (first.get(..at).unwrap_or_default(), |text: &str| text.get(at..)?.parse::<u32>().ok());
    let digits = first.len() - at;
    let (Some(from), Some(to)) = (number(first), number(last)) else { return Vec::new() };
    (from..=to).rev().map(|number| format!("{within}{number:0digits$}")).collect()
}

/// The year, month or day that the filters of a field are, as `2026`, `2026-11` or `2026-11-24`, in a zone.
pub fn span(query: &ListQuery, field: &Field, zone: &str) -> Option<String> {
    let from = query.filters.get(&format!("{}__gte", field.name))?;
    let from = match field.kind {
        Kind::Moment => zones::days(zone)(stored::moment(from)?)?,
        _ => from.clone(),
    };
    let same = |one: &str, other: &str| {
        one == other || stored::moment(one).is_some_and(|at| stored::moment(other) == Some(at))
    };
    let is_set = |(name, value): &(String, String)| query.filters.get(name).is_some_and(|set| same(set, value));
    let spans = [10, 7, 4].into_iter().filter_map(|letters| from.get(..letters));
    spans.map(str::to_owned).find(|span| bounds(field, span, zone).iter().all(is_set))
}

/// The filters that leave the rows of a year, month or day, as the calendar of a zone has it.
pub fn bounds(field: &Field, span: &str, zone: &str) -> [(String, String); 2] {
    let number = |from: usize, to: usize| span.get(from..to).and_then(|digits| digits.parse::<i32>().ok());
    let (year, month) = (number(0, 4).unwrap_or_default(), number(5, 7));
    let first = match span.len() {
        4 => format!("{span}-01-01"),
        7 => format!("{span}-01"),
        _ => span.to_owned(),
    };
    let next = match (span.len(), month) {
        (4, _) => format!("{:04}-01-01", year + 1),
        (7, Some(12)) => format!("{:04}-01-01", year + 1),
        (7, month) => format!("{year:04}-{:02}-01", month.unwrap_or_default() + 1),
        _ => chrono::NaiveDate::parse_from_str(span, "%Y-%m-%d")
            .ok()
            .and_then(|day| day.succ_opt())
            .map_or_else(|| span.to_owned(), |day| day.to_string()),
    };
    let begins = |day: String| match field.kind {
        Kind::Moment => zones::within(zone, &day).map_or(day, |(at, _)| Moment::from(at).rfc3339().to_owned()),
        _ => day,
    };
    [(format!("{}__gte", field.name), begins(first)), (format!("{}__lt", field.name), begins(next))]
}
