//! Resources without their types: what serves every kind of record alike, such as the admin area, reads this table, which
//! [`super::rest::Api::resource`] fills.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value};

use super::database::settle;
use super::record::facets::{self, Drill, Facet};
use super::record::tally::tally;
use super::record::{
    self, Change, Delete, Expected, Names, RecordCommand, RelatedRecords, Renamed, Resource, Stored, View,
    demand_version,
};
use super::rest::patched;
use crate::access::gate::{Access, Enter};
use crate::base::form::{Field, Given};
use crate::base::listing::{Count, ListQuery, Listing, Page};
use crate::base::record::TakenAlong;
use crate::base::{Error, Result};
use crate::server::transaction::DatabaseTransaction;

/// What can be done to many records at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    Delete,
    /// Another value in one field.
    Set(&'static Field, Given),
    /// One of the resource's commands, and why.
    Command(&'static RecordCommand, Option<String>),
}

/// What happens to the other records when one refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Nothing is written.
    AllOrNothing,
    /// The others are written.
    EachForItself,
}

/// What became of many records.
#[derive(Debug)]
pub struct Done {
    /// Whether anything was kept.
    pub written: bool,
    /// Each record in the order it was asked for, with the error that refused it.
    pub results: Vec<(i64, Option<Error>)>,
}

/// A record as JSON, by name.
pub type Object = Map<String, Value>;

type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;
type Seen = Access<Enter>;

/// One resource.
#[derive(Clone, Copy)]
pub struct Managed {
    /// The plural, as in the address.
    pub name: &'static str,
    /// One of them, in a sentence.
    pub one: &'static str,
    pub listing: &'static Listing,
    /// The reference to the record it is shown on, if it has no page of its own.
    pub part_of: Option<&'static str>,
    pub commands: &'static [RecordCommand],
    /// The permission an action needs.
    pub permission: fn(&str) -> String,
    /// Where a reference leads.
    pub related: fn(&str) -> Option<RelatedRecords>,
    count: for<'a> fn(&'a Seen) -> Later<'a, Count>,
    page: for<'a> fn(&'a Seen, &'a ListQuery) -> Later<'a, Page<Object>>,
    facets: for<'a> fn(&'a Seen, &'a ListQuery) -> Later<'a, Vec<Facet>>,
    drill: for<'a> fn(&'a Seen, &'a ListQuery) -> Later<'a, Option<Drill>>,
    first: for<'a> fn(&'a Seen, &'a ListQuery, u64) -> Later<'a, Vec<i64>>,
    names: for<'a> fn(&'a Seen, &'a [i64]) -> Names<'a>,
    taken_along: for<'a> fn(&'a Seen, &'a [i64]) -> Later<'a, TakenAlong>,
    lock: for<'a> fn(&'a DatabaseTransaction, &'a [i64]) -> Later<'a, ()>,
    act: for<'a> fn(&'a DatabaseTransaction, &'a Seen, i64, &'a Act) -> Later<'a, ()>,
}

