//! The chain: every event carries a hash over the one before it and over everything it says itself, so that none can be
//! altered, inserted, moved or cut out later without the hashes after it telling.
//!
//! A command only inserts its event; writers never wait for each other here. Events are sealed soon afterwards, in the order
//! in which they were committed: each gets its place and its hash, and the head (how many, and the last hash) is kept in a
//! row of its own. What is read by place is therefore read in the order of commits, and none is missed.
//!
//! What the chain cannot know: an event that was deleted before it was sealed, and a whole chain that was written anew
//! together with its head. Against the latter, write heads down elsewhere now and then and ask for them later.

use chrono::DateTime;
use futures::{StreamExt, stream};
use sea_orm::sqlx::{self, ColumnIndex, Decode, Row, Type};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use serde::{Serialize, Serializer};
use serde_json::json;
use serde_json_borrow::Value as Json;
use sha2::{Digest, Sha256};

use super::View;
use crate::access::gate::Access;
use crate::base::{Error, Result};
use crate::server::database::Database;
use crate::server::transaction::DatabaseTransaction;

/// How many events are sealed in one transaction: what they hold stays in memory meanwhile.
const SEALED: i64 = 200;
/// How many events are read at once to be verified.
const READ: i64 = 2_000;
/// How many such reads are under way at once.
const AHEAD: usize = 3;
/// The lock under which events are sealed on PostgreSQL: `events` in ASCII.
const LOCK: i64 = 0x6576_656e_7473;

type Hash = [u8; 32];

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// How many events are sealed.
    pub count: i64,
    /// The hash of the last of them, in hexadecimal.
    pub hash: String,
}

/// What a walk along the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// As it is kept.
    pub head: Head,
    /// The place of the first event that is not as it was sealed, and what is wrong with it.
    pub fault: Option<Fault>,
    /// The place at which the chain had the hash that was asked for.
    pub sought: Option<i64>,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub place: i64,
    /// The row in the table, where there is one.
    pub id: Option<i64>,
    pub what: String,
}

/// Seals every event that was committed, and says how many.
///
/// # Errors
/// When the database does not answer, or the chain is broken so that it cannot go on.
pub async fn seal(database: &Database) -> Result<u64> {
    let Some(latest) = waiting(database.reader()).await? else { return Ok(0) };
    // Whoever follows the events by their places must not meet one that a power cut takes back.
    database.flushed().await?;
    let mut sealed = 0;
    loop {
        sealed += match seal_some(database, latest).await? {
            0 => return Ok(sealed),
            some => some,
        };
        if waiting(database.reader()).await?.is_none() {
            return Ok(sealed);
        }
    }
}

/// The latest event by now, if there is one to seal. Three looks into indexes: by its order, only `ix_events_unsealed` leads to
/// the first event without a place, whatever the database believes about how many there are.
async fn waiting(db: &impl ConnectionTrait) -> Result<Option<i64>> {
    let sql = "SELECT (SELECT MAX(id) FROM events) \
               WHERE (SELECT id FROM events WHERE place IS NULL ORDER BY place, id LIMIT 1) IS NOT NULL \
               OR (SELECT id FROM events WHERE place = (SELECT count + 1 FROM event_head WHERE id = 1) AND hash IS NULL) IS NOT NULL";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    row.map(|row| Ok(row.try_get_by_index(0)?)).transpose()
}

/// Seals some of the events up to `latest`, and says how many.
async fn seal_some(database: &Database, latest: i64) -> Result<u64> {
    let transaction = database.write().await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    let head = head(&transaction).await?;
    let placed_before = "place > ? AND place <= ? AND hash IS NULL ORDER BY place";
    let mut rows = rows(&transaction, placed_before, [head.count, head.count.saturating_add(SEALED)]).await?;
    if rows.is_empty() {
        let unsealed = "place IS NULL AND id <= ? ORDER BY place, id LIMIT ?";
        rows = self::rows(&transaction, unsealed, [latest, SEALED]).await?;
    }
    if rows.is_empty() {
        return Ok(0);
    }
    let mut last = read_hash(&head.hash)?;
    let mut count = head.count;
    let mut seals = Vec::with_capacity(rows.len());
    for row in &rows {
        count += 1;
        let row = Stored::read(row)?;
        let event = Event::read(&row)?;
        if row.place.is_some_and(|place| place != count) {
            return Err(Error::internal(format!("there is no event at place {count}; see `kontor history verify`")));
        }
        last = event.hash_after(&last, count)?;
        seals.push(json!([event.id, count, hex::encode(last)]));
    }
    put(&transaction, &seals, &Head { count, hash: hex::encode(last) }).await?;
    // After a power cut they would be sealed again, just so.
    transaction.commit_unflushed().await?;
    Ok(u64::try_from(seals.len()).unwrap_or_default())
}

