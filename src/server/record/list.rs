//! The rows of a list: a page, a walk, all of them, those beside one, and those that match what somebody types.

use std::collections::{BTreeMap, HashMap};

use futures::stream::TryChunksError;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Asterisk, ExprTrait, Func, NullOrdering, Query, SelectStatement};
use sea_orm::{
    Condition, ConnectionTrait, DbBackend, JoinType, Order as Direction, QueryOrder, QuerySelect, QueryTrait,
};

use super::narrow::{Approach, few, holds_text, is_led, may_filter, narrowing, needles, sorting, unindexed};
use super::tally::{is_few, parts, tally, told_along, whole, written};
use super::{Resource, Stored, View, column};
use crate::access::gate::Access;
use crate::base::column::{Placed, rows};
use crate::base::error::Code;
use crate::base::listing::{ListQuery, Page, Walk, encoded};
use crate::base::{Error, Result, fold};
use crate::history::Beside;
use crate::server::database::Database;
use crate::server::reader::Reader;

/// One page of the list of `R`: one statement reads the rows and tells their number where that is kept, else one counts and sums
/// and one reads; up to four more where it is narrowed to many.
///
/// # Errors
/// `NotFound` for a page after the last; `Forbidden` for a filter on records the caller may not see.
pub async fn page_of<R: Resource>(access: &Access<View<R>>, query: &ListQuery) -> Result<Page<R::Record>> {
    may_filter::<R>(access, query)?;
    if let Some(count) = told_along::<R>(query).filter(|_| is_led::<R>(query)) {
        return counted_page::<R>(access.reader(), query, count).await;
    }
    let tally = tally::<R, _>(access, query).await?;
    let (offset, size) = (query.offset(), u64::from(query.page_size));
    if query.page > 1 && tally.exact && offset >= tally.count {
        return Err(beyond(query));
    }
    let few = tally.exact && tally.count <= GATHERED;
    // One more than the page holds, to know of it where nobody counted so far.
    let part = Part { few, offset, limit: size + 1, ..Part::default() };
    let mut results = rows_of::<R>(access.database(), query, part).await?;
    let read = u64::try_from(results.len()).unwrap_or_default();
    if query.page > 1 && read == 0 {
        return Err(beyond(query));
    }
    results.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    R::complete_rows(access.reader(), query, &mut results).await?;
    let reached = offset + read;
    let (count, exact) = match (tally.exact, read <= size) {
        (true, _) => (tally.count, true),
        // Its end was read.
        (false, true) => (reached, true),
        (false, false) => (Ord::max(tally.count, reached), false),
    };
    Ok(Page { count, exact, results, tabs: tally.tabs, sum: tally.sum })
}

fn beyond(query: &ListQuery) -> Error {
    Error::new(Code::NotFound, format!("There is no page {}.", query.page))
}

/// A page whose rows each tell how many there are. One statement.
async fn counted_page<R: Resource>(
    reader: &Reader,
    query: &ListQuery,
    count: SelectStatement,
) -> Result<Page<R::Record>> {
    let part = Part { offset: query.offset(), limit: query.page_size.into(), ..Part::default() };
    let rows = along::<R>(reader.get_database_backend(), query, part, true)?;
    let rows = rows.expr_as(Expr::SubQuery(None, Box::new(count.into())), "page_count").into_query();
    let mut page = Page { count: 0, exact: true, results: Vec::new(), tabs: BTreeMap::new(), sum: None };
    for row in reader.query_all(&rows).await? {
        page.count = u64::try_from(row.try_get::<i64>("page_", "count")?).unwrap_or_default();
        page.results.push(R::read(R::Model::of(&row)?));
    }
    if query.page > 1 && page.results.is_empty() {
        return Err(beyond(query));
    }
    R::complete_rows(reader, query, &mut page.results).await?;
    Ok(page)
}

/// Which rows of a list are read.
#[derive(Debug, Clone, Default)]
struct Part {
    /// Whether it is known that few rows are left of it.
    few: bool,
    /// Those alone that come after another, in a walk.
    after: Option<Expr>,
    /// What else must be true of them.
    also: Option<Expr>,
    offset: u64,
    limit: u64,
}

/// How many rows are gathered before anybody looks for the first of them where the order begins.
const GATHERED: u64 = 1_000;

