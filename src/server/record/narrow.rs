//! What a list is narrowed to, as conditions of its statements.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Func, LikeExpr, Query, SelectStatement};
use sea_orm::{Condition, DbBackend, QuerySelect, QueryTrait};

use super::{Resource, Stored, View, column};
use crate::access::gate::Access;
use crate::access::holds;
use crate::base::column::rows;
use crate::base::form::{Field, Kind};
use crate::base::listing::{Comparison, Filter, ListQuery};
use crate::base::money::{Money, Percent, Quantity, UnitPrice};
use crate::base::time::stored::Day;
use crate::base::{Error, Result, fold};
use crate::server::reader::Reader;

/// Whether the caller may see the records that the filters reach through.
pub fn may_filter<R: Resource>(access: &Access<View<R>>, query: &ListQuery) -> Result<()> {
    for relation in query.filters.keys().filter_map(|name| R::LISTING.filter(name)?.relation) {
        let related = R::related(relation).ok_or_else(|| Error::internal(format!("{} leads nowhere", relation)))?;
        if !holds(&access.caller().permissions, &related.permission) {
            return Err(Error::forbidden(&related.permission));
        }
    }
    Ok(())
}

/// Where a relation leads.
#[derive(Debug)]
pub struct RelatedRecords {
    /// What the caller must hold to filter by it.
    permission: String,
    /// The page of one of them, up to the id.
    path: &'static str,
    /// The ids of the records that a filter of theirs leaves.
    ids: fn(&str, &str) -> Result<SelectStatement>,
    names: for<'a> fn(&'a Reader, &'a [i64]) -> Names<'a>,
}

/// What records are called, by id.
pub type Names<'a> = Pin<Box<dyn Future<Output = Result<HashMap<i64, String>>> + Send + 'a>>;

impl RelatedRecords {
    /// To the records of `R`.
    pub fn to<R: Resource>() -> Self {
        let (permission, path) = (R::permission("view"), R::LISTING.path);
        Self { permission, path, ids: ids_of::<R>, names: |db, ids| Box::pin(names_of::<R>(db, ids)) }
    }

    /// The page of one of them.
    pub fn href(&self, id: i64) -> String {
        format!("{}/{id}", self.path)
    }

    /// What records are called; nothing for who may not see them. One statement.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn names<P>(&self, access: &Access<P>, ids: &[i64]) -> Result<HashMap<i64, String>> {
        match ids.is_empty() || !holds(&access.caller().permissions, &self.permission) {
            true => Ok(HashMap::new()),
            false => (self.names)(access.reader(), ids).await,
        }
    }
}

/// What records are called, by id. One statement.
///
/// # Errors
/// When the database does not answer.
pub async fn names_of<R: Resource>(db: &Reader, ids: &[i64]) -> Result<HashMap<i64, String>> {
    let found = rows(db, R::find().filter(column::<R>("id")?.is_in(ids.iter().copied()))).await?;
    Ok(found.into_iter().map(|row| R::read(row).row()).map(|row| (row.id, row.text("name"))).collect())
}

fn ids_of<R: Resource>(name: &str, value: &str) -> Result<SelectStatement> {
    let select =
        R::find().select_only().column(column::<R>("id")?).filter(narrowed_by::<R>(name, value, Approach::Natural)?);
    Ok(select.into_query())
}
/// The column that orders by this name: the folded one where there is one.
pub fn sorting<R: Resource>(name: &str) -> Result<R::Column> {
    R::Column::from_str(&format!("{name}_key")).or_else(|_| column::<R>(name))
}

/// How the rows of a narrowed list are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approach {
    /// As the database thinks best.
    Natural,
    /// By the indexes of what it is narrowed by, and put in order afterwards. Where it is given, nobody asks for more than
    /// `most` and whether there are more.
    Gather { most: Option<u64> },
    /// Among rows that are at hand, in their order.
    Window,
}

impl Approach {
    /// For however many there are.
    pub const GATHER: Self = Self::Gather { most: None };
}

/// The most rows of a narrowed list that are counted one by one: it takes some milliseconds.
pub const FEW: u64 = 10_000;

/// The same in a table of more than [`LARGE`] rows, where a number is asked for more often than read.
const FEW_OF_MANY: u64 = 1_000;

/// From how many rows on a table is large.
const LARGE: u64 = 20_000;

/// How many rows of a list are counted one by one.
pub fn few<R: Resource, P>(access: &Access<P>) -> u64 {
    if access.database().sizes().of(R::NAME) > LARGE { FEW_OF_MANY } else { FEW }
}