/// Writes places and hashes, and the head they lead to. Two statements.
async fn put(transaction: &DatabaseTransaction, seals: &[serde_json::Value], head: &Head) -> Result<()> {
    let backend = transaction.get_database_backend();
    let (events, chain) = match backend {
        DbBackend::Sqlite => (
            "UPDATE events SET place = sealed.value ->> 1, hash = sealed.value ->> 2 \
             FROM json_each(?) AS sealed WHERE events.id = sealed.value ->> 0",
            "UPDATE event_head SET count = ?, hash = ? WHERE id = 1",
        ),
        _ => (
            "UPDATE events SET place = (sealed.value ->> 1)::bigint, hash = sealed.value ->> 2 \
             FROM jsonb_array_elements($1::jsonb) AS sealed(value) WHERE events.id = (sealed.value ->> 0)::bigint",
            "UPDATE event_head SET count = $1, hash = $2 WHERE id = 1",
        ),
    };
    let list = serde_json::to_string(seals).map_err(|error| Error::internal(error.to_string()))?;
    transaction.execute_raw(Statement::from_sql_and_values(backend, events, [list.into()])).await?;
    let values: [Value; 2] = [head.count.into(), head.hash.clone().into()];
    transaction.execute_raw(Statement::from_sql_and_values(backend, chain, values)).await?;
    Ok(())
}

async fn head(db: &impl ConnectionTrait) -> Result<Head> {
    let sql = "SELECT count, hash FROM event_head WHERE id = 1";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let row = row.ok_or_else(|| Error::internal("the head of the events is gone"))?;
    Ok(Head { count: row.try_get_by_index(0)?, hash: row.try_get_by_index(1)? })
}

/// What an event says beside its changes, in the order of its hash: the id first, the moment next.
const SAID: [&str; 13] = [
    "id",
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "door",
    "request_id",
    "resource",
    "record_id",
    "command",
    "reason",
    "version_before",
    "version_after",
];

/// Events as they are sealed and verified. `condition` also says their order and how many. What an event says comes as one
/// JSON list of texts, as values that are read one by one take most of the time.
async fn rows<const N: usize>(
    db: &impl ConnectionTrait,
    condition: &str,
    values: [i64; N],
) -> Result<Vec<QueryResult>> {
    let backend = db.get_database_backend();
    // Bound, as a statement of its own for every number would push others out of what the connection keeps prepared.
    let mut condition = condition.to_owned();
    for number in (1..=N).filter(|_| backend == DbBackend::Postgres) {
        condition = condition.replacen('?', &format!("${number}"), 1);
    }
    let (list, end) = if backend == DbBackend::Sqlite { ("json_array(", ")") } else { ("to_json(ARRAY[", "])") };
    let said = SAID.map(|column| match (column, backend) {
        ("at", DbBackend::Postgres) => "CAST(CAST(EXTRACT(EPOCH FROM at) * 1000000 AS BIGINT) AS TEXT)".to_owned(),
        (column, _) => format!("CAST({column} AS TEXT)"),
    });
    let sql = format!(
        "SELECT place, hash, CAST({list}{}{end} AS TEXT), CAST(changes AS TEXT) FROM events WHERE {condition}",
        said.join(", ")
    );
    Ok(db.query_all_raw(Statement::from_sql_and_values(backend, sql, values.map(Value::from))).await?)
}

/// An event as it is kept, its texts unread and where they were read to.
struct Stored<'a> {
    place: Option<i64>,
    hash: Option<&'a str>,
    /// A JSON list of the values of [`SAID`].
    said: &'a str,
    changes: &'a str,
}

