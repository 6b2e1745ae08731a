//! [`Resource`]: what every kind of record can do. Check, authorise, write, record the event, in one transaction.
//!
//! A module says which columns its values go to and which rules only the database knows; everything else is here, once,
//! for the web app, the REST API and the command line.

use std::future::Future;
use std::marker::PhantomData;
use std::str::FromStr;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Asterisk, ExprTrait, Func, LikeExpr};
use sea_orm::{Condition, DatabaseTransaction, IntoActiveModel, Order as Direction, QueryOrder, QuerySelect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::access::gate::{Access, Permission};
use crate::base::error::{Blocker, Code};
use crate::base::form::{Field, Input, Kind};
use crate::base::listing::{ListQuery, Listing, Page};
use crate::base::money::{Money, Percent, UnitPrice};
use crate::base::record::{Record, Row};
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result, fold};
use crate::history::Detail;
use crate::history::entity::{self as history, Subject};

pub mod once;
pub mod series;

pub use once::OnceKey;

/// The permission to see records of `R`.
#[derive(Debug)]
pub struct View<R>(PhantomData<R>);
/// The permission to create records of `R`.
#[derive(Debug)]
pub struct Add<R>(PhantomData<R>);
/// The permission to change records of `R`.
#[derive(Debug)]
pub struct Change<R>(PhantomData<R>);
/// The permission to delete records of `R`.
#[derive(Debug)]
pub struct Delete<R>(PhantomData<R>);

macro_rules! permission {
    ($($marker:ident => $action:literal),+) => {$(
        impl<R: Resource> Permission for $marker<R> {
            fn code() -> String {
                format!("{}.{}", R::NAME, $action)
            }
        }
    )+};
}

permission!(View => "view", Add => "add", Change => "change", Delete => "delete");

/// A record as it is read.
pub trait Stored: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    fn id(&self) -> i64;
    fn version(&self) -> i64;
    /// The editable values by name.
    fn values(&self) -> Map<String, Json>;
    /// The record as pages that serve every kind take it.
    fn row(self) -> Row;
}

impl<Id, I> Stored for Record<Id, I>
where
    Id: Copy + Into<i64> + Serialize + DeserializeOwned + Send + Sync + 'static,
    I: Input,
{
    fn id(&self) -> i64 {
        self.id.into()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn values(&self) -> Map<String, Json> {
        self.data.values()
    }

    fn row(self) -> Row {
        Row { id: self.id.into(), version: self.version, values: self.data.values() }
    }
}

/// The version a change was decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is stored.
    Any,
    Version(i64),
}

impl Expected {
    /// # Errors
    /// `Stale` with what is stored now, when that is another version.
    fn check(self, stored: &impl Stored) -> Result<()> {
        match self {
            Expected::Version(version) if version != stored.version() => {
                Err(Error::stale(stored.version(), stored.values()))
            }
            _ => Ok(()),
        }
    }
}

