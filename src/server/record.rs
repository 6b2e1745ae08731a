//! [`Resource`]: what every kind of record can do. Check, authorise, write, record the event, in one transaction.
//!
//! A module says which columns its values go to and which rules only the database knows; everything else is here, once,
//! for the web app, the REST API and the command line.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::str::FromStr;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Func, LockType, Query};
use sea_orm::{Condition, DbBackend, IntoActiveModel, QueryOrder, QuerySelect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::access::gate::{Access, Permission};
use crate::base::column::{Placed, rows};
use crate::base::error::{Blocker, Code};
use crate::base::form::{Field, Given, Input};
use crate::base::listing::{ListQuery, Listing, Page};
use crate::base::record::{Record, Row, TakenAlong};
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result, fold};
use crate::history::entity::{self as history, Subject};
use crate::history::past::Past;
use crate::history::{Beside, Detail};
use crate::server::database::Reference;
use crate::server::reader::Reader;
use crate::server::transaction::DatabaseTransaction;
use crate::server::transaction::Transaction;

pub mod bulk;
pub mod facets;
mod list;
mod narrow;
pub mod once;
pub mod past;
pub mod series;
pub mod tally;

pub use list::{all_of, beside, excerpt, first_ids, matches};
pub use narrow::{Approach, FEW, Names, RelatedRecords, names_of};
pub use once::OnceKey;

