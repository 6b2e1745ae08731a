//! How the rows of a list spread over the values of a field, and over time.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Asterisk, Func};
use sea_orm::{DatabaseConnection, Order as Direction, QueryOrder, QuerySelect};

use super::{Resource, column, narrowing};
use crate::base::Result;
use crate::base::form::{Field, Kind};
use crate::base::listing::{CREATED, ListQuery};

/// The most values a field is counted by.
const VALUES: u64 = 12;

/// The most years, months or days.
const STEPS: u64 = 40;

/// How many rows have each value of a field, the most frequent first; nothing for a blank.
#[derive(Debug)]
pub struct Facet {
    pub field: &'static Field,
    pub counts: Vec<(String, u64)>,
}

/// How many rows fall into each year, month or day.
#[derive(Debug)]
pub struct Drill {
    pub field: &'static Field,
    /// `2026`, `2026-11` or `2026-11-24` to the number of rows, the latest first.
    pub counts: Vec<(String, u64)>,
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
pub async fn facets<R: Resource>(reader: &DatabaseConnection, query: &ListQuery) -> Result<Vec<Facet>> {
    let mut facets = Vec::new();
    for field in faceted::<R>() {
        let of = column::<R>(field.name)?;
        let select = R::find()
            .filter(narrowing::<R>(query, Some(field.name))?)
            .select_only()
            .column(of)
            .expr_as(Func::count(Expr::col(Asterisk)), "rows")
            .group_by(of)
            .order_by(Expr::col(Alias::new("rows")), Direction::Desc)
            .limit(VALUES);
        let counts = if let Kind::Flag { .. } = field.kind {
            let flags: Vec<(bool, i64)> = select.into_tuple().all(reader).await?;
            flags.into_iter().map(|(flag, rows)| (flag.to_string(), counted(rows))).collect()
        } else {
            let values: Vec<(Option<String>, i64)> = select.into_tuple().all(reader).await?;
            values.into_iter().filter_map(|(value, rows)| Some((value?, counted(rows)))).collect()
        };
        facets.push(Facet { field, counts });
    }
    Ok(facets)
}

fn counted(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}

/// The field time is told by: the first date of the input, or when the record was made, if that is kept.
pub fn dated<R: Resource>() -> Option<&'static Field> {
    let date = R::LISTING.fields.iter().find(|field| field.kind == Kind::Date);
    date.or_else(|| R::LISTING.also.iter().find(|field| field.name == CREATED.name))
}

/// Rows by year; within a year by month, within a month by day, nothing within a day or without a time. One statement.
///
/// # Errors
/// When the database does not answer.
pub async fn drill<R: Resource>(reader: &DatabaseConnection, query: &ListQuery) -> Result<Option<Drill>> {
    let Some(field) = dated::<R>() else { return Ok(None) };
    let letters = match span(query, field).map(|span| span.len()) {
        None => 4,
        Some(4) => 7,
        Some(7) => 10,
        Some(_) => return Ok(Some(Drill { field, counts: Vec::new() })),
    };
    // Both databases write dates and moments as ISO 8601, in UTC.
    let text = Func::cast_as(column::<R>(field.name)?.into_expr(), "text");
    let step = Func::cust("substr").arg(text).arg(1).arg(letters);
    let steps: Vec<(Option<String>, i64)> = R::find()
        .filter(narrowing::<R>(query, None)?)
        .select_only()
        .expr_as(step, "step")
        .expr(Func::count(Expr::col(Asterisk)))
        .group_by(Expr::col(Alias::new("step")))
        .order_by(Expr::col(Alias::new("step")), Direction::Desc)
        .limit(STEPS)
        .into_tuple()
        .all(reader)
        .await?;
    let counts = steps.into_iter().filter_map(|(step, rows)| Some((step?, counted(rows)))).collect();
    Ok(Some(Drill { field, counts }))
}

/// The year, month or day that the filters of a field are, as `2026`, `2026-11` or `2026-11-24`.
pub fn span(query: &ListQuery, field: &Field) -> Option<String> {
    let from = query.filters.get(&format!("{}__gte", field.name))?.get(..10)?;
    [10, 7, 4]
        .into_iter()
        .filter_map(|letters| from.get(..letters))
        .find(|span| bounds(field, span).iter().all(|(name, value)| query.filters.get(name) == Some(value)))
        .map(str::to_owned)
}

/// The filters that leave the rows of a year, month or day.
pub fn bounds(field: &Field, span: &str) -> [(String, String); 2] {
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
    let whole = if field.kind == Kind::Date { "" } else { "T00:00:00Z" };
    [
        (format!("{}__gte", field.name), format!("{first}{whole}")),
        (format!("{}__lt", field.name), format!("{next}{whole}")),
    ]
}