/// How many rows are looked through for the first that fit, before all that fit are gathered; none for all of them.
fn windows<R: Resource>(database: &Database, query: &ListQuery) -> &'static [Option<u64>] {
    match database.reader().get_database_backend() {
        // It looks no further than needed.
        DbBackend::Postgres => &[Some(FURTHEST)],
        _ if is_searched_along::<R>(query) && database.sizes().of(R::NAME) < LOOKED_THROUGH => &[None],
        _ => &[Some(2_000), Some(FURTHEST)],
    }
}

/// The most rows that are looked through.
const FURTHEST: u64 = 20_000;

/// Up to how many rows an index that holds what is searched is looked through as a whole: it takes 30 ms at worst.
const LOOKED_THROUGH: u64 = 100_000;

/// From how far in a list its rows are found by their ids first, which an index alone tells.
const FAR: u64 = 1_000;

/// Some rows of a list, in its order. Where an index leads to them they are read along it. Few are gathered; of many, the first
/// are probably near the beginning of the order, and are looked for there before all are gathered.
async fn rows_of<R: Resource>(database: &Database, query: &ListQuery, part: Part) -> Result<Vec<R::Record>> {
    let reader = database.reader();
    let led = is_led::<R>(query);
    if !led && !part.few {
        let near = part.offset + part.limit;
        for &window in windows::<R>(database, query).iter().filter(|window| near < window.unwrap_or(FURTHEST) / 2) {
            let rows = in_window::<R>(reader, query, &part, window).await?;
            if window.is_none() || u64::try_from(rows.len()).unwrap_or_default() == part.limit {
                return Ok(rows);
            }
        }
    }
    let select = along::<R>(reader.get_database_backend(), query, part, led)?;
    Ok(rows(reader, select).await?.into_iter().map(R::read).collect())
}

/// Rows along the index that leads to them, or gathered.
fn along<R: Resource>(backend: DbBackend, query: &ListQuery, part: Part, led: bool) -> Result<Select<R>> {
    let mut rows = ordered::<R>(backend, query, if led { Approach::Natural } else { Approach::GATHER })?;
    for condition in part.after.into_iter().chain(part.also) {
        rows = rows.filter(condition);
    }
    if part.offset > FAR {
        let id = column::<R>("id")?;
        let ids = rows.clone().select_only().column(id).offset(part.offset).limit(part.limit).into_query();
        rows = rows.filter(id.in_subquery(ids));
    } else {
        rows = rows.offset(part.offset);
    }
    Ok(rows.limit(part.limit))
}

/// What fits of the first `window` rows in the order of a list, or of all; perhaps nothing where the list has no more rows than
/// that.
async fn in_window<R: Resource>(
    reader: &Reader,
    query: &ListQuery,
    part: &Part,
    window: Option<u64>,
) -> Result<Vec<R::Record>> {
    let backend = reader.get_database_backend();
    let all = ListQuery { search: String::new(), filters: BTreeMap::new(), ..query.clone() };
    let from = |query: &ListQuery, approach: Approach| -> Result<Select<R>> {
        let rows = ordered::<R>(backend, query, approach)?;
        Ok(part.after.clone().into_iter().fold(rows, QueryFilter::filter))
    };
    let select = match row_order::<R>(query)?.filter(|_| query.filters.is_empty()) {
        Some((keys, _)) if backend == DbBackend::Postgres && is_searched_along::<R>(query) => {
            along_heads::<R>(query, part, window.unwrap_or(FURTHEST), &keys)?
        }
        // Read along the index of the order, which holds what is searched, up to the last that is wanted.
        Some((keys, descending)) => {
            let id = column::<R>("id")?;
            let mut fits = from(query, Approach::Window)?;
            if let Some(window) = window {
                let edge =
                    from(&all, Approach::Natural)?.select_only().columns(keys.iter().copied()).offset(window).limit(1);
                let edge = Expr::SubQuery(None, Box::new(edge.into_query().into()));
                let keys = Expr::tuple(keys.into_iter().map(ColumnTrait::into_expr));
                fits = fits.filter(if descending { keys.gt(edge) } else { keys.lt(edge) });
            }
            let fits = part.also.clone().into_iter().fold(fits, QueryFilter::filter);
            let ids = fits.select_only().column(id).offset(part.offset).limit(part.limit);
            ordered::<R>(backend, &all, Approach::Natural)?.filter(id.in_subquery(ids.into_query())).into_query()
        }
        None => {
            let rows = ordered::<R>(backend, query, Approach::Window)?.offset(part.offset).limit(part.limit);
            let mut rows = part.also.clone().into_iter().fold(rows, QueryFilter::filter).into_query();
            let window = from(&all, Approach::Natural)?.limit(window.unwrap_or(FURTHEST)).into_query();
            rows.from_clear().from_subquery(window, R::default().table_name());
            rows
        }
    };
    let rows = reader.query_all(&select).await?;
    rows.iter().map(|row| Ok(R::read(R::Model::of(row)?))).collect()
}