impl fmt::Debug for Managed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Managed").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Managed {
    /// The table's row of `R`.
    pub fn of<R: Resource>() -> Self {
        Self {
            name: R::NAME,
            one: R::SINGULAR,
            listing: const { &R::LISTING },
            part_of: R::PART_OF,
            commands: R::COMMANDS,
            permission: R::permission,
            related: R::related,
            count: |access| {
                Box::pin(async move {
                    let access = access.also::<View<R>>()?;
                    let tally = tally::<R, _>(&access, &ListQuery::default()).await?;
                    Ok(Count { rows: tally.count, exact: tally.exact })
                })
            },
            page: |access, query| {
                Box::pin(async move {
                    let page = R::list(&access.also()?, query).await?;
                    let mut results = Vec::with_capacity(page.results.len());
                    for record in &page.results {
                        results.push(object::<R>(record)?);
                    }
                    Ok(Page { count: page.count, exact: page.exact, results, tabs: page.tabs, sum: page.sum })
                })
            },
            facets: |access, query| {
                Box::pin(async move { facets::facets::<R, _>(&access.also::<View<R>>()?, query).await })
            },
            drill: |access, query| {
                Box::pin(async move { facets::drill::<R, _>(&access.also::<View<R>>()?, query).await })
            },
            first: |access, query, limit| {
                Box::pin(async move { record::first_ids::<R>(&access.also()?, query, limit).await })
            },
            names: |access, ids| {
                Box::pin(async move { record::names_of::<R>(access.also::<View<R>>()?.reader(), ids).await })
            },
            taken_along: |access, ids| Box::pin(async move { record::taken_along::<R>(&access.also()?, ids).await }),
            lock: |transaction, ids| Box::pin(R::lock_in(transaction, ids)),
            act: |transaction, access, id, act| Box::pin(carry_out::<R>(transaction, access, id, act)),
        }
    }

    /// How many there are.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn count(&self, access: &Seen) -> Result<Count> {
        (self.count)(access).await
    }

    /// One page of a list, its rows as the API writes them.
    ///
    /// # Errors
    /// Those of [`Resource::list`].
    pub async fn page(&self, access: &Seen, query: &ListQuery) -> Result<Page<Object>> {
        (self.page)(access, query).await
    }

    /// The rows by the values of each field that has few. One statement a field.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn facets(&self, access: &Seen, query: &ListQuery) -> Result<Vec<Facet>> {
        (self.facets)(access, query).await
    }

    /// The rows over time. One statement.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn drill(&self, access: &Seen, query: &ListQuery) -> Result<Option<Drill>> {
        (self.drill)(access, query).await
    }

    /// The ids of the first rows of a list. One statement.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn first(&self, access: &Seen, query: &ListQuery, limit: u64) -> Result<Vec<i64>> {
        (self.first)(access, query, limit).await
    }

    /// What records are called. One statement.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn names(&self, access: &Seen, ids: &[i64]) -> Result<HashMap<i64, String>> {
        (self.names)(access, ids).await
    }

    /// What deleting records takes along, and what stands in its way.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn taken_along(&self, access: &Seen, ids: &[i64]) -> Result<TakenAlong> {
        (self.taken_along)(access, ids).await
    }

    /// Does the same to many records, in one transaction.
    ///
    /// # Errors
    /// What is broken on our side or busy; what a record refuses stands in the results.
    pub async fn act_on(&self, access: &Seen, ids: &[i64], act: &Act, policy: Policy) -> Result<Done> {
        let transaction = access.write().await?;
        (self.lock)(&transaction, ids).await?;
        let mut results = Vec::with_capacity(ids.len());
        for id in ids {
            let savepoint = transaction.savepoint().await?;
            let done = (self.act)(&savepoint, access, *id, act).await;
            results.push((*id, settle(savepoint, done).await?.err()));
        }
        let refused = results.iter().any(|(_, error)| error.is_some());
        let written = !(refused && policy == Policy::AllOrNothing);
        if written {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(Done { written, results })
    }
}

fn object<R: Resource>(record: &R::Record) -> Result<Object> {
    let shown = record.clone().row().values;
    match serde_json::to_value(record) {
        Ok(Value::Object(mut object)) => {
            // What people call it, where the API has no such value.
            for (name, value) in shown {
                object.entry(name).or_insert(value);
            }
            Ok(object)
        }
        Ok(_) => Err(Error::internal(format!("a record of {} is no object", R::NAME))),
        Err(error) => Err(Error::internal(error.to_string())),
    }
}

async fn carry_out<R: Resource>(transaction: &DatabaseTransaction, access: &Seen, id: i64, act: &Act) -> Result<()> {
    match act {
        Act::Delete => {
            let access = access.also::<Delete<R>>()?;
            demand_version(&access, Expected::Any)?;
            R::remove_in(transaction, &access, id, Expected::Any).await.map(drop)
        }
        Act::Set(field, value) => {
            let (access, values) = (access.also::<Change<R>>()?, vec![(field.name.to_owned(), value.clone())]);
            demand_version(&access, Expected::Any)?;
            let change = |stored: &R::Record| patched::<R>(stored, values, &mut Renamed::new());
            R::change_in(transaction, &access, id, Expected::Any, change).await.map(drop)
        }
        Act::Command(command, reason) => R::command_in(transaction, &access.also()?, command, id, reason.clone()).await,
    }
}
