//! How many rows a list has, and what they come to: exactly where that is kept or cheap, otherwise that they are many.
//!
//! A step of the schema keeps the numbers of a whole table, by the value of its tabs, in `tallies` (see
//! [`Resource::TALLIED`]); triggers add what every statement changes. What is narrowed is counted up to [`few`] rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Asterisk, ExprTrait, Func, FunctionCall, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, QuerySelect, QueryTrait, Statement};

use super::narrow::{Approach, few, found_by_index, narrowing};
use super::{Resource, column};
use crate::access::gate::Access;
use crate::base::Result;
use crate::base::listing::ListQuery;
use crate::server::database::Database;
use crate::server::reader::Reader;

/// What there is to say about all rows of a list.
#[derive(Debug)]
pub struct Tally {
    /// How many there are; where that is not exact, there are more.
    pub count: u64,
    pub exact: bool,
    /// Rows by the value of the tabs, blank for all; nothing where that was not counted.
    pub tabs: BTreeMap<String, u64>,
    /// Absent where not everything was counted.
    pub sum: Option<String>,
}

/// The rows that share a value of the tabs.
struct Group {
    tab: String,
    rows: u64,
    sum: i128,
}

/// What there is to say about all rows of a list. At most one statement; two where a tab of a list of many rows is open that is
/// narrowed by something else too. A list that was found to be of many rows is not counted again for some moments.
///
/// # Errors
/// When the database does not answer.
pub async fn tally<R: Resource, P>(access: &Access<P>, query: &ListQuery) -> Result<Tally> {
    let (reader, lately) = (access.reader(), access.database().lately());
    let tabs = R::LISTING.tabs;
    let is_kept = is_kept::<R>(query);
    let most = few::<R, _>(access);
    let open = tabs.and_then(|tabs| query.filters.get(tabs));
    if is_kept || query.exact || !lately.found_many::<R>(query, tabs, most) {
        let groups = match is_kept {
            true => kept::<R>(reader).await?,
            false => counted::<R>(reader, query, tabs, most).await?,
        };
        let all = groups.iter().map(|group| group.rows).sum::<u64>();
        if is_kept {
            access.database().sizes().note(R::NAME, all);
        }
        if is_kept || query.exact || all <= most {
            let shown = || groups.iter().filter(|group| open.is_none_or(|open| *open == group.tab));
            let count = shown().map(|group| group.rows).sum();
            let sum = R::LISTING.summed.map(|_| written(shown().map(|group| group.sum).sum()));
            let tabs = tabs.map_or_else(BTreeMap::new, |_| {
                let each = groups.iter().map(|group| (group.tab.clone(), group.rows));
                each.chain([(String::new(), all)]).collect()
            });
            return Ok(Tally { count, exact: true, tabs, sum });
        }
        lately.note::<R>(query, tabs, most);
    }
    if open.is_some() && !lately.found_many::<R>(query, None, most) {
        let groups = counted::<R>(reader, query, None, most).await?;
        let count = groups.iter().map(|group| group.rows).sum::<u64>();
        if count <= most {
            let sum = R::LISTING.summed.map(|_| written(groups.iter().map(|group| group.sum).sum()));
            return Ok(Tally { count, exact: true, tabs: BTreeMap::new(), sum });
        }
        lately.note::<R>(query, None, most);
    }
    Ok(Tally { count: most, exact: false, tabs: BTreeMap::new(), sum: None })
}

/// Whether the number of a list's rows is kept: that of all, and that of a tab.
fn is_kept<R: Resource>(query: &ListQuery) -> bool {
    let narrows = |name: &String| Some(name.as_str()) != R::LISTING.tabs;
    R::TALLIED && query.search.is_empty() && !query.filters.keys().any(narrows)
}

/// The number of a list's rows, for a statement that reads some of them: where it is kept, and nobody asks for more.
pub fn told_along<R: Resource>(query: &ListQuery) -> Option<SelectStatement> {
    let has_more = R::LISTING.tabs.is_some() || R::LISTING.summed.is_some();
    if !is_kept::<R>(query) || (has_more && !query.bare) {
        return None;
    }
    let rows = Func::coalesce([Func::sum(Expr::col("counted")).into(), Expr::val(0)]);
    let mut select = Query::select().expr(Func::cast_as(rows, "BIGINT")).from("tallies").to_owned();
    select.and_where(Expr::col("resource").eq(R::NAME));
    if let Some(open) = R::LISTING.tabs.and_then(|tabs| query.filters.get(tabs)) {
        select.and_where(Expr::col("tab").eq(open.as_str()));
    }
    Some(select)
}