/// Whether the index that holds what is searched, or its beginning, has just the order of a list.
fn is_searched_along<R: Resource>(query: &ListQuery) -> bool {
    let order = query.order(&R::LISTING);
    let [by, id] = order.as_slice() else { return false };
    let is_its_own = R::SEARCH_ORDER == Some(by.field.as_str()) && id.field == "id" && id.descending == by.descending;
    is_its_own && query.filters.is_empty()
}

/// How long the beginning of a search text is at most that stands in an index.
const HEAD: i32 = 250;

/// What fits of the first `window` rows, looked for in the index of the order alone; a row is read where its search text begins
/// with what is searched in it, or is longer than its beginning.
fn along_heads<R: Resource>(
    query: &ListQuery,
    part: &Part,
    window: u64,
    keys: &[R::Column],
) -> Result<SelectStatement> {
    let backend = DbBackend::Postgres;
    let all = ListQuery { search: String::new(), filters: BTreeMap::new(), ..query.clone() };
    let id = column::<R>("id")?;
    let heads =
        part.after.clone().into_iter().fold(ordered::<R>(backend, &all, Approach::Natural)?, QueryFilter::filter);
    let heads = heads.select_only().column_as(id, "head_of").expr_as(Expr::col("search_head"), "head");
    let named = keys.iter().enumerate().map(|(at, key)| (format!("key_{at}"), *key));
    let heads = named.clone().fold(heads, |heads, (name, key)| heads.column_as(key, name)).limit(window).into_query();
    let head = |name: &str| Expr::col(("heads", Alias::new(name)));
    let begins = needles(query).iter().fold(Condition::all(), |all, needle| all.add(holds_text(head("head"), needle)));
    // At least as many bytes as letters, which are not to be counted for that.
    let goes_on = Expr::from(Func::cust("octet_length").arg(head("head"))).gte(HEAD);
    let fits = narrowing::<R>(backend, query, None, Approach::Window)?.add(Condition::any().add(begins).add(goes_on));
    let mut rows = part.also.clone().into_iter().fold(R::find().filter(fits), QueryFilter::filter).into_query();
    rows.join_subquery(JoinType::InnerJoin, heads, "heads", id.into_expr().eq(head("head_of")));
    for ((name, _), order) in named.zip(query.order(&R::LISTING)) {
        rows.order_by_expr(head(&name), if order.descending { Direction::Desc } else { Direction::Asc });
    }
    Ok(rows.offset(part.offset).limit(part.limit).to_owned())
}

/// The columns of a list's order, and whether it descends, where a row comes before another if they do so as a whole.
fn row_order<R: Resource>(query: &ListQuery) -> Result<Option<(Vec<R::Column>, bool)>> {
    let order = query.order(&R::LISTING);
    let descending = order.first().is_some_and(|order| order.descending);
    if order.iter().any(|order| order.descending != descending) {
        return Ok(None);
    }
    let keys: Vec<_> = order.iter().map(|order| sorting::<R>(&order.field)).collect::<Result<_>>()?;
    Ok(keys.iter().all(|key| !key.def().is_null()).then_some((keys, descending)))
}

/// The next rows of a walk, and where it goes on. One statement; up to three more where the list is narrowed.
///
/// # Errors
/// `Forbidden` for a filter on records the caller may not see.
pub async fn walk_of<R: Resource>(
    access: &Access<View<R>>,
    query: &ListQuery,
) -> Result<(Vec<R::Record>, Option<i64>)> {
    may_filter::<R>(access, query)?;
    let few = query.is_narrowed() && is_few::<R, _>(access, query, GATHERED).await?;
    let id = column::<R>("id")?;
    let descending = query.order(&R::LISTING).first().is_some_and(|order| order.descending);
    let after = match query.walk {
        Some(Walk::After(last)) => Some(if descending { id.lt(last) } else { id.gt(last) }),
        Some(Walk::Start) | None => None,
    };
    let part = Part { few, after, limit: u64::from(query.page_size) + 1, ..Part::default() };
    let mut results = rows_of::<R>(access.database(), query, part).await?;
    let size = usize::try_from(query.page_size).unwrap_or(usize::MAX);
    let more = results.len() > size;
    results.truncate(size);
    let last = results.last().map(Stored::id).filter(|_| more);
    R::complete_rows(access.reader(), query, &mut results).await?;
    Ok((results, last))
}

