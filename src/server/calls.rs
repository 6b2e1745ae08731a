//! What the server functions of every module do, over any [`Resource`].

use super::record::{self, Add, Expected, OnceKey, Resource, Stored, View};
use super::web::{access, done, go, go_to_record};
use crate::access::gate::Access;
use crate::base::Result;
use crate::base::form::{Input, Typed};
use crate::base::listing::{ListQuery, Page};
use crate::base::record::{Row, TakenAlong};
use crate::history::{Beside, Detail};

/// One page of the list that `query` describes.
///
/// # Errors
/// Those of [`Resource::list`], and `Invalid` for a query that makes no sense.
pub async fn list<R: Resource>(query: &str) -> Result<Page<Row>> {
    let access = access().await?;
    let page = R::list(&access, &ListQuery::parse(&R::LISTING, query)?).await?;
    Ok(page.map(Stored::listed))
}

/// The first rows of the list that `query` describes, with their count and sum.
///
/// # Errors
/// Those of [`record::excerpt`], and `Invalid` for a query that makes no sense.
pub async fn excerpt<R: Resource>(query: &str) -> Result<Page<Row>> {
    let access = access().await?;
    let page = record::excerpt::<R>(&access, &ListQuery::parse(&R::LISTING, query)?).await?;
    Ok(page.map(Stored::listed))
}

/// A record with its history, and its neighbours in the list that `within` describes.
///
/// # Errors
/// Those of [`Resource::detail`].
pub async fn read<R: Resource>(id: i64, within: &str) -> Result<Detail<Row>> {
    let access = access().await?;
    let detail = R::detail(&access, id).await?;
    let beside = neighbours::<R>(&access, id, within).await?;
    Ok(Detail { record: detail.record.row(), events: detail.events, beside })
}

/// The neighbours of a record in the list it was opened from: the list's query, and `at` for the place in it. A query that
/// makes no sense has none.
///
/// # Errors
/// When the database does not answer.
pub async fn neighbours<R: Resource>(access: &Access<View<R>>, id: i64, within: &str) -> Result<Beside> {
    let Some((list, at)) = within.rsplit_once("at=") else { return Ok(Beside::default()) };
    let list = ListQuery::parse(&R::LISTING, list.trim_end_matches('&'));
    match (list, at.parse()) {
        (Ok(list), Ok(at)) => record::beside(access, &list, at, id).await,
        _ => Ok(Beside::default()),
    }
}

/// What deleting a record would take along, and what stands in its way.
///
/// # Errors
/// `Unauthenticated` or `Forbidden`.
pub async fn taken_along<R: Resource>(id: i64) -> Result<TakenAlong> {
    record::taken_along::<R>(&access().await?, &[id]).await
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
    done("Created");
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
    if record.version() > version {
        done("Saved");
    }
    Ok(led_to::<R>(record.id()))
}

/// Deletes a record, and leads to the list.
///
/// # Errors
/// Those of [`Resource::remove`].
pub async fn delete<R: Resource>(id: i64, version: i64) -> Result<()> {
    R::remove(&access().await?, id, Expected::Version(version)).await?;
    done("Deleted");
    go(R::LISTING.path);
    Ok(())
}

fn led_to<R: Resource>(id: i64) -> i64 {
    go_to_record(&format!("{}/{id}", R::LISTING.path));
    id
}