/// Whether no more than `most` rows are left of a narrowed list. At most one statement.
///
/// # Errors
/// When the database does not answer.
pub async fn is_few<R: Resource, P>(access: &Access<P>, query: &ListQuery, most: u64) -> Result<bool> {
    let lately = access.database().lately();
    if lately.found_many::<R>(query, None, most) {
        return Ok(false);
    }
    let query = ListQuery { exact: false, ..query.clone() };
    let groups = counted::<R>(access.reader(), &query, None, most).await?;
    let is_few = groups.iter().map(|group| group.rows).sum::<u64>() <= most;
    if !is_few {
        lately.note::<R>(&query, None, most);
    }
    Ok(is_few)
}

/// The numbers that are kept of the whole table.
async fn kept<R: Resource>(reader: &Reader) -> Result<Vec<Group>> {
    let sum = |name: &'static str| Func::cast_as(Func::sum(Expr::col(name)), "BIGINT");
    let select = Query::select()
        .column("tab")
        .expr(sum("counted"))
        .expr(sum("above"))
        .expr(sum("below"))
        .from("tallies")
        .and_where(Expr::col("resource").eq(R::NAME))
        .group_by_col("tab")
        .to_owned();
    groups(reader, &select).await
}

/// The rows of a narrowed list by the value of the tabs: all of them if that is demanded, else up to one more than `most`.
async fn counted<R: Resource>(
    reader: &Reader,
    query: &ListQuery,
    without: Option<&str>,
    most: u64,
) -> Result<Vec<Group>> {
    let backend = reader.get_database_backend();
    let approach = Approach::Gather { most: Some(most).filter(|_| !query.exact) };
    let tells_more = R::LISTING.tabs.is_some() || R::LISTING.summed.is_some();
    if let Some(found) = found_by_index::<R>(backend, query, most).filter(|_| !tells_more && !query.exact) {
        let mut select = Query::select();
        select
            .expr(Expr::val(""))
            .expr(Func::count(Expr::col(Asterisk)))
            .expr(Expr::cust("NULL"))
            .expr(Expr::cust("NULL"));
        select.from_subquery(found, Alias::new("few"));
        return groups(reader, &select).await;
    }
    let mut rows = R::find().filter(narrowing::<R>(backend, query, without, approach)?).select_only();
    let tab = R::LISTING.tabs.map(column::<R>).transpose()?;
    let summed = R::LISTING.summed.map(column::<R>).transpose()?;
    rows = rows.expr_as(tab.map_or_else(|| Expr::val(""), |tab| tab.into_expr()), "tab");
    rows = rows.expr_as(summed.map_or_else(|| Expr::val(0), |summed| summed.into_expr()), "amount");
    if !query.exact {
        rows = rows.limit(most + 1);
    }
    let [above, below] = parts(Expr::col("amount"));
    let mut select = Query::select();
    // Grouped by what is the same everywhere, all rows would be put in order first.
    match tab {
        Some(_) => select.column("tab").group_by_col("tab"),
        None => select.expr(Expr::val("")),
    };
    select.expr(Func::count(Expr::col(Asterisk))).expr(above).expr(below);
    select.from_subquery(rows.into_query(), Alias::new("few"));
    groups(reader, &select).await
}

async fn groups(reader: &Reader, select: &SelectStatement) -> Result<Vec<Group>> {
    let read = |row: QueryResult| {
        let rows: i64 = row.try_get_by_index(1)?;
        let sum = whole(row.try_get_by_index(2)?, row.try_get_by_index(3)?);
        Ok(Group { tab: row.try_get_by_index(0)?, rows: u64::try_from(rows).unwrap_or_default(), sum })
    };
    reader.query_all(select).await?.into_iter().map(read).collect()
}

/// Amounts are summed in two parts, below and above this, so that no sum of a database overflows.
const PART: i64 = 1_000_000;

/// The sums of an amount above and below [`PART`].
pub fn parts(amount: Expr) -> [FunctionCall; 2] {
    [amount.clone().div(PART), amount.modulo(PART)].map(|part| Func::cast_as(Func::sum(part), "BIGINT"))
}