impl<'a> Stored<'a> {
    fn read(row: &'a QueryResult) -> Result<Self> {
        let read = match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
            (Some(row), _) => Self::of(row),
            (None, Some(row)) => Self::of(row),
            (None, None) => Err(sqlx::Error::RowNotFound),
        };
        read.map_err(|error| Error::internal(error.to_string()))
    }

    fn of<R: Row>(row: &'a R) -> sqlx::Result<Self>
    where
        usize: ColumnIndex<R>,
        i64: Decode<'a, R::Database> + Type<R::Database>,
        &'a str: Decode<'a, R::Database> + Type<R::Database>,
    {
        Ok(Self { place: row.try_get(0)?, hash: row.try_get(1)?, said: row.try_get(2)?, changes: row.try_get(3)? })
    }

    fn is_sealed_by(&self, hash: &Hash) -> bool {
        let mut text = [0; 64];
        hex::encode_to_slice(hash, &mut text).is_ok() && self.hash.is_some_and(|hash| hash.as_bytes() == text)
    }

    /// Its hash where it stands letter for letter as it was sealed, which needs no reading. So it does unless PostgreSQL kept
    /// it as `JSONB`, as it once did. Where this says nothing, [`Event`] has the last word.
    fn hash_as_it_stands(&self, before: &Hash, place: i64) -> Option<Hash> {
        let (id, more) = self.said.strip_prefix("[\"")?.split_once("\",\"")?;
        let (at, more) = more.split_once('"')?;
        let moment = DateTime::parse_from_rfc3339(at).map(|at| at.timestamp_micros().to_string());
        let at = moment.as_deref().unwrap_or(at);
        let start = format!("[{place},[\"{id}\",\"{at}\"");
        let text = [start.as_bytes(), more.as_bytes(), b",", self.changes.as_bytes(), b"]"];
        Some(hash(before, &text)).filter(|hash| self.is_sealed_by(hash))
    }
}

/// An event as its hash is made.
#[derive(Debug)]
struct Event<'a> {
    id: i64,
    /// The values of [`SAID`], the moment in microseconds since 1970; text that is no time stays text.
    said: Vec<Json<'a>>,
    /// Text that is no JSON stays text.
    changes: Json<'a>,
}

impl<'a> Event<'a> {
    fn read(stored: &Stored<'a>) -> Result<Self> {
        let unreadable = || Error::internal("an event cannot be read; see `kontor history verify`");
        let Ok(Json::Array(mut said)) = serde_json::from_str(stored.said) else {
            return Err(unreadable());
        };
        let id = said.first().and_then(|id| id.as_str()?.parse().ok()).ok_or_else(unreadable)?;
        if let Some(Json::Str(at)) = said.get_mut(1)
            && let Ok(moment) = DateTime::parse_from_rfc3339(at)
        {
            *at = moment.timestamp_micros().to_string().into();
        }
        let changes = serde_json::from_str(stored.changes).unwrap_or_else(|_| stored.changes.into());
        Ok(Self { id, said, changes })
    }

    /// What it was about, in a few words.
    fn words(&self) -> String {
        let word = |name: &str| {
            let at = SAID.iter().position(|known| *known == name);
            at.and_then(|at| self.said.get(at)?.as_str()).unwrap_or_default()
        };
        format!("{} of {} {}", word("command"), word("resource"), word("record_id"))
    }

    /// SHA-256 over the hash before it and a JSON list of everything the event says, which is the same on both databases.
    fn hash_after(&self, before: &Hash, place: i64) -> Result<Hash> {
        let text = serde_json::to_vec(&(place, &self.said, InOrder(&self.changes)));
        Ok(hash(before, &[&text.map_err(|error| Error::internal(error.to_string()))?]))
    }
}

/// JSON with its names in order, each once: of several the last one says what is meant.
struct InOrder<'a>(&'a Json<'a>);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Array(items) => serializer.collect_seq(items.iter().map(InOrder)),
            Json::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.reverse();
                fields.sort_by_key(|(name, _)| *name);
                fields.dedup_by_key(|(name, _)| *name);
                serializer.collect_map(fields.into_iter().map(|(name, value)| (name, InOrder(value))))
            }
            other => other.serialize(serializer),
        }
    }
}

fn hash(before: &Hash, text: &[&[u8]]) -> Hash {
    let hasher = Sha256::new().chain_update(before);
    text.iter().fold(hasher, |hasher, part| hasher.chain_update(part)).finalize().into()
}