/// How all rows of a list are found.
fn all_by<R: Resource>(query: &ListQuery) -> Approach {
    if is_led::<R>(query) { Approach::Natural } else { Approach::GATHER }
}

/// How many rows of an export are read at once: few, as memory is all that more of them cost.
const CHUNK: usize = 100;

/// All rows of a list in its order, a chunk at a time, as they are when the chunk is read. Only their ids, eight bytes each,
/// are kept from the start.
///
/// # Errors
/// `Forbidden` for a filter on records the caller may not see.
pub async fn all_of<R: Resource>(
    access: &Access<View<R>>,
    query: &ListQuery,
) -> Result<impl Stream<Item = Result<Vec<R::Record>>> + Send + 'static> {
    may_filter::<R>(access, query)?;
    let id = column::<R>("id")?;
    let chunks: Vec<Vec<i64>> = {
        let select = ordered::<R>(access.reader().get_database_backend(), query, all_by::<R>(query))?
            .select_only()
            .column(id)
            .into_tuple::<i64>();
        let ids = select.stream(access.reader().pool()).await?;
        ids.try_chunks(CHUNK).map_err(|TryChunksError(_, error)| error).try_collect().await?
    };
    let (reader, query) = (access.reader().clone(), query.clone());
    let chunks = stream::iter(chunks).then(move |wanted| {
        let (reader, query) = (reader.clone(), query.clone());
        async move {
            let found = rows(&reader, R::find().filter(id.is_in(wanted.iter().copied()))).await?;
            let mut found: HashMap<i64, R::Record> =
                found.into_iter().map(R::read).map(|record| (record.id(), record)).collect();
            let mut rows: Vec<_> = wanted.iter().filter_map(|id| found.remove(id)).collect();
            R::complete_rows(&reader, &query, &mut rows).await?;
            Ok(rows)
        }
    });
    Ok(chunks)
}

/// The ids of the first `limit` rows of a list, in its order. One statement.
///
/// # Errors
/// `Forbidden` for a filter on records the caller may not see.
pub async fn first_ids<R: Resource>(access: &Access<View<R>>, query: &ListQuery, limit: u64) -> Result<Vec<i64>> {
    may_filter::<R>(access, query)?;
    let ids = ordered::<R>(access.reader().get_database_backend(), query, all_by::<R>(query))?;
    let ids = ids.select_only().column(column::<R>("id")?).limit(limit);
    Ok(ids.into_tuple().all(access.reader()).await?)
}

/// The active records that match what somebody types, up to `limit`: first those whose code begins with it, in the order of
/// their codes, then by name. At most four statements.
///
/// # Errors
/// `Invalid` for a text that cannot be searched.
pub async fn matches<R: Resource>(
    access: &Access<View<R>>,
    text: &str,
    code: &str,
    limit: u64,
) -> Result<Vec<R::Record>> {
    let reader = access.reader();
    let (key, code) = (fold::key(text.trim()), column::<R>(&format!("{code}_key"))?);
    let active = unindexed(column::<R>("is_active")?).eq(true);
    let begins = code.gte(key.as_str()).and(code.lt(format!("{key}{}", char::MAX)));
    let found = R::find().filter(active.clone()).filter(begins.clone()).order_by_asc(code).limit(limit);
    let found = rows(reader, found).await?;
    let left = limit.saturating_sub(u64::try_from(found.len()).unwrap_or(limit));
    let mut found: Vec<_> = found.into_iter().map(R::read).collect();
    if left > 0 {
        let query = ListQuery::parse(&R::LISTING, &format!("ordering=name&search={}", encoded(text.trim())))?;
        let few = is_few::<R, _>(access, &query, HITS).await?;
        let part = Part { few, also: Some(active.and(begins.not())), limit: left, ..Part::default() };
        found.extend(rows_of::<R>(access.database(), &query, part).await?);
    }
    Ok(found)
}

/// The most matches that are put in order of their names; of more, the first are looked for in that order.
const HITS: u64 = 100;

/// How far a record may have moved in its list since the list was read.
const NEAR: u64 = 12;

