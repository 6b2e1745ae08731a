//! Customers and products: rows are matched by their key, and merged into what is stored.
//!
//! What becomes of each row is found out against a snapshot, outside of the transaction that writes. Values are read from the
//! file again when they are written: a plan keeps only what was decided.

use std::collections::{BTreeMap, HashMap};

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, TryIntoModel};

use super::run::{Import, Stop, Watch};
use super::sheet::{Sheet, Values};
use super::table::{Cells, Row};
use super::{Counts, Kind};
use crate::access::gate::Access;
use crate::base::form::{Given, Input};
use crate::base::time::stored::now;
use crate::base::{Result, fold};
use crate::server::record::{Add, Change, Resource, Stored, bulk, column};
use crate::server::transaction::DatabaseTransaction;

/// How many rows are looked up, or written, at once.
const BATCH: usize = 500;

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Something is wrong with it.
    Refuse,
    Keep,
    Create,
    /// The record with this id, if it is still at this version.
    Change(i64, i64),
}

#[derive(Debug, Clone, Copy)]
struct Planned {
    row: Row,
    action: Action,
}

/// What becomes of the rows of a sheet.
#[derive(Debug)]
pub struct Plan {
    key: &'static str,
    rows: Vec<Planned>,
    /// The place in `rows` of each key, those of rows with problems included.
    places: HashMap<String, usize>,
    /// Whether rows could not be read, so that any key may be in them.
    some_are_lost: bool,
    pub counts: Counts,
}

impl Plan {
    /// Whether a key stands in the file, or may do so.
    pub fn may_have(&self, key: &str) -> bool {
        self.some_are_lost || self.places.contains_key(key)
    }

