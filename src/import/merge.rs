//! Customers and products: rows are matched by their key, and merged into what is stored.

use std::collections::{BTreeMap, HashMap};

use super::orders::Brought;
use super::run::{Import, Watch};
use super::sheet::{Sheet, Values};
use super::{Counts, Kind};
use crate::access::gate::Access;
use crate::base::form::{Given, Input};
use crate::base::{Result, fold};
use crate::server::record::{Change, Resource, Stored, bulk};
use crate::server::transaction::DatabaseTransaction;

/// A row whose key is known.
struct Keyed {
    number: u64,
    key: String,
    values: Values,
    is_broken: bool,
}

/// Merges the rows of a sheet into the records of `R`: new keys are created, known ones get the values that are mapped and
/// keep the others. Returns the keys that occur, those of rows with problems included.
///
/// # Errors
/// `Forbidden`; `Conflict` at a value that somebody else took meanwhile.
pub async fn merge<R: Resource>(
    transaction: &DatabaseTransaction,
    access: &Access<Import>,
    sheet: &mut Sheet,
    key: &'static str,
    watch: &Watch<'_>,
) -> Result<(Counts, Brought)> {
    let rows = keyed_rows::<R>(sheet, key);
    let keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
    let mut stored = bulk::held::<R>(transaction, key, &keys).await?;
    let (mut created, mut changed, mut counts) = (Vec::new(), Vec::new(), Counts::default());
    let mut taken = Taken::default();
    for row in rows {
        watch.step();
        let before = stored.remove(&row.key);
        let given = match &before {
            Some(before) => over(before, row.values),
            None => row.values,
        };
        let input = match R::Input::given(&given) {
            Ok(input) => input,
            Err(error) => {
                sheet.refused(row.number, error);
                continue;
            }
        };
        taken.note::<R>(sheet, row.number, key, &input, before.as_ref().map(Stored::id));
        match before {
            _ if row.is_broken => {}
            None => created.push(input),
            Some(before) if before.values() == input.values() => counts.unchanged += 1,
            Some(before) => changed.push((before, input)),
        }
    }
    taken.check::<R>(transaction, sheet).await?;
    counts.created = u64::try_from(created.len()).unwrap_or(u64::MAX);
    counts.changed = u64::try_from(changed.len()).unwrap_or(u64::MAX);
    if sheet.problems.is_empty() {
        bulk::create_all::<R>(transaction, &access.also()?, &created).await?;
        if !changed.is_empty() {
            bulk::change_all::<R>(transaction, &access.also::<Change<R>>()?, &changed).await?;
        }
    }
    Ok((counts, Brought { keys: keys.into_iter().collect(), some_are_lost: sheet.has_lost_rows }))
}

/// The rows that have a key of their own.
fn keyed_rows<R: Resource>(sheet: &mut Sheet, key: &'static str) -> Vec<Keyed> {
    let fields = R::Input::FIELDS;
    let mut first: HashMap<String, u64> = HashMap::with_capacity(sheet.rows.len());
    let mut rows = Vec::with_capacity(sheet.rows.len());
    for row in std::mem::take(&mut sheet.rows) {
        let text = sheet.text(&row, key);
        if text.is_empty() {
            let (_, errors) = sheet.values(&row, fields);
            sheet.at(row.number, key, "Rows are matched by this value, so it cannot be blank.");
            sheet.wrong(row.number, errors);
            continue;
        }
        let folded = fold::key(&text);
        if let Some(first) = first.get(&folded) {
            sheet.at(row.number, key, format!("Row {first} has {text} already."));
            continue;
        }
        first.insert(folded.clone(), row.number);
        let (values, errors) = sheet.values(&row, fields);
        let is_broken = !errors.is_empty();
        sheet.wrong(row.number, errors);
        rows.push(Keyed { number: row.number, key: folded, values, is_broken });
    }
    rows
}

/// The stored values with the mapped ones over them.
fn over(before: &impl Stored, values: Values) -> Values {
    let mut merged: Values = before.values().into_iter().map(|(name, value)| (name, Given::from(value))).collect();
    merged.retain(|(name, _)| !values.iter().any(|(mapped, _)| mapped == name));
    merged.extend(values);
    merged
}

/// Values of unique fields beside the key, by field and key: the row they stand in, and the record that row is.
#[derive(Default)]
struct Taken(BTreeMap<&'static str, HashMap<String, (u64, Option<i64>)>>);

impl Taken {
    fn note<R: Resource>(&mut self, sheet: &mut Sheet, row: u64, key: &str, input: &R::Input, id: Option<i64>) {
        for field in R::Input::FIELDS.iter().filter(|field| field.unique && field.name != key) {
            let value = input.values().get(field.name).and_then(|value| value.as_str().map(fold::key));
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
    async fn check<R: Resource>(self, transaction: &DatabaseTransaction, sheet: &mut Sheet) -> Result<()> {
        for (field, values) in self.0 {
            let keys: Vec<_> = values.keys().cloned().collect();
            for (key, holder) in bulk::keyed::<R>(transaction, field, &keys).await? {
                let Some((row, id)) = values.get(&key) else { continue };
                if *id != Some(holder.id()) {
                    sheet.at(*row, field, format!("Another {} has this value already.", R::SINGULAR));
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