/// A kind of record: an entity with a table of rules, a list and a history.
pub trait Resource:
    EntityTrait<
        Model: IntoActiveModel<<Self as EntityTrait>::ActiveModel> + Send + Sync,
        ActiveModel: ActiveModelBehavior + Send,
        Column: FromStr + Send + Sync,
    >
{
    /// The plural: the table, the path segment and the first half of its permissions.
    const NAME: &'static str;
    /// One of them, in a sentence.
    const SINGULAR: &'static str;
    const LISTING: Listing;

    type Record: Stored;
    type Input: Input;

    /// The record of a row.
    fn read(row: Self::Model) -> Self::Record;

    /// Puts values into the columns they are stored in, derived ones included.
    fn fill(row: &mut Self::ActiveModel, input: &Self::Input);

    /// Completes values that only the database knows, such as a code left blank.
    fn complete(
        _transaction: &DatabaseTransaction,
        _stored: Option<&Self::Record>,
        _input: &mut Self::Input,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// What stands in the way of deleting a record.
    fn blockers(_transaction: &DatabaseTransaction, _id: i64) -> impl Future<Output = Result<Vec<Blocker>>> + Send {
        async { Ok(Vec::new()) }
    }

    /// One page of a list: one count, one select.
    ///
    /// # Errors
    /// `NotFound` for a page after the last.
    fn list(access: &Access<View<Self>>, query: &ListQuery) -> impl Future<Output = Result<Page<Self::Record>>> + Send {
        async move {
            let narrowed = Self::find().filter(narrowing::<Self>(query)?);
            let count: i64 = narrowed
                .clone()
                .select_only()
                .expr(Func::count(Expr::col(Asterisk)))
                .into_tuple()
                .one(access.reader())
                .await?
                .unwrap_or_default();
            let count = u64::try_from(count).unwrap_or_default();
            if query.page > 1 && query.offset() >= count {
                return Err(Error::new(Code::NotFound, format!("There is no page {}.", query.page)));
            }
            let mut ordered = narrowed;
            for order in query.order(&Self::LISTING) {
                let direction = if order.descending { Direction::Desc } else { Direction::Asc };
                ordered = ordered.order_by(sorting::<Self>(&order.field)?, direction);
            }
            let rows = ordered.offset(query.offset()).limit(u64::from(query.page_size)).all(access.reader()).await?;
            Ok(Page { count, results: rows.into_iter().map(Self::read).collect() })
        }
    }

    /// One record. One statement.
    ///
    /// # Errors
    /// `NotFound`.
    fn get(access: &Access<View<Self>>, id: i64) -> impl Future<Output = Result<Self::Record>> + Send {
        async move { find::<Self>(access.reader(), id).await }
    }

    /// One record with its history. Two statements.
    ///
    /// # Errors
    /// `NotFound`.
    fn detail(access: &Access<View<Self>>, id: i64) -> impl Future<Output = Result<Detail<Self::Record>>> + Send {
        async move {
            let record = find::<Self>(access.reader(), id).await?;
            Ok(Detail { record, events: history::of(access.reader(), Self::NAME, id).await? })
        }
    }

    /// Creates a record. With a one-time key, a repetition answers with the record the first call made.
    ///
    /// # Errors
    /// `Invalid` by field, `Conflict` at a value that is taken.
    fn create(
        access: &Access<Add<Self>>,
        input: Self::Input,
        once: Option<OnceKey>,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        async move {
            let transaction = access.write().await?;
            if let Some(record) = made_before::<Self>(&transaction, access, once.as_ref()).await? {
                return Ok(record);
            }
            let created = insert::<Self>(&transaction, access, input, once.as_ref()).await;
            match created {
                Ok(record) => {
                    transaction.commit().await?;
                    Ok(record)
                }
                // Two at once: the other one may have committed the same form while this one waited.
                Err(error) if error.code == Code::Conflict && once.is_some() => {
                    transaction.rollback().await?;
                    let transaction = access.write().await?;
                    made_before::<Self>(&transaction, access, once.as_ref()).await?.ok_or(error)
                }
                Err(error) => Err(error),
            }
        }
    }

    /// Changes a record to what `change` makes of it. Without a difference nothing is written.
    ///
    /// # Errors
    /// `NotFound`; `Stale` with what is stored now; `Invalid` by field; `Conflict` at a value that is taken.
    fn change(
        access: &Access<Change<Self>>,
        id: i64,
        expected: Expected,
        change: impl FnOnce(&Self::Record) -> Result<Self::Input> + Send,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        async move {
            demand_version(access, expected)?;
            let transaction = access.write().await?;
            let before = find::<Self>(&transaction, id).await?;
            expected.check(&before)?;
            let mut input = change(&before)?;
            Self::complete(&transaction, Some(&before), &mut input).await?;
            if input.values() == before.values() {
                return Ok(before);
            }
            let mut row = <Self::ActiveModel as ActiveModelTrait>::default();
            Self::fill(&mut row, &input);
            stamp::<Self>(&mut row, before.version() + 1)?;
            let rows = Self::update_many()
                .set(row)
                .filter(unchanged::<Self>(&before)?)
                .exec_with_returning(&transaction)
                .await?;
            let Some(row) = rows.into_iter().next() else {
                return Err(overtaken::<Self>(&transaction, id).await);
            };
            let after = Self::read(row);
            let versions = (Some(before.version()), Some(after.version()));
            let subject = Subject { resource: Self::NAME, id, command: "change", versions };
            let changes = history::difference(Some(&before.values()), Some(&after.values()));
            history::record(&transaction, access.caller(), subject, changes).await?;
            transaction.commit().await?;
            Ok(after)
        }
    }

    /// Deletes a record that nothing refers to.
    ///
    /// # Errors
    /// `NotFound`; `Stale`; `Conflict` with what stands in the way.
    fn remove(
        access: &Access<Delete<Self>>,
        id: i64,
        expected: Expected,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        async move {
            demand_version(access, expected)?;
            let transaction = access.write().await?;
            let before = find::<Self>(&transaction, id).await?;
            expected.check(&before)?;
            let blockers = Self::blockers(&transaction, id).await?;
            if !blockers.is_empty() {
                let detail = format!("This {} is in use and cannot be deleted.", Self::SINGULAR);
                return Err(Error { blockers, ..Error::new(Code::Conflict, detail) });
            }
            let deleted = Self::delete_many().filter(unchanged::<Self>(&before)?).exec(&transaction).await?;
            if deleted.rows_affected == 0 {
                return Err(overtaken::<Self>(&transaction, id).await);
            }
            let versions = (Some(before.version()), None);
            let subject = Subject { resource: Self::NAME, id, command: "delete", versions };
            let changes = history::difference(Some(&before.values()), None);
            history::record(&transaction, access.caller(), subject, changes).await?;
            transaction.commit().await?;
            Ok(before)
        }
    }
}

/// Connects the columns of an entity with the fields of its input that have the same name and type: a row reads as the
/// record, and `set_columns` writes the input. Fields that are stored otherwise are read by the expressions after `and`.
macro_rules! columns {
    ($record:ty, $input:ident { $($field:ident),* $(,)? } and { $($other:ident : $read:expr)? }) => {
        impl From<Model> for $record {
            fn from(row: Model) -> Self {
                $(let $other = row.$other;)?
                Record {
                    id: row.id,
                    version: row.version,
                    data: $input { $($field: row.$field,)* $($other: $read,)? },
                    created_at: row.created_at.into(),
                    updated_at: row.updated_at.into(),
                }
            }
        }

        impl ActiveModel {
            fn set_columns(&mut self, input: &$input) {
                $(self.$field = Set(input.$field.clone());)*
            }
        }
    };
}

pub(crate) use columns;

/// The text a search looks at: these values, folded.
pub fn searchable<const N: usize>(values: [Option<&String>; N]) -> String {
    fold::fold(&values.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n"))
}

/// The column of this name.
///
/// # Errors
/// `Internal`, as names come from tables of ours.
pub fn column<R: Resource>(name: &str) -> Result<R::Column> {
    R::Column::from_str(name).map_err(|_| Error::internal(format!("{} has no column {name}", R::NAME)))
}

/// The column that orders by this name: the folded one where there is one.
fn sorting<R: Resource>(name: &str) -> Result<R::Column> {
    R::Column::from_str(&format!("{name}_key")).or_else(|_| column::<R>(name))
}

fn narrowing<R: Resource>(query: &ListQuery) -> Result<Condition> {
    let mut condition = Condition::all();
    for term in query.terms() {
        let pattern = LikeExpr::new(fold::like(&fold::fold(&term))).escape('\\');
        condition = condition.add(column::<R>("search_text")?.into_expr().like(pattern));
    }
    for (name, value) in &query.filters {
        let field = R::LISTING.filter(name).ok_or_else(|| Error::internal(format!("no filter {name}")))?;
        condition = condition.add(equals::<R>(field, value)?);
    }
    Ok(condition)
}

fn equals<R: Resource>(field: &Field, value: &str) -> Result<Expr> {
    if field.unique {
        return Ok(column::<R>(&format!("{}_key", field.name))?.eq(fold::key(value)));
    }
    let wrong = |e: String| Error::field(field.name, e);
    let value: Value = match field.kind {
        Kind::Flag { .. } => (value == "true").into(),
        Kind::Whole { .. } => value.parse::<i64>().map_err(|e| wrong(e.to_string()))?.into(),
        Kind::Money => value.parse::<Money>().map_err(|e| wrong(e.to_string()))?.into(),
        Kind::UnitPrice => value.parse::<UnitPrice>().map_err(|e| wrong(e.to_string()))?.into(),
        Kind::Percent => value.parse::<Percent>().map_err(|e| wrong(e.to_string()))?.into(),
        Kind::Line { .. } | Kind::Text { .. } | Kind::Email | Kind::Country => value.into(),
    };
    Ok(column::<R>(field.name)?.eq(value))
}

async fn find<R: Resource>(db: &impl ConnectionTrait, id: i64) -> Result<R::Record> {
    let row = R::find().filter(column::<R>("id")?.eq(id)).one(db).await?;
    row.map(R::read).ok_or_else(|| Error::not_found(R::SINGULAR))
}

/// The record that the form with this key already made.
async fn made_before<R: Resource>(
    transaction: &DatabaseTransaction,
    access: &Access<Add<R>>,
    once: Option<&OnceKey>,
) -> Result<Option<R::Record>> {
    let Some(once) = once else { return Ok(None) };
    match once.spent(transaction, access.caller(), R::NAME).await? {
        Some(id) => find::<R>(transaction, id).await.map(Some),
        None => Ok(None),
    }
}

async fn insert<R: Resource>(
    transaction: &DatabaseTransaction,
    access: &Access<Add<R>>,
    mut input: R::Input,
    once: Option<&OnceKey>,
) -> Result<R::Record> {
    R::complete(transaction, None, &mut input).await?;
    let mut row = <R::ActiveModel as ActiveModelTrait>::default();
    R::fill(&mut row, &input);
    let created_at = stamp::<R>(&mut row, 1)?;
    row.set(column::<R>("created_at")?, created_at.into());
    let record = R::read(R::insert(row).exec_with_returning(transaction).await?);
    if let Some(once) = once {
        once.spend(transaction, access.caller(), R::NAME, record.id()).await?;
    }
    let versions = (None, Some(record.version()));
    let subject = Subject { resource: R::NAME, id: record.id(), command: "create", versions };
    let changes = history::difference(None, Some(&record.values()));
    history::record(transaction, access.caller(), subject, changes).await?;
    Ok(record)
}

/// Marks the version a row is at from now on, and says when that is.
fn stamp<R: Resource>(row: &mut R::ActiveModel, version: i64) -> Result<Timestamp> {
    let now = now();
    row.set(column::<R>("version")?, version.into());
    row.set(column::<R>("updated_at")?, now.into());
    Ok(now)
}

fn unchanged<R: Resource>(before: &R::Record) -> Result<Condition> {
    Ok(Condition::all().add(column::<R>("id")?.eq(before.id())).add(column::<R>("version")?.eq(before.version())))
}

/// The error of a change that found its row at another version, or gone.
async fn overtaken<R: Resource>(transaction: &DatabaseTransaction, id: i64) -> Error {
    match find::<R>(transaction, id).await {
        Ok(stored) => Error::stale(stored.version(), stored.values()),
        Err(error) => error,
    }
}

fn demand_version<P>(access: &Access<P>, expected: Expected) -> Result<()> {
    if access.caller().requires_version && expected == Expected::Any {
        return Err(Error::new(
            Code::PreconditionRequired,
            "This token must name the version it changes: send `If-Match` with the `ETag` you read.",
        ));
    }
    Ok(())
}