    /// What a record will be once the rows are written; `stored` is what it is now. One that is created has an id below zero.
    ///
    /// # Errors
    /// `Internal`, as what is planned was checked.
    pub fn planned<R>(&self, sheet: &Sheet<'_>, key: &str, stored: Option<R::Model>) -> Result<Option<R::Model>>
    where
        R: Resource<ActiveModel: TryIntoModel<R::Model>>,
    {
        let place = self.places.get(key).copied();
        let Some((place, planned)) = place.and_then(|place| Some((place, self.rows.get(place)?))) else {
            return Ok(stored);
        };
        let values = |before: Option<&R::Record>| {
            let (values, _) = sheet.values(&sheet.cells(planned.row), R::Input::FIELDS);
            R::Input::given(&over(before, values))
        };
        let mut row = match (planned.action, stored) {
            (Action::Refuse | Action::Keep, stored) => return Ok(stored),
            (Action::Change(..), Some(stored)) => {
                let input = values(Some(&R::read(stored.clone())))?;
                let mut row = stored.into_active_model();
                R::fill(&mut row, &input);
                row
            }
            (Action::Create | Action::Change(..), _) => {
                let mut row = <R::ActiveModel as ActiveModelTrait>::default();
                R::fill(&mut row, &values(None)?);
                let id = i64::try_from(place).unwrap_or(i64::MAX).saturating_neg().saturating_sub(1);
                row.set(column::<R>("id")?, id.into());
                row.set(column::<R>("created_at")?, now().into());
                row
            }
        };
        row.set(column::<R>("version")?, 1_i64.into());
        row.set(column::<R>("updated_at")?, now().into());
        Ok(Some(row.try_into_model()?))
    }
}

/// Finds out what becomes of the rows of a sheet, and notes its problems: new keys are created, known ones get the values that
/// are mapped and keep the others. One statement for every 500 rows, and as many for each unique field beside the key.
///
/// # Errors
/// When the database does not answer.
pub async fn plan<R: Resource>(
    snapshot: &DatabaseTransaction,
    sheet: &mut Sheet<'_>,
    key: &'static str,
    watch: &Watch<'_>,
) -> Result<Plan> {
    let (mut rows, places) = keyed_rows::<R>(sheet, key);
    let (mut counts, mut taken) = (Counts::default(), Taken::default());
    for batch in rows.chunks_mut(BATCH) {
        let cells: Vec<_> = batch.iter().map(|planned| sheet.cells(planned.row)).collect();
        let keys: Vec<_> = cells.iter().map(|cells| fold::key(&sheet.text(cells, key))).collect();
        let stored = bulk::keyed::<R>(snapshot, key, &keys).await?;
        for ((planned, cells), key_of_row) in batch.iter_mut().zip(&cells).zip(&keys) {
            watch.step();
            let number = planned.row.number;
            let (values, errors) = sheet.values(cells, R::Input::FIELDS);
            let is_broken = !errors.is_empty();
            sheet.wrong(number, errors);
            let before = stored.get(key_of_row);
            let input = match R::Input::given(&over(before, values)) {
                Ok(input) => input.values(),
                Err(error) => {
                    sheet.refused(number, error);
                    continue;
                }
            };
            taken.note::<R>(sheet, number, key, &input, before.map(Stored::id));
            planned.action = match before {
                _ if is_broken => Action::Refuse,
                None => Action::Create,
                Some(before) if before.values() == input => Action::Keep,
                Some(before) => Action::Change(before.id(), before.version()),
            };
            match planned.action {
                Action::Refuse => {}
                Action::Keep => counts.unchanged += 1,
                Action::Create => counts.created += 1,
                Action::Change(..) => counts.changed += 1,
            }
        }
    }
    taken.check::<R>(snapshot, sheet).await?;
    Ok(Plan { key, rows, places, some_are_lost: sheet.has_lost_rows, counts })
}

/// Writes what was planned.
///
/// # Errors
/// [`Stop::Moved`] when a record is not as it was when the plan was made.
pub async fn write<R>(
    transaction: &DatabaseTransaction,
    access: &Access<Import>,
    sheet: &Sheet<'_>,
    plan: &Plan,
    watch: &Watch<'_>,
) -> Result<(), Stop>
where
    R: Resource<ActiveModel: TryIntoModel<R::Model>>,
{
    let given = |row: Row, before: Option<&R::Record>| {
        R::Input::given(&over(before, sheet.values(&sheet.cells(row), R::Input::FIELDS).0))
    };
    let created: Vec<_> = plan.rows.iter().filter(|planned| planned.action == Action::Create).collect();
    let inputs = |batch: Option<&[&Planned]>| {
        let rows = batch.unwrap_or_default().iter().map(|planned| given(planned.row, None));
        rows.collect::<Result<Vec<_>>>()
    };
    let (adding, mut batches) = (access.also()?, created.chunks(BATCH));
    let mut ready = inputs(batches.next())?;
    while !ready.is_empty() {
        // While the database takes a batch, the next one is made.
        let creating = bulk::create_all::<R>(transaction, &adding, &ready);
        let (created, next) = tokio::join!(creating, async { inputs(batches.next()) });
        created?;
        watch.steps(ready.len());
        ready = next?;
    }
    let mut changed: Vec<_> = plan.rows.iter().filter_map(Planned::change).collect();
    // Whoever holds several records takes them in the order of their ids.
    changed.sort_unstable_by_key(|(id, ..)| *id);
    for batch in changed.chunks(BATCH) {
        let keys: Vec<_> = batch.iter().map(|(_, _, row)| key_in(sheet, *row, plan.key)).collect();
        let mut held = bulk::held::<R>(transaction, plan.key, &keys).await?;
        let mut changes = Vec::with_capacity(batch.len());
        for ((id, version, row), key) in batch.iter().zip(&keys) {
            let before = held.remove(key).filter(|before| (before.id(), before.version()) == (*id, *version));
            let before = before.ok_or(Stop::Moved(None))?;
            let input = given(*row, Some(&before))?;
            changes.push((before, input));
        }
        bulk::change_all::<R>(transaction, &access.also::<Change<R>>()?, &changes).await?;
        watch.steps(batch.len());
    }
    Ok(())
}

impl Planned {
    /// Id, version and row of a record that is changed.
    fn change(&self) -> Option<(i64, i64, Row)> {
        match self.action {
            Action::Change(id, version) => Some((id, version, self.row)),
            Action::Refuse | Action::Keep | Action::Create => None,
        }
    }
}

/// The permissions that merging takes, and what is changed with it.
///
/// # Errors
/// `Forbidden`.
pub fn demand<R: Resource>(access: &Access<Import>, plan: Option<&Plan>) -> Result<()> {
    access.also::<Add<R>>()?;
    if plan.is_some_and(|plan| plan.counts.changed > 0) {
        access.also::<Change<R>>()?;
    }
    Ok(())
}

fn key_in(sheet: &Sheet<'_>, row: Row, key: &str) -> String {
    fold::key(&sheet.text(&sheet.cells(row), key))
}

/// The rows that have a key of their own.
fn keyed_rows<R: Resource>(sheet: &mut Sheet<'_>, key: &'static str) -> (Vec<Planned>, HashMap<String, usize>) {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(sheet.rows().len());
    let mut rows: Vec<Planned> = Vec::with_capacity(sheet.rows().len());
    for index in 0..sheet.rows().len() {
        let Some(row) = sheet.row(index) else { continue };
        let cells: Cells<'_> = sheet.cells(row);
        let text = sheet.text(&cells, key);
        if text.is_empty() {
            let (_, errors) = sheet.values(&cells, R::Input::FIELDS);
            sheet.at(row.number, key, "Rows are matched by this value, so it cannot be blank.");
            sheet.wrong(row.number, errors);
            continue;
        }
        let folded = fold::key(&text);
        if let Some(first) = places.get(&folded).and_then(|place| rows.get(*place)) {
            let first = first.row.number;
            sheet.at(row.number, key, format!("Row {first} has {text} already."));
            continue;
        }
        places.insert(folded, rows.len());
        rows.push(Planned { row, action: Action::Refuse });
    }
    (rows, places)
}

/// The stored values with the mapped ones over them.
fn over(before: Option<&impl Stored>, values: Values) -> Values {
    let Some(before) = before else { return values };
    let mut merged: Values = before.values().into_iter().map(|(name, value)| (name, Given::from(value))).collect();
    merged.retain(|(name, _)| !values.iter().any(|(mapped, _)| mapped == name));
    merged.extend(values);
    merged
}

/// Values of unique fields beside the key, by field and key: the row they stand in, and the record that row is.
#[derive(Default)]
struct Taken(BTreeMap<&'static str, HashMap<String, (u64, Option<i64>)>>);

impl Taken {
    fn note<R: Resource>(
        &mut self,
        sheet: &mut Sheet<'_>,
        row: u64,
        key: &str,
        input: &serde_json::Map<String, serde_json::Value>,
        id: Option<i64>,
    ) {
        for field in R::Input::FIELDS.iter().filter(|field| field.unique && field.name != key) {
            let value = input.get(field.name).and_then(|value| value.as_str().map(fold::key));
            let Some(value) = value else { continue };
            match self.0.entry(field.name).or_default().entry(value) {
                std::collections::hash_map::Entry::Occupied(first) => {
                    let message = format!("Row {} has this value already.", first.get().0);
                    sheet.at(row, field.name, message);
                }
                std::collections::hash_map::Entry::Vacant(free) => drop(free.insert((row, id))),
            }
        }
    }

    /// Whether other records than those of the rows have the values.
    async fn check<R: Resource>(self, snapshot: &DatabaseTransaction, sheet: &mut Sheet<'_>) -> Result<()> {
        for (field, values) in self.0 {
            let keys: Vec<_> = values.keys().collect();
            for keys in keys.chunks(BATCH) {
                let keys: Vec<_> = keys.iter().map(|key| (*key).clone()).collect();
                for (key, holder) in bulk::keyed::<R>(snapshot, field, &keys).await? {
                    let Some((row, id)) = values.get(&key) else { continue };
                    if *id != Some(holder.id()) {
                        sheet.at(*row, field, format!("Another {} has this value already.", R::SINGULAR));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The field that rows of a kind are matched by.
pub const fn key_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Customers => "code",
        Kind::Products => "sku",
        Kind::Orders => "number",
        Kind::Lines => "order_number",
    }
}
