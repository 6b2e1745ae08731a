//! What the server functions of every module do, over any [`Resource`].

use super::record::{Add, Expected, OnceKey, Resource, Stored};
use super::web::{access, go};
use crate::base::Result;
use crate::base::form::{Input, Typed};
use crate::base::listing::{ListQuery, Page};
use crate::base::record::Row;
use crate::history::Detail;

/// One page of the list that `query` describes.
///
/// # Errors
/// Those of [`Resource::list`], and `Invalid` for a query that makes no sense.
pub async fn list<R: Resource>(query: &str) -> Result<Page<Row>> {
    let access = access().await?;
    let page = R::list(&access, &ListQuery::parse(&R::LISTING, query)?).await?;
    Ok(Page { count: page.count, results: page.results.into_iter().map(Stored::row).collect() })
}

/// A record with its history.
///
/// # Errors
/// Those of [`Resource::detail`].
pub async fn read<R: Resource>(id: i64) -> Result<Detail<Row>> {
    let detail = R::detail(&access().await?, id).await?;
    Ok(Detail { record: detail.record.row(), events: detail.events })
}

/// A one-time key for the form of a new record.
///
/// # Errors
/// `Unauthenticated` or `Forbidden`.
pub async fn new<R: Resource>() -> Result<String> {
    access::<Add<R>>().await.map(|_| OnceKey::fresh().to_string())
}

/// Creates a record from what was typed, and leads to its page.
///
/// # Errors
/// Those of [`Resource::create`].
pub async fn create<R: Resource>(once: &str, form: &Typed) -> Result<i64> {
    let access = access().await?;
    let record = R::create(&access, R::Input::typed(form)?, Some(OnceKey::parse(once)?)).await?;
    Ok(led_to::<R>(record.id()))
}

/// Changes a record to what was typed, and leads to its page.
///
/// # Errors
/// Those of [`Resource::change`].
pub async fn update<R: Resource>(id: i64, version: i64, form: &Typed) -> Result<i64> {
    let access = access().await?;
    let input = R::Input::typed(form)?;
    let record = R::change(&access, id, Expected::Version(version), |_| Ok(input)).await?;
    Ok(led_to::<R>(record.id()))
}

/// Deletes a record, and leads to the list.
///
/// # Errors
/// Those of [`Resource::remove`].
pub async fn delete<R: Resource>(id: i64, version: i64) -> Result<()> {
    R::remove(&access().await?, id, Expected::Version(version)).await?;
    go(R::LISTING.path);
    Ok(())
}

fn led_to<R: Resource>(id: i64) -> i64 {
    go(&format!("{}/{id}", R::LISTING.path));
    id
}