/// What a list is narrowed to, but for the filter called `without`.
pub fn narrowing<R: Resource>(
    backend: DbBackend,
    query: &ListQuery,
    without: Option<&str>,
    approach: Approach,
) -> Result<Condition> {
    let mut condition = Condition::all();
    let mut needles = needles(query);
    let filters: Vec<_> = query.filters.iter().filter(|(name, _)| without != Some(name.as_str())).collect();
    // One thing alone that narrows a list need not be looked up further than anybody asks.
    let alone = match approach {
        Approach::Gather { most } if filters.len() + usize::from(!needles.is_empty()) == 1 => Approach::Gather { most },
        Approach::Gather { .. } => Approach::GATHER,
        approach => approach,
    };
    for (name, value) in filters {
        condition = condition.add(narrowed_by::<R>(name, value, alone)?);
        if let Approach::Gather { .. } = approach {
            needles.extend(implied::<R>(name, value));
        }
    }
    let indexed = R::SEARCH_INDEX && backend == DbBackend::Sqlite && matches!(approach, Approach::Gather { .. });
    let (by_index, by_text): (Vec<_>, Vec<_>) = needles.into_iter().partition(|needle| indexed && is_indexed(needle));
    for needle in &by_text {
        if approach == Approach::Window && backend == DbBackend::Postgres {
            condition = condition.add(holds_text(column::<R>("search_text")?.into_expr(), needle));
            continue;
        }
        let pattern = LikeExpr::new(fold::like(needle)).escape('\\');
        condition = condition.add(column::<R>("search_text")?.into_expr().like(pattern));
    }
    if !by_index.is_empty() {
        let most = match alone {
            Approach::Gather { most } if by_text.is_empty() && query.filters.is_empty() => most,
            _ => None,
        };
        condition = condition.add(column::<R>("id")?.in_subquery(matching::<R>(&by_index, most)));
    }
    Ok(condition)
}

/// The ids of what a search alone leaves, up to one more than `most`, where the index of search texts tells them by itself.
pub fn found_by_index<R: Resource>(backend: DbBackend, query: &ListQuery, most: u64) -> Option<SelectStatement> {
    let needles = needles(query);
    let tells = R::SEARCH_INDEX
        && backend == DbBackend::Sqlite
        && query.filters.is_empty()
        && !needles.is_empty()
        && needles.iter().all(|needle| is_indexed(needle));
    tells.then(|| matching::<R>(&needles, Some(most)))
}

/// Whether a text holds a needle, in the words that PostgreSQL compares fastest where no index is to be used.
pub fn holds_text(text: Expr, needle: &str) -> Expr {
    Expr::from(Func::cust("strpos").arg(text).arg(needle)).gt(0)
}

/// What search texts are looked through for.
pub fn needles(query: &ListQuery) -> Vec<String> {
    query.terms().iter().map(|term| fold::needle(term)).filter(|needle| !needle.is_empty()).collect()
}

/// Whether a needle has the three letters by which SQLite's index finds it.
fn is_indexed(needle: &str) -> bool {
    needle.chars().nth(2).is_some()
}

/// The ids of the rows whose search text holds every needle, by SQLite's index.
fn matching<R: Resource>(needles: &[String], most: Option<u64>) -> SelectStatement {
    let phrases: Vec<_> = needles.iter().map(|needle| format!("\"{}\"", needle.replace('"', "\"\""))).collect();
    let index = format!("{}_search", R::NAME);
    let mut select = Query::select();
    select.expr(Expr::cust("rowid")).and_where(Expr::cust_with_values(format!("{index} MATCH ?"), [phrases.join(" ")]));
    select.from(Alias::new(index));
    if let Some(most) = most {
        select.limit(most + 1);
    }
    select
}

/// Whether the index of a list's order also leads to what it is narrowed to, so that its rows are found in order.
pub fn is_led<R: Resource>(query: &ListQuery) -> bool {
    let order = query.order(&R::LISTING);
    let first = order.first().map_or("id", |order| order.field.as_str());
    let usual = first == R::LISTING.default.trim_start_matches('-');
    let leads = |name: &String| {
        R::LISTING.filter(name).is_some_and(|Filter { relation, field, comparison }| match comparison {
            _ if relation.is_some() || R::LISTING.special.contains(field) => false,
            Comparison::Exact => field.name == first || (usual && R::LISTING.tabs == Some(field.name)),
            Comparison::Greater | Comparison::AtLeast | Comparison::Less | Comparison::AtMost => field.name == first,
            Comparison::In | Comparison::Contains | Comparison::StartsWith | Comparison::IsNull => false,
        })
    };
    query.search.is_empty() && query.filters.keys().all(leads)
}