/// The sum of an amount out of its parts.
pub fn whole(above: Option<i64>, below: Option<i64>) -> i128 {
    i128::from(above.unwrap_or_default()) * i128::from(PART) + i128::from(below.unwrap_or_default())
}

/// A sum of cents as people write it.
pub fn written(cents: i128) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// How many rows the tables have whose numbers are kept, as far as anybody looked lately: enough to tell large ones from small
/// ones.
#[derive(Debug, Default)]
pub struct Sizes(Mutex<BTreeMap<String, u64>>);

impl Sizes {
    /// Rows of a resource; none where nobody looked.
    pub fn of(&self, resource: &str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(resource).copied().unwrap_or_default()
    }

    fn note(&self, resource: &str, rows: u64) {
        let mut sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match sizes.get_mut(resource) {
            Some(known) => *known = rows,
            None => drop(sizes.insert(resource.into(), rows)),
        }
    }
}

/// Narrowed lists that were found to have more rows than anybody counts, so that nobody counts up to there again with every page
/// and every letter typed. How many rows are few is always counted.
#[derive(Debug, Default)]
pub struct Lately(Mutex<HashMap<String, Instant>>);

/// How long such a list is taken to have many rows still.
const STILL: Duration = Duration::from_secs(30);

/// How many such lists are remembered.
const REMEMBERED: usize = 500;

impl Lately {
    /// Whether a list, but for the filter called `without`, was found to have more than `most` rows.
    fn found_many<R: Resource>(&self, query: &ListQuery, without: Option<&str>, most: u64) -> bool {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.get(&Self::list::<R>(query, without, most)).is_some_and(|found| found.elapsed() < STILL)
    }

    fn note<R: Resource>(&self, query: &ListQuery, without: Option<&str>, most: u64) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.len() >= REMEMBERED {
            lists.retain(|_, found| found.elapsed() < STILL);
        }
        if lists.len() < REMEMBERED {
            lists.insert(Self::list::<R>(query, without, most), Instant::now());
        }
    }

    fn list<R: Resource>(query: &ListQuery, without: Option<&str>, most: u64) -> String {
        let mut narrowed =
            ListQuery { search: query.search.clone(), filters: query.filters.clone(), ..ListQuery::default() };
        if let Some(without) = without {
            narrowed.filters.remove(without);
        }
        format!("{} {most} {}", R::NAME, narrowed.query_string())
    }
}

/// Looks how large the tables are whose numbers are kept.
///
/// # Errors
/// When the database does not answer.
pub async fn look(database: &Database) -> Result<()> {
    let rows = Func::cast_as(Func::sum(Expr::col("counted")), "BIGINT");
    let select = Query::select().column("resource").expr(rows).from("tallies").group_by_col("resource").to_owned();
    for row in database.reader().query_all(&select).await? {
        let (resource, rows): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        database.sizes().note(&resource, u64::try_from(rows).unwrap_or_default());
    }
    Ok(())
}

/// Whether so much was noted of the tables since the last time that summing it slows lists down. One statement on PostgreSQL;
/// SQLite notes nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn is_long(database: &Database) -> Result<bool> {
    let reader = database.reader();
    if reader.get_database_backend() != DbBackend::Postgres {
        return Ok(false);
    }
    let many = format!("SELECT 1 FROM tallies LIMIT 1 OFFSET {NOTED}");
    Ok(reader.query_one_raw(Statement::from_string(DbBackend::Postgres, many)).await?.is_some())
}

/// Adds up what was noted of the tables since the last time. Readers and writers see the same numbers before and after.
///
/// # Errors
/// When the database does not answer.
pub async fn compact(database: &Database) -> Result<()> {
    if database.reader().get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let transaction = database.write().await?;
    transaction.execute_unprepared(COMPACT).await?;
    transaction.commit().await
}

/// How many notes are summed with every list before they are added up.
const NOTED: u64 = 200;

/// On PostgreSQL writers add rows instead of waiting for each other at one.
const COMPACT: &str = "WITH noted AS (DELETE FROM tallies RETURNING resource, tab, counted, above, below) \
    INSERT INTO tallies (resource, tab, counted, above, below) \
    SELECT resource, tab, SUM(counted), SUM(above), SUM(below) FROM noted GROUP BY resource, tab";