/// The records before and after the one near place `at` (from 1) of the list that `query` describes. One statement, or up to three
/// where it is narrowed. When the record is not there any more, as one that was shipped among those to be shipped, the one that
/// took its place comes after it.
///
/// # Errors
/// When the database does not answer.
pub async fn beside<R: Resource>(access: &Access<View<R>>, query: &ListQuery, at: u64, id: i64) -> Result<Beside> {
    let first = at.saturating_sub(NEAR + 1);
    let part = Part { offset: first, limit: 2 * NEAR + 1, ..Part::default() };
    let rows = rows_of::<R>(access.database(), query, part).await?;
    let ids: Vec<i64> = rows.iter().map(Stored::id).collect();
    let (path, state) = (R::LISTING.path, query.query_string());
    let href = |index: usize| {
        let (id, at) = (ids.get(index)?, first + u64::try_from(index).ok()? + 1);
        Some(format!("{path}/{id}?{state}{}at={at}", if state.is_empty() { "" } else { "&" }))
    };
    let place = usize::try_from(at.saturating_sub(1).saturating_sub(first)).unwrap_or(usize::MAX);
    let (before, after) = ids.iter().position(|found| *found == id).map_or((place, place), |index| (index, index + 1));
    Ok(Beside { previous: before.checked_sub(1).and_then(href), next: href(after) })
}

/// The first rows of a list beside how many there are and what they come to; no tabs. One statement, for a list that stands
/// on the page of another record.
///
/// # Errors
/// `Forbidden` for a filter on records the caller may not see.
pub async fn excerpt<R: Resource>(access: &Access<View<R>>, query: &ListQuery) -> Result<Page<R::Record>> {
    may_filter::<R>(access, query)?;
    let backend = access.reader().get_database_backend();
    let most = few::<R, _>(access);
    let approach = Approach::Gather { most: Some(most) };
    let summed = R::LISTING.summed.map(column::<R>).transpose()?;
    // Of all rows, up to one more than are counted.
    let all = |expr: Expr| -> Result<Expr> {
        let amount = summed.map_or_else(|| Expr::val(0), |summed| summed.into_expr());
        let rows = R::find().filter(narrowing::<R>(backend, query, None, approach)?);
        let rows = rows.select_only().expr_as(amount, "amount").limit(most + 1).into_query();
        let select = Query::select().expr(expr).from_subquery(rows, "few").to_owned();
        Ok(Expr::SubQuery(None, Box::new(select.into())))
    };
    // What is narrowed by one thing alone is looked up from its latest, so that nothing is missed in the order of ids.
    let latest = query.order(&R::LISTING).first().is_some_and(|order| order.field == "id" && order.descending);
    let mut rows = ordered::<R>(backend, query, if latest { approach } else { Approach::Natural })?
        .limit(u64::from(query.page_size))
        .expr_as(all(Func::count(Expr::col(Asterisk)).into())?, "excerpt_count");
    if summed.is_some() {
        let [above, below] = parts(Expr::col("amount"));
        rows = rows.expr_as(all(above.into())?, "excerpt_above").expr_as(all(below.into())?, "excerpt_below");
    }
    let mut page = Page { count: 0, exact: true, results: Vec::new(), tabs: BTreeMap::new(), sum: None };
    let mut sum = 0;
    for row in access.reader().query_all(&rows.into_query()).await? {
        page.count = u64::try_from(row.try_get::<i64>("excerpt_", "count")?).unwrap_or_default();
        if summed.is_some() {
            sum = whole(row.try_get("excerpt_", "above")?, row.try_get("excerpt_", "below")?);
        }
        page.results.push(R::read(R::Model::of(&row)?));
    }
    page.exact = page.count <= most;
    page.count = Ord::min(page.count, most);
    page.sum = summed.filter(|_| page.exact).map(|_| written(sum));
    R::complete_rows(access.reader(), query, &mut page.results).await?;
    Ok(page)
}

/// The rows of a list in their order, before they are cut into pages. Both databases take a blank for the largest value.
fn ordered<R: Resource>(backend: DbBackend, query: &ListQuery, approach: Approach) -> Result<Select<R>> {
    let mut rows = R::find().filter(narrowing::<R>(backend, query, None, approach)?);
    for order in query.order(&R::LISTING) {
        let direction = if order.descending { Direction::Desc } else { Direction::Asc };
        let column = sorting::<R>(&order.field)?;
        let expr = if matches!(approach, Approach::Gather { .. }) { unindexed(column) } else { column.into_expr() };
        rows = if column.def().is_null() {
            let blanks = if order.descending { NullOrdering::First } else { NullOrdering::Last };
            rows.order_by_with_nulls(expr, direction, blanks)
        } else {
            rows.order_by(expr, direction)
        };
    }
    Ok(rows)
}