/// The text that the search text of every row holds which a filter leaves, if one follows from it.
fn implied<R: Resource>(name: &str, value: &str) -> Option<String> {
    let (field, comparison) = name.rsplit_once("__").unwrap_or((name, "exact"));
    let special = R::LISTING.special.iter().any(|special| special.name == name);
    (R::SEARCHED.contains(&field) && (special || matches!(comparison, "contains" | "startswith")))
        .then(|| fold::spaced(&fold::fold(value)).trim_start().to_owned())
        .filter(|needle| !needle.is_empty())
}

fn narrowed_by<R: Resource>(name: &str, value: &str, approach: Approach) -> Result<Condition> {
    if let Some(narrowed) = R::narrowed(name, value, approach) {
        return Ok(narrowed);
    }
    let missing = || Error::internal(format!("{} has no filter {name}", R::NAME));
    let filter = R::LISTING.filter(name).ok_or_else(missing)?;
    if let Some(relation) = filter.relation {
        let (_, name) = name.split_once("__").ok_or_else(missing)?;
        let ids = (R::related(relation).ok_or_else(missing)?.ids)(name, value)?;
        return Ok(Condition::all().add(column::<R>(relation)?.in_subquery(ids)));
    }
    Ok(Condition::all().add(compared::<R>(filter, value)?))
}

/// The value of a column, in a form that no index is looked up by.
pub fn unindexed(column: impl ColumnTrait) -> Expr {
    Func::coalesce([column.into_expr(), column.into_expr()]).into()
}

fn compared<R: Resource>(Filter { field, comparison, .. }: Filter, value: &str) -> Result<Expr> {
    // What is unique whatever its case is also compared so.
    let column = column::<R>(&if field.unique { format!("{}_key", field.name) } else { field.name.to_owned() })?;
    let text = || if field.unique { fold::key(value) } else { value.to_owned() };
    let operand = |value: &str| match field.unique {
        true => Ok(fold::key(value).into()),
        false => operand(field, value),
    };
    Ok(match comparison {
        Comparison::Exact => {
            // What has a folded form is found by that, as the order of a list has an index of it.
            let folded = R::Column::from_str(&format!("{}_key", field.name)).ok().filter(|_| !field.unique);
            let same = column.eq(operand(value)?);
            folded.map_or(same.clone(), |folded| folded.eq(fold::fold(value)).and(same))
        }
        Comparison::In => column.is_in(value.split(',').map(operand).collect::<Result<Vec<Value>>>()?),
        // LIKE would ignore the case of ASCII on SQLite only; these two compare letters on both databases.
        Comparison::Contains => {
            let without = Func::cust("replace").arg(column.into_expr()).arg(text()).arg("");
            Expr::from(without).ne(column.into_expr())
        }
        Comparison::StartsWith => {
            let letters = i32::try_from(text().chars().count()).unwrap_or(i32::MAX);
            let start = Func::cust("substr").arg(column.into_expr()).arg(1).arg(letters);
            Expr::from(start).eq(text())
        }
        Comparison::Greater => column.gt(operand(value)?),
        Comparison::AtLeast => column.gte(operand(value)?),
        Comparison::Less => column.lt(operand(value)?),
        Comparison::AtMost => column.lte(operand(value)?),
        Comparison::IsNull if value == "true" => column.is_null(),
        Comparison::IsNull => column.is_not_null(),
    })
}

/// A filter's value in the type of its column.
fn operand(field: &Field, value: &str) -> Result<Value> {
    fn read<T: FromStr + Into<Value>>(text: &str) -> Result<Value> {
        let value = text.parse::<T>().map_err(|_| Error::internal(format!("a filter kept {text:?}")))?;
        Ok(value.into())
    }
    match field.kind {
        Kind::Flag { .. } => Ok((value == "true").into()),
        Kind::Whole { .. } | Kind::Reference(_) => read::<i64>(value),
        Kind::Money => read::<Money>(value),
        Kind::UnitPrice => read::<UnitPrice>(value),
        Kind::Percent => read::<Percent>(value),
        Kind::Quantity => read::<Quantity>(value),
        Kind::Date => read::<Day>(value),
        Kind::Moment => {
            let moment = chrono::DateTime::parse_from_rfc3339(value);
            let moment =
                moment.map_err(|_| Error::field(field.name, "Enter a moment such as 2026-11-24T14:02:01Z."))?;
            Ok(moment.with_timezone(&chrono::Utc).into())
        }
        Kind::Line { .. } | Kind::Text { .. } | Kind::Email | Kind::Country | Kind::Choice(_) => Ok(value.into()),
    }
}