use list::{page_of, walk_of};

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
            const IN_ADMIN_AREA: bool = R::CONFIDENTIAL;

            fn code() -> String {
                R::permission($action)
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
    /// The record as lists show it, without what is blank: it travels with the page.
    fn listed(self) -> Row {
        let mut row = self.row();
        row.values.retain(|_, value| *value != Json::Null);
        row
    }
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

/// Properties, as JSON Schema, that a resource has beyond its table of rules.
#[derive(Debug, Clone, Default)]
pub struct Described {
    /// Of a record as it is read.
    pub read: Map<String, Json>,
    /// Those of them that only a single record has, not one in a list.
    pub single: Vec<&'static str>,
    /// Of an input.
    pub written: Map<String, Json>,
    /// Of the values that change a record, where they are others.
    pub patched: Map<String, Json>,
    /// Fields of the input of which a new record needs at least one.
    pub any_of: &'static [Field],
    /// The operations that go on from a record, by name: what its description links to.
    pub linked: Vec<String>,
    /// Whether a record says nothing of when it was made and changed.
    pub without_times: bool,
}

/// What the client calls a nested value, such as `items.update[0]`, by what errors call it: `items[3]`.
pub type Renamed = BTreeMap<String, String>;

/// Something that can be done to a record beyond creating, changing and deleting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordCommand {
    pub name: &'static str,
    /// As a button says it.
    pub label: &'static str,
    /// Whether it needs to be said why.
    pub needs_reason: bool,
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
    pub fn check(self, stored: &impl Stored) -> Result<()> {
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
        Model: IntoActiveModel<<Self as EntityTrait>::ActiveModel> + Placed + Send + Sync,
        ActiveModel: ActiveModelBehavior + Send,
        Column: FromStr + Send + Sync,
    >
{
    /// The plural: the table, the path segment and the first half of its permissions.
    const NAME: &'static str;
    /// One of them, in a sentence.
    const SINGULAR: &'static str;
    const LISTING: Listing;
    /// The value of the input that is a list of inputs of its own, such as an order's `items`.
    const NESTED: Option<&'static str> = None;
    /// The reference to the record it is a part of, on whose page it is shown, such as a line's `order`.
    const PART_OF: Option<&'static str> = None;
    /// Whether nobody reads it whom we do not know, also where the API is open to reading. Its pages stand in the admin area.
    const CONFIDENTIAL: bool = false;
    /// What can be done to a record beyond creating, changing and deleting it.
    const COMMANDS: &'static [RecordCommand] = &[];
    /// Whether a step of the schema made an index of its search text: `<table>_search` on SQLite, by trigrams on PostgreSQL.
    const SEARCH_INDEX: bool = false;
    /// The field by which an index orders the table that also holds what is searched: on PostgreSQL its beginning, in a column
    /// `search_head`.
    const SEARCH_ORDER: Option<&'static str> = None;
    /// Fields that the search text holds.
    const SEARCHED: &'static [&'static str] = &[];
    /// Whether a step of the schema keeps the numbers of the table in `tallies`.
    const TALLIED: bool = false;
    /// Whether its history tells everything about it, so that it can be shown and restored as it was.
    const REMEMBERED: bool = Self::PART_OF.is_none();

    type Record: Stored;
    type Input: Input;

    /// The permission an action needs: `view`, `add`, `change` or `delete`.
    fn permission(action: &str) -> String {
        format!("{}.{action}", Self::NAME)
    }

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

    /// Waits for a lock that commands on these records take before any row, where they decide on more than one row.
    ///
    /// # Errors
    /// `Unavailable` when others hold it for too long.
    fn take_turn(_transaction: &DatabaseTransaction) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Locks the rows that changes of these records lock, in the order of their ids until the transaction ends, so that commands
    /// on the same records in another order wait for each other rather than deadlock. At most one statement for every
    /// thousand; none on SQLite, where one transaction writes at a time.
    ///
    /// # Errors
    /// `Unavailable` when others hold one for too long.
    fn lock_in(transaction: &DatabaseTransaction, ids: &[i64]) -> impl Future<Output = Result<()>> + Send {
        async move {
            let ids = sorted(transaction, ids);
            if !ids.is_empty() {
                Self::take_turn(transaction).await?;
            }
            for ids in ids.chunks(LOCKED_AT_ONCE) {
                let id = column::<Self>("id")?;
                let rows = Self::find().select_only().column(id).filter(id.is_in(ids.iter().copied())).order_by_asc(id);
                rows.lock(LockType::NoKeyUpdate).into_tuple::<i64>().all(transaction).await?;
            }
            Ok(())
        }
    }

    /// Whether the caller may make `after` out of `before`, where that takes more than a permission. Either is absent where
    /// there is none.
    ///
    /// # Errors
    /// The refusal.
    fn admit<P: Send + Sync>(
        _transaction: &DatabaseTransaction,
        _access: &Access<P>,
        _before: Option<&Self::Record>,
        _after: Option<&Self::Input>,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Carries on what a change means for other tables, after the record was written. Either side is absent where there is
    /// none.
    ///
    /// # Errors
    /// The refusal, which takes the change back.
    fn follow(
        _transaction: &DatabaseTransaction,
        _before: Option<&Self::Record>,
        _after: Option<&Self::Record>,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// What the description of the API says beyond the table of rules: properties of the record as it is read, and of its
    /// input.
    fn described() -> Described {
        Described::default()
    }

    /// A filter that compares something other than a column of its own name.
    fn narrowed(_filter: &str, _value: &str, _approach: Approach) -> Option<Condition> {
        None
    }

    /// Where a relation of the listing leads.
    fn related(_relation: &str) -> Option<RelatedRecords> {
        None
    }

    /// Adds what rows of a list carry along. A constant number of statements, and some for each row that was changed after it was
    /// read; one that was deleted is left out.
    fn complete_rows(
        _reader: &Reader,
        _query: &ListQuery,
        _rows: &mut Vec<Self::Record>,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Gives one of [`Resource::COMMANDS`] to a record, within a transaction.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict` with the reason why it cannot be done.
    fn command_in(
        _transaction: &DatabaseTransaction,
        _access: &Access<View<Self>>,
        command: &'static RecordCommand,
        _id: i64,
        _reason: Option<String>,
    ) -> impl Future<Output = Result<()>> + Send {
        async move { Err(Error::internal(format!("{} is no command of {}", command.name, Self::NAME))) }
    }

    /// Takes out of nested values what a client read and sends back unchanged although nobody writes it, and carries out
    /// operations on them. Says what such values are called in what the client sent, by what errors call them.
    ///
    /// # Errors
    /// `Invalid` at what was changed and cannot be.
    fn returned(_stored: &Self::Record, _given: &mut [(String, Given)]) -> Result<Renamed> {
        Ok(Renamed::new())
    }

    /// Puts what is stored in the place of what nested values of a partial change leave unsaid.
    fn filled(_stored: &Self::Record, _given: &mut [(String, Given)]) {}

    /// One page of a list: one count, one select, and what rows carry along.
    ///
    /// # Errors
    /// `NotFound` for a page after the last; `Forbidden` for a filter on records the caller may not see.
    fn list(access: &Access<View<Self>>, query: &ListQuery) -> impl Future<Output = Result<Page<Self::Record>>> + Send {
        page_of::<Self>(access, query)
    }

    /// The next rows of a walk, and where it goes on. Nothing is counted.
    ///
    /// # Errors
    /// `Forbidden` for a filter on records the caller may not see.
    fn walk(
        access: &Access<View<Self>>,
        query: &ListQuery,
    ) -> impl Future<Output = Result<(Vec<Self::Record>, Option<i64>)>> + Send {
        walk_of::<Self>(access, query)
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
            let events = history::of(access.reader(), Self::NAME, id).await?;
            Ok(Detail { record, events, beside: Beside::default() })
        }
    }

    /// Creates a record within a transaction. With a one-time key, a repetition answers with the record the first call made.
    ///
    /// # Errors
    /// `Invalid` by field, `Conflict` at a value that is taken.
    fn create_in(
        transaction: &DatabaseTransaction,
        access: &Access<Add<Self>>,
        input: Self::Input,
        once: Option<&OnceKey>,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        async move {
            match made_before::<Self>(transaction, access, once).await? {
                Some(record) => Ok(record),
                None => insert::<Self>(transaction, access, input, once).await,
            }
        }
    }

    /// Changes a record within a transaction to what `change` makes of it. Without a difference nothing is written.
    ///
    /// # Errors
    /// `NotFound`; `Stale` with what is stored now; `Invalid` by field; `Conflict` at a value that is taken.
    fn change_in(
        transaction: &DatabaseTransaction,
        access: &Access<Change<Self>>,
        id: i64,
        expected: Expected,
        change: impl FnOnce(&Self::Record) -> Result<Self::Input> + Send,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        async move {
            Self::take_turn(transaction).await?;
            let before = find_locked::<Self>(transaction, id, LockType::NoKeyUpdate).await?;
            expected.check(&before)?;
            let mut input = change(&before)?;
            Self::complete(transaction, Some(&before), &mut input).await?;
            if input.values() == before.values() {
                return Ok(before);
            }
            Self::admit(transaction, access, Some(&before), Some(&input)).await?;
            let mut row = <Self::ActiveModel as ActiveModelTrait>::default();
            Self::fill(&mut row, &input);
            let at = stamp::<Self>(&mut row, before.version() + 1)?;
            let rows = Self::update_many()
                .set(row)
                .filter(unchanged::<Self>(&before)?)
                .exec_with_returning(transaction)
                .await?;
            let Some(row) = rows.into_iter().next() else {
                return Err(overtaken::<Self>(transaction, id).await);
            };
            let after = Self::read(row);
            Self::follow(transaction, Some(&before), Some(&after)).await?;
            let versions = (Some(before.version()), Some(after.version()));
            let subject = Subject { resource: Self::NAME, id, command: "change", versions, reason: None };
            let changes = history::difference(Some(&before.values()), Some(&after.values()));
            history::record_at(transaction, access.caller(), subject, changes, at).await?;
            Ok(after)
        }
    }

    /// Deletes a record within a transaction, if nothing refers to it.
    ///
    /// # Errors
    /// `NotFound`; `Stale`; `Conflict` with what stands in the way.
    fn remove_in(
        transaction: &DatabaseTransaction,
        access: &Access<Delete<Self>>,
        id: i64,
        expected: Expected,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        async move {
            Self::take_turn(transaction).await?;
            let before = find_locked::<Self>(transaction, id, LockType::Update).await?;
            expected.check(&before)?;
            Self::admit(transaction, access, Some(&before), None).await?;
            free::<Self>(transaction, access, id).await?;
            let deleted = Self::delete_many().filter(unchanged::<Self>(&before)?).exec(transaction).await?;
            if deleted.rows_affected == 0 {
                return Err(overtaken::<Self>(transaction, id).await);
            }
            Self::follow(transaction, Some(&before), None).await?;
            let versions = (Some(before.version()), None);
            let subject = Subject { resource: Self::NAME, id, command: "delete", versions, reason: None };
            let changes = history::difference(Some(&before.values()), None);
            history::record(transaction, access.caller(), subject, changes).await?;
            Ok(before)
        }
    }

    /// The record that its history tells of.
    ///
    /// # Errors
    /// `Conflict` when the history does not tell everything about it.
    fn remembered(past: &Past) -> Result<Self::Record> {
        past::remembered(past)
    }

    /// Makes a record within a transaction what it was, by the rules of a change.
    ///
    /// # Errors
    /// Those of [`Resource::change_in`]; `Forbidden` without the permission to change.
    fn set_back_in(
        transaction: &DatabaseTransaction,
        access: &Access<View<Self>>,
        id: i64,
        expected: Expected,
        past: &Past,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        past::set_back::<Self>(transaction, access, id, expected, past)
    }

    /// Brings a record that was deleted back within a transaction, under its id and as it was, by the rules of a new one.
    ///
    /// # Errors
    /// Those of [`Resource::create_in`]; `Forbidden` without the permission to add.
    fn revive_in(
        transaction: &DatabaseTransaction,
        access: &Access<View<Self>>,
        past: &Past,
        version: i64,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        past::revive::<Self>(transaction, access, past, version)
    }

    /// Takes one event back within a transaction, if the record is at `version` (or gone, for a deletion). Answers with the
    /// version the record is at afterwards, unless it is gone.
    ///
    /// # Errors
    /// Those of the command that takes it back.
    fn undo_in(
        transaction: &DatabaseTransaction,
        access: &Access<View<Self>>,
        event: &history::Model,
        version: i64,
    ) -> impl Future<Output = Result<Option<i64>>> + Send {
        past::undo::<Self>(transaction, access, event, version)
    }

    /// Creates a record.
    ///
    /// # Errors
    /// Those of [`Resource::create_in`].
    fn create(
        access: &Access<Add<Self>>,
        input: Self::Input,
        once: Option<OnceKey>,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        async move {
            let transaction = access.write().await?;
            let made = Self::create_in(&transaction, access, input, once.as_ref()).await;
            committed::<Self>(transaction, access, made, once.as_ref()).await
        }
    }

    /// Changes a record.
    ///
    /// # Errors
    /// Those of [`Resource::change_in`]; `PreconditionRequired` for a caller who must name versions.
    fn change(
        access: &Access<Change<Self>>,
        id: i64,
        expected: Expected,
        change: impl FnOnce(&Self::Record) -> Result<Self::Input> + Send,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        async move {
            demand_version(access, expected)?;
            let transaction = access.write().await?;
            let record = Self::change_in(&transaction, access, id, expected, change).await?;
            transaction.commit().await?;
            Ok(record)
        }
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// Those of [`Resource::remove_in`]; `PreconditionRequired` for a caller who must name versions.
    fn remove(
        access: &Access<Delete<Self>>,
        id: i64,
        expected: Expected,
    ) -> impl Future<Output = Result<Self::Record>> + Send {
        async move {
            demand_version(access, expected)?;
            let transaction = access.write().await?;
            match Self::remove_in(&transaction, access, id, expected).await {
                Ok(record) => {
                    transaction.commit().await?;
                    Ok(record)
                }
                Err(error) if error.code == Code::Conflict && error.blockers.is_empty() => {
                    // Somebody may have begun to use it since it was found free.
                    transaction.rollback().await?;
                    free::<Self>(access.reader(), access, id).await?;
                    Err(error)
                }
                Err(error) => Err(error),
            }
        }
    }
}

/// Commits what was made; of two forms with one key at once, the later one answers with what the first made.
pub async fn committed<R: Resource>(
    transaction: Transaction,
    access: &Access<Add<R>>,
    made: Result<R::Record>,
    once: Option<&OnceKey>,
) -> Result<R::Record> {
    match made {
        Ok(record) => {
            transaction.commit().await?;
            Ok(record)
        }
        Err(error) if error.code == Code::Conflict && once.is_some() => {
            transaction.rollback().await?;
            let transaction = access.write().await?;
            made_before::<R>(&transaction, access, once).await?.ok_or(error)
        }
        Err(error) => Err(error),
    }
}

/// What deleting records would take along, and what stands in its way.
///
/// # Errors
/// When the database does not answer.
pub async fn taken_along<R: Resource>(access: &Access<Delete<R>>, ids: &[i64]) -> Result<TakenAlong> {
    let references = access.references().iter().filter(|reference| reference.to == R::NAME);
    let (goes, stays): (Vec<_>, Vec<_>) = references.copied().partition(|reference| reference.cascades);
    Ok(TakenAlong {
        goes: referring(access.reader(), &goes, ids).await?,
        blockers: referring(access.reader(), &stays, ids).await?,
    })
}

/// Whether nothing refers to a record.
///
/// # Errors
/// `Conflict` with what does, how often, and where it is listed.
async fn free<R: Resource>(db: &impl ConnectionTrait, access: &Access<Delete<R>>, id: i64) -> Result<()> {
    let protecting = access.references().iter().filter(|reference| reference.to == R::NAME && !reference.cascades);
    let blockers = referring(db, &protecting.copied().collect::<Vec<_>>(), &[id]).await?;
    if blockers.is_empty() {
        return Ok(());
    }
    let uses: Vec<_> = blockers.iter().map(|blocker| format!("{}: {}", blocker.resource, blocker.count)).collect();
    let detail = format!("This {} is in use and cannot be deleted ({}).", R::SINGULAR, uses.join(", "));
    Err(Error { blockers: blockers.into(), ..Error::new(Code::Conflict, detail) })
}

/// How many records refer to these, by reference; those to which nothing refers are left out. One statement a reference.
async fn referring(db: &impl ConnectionTrait, references: &[Reference], ids: &[i64]) -> Result<Vec<Blocker>> {
    let mut found = Vec::new();
    for reference in references {
        let select = Query::select()
            .expr(Func::count_distinct(Expr::col(reference.counted)))
            .from(reference.table)
            .and_where(Expr::col(reference.column).is_in(ids.iter().copied()))
            .to_owned();
        let row = db.query_one(&select).await?;
        let count: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
        if count > 0 {
            let href = match ids {
                [id] if !reference.href.is_empty() => format!("{}{id}", reference.href),
                _ => String::new(),
            };
            let resource = reference.resource.into();
            found.push(Blocker { resource, count: u64::try_from(count).unwrap_or_default(), href });
        }
    }
    Ok(found)
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

/// The text a search looks at: these values, folded and spaced.
pub fn searchable<const N: usize>(values: [Option<&String>; N]) -> String {
    let text = values.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n");
    fold::spaced(&fold::fold(&text))
}

/// The column of this name; a reference `customer` is kept in `customer_id`.
///
/// # Errors
/// `Internal`, as names come from tables of ours.
pub fn column<R: Resource>(name: &str) -> Result<R::Column> {
    R::Column::from_str(name)
        .or_else(|_| R::Column::from_str(&format!("{name}_id")))
        .map_err(|_| Error::internal(format!("{} has no column {name}", R::NAME)))
}

/// The record with this id.
///
/// # Errors
/// `NotFound`.
pub async fn find<R: Resource>(db: &impl ConnectionTrait, id: i64) -> Result<R::Record> {
    let found = rows(db, R::find().filter(column::<R>("id")?.eq(id))).await?.pop();
    found.map(R::read).ok_or_else(|| Error::not_found(R::SINGULAR))
}

/// The record with this id, locked until the transaction ends, as it is once others who changed it are done.
async fn find_locked<R: Resource>(transaction: &DatabaseTransaction, id: i64, lock: LockType) -> Result<R::Record> {
    let found = rows(transaction, R::find().filter(column::<R>("id")?.eq(id)).lock(lock)).await?.pop();
    found.map(R::read).ok_or_else(|| Error::not_found(R::SINGULAR))
}

/// How many rows are locked in one statement.
pub const LOCKED_AT_ONCE: usize = 1_000;

/// The ids of more than one row, in the order in which rows are locked; none where rows are not locked one by one.
pub fn sorted(transaction: &DatabaseTransaction, ids: &[i64]) -> Vec<i64> {
    let mut ids = match transaction.get_database_backend() {
        DbBackend::Postgres => ids.to_vec(),
        _ => Vec::new(),
    };
    ids.sort_unstable();
    ids.dedup();
    if ids.len() < 2 { Vec::new() } else { ids }
}

/// The record that the form with this key already made.
pub async fn made_before<R: Resource>(
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
    R::take_turn(transaction).await?;
    R::complete(transaction, None, &mut input).await?;
    R::admit(transaction, access, None, Some(&input)).await?;
    let mut row = <R::ActiveModel as ActiveModelTrait>::default();
    R::fill(&mut row, &input);
    let created_at = stamp::<R>(&mut row, 1)?;
    row.set(column::<R>("created_at")?, created_at.into());
    let record = R::read(R::insert(row).exec_with_returning(transaction).await?);
    R::follow(transaction, None, Some(&record)).await?;
    if let Some(once) = once {
        once.spend(transaction, access.caller(), R::NAME, record.id()).await?;
    }
    let versions = (None, Some(record.version()));
    let subject = Subject { resource: R::NAME, id: record.id(), command: "create", versions, reason: None };
    let changes = history::difference(None, Some(&record.values()));
    history::record_at(transaction, access.caller(), subject, changes, created_at).await?;
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

/// Whether the caller said which version they decided on, if they must.
///
/// # Errors
/// `PreconditionRequired`.
pub fn demand_version<P>(access: &Access<P>, expected: Expected) -> Result<()> {
    if access.caller().requires_version && expected == Expected::Any {
        return Err(Error::new(
            Code::PreconditionRequired,
            "This token must name the version it changes: send `If-Match` with the `ETag` you read.",
        ));
    }
    Ok(())
}