fn read_hash(text: &str) -> Result<Hash> {
    let mut hash = Hash::default();
    hex::decode_to_slice(text, &mut hash)
        .map_err(|_| Error::internal("the head of the events holds no hash; see `kontor history verify`"))?;
    Ok(hash)
}

/// Walks along the whole chain, up to the first event that is not as it was sealed. `sought` is a head that was written down
/// earlier. Seal what is waiting first.
///
/// # Errors
/// When the database does not answer. A broken chain is no error but a verdict.
pub async fn verify(access: &Access<View>, sought: Option<&str>) -> Result<Verdict> {
    let reader = access.reader();
    let sql = "SELECT count, hash, COALESCE((SELECT MAX(place) FROM events), 0) FROM event_head WHERE id = 1";
    let row = reader.query_one_raw(Statement::from_string(reader.get_database_backend(), sql)).await?;
    let Some(row) = row else {
        let fault = Fault { place: 0, id: None, what: "the head of the chain is gone".into() };
        return Ok(Verdict { head: Head { count: 0, hash: String::new() }, fault: Some(fault), sought: None });
    };
    let head = Head { count: row.try_get_by_index(0)?, hash: row.try_get_by_index(1)? };
    let highest: i64 = row.try_get_by_index(2)?;
    let sought = sought.map(str::to_ascii_lowercase);
    let mut walk = Walk { count: 0, last: [0; 32], found: None, sought };
    let failed = |error: tokio::task::JoinError| Error::internal(error.to_string());
    // Others are read while some are looked at.
    let count = head.count;
    let pages = stream::iter((0..count).step_by(usize::try_from(READ).unwrap_or(1))).map(|after| {
        let (reader, upto) = (reader.clone(), after.saturating_add(READ).min(count));
        tokio::spawn(async move { rows(&reader, "place > ? AND place <= ? ORDER BY place", [after, upto]).await })
    });
    let mut pages = pages.buffered(AHEAD);
    while let Some(read) = pages.next().await {
        let read = read.map_err(failed)??;
        let looking = tokio::task::spawn_blocking(move || {
            let fault = walk.along(&read);
            (walk, fault)
        });
        let (walked, fault) = looking.await.map_err(failed)?;
        walk = walked;
        if fault.is_some() {
            return Ok(Verdict { head, fault, sought: walk.found });
        }
    }
    let fault = if walk.count < head.count {
        Some((walk.count + 1, "the event is missing, and all after it: the tail was cut off".to_owned()))
    } else if hex::encode(walk.last) != head.hash {
        Some((walk.count, "the head of the chain is not that of the last event".to_owned()))
    } else if highest > head.count {
        Some((head.count + 1, "events were put behind the head".to_owned()))
    } else {
        None
    };
    let fault = fault.map(|(place, what)| Fault { place, id: None, what });
    Ok(Verdict { head, fault, sought: walk.found })
}

/// How far a walk along the chain got.
struct Walk {
    count: i64,
    last: Hash,
    sought: Option<String>,
    found: Option<i64>,
}

impl Walk {
    fn along(&mut self, rows: &[QueryResult]) -> Option<Fault> {
        for row in rows {
            let place = self.count + 1;
            let fault = |id: Option<i64>, what: &str| Some(Fault { place, id, what: what.to_owned() });
            let unreadable = "the event was altered: it cannot be read";
            let Ok(row) = Stored::read(row) else {
                return fault(None, unreadable);
            };
            if row.place != Some(place) {
                return fault(None, "the event is missing");
            }
            let hash = match row.hash_as_it_stands(&self.last, place) {
                Some(hash) => hash,
                None => {
                    let Ok(event) = Event::read(&row) else {
                        return fault(None, unreadable);
                    };
                    let Ok(hash) = event.hash_after(&self.last, place) else {
                        return fault(Some(event.id), "the event cannot be read");
                    };
                    if !row.is_sealed_by(&hash) {
                        let said = format!("the event was altered, inserted or moved ({})", event.words());
                        return fault(Some(event.id), &said);
                    }
                    hash
                }
            };
            if self.sought.as_deref() == row.hash {
                self.found = Some(place);
            }
            (self.count, self.last) = (place, hash);
        }
        None
    }
}
