//! Files that wait on the server while a person maps and checks them: each upload belongs to who made it, for a day.
//!
//! A file arrives in parts, each a row of its own, so that it is never whole in memory on its way into the database, and any
//! server can go on with it. What its columns are called is read from its beginning.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Func, LockType};
use sea_orm::{ActiveValue::Set, Condition, ConnectionTrait, PaginatorTrait, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::job::{self, Task};
use super::mapping::{Mapping, Piece, targets};
use super::run::{File, Import};
use super::sheet::{places, plain};
use super::table::Head;
use super::{Column as FileColumn, Columns, Kind, Report, Review, Waiting};
use crate::access::gate::Access;
use crate::access::user;
use crate::base::error::Code;
use crate::base::form::Typed;
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result};
use crate::server::AppState;
use crate::server::database::Database;
use crate::server::transaction::Transaction;

/// How long an upload waits.
const KEPT: TimeDelta = TimeDelta::days(1);

/// How long nothing may arrive until an upload that is under way is given up.
const GIVEN_UP: TimeDelta = TimeDelta::minutes(10);

/// How many uploads of one person may wait.
pub const MAX_UPLOADS: u64 = 20;

/// The size of a part, in bytes.
const PART: usize = 256 * 1_024;

/// How much of a file is looked at for the names of its columns, in bytes.
const HEAD: usize = 64 * 1_024;

/// How many parts are read at once.
const PARTS_AT_ONCE: i64 = 8;

/// Problems that the page lists; the report as CSV has more.
const SHOWN: usize = 200;

/// Problems that are kept.
pub(super) const KEPT_PROBLEMS: usize = 10_000;

/// Characters of a value that stand as a sample.
const SAMPLE: usize = 60;

/// The field of the form with rules beyond the choices.
const EXTRA: &str = "extra";

/// What an upload is doing: arriving, nothing, waiting for its turn, or being checked or imported; or how the last work on it
/// ended when it did not come to an end.
pub(super) const UPLOADING: &str = "uploading";
pub(super) const READY: &str = "ready";
pub(super) const QUEUED: &str = "queued";
pub(super) const RUNNING: &str = "running";
pub(super) const INTERRUPTED: &str = "interrupted";
pub(super) const FAILED: &str = "failed";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "imports")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub user_id: i64,
    pub choices: Json,
    pub report: Option<Json>,
    pub is_done: bool,
    pub created_at: Timestamp,
    /// Of all files together, in bytes.
    pub size: i64,
    pub state: String,
    /// When whoever works on it, or sends it, was last heard of.
    pub heartbeat_at: Option<Timestamp>,
    /// What is done, or was last done.
    pub task: Option<String>,
    /// Who does it: another name each time.
    pub worker: Option<String>,
    /// The request that asked for it, which its events bear.
    pub request_id: Option<String>,
    pub steps_done: i64,
    pub steps_all: i64,
    /// Why the last work on it failed.
    pub error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The uploaded files.
pub mod file {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "import_files")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub import_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        pub name: String,
        /// Empty: the content is in the parts.
        pub content: Vec<u8>,
        pub columns: Option<Json>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The parts of the uploaded files.
pub mod part {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "import_parts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub import_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub part: i64,
        pub content: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A column of an uploaded file, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub header: String,
    pub sample: String,
}

/// An uploaded file without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub kind: Kind,
    pub name: String,
    pub columns: Vec<Seen>,
}

/// An upload that is arriving. Unless it is kept it is forgotten.
pub struct Incoming {
    access: Access<Import>,
    id: String,
    /// How much the person may have waiting, in bytes.
    quota: usize,
    files: Vec<Arrived>,
    /// What is not stored yet of the last file.
    rest: Vec<u8>,
    is_kept: bool,
}

/// A file of which something arrived.
struct Arrived {
    kind: Kind,
    name: String,
    head: Vec<u8>,
    size: usize,
    parts: i64,
}

impl Incoming {
    /// Begins an upload.
    ///
    /// # Errors
    /// `Conflict` when too many uploads of the person wait already.
    pub async fn begin(access: &Access<Import>, quota: usize) -> Result<Self> {
        let (id, user_id) = (Uuid::new_v4().to_string(), owner(access)?);
        let transaction = access.write().await?;
        // Of two uploads that begin at once one counts the other.
        let person = user::Entity::find_by_id(user_id).select_only().column(user::Column::Id);
        person.lock(LockType::NoKeyUpdate).into_tuple::<i64>().one(&*transaction).await?;
        let own = Entity::delete_many().filter(Column::UserId.eq(user_id)).filter(Column::State.eq(UPLOADING));
        own.filter(Column::HeartbeatAt.lt(now() - GIVEN_UP)).exec(&*transaction).await?;
        let waiting = Entity::find().filter(Column::UserId.eq(user_id)).filter(Column::IsDone.eq(false));
        if waiting.count(&*transaction).await? >= MAX_UPLOADS {
            let detail = format!("{MAX_UPLOADS} of your uploads wait to be imported. Remove one of them first.");
            return Err(Error::new(Code::Conflict, detail));
        }
        let row = ActiveModel {
            id: Set(id.clone()),
            user_id: Set(user_id),
            choices: Set(Json::Object(serde_json::Map::new())),
            is_done: Set(false),
            created_at: Set(now()),
            state: Set(UPLOADING.into()),
            heartbeat_at: Set(Some(now())),
            ..Default::default()
        };
        Entity::insert(row).exec_without_returning(&*transaction).await?;
        transaction.commit_unflushed().await?;
        Ok(Self { access: access.clone(), id, quota, files: Vec::new(), rest: Vec::new(), is_kept: false })
    }

    /// Begins its next file.
    ///
    /// # Errors
    /// `Invalid` when there is one of the kind already.
    pub async fn file(&mut self, kind: Kind, name: String) -> Result<()> {
        self.store().await?;
        if self.files.iter().any(|file| file.kind == kind) {
            return Err(Error::invalid(format!("There can be one file of {}.", kind.name())));
        }
        let row = file::ActiveModel {
            import_id: Set(self.id.clone()),
            kind: Set(kind.name().into()),
            name: Set(name.clone()),
            content: Set(Vec::new()),
            columns: Set(None),
        };
        let transaction = self.access.write().await?;
        file::Entity::insert(row).exec_without_returning(&*transaction).await?;
        transaction.commit_unflushed().await?;
        self.files.push(Arrived { kind, name, head: Vec::new(), size: 0, parts: 0 });
        Ok(())
    }

    /// Takes what arrived of the file that began last.
    ///
    /// # Errors
    /// `TooLarge` when too much of the person waits already.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART - self.rest.len().min(PART)));
            self.rest.extend_from_slice(now);
            bytes = later;
            if self.rest.len() >= PART {
                self.store().await?;
            }
        }
        Ok(())
    }

    /// Stores what arrived so far.
    async fn store(&mut self) -> Result<()> {
        let Some(file) = self.files.last_mut().filter(|_| !self.rest.is_empty()) else { return Ok(()) };
        let content = std::mem::replace(&mut self.rest, Vec::with_capacity(PART));
        let missing = HEAD.saturating_sub(file.head.len()).min(content.len());
        file.head.extend_from_slice(content.get(..missing).unwrap_or_default());
        file.size += content.len();
        let more = i64::try_from(content.len()).unwrap_or(i64::MAX);
        let row = part::ActiveModel {
            import_id: Set(self.id.clone()),
            kind: Set(file.kind.name().into()),
            part: Set(file.parts),
            content: Set(content),
        };
        file.parts += 1;
        let transaction = self.access.write().await?;
        let grown = Entity::update_many()
            .col_expr(Column::Size, Expr::col(Column::Size).add(more))
            .col_expr(Column::HeartbeatAt, Expr::value(now()))
            .filter(Column::Id.eq(&self.id))
            .exec(&*transaction)
            .await?;
        if grown.rows_affected == 0 {
            return Err(Error::new(Code::Conflict, "This upload was removed."));
        }
        if waiting_bytes(&*transaction, owner(&self.access)?).await? > i64::try_from(self.quota).unwrap_or(i64::MAX) {
            let detail = format!(
                "Your files that wait to be imported may have up to {} together. Remove an upload that you do not need.",
                size(self.quota)
            );
            return Err(Error::new(Code::TooLarge, detail));
        }
        part::Entity::insert(row).exec_without_returning(&*transaction).await?;
        transaction.commit_unflushed().await
    }

    /// Keeps the upload with a first guess at its mapping, and answers with its id.
    ///
    /// # Errors
    /// `Invalid` when there is no file, or one that is no CSV file.
    pub async fn keep(&mut self, mapping: Mapping) -> Result<String> {
        self.store().await?;
        if self.files.is_empty() {
            return Err(Error::invalid("Choose at least one file."));
        }
        let arrived = std::mem::take(&mut self.files);
        let described = tokio::task::spawn_blocking(move || {
            let described = describe(arrived)?;
            let choices = guessed(&described, &mapping);
            Ok::<_, Error>((described, choices))
        });
        let (files, choices) = described.await.map_err(|error| Error::internal(error.to_string()))??;
        let transaction = self.access.write().await?;
        for file in &files {
            let row = file::ActiveModel { columns: Set(Some(written(&file.columns)?)), ..Default::default() };
            let one = file::Entity::update_many().set(row).filter(file::Column::ImportId.eq(&self.id));
            one.filter(file::Column::Kind.eq(file.kind.name())).exec(&*transaction).await?;
        }
        let row = ActiveModel {
            choices: Set(written(&choices)?),
            state: Set(READY.into()),
            heartbeat_at: Set(None),
            ..Default::default()
        };
        Entity::update_many().set(row).filter(Column::Id.eq(&self.id)).exec(&*transaction).await?;
        transaction.commit().await?;
        self.is_kept = true;
        Ok(self.id.clone())
    }

    /// Forgets what arrived.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn discard(mut self) -> Result<()> {
        self.is_kept = true;
        forget(self.access.database(), &self.id).await
    }
}

impl Drop for Incoming {
    /// When nobody waits for the answer any more.
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let (database, id) = (self.access.database().clone(), self.id.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = forget(&database, &id).await {
                    tracing::warn!(
                        error = error.internal.as_deref(),
                        "an upload that broke off stays until it is swept"
                    );
                }
            });
        }
    }
}

async fn forget(database: &Database, id: &str) -> Result<()> {
    let transaction = database.write().await?;
    Entity::delete_by_id(id.to_owned()).exec(&*transaction).await?;
    transaction.commit_unflushed().await
}

async fn waiting_bytes(db: &impl ConnectionTrait, user_id: i64) -> Result<i64> {
    let sum = Func::cast_as(Func::sum(Expr::col(Column::Size)), "BIGINT");
    let select = Entity::find().select_only().expr(sum).filter(Column::UserId.eq(user_id));
    let sum: Option<Option<i64>> = select.filter(Column::IsDone.eq(false)).into_tuple().one(db).await?;
    Ok(sum.flatten().unwrap_or_default())
}

/// A size as people say it, rounded down so that a limit is kept.
pub(super) fn size(bytes: usize) -> String {
    const KIB: usize = 1024;
    const MIB: usize = KIB * KIB;
    match bytes {
        ..KIB => format!("{bytes} bytes"),
        KIB..MIB => format!("{} KiB", bytes / KIB),
        _ => format!("{} MiB", bytes / MIB),
    }
}

/// The columns of files by their beginnings. A file without named columns is most likely one of another type: there is nothing
/// to map in it.
fn describe(files: Vec<Arrived>) -> Result<Vec<Described>> {
    let (mut described, mut refused) = (Vec::with_capacity(files.len()), Vec::new());
    for Arrived { kind, name, head, size, .. } in files {
        match Head::read(&head, head.len() == size) {
            Ok(Head { headers, first }) => {
                let mut first = first.into_iter();
                let columns = headers.into_iter().map(|header| Seen {
                    header,
                    sample: first.next().unwrap_or_default().chars().take(SAMPLE).collect(),
                });
                described.push(Described { kind, name, columns: columns.collect() });
            }
            Err(why) => refused.push(format!("{name}: {why}")),
        }
    }
    described.sort_by_key(|file| file.kind);
    if refused.is_empty() { Ok(described) } else { Err(Error::invalid(refused.join(" "))) }
}

/// An upload as the page shows it.
///
/// # Errors
/// `NotFound` for an upload of somebody else, or of another day.
pub async fn review(access: &Access<Import>, id: &str) -> Result<Review> {
    let (upload, files) = found(access, id).await?;
    let activity = job::activity(&upload);
    let choices: Typed = read(upload.choices)?;
    let mut report: Option<Report> = upload.report.map(read).transpose()?;
    if let Some(report) = &mut report {
        report.list_at_most(SHOWN);
    }
    let is_active = activity.is_active();
    let files = files.into_iter().filter(|_| !is_active).map(|file| columns(file, &choices)).collect();
    let extra = choices.get(EXTRA).cloned().unwrap_or_default();
    let undo = if upload.is_done { upload.request_id.unwrap_or_default() } else { String::new() };
    Ok(Review { id: upload.id, files, extra, report, is_done: upload.is_done, activity, undo })
}

/// The uploads of the person that wait, the latest first.
///
/// # Errors
/// When the database does not answer.
pub async fn waiting(access: &Access<Import>) -> Result<Vec<Waiting>> {
    let own = Entity::find().filter(Column::UserId.eq(owner(access)?)).filter(Column::IsDone.eq(false));
    let uploads = own.filter(Column::State.ne(UPLOADING)).order_by_desc(Column::CreatedAt).all(access.reader()).await?;
    if uploads.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<(String, String)> = file::Entity::find()
        .select_only()
        .columns([file::Column::ImportId, file::Column::Name])
        .filter(file::Column::ImportId.is_in(uploads.iter().map(|upload| upload.id.as_str())))
        .order_by_asc(file::Column::Kind)
        .into_tuple()
        .all(access.reader())
        .await?;
    let listed = uploads.into_iter().map(|upload| {
        let own = names.iter().filter(|(id, _)| *id == upload.id).map(|(_, name)| name.as_str());
        Waiting {
            names: own.collect::<Vec<_>>().join(", "),
            size: size(usize::try_from(upload.size).unwrap_or_default()),
            at: upload.created_at.into(),
            is_active: job::activity(&upload).is_active(),
            id: upload.id,
        }
    });
    Ok(listed.collect())
}

/// Removes an upload of the person with its files.
///
/// # Errors
/// `NotFound`; `Conflict` while it is checked or imported.
pub async fn remove(access: &Access<Import>, id: &str) -> Result<()> {
    let upload = owned(access, id).await?;
    if job::activity(&upload).is_active() {
        return Err(Error::new(
            Code::Conflict,
            "These files are being checked or imported. Wait until that has ended.",
        ));
    }
    let transaction = access.write().await?;
    let idle = Entity::delete_many().filter(Column::Id.eq(id)).filter(job::is_idle());
    let removed = idle.exec(&*transaction).await?;
    transaction.commit().await?;
    if removed.rows_affected == 0 {
        return Err(Error::new(
            Code::Conflict,
            "These files are being checked or imported. Wait until that has ended.",
        ));
    }
    Ok(())
}

/// The problems of an upload, as CSV.
///
/// # Errors
/// `NotFound`, also when it was not checked yet.
pub async fn problems(access: &Access<Import>, id: &str) -> Result<String> {
    let report = owned(access, id).await?.report.ok_or_else(|| Error::not_found("report"))?;
    Ok(read::<Report>(report)?.csv())
}

/// Maps an upload by the choices of the form and has it checked, beside the request.
///
/// # Errors
/// `NotFound`; `Invalid` when the choices make no mapping.
pub async fn check(state: &AppState, access: &Access<Import>, id: &str, choices: &Typed) -> Result<()> {
    let (upload, files) = found(access, id).await?;
    if upload.is_done {
        return Ok(());
    }
    mapping_of(&files, choices)?;
    let known = |name: &str| {
        let (kind, index) = name.split_once('.')?;
        let file = files.iter().find(|file| file.kind.name() == kind)?;
        file.columns.get(index.parse::<usize>().ok()?)
    };
    let mut choices = choices.clone();
    choices.retain(|name, _| name == EXTRA || known(name).is_some());
    job::start(state, access, &upload, Task::Check, Some(written(&choices)?)).await
}

/// Has an upload imported as it was last mapped, beside the request. Done once: a second time only shows the result.
///
/// # Errors
/// `NotFound`.
pub async fn carry_out(state: &AppState, access: &Access<Import>, id: &str) -> Result<()> {
    let (upload, _) = found(access, id).await?;
    if upload.is_done {
        return Ok(());
    }
    job::start(state, access, &upload, Task::Import, None).await
}

/// Forgets uploads of another day, and those that broke off; says how many.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep(database: &Database) -> Result<u64> {
    let transaction = database.write().await?;
    let broken = Column::State.eq(UPLOADING).and(Column::HeartbeatAt.lt(now() - GIVEN_UP));
    let old = Condition::all().add(Column::CreatedAt.lt(now() - KEPT)).add(job::is_idle());
    let swept = Entity::delete_many().filter(Condition::any().add(broken).add(old)).exec(&*transaction).await?;
    transaction.commit().await?;
    Ok(swept.rows_affected)
}

fn owner(access: &Access<Import>) -> Result<i64> {
    access.caller().user_id().ok_or_else(Error::unauthenticated)
}

async fn owned(access: &Access<Import>, id: &str) -> Result<Model> {
    if id.contains('\0') {
        return Err(Error::not_found("upload"));
    }
    let upload = Entity::find_by_id(id).filter(Column::UserId.eq(owner(access)?)).filter(Column::State.ne(UPLOADING));
    upload.one(access.reader()).await?.ok_or_else(|| Error::not_found("upload; files are kept for a day"))
}

/// An upload of the person, and what its files are.
async fn found(access: &Access<Import>, id: &str) -> Result<(Model, Vec<Described>)> {
    let upload = owned(access, id).await?;
    let files = described(access, id).await?;
    Ok((upload, files))
}

pub(super) async fn described(access: &Access<Import>, id: &str) -> Result<Vec<Described>> {
    let rows: Vec<(String, String, Option<Json>)> = file::Entity::find()
        .select_only()
        .columns([file::Column::Kind, file::Column::Name, file::Column::Columns])
        .filter(file::Column::ImportId.eq(id))
        .into_tuple()
        .all(access.reader())
        .await?;
    let mut files = Vec::with_capacity(rows.len());
    for (kind, name, columns) in rows {
        let Some(kind) = Kind::named(&kind) else { continue };
        let gone = || Error::new(Code::Conflict, "Another version of the program took these files. Upload them again.");
        files.push(Described { kind, name, columns: read(columns.ok_or_else(gone)?)? });
    }
    files.sort_by_key(|file| file.kind);
    Ok(files)
}

/// The whole files of an upload.
pub(super) async fn contents(access: &Access<Import>, upload: &Model, files: &[Described]) -> Result<Vec<File>> {
    let mut whole = Vec::with_capacity(files.len());
    for file in files {
        // What is not filled costs no memory.
        let mut content = Vec::with_capacity(usize::try_from(upload.size).unwrap_or_default());
        for first in (0..).step_by(usize::try_from(PARTS_AT_ONCE).unwrap_or(1)) {
            let parts: Vec<Vec<u8>> = part::Entity::find()
                .select_only()
                .column(part::Column::Content)
                .filter(part::Column::ImportId.eq(&upload.id))
                .filter(part::Column::Kind.eq(file.kind.name()))
                .filter(part::Column::Part.between(first, first + PARTS_AT_ONCE - 1))
                .order_by_asc(part::Column::Part)
                .into_tuple()
                .all(access.reader())
                .await?;
            if parts.is_empty() {
                break;
            }
            parts.iter().for_each(|part| content.extend_from_slice(part));
        }
        whole.push(File { kind: file.kind, name: file.name.clone(), content });
    }
    Ok(whole)
}

/// Takes the files of an upload away that was imported.
pub(super) async fn drop_files(transaction: &Transaction, id: &str) -> Result<()> {
    part::Entity::delete_many().filter(part::Column::ImportId.eq(id)).exec(&**transaction).await?;
    file::Entity::delete_many().filter(file::Column::ImportId.eq(id)).exec(&**transaction).await?;
    Ok(())
}

pub(super) fn written(value: &impl Serialize) -> Result<Json> {
    serde_json::to_value(value).map_err(|error| Error::internal(format!("an upload cannot be kept: {error}")))
}

pub(super) fn read<T: serde::de::DeserializeOwned>(value: Json) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::internal(format!("an upload cannot be read: {error}")))
}

fn choice(kind: Kind, index: usize) -> String {
    format!("{}.{index}", kind.name())
}

/// The choices a form starts with: what the mapping says of single columns, and columns that are called like a target.
/// Everything else of the mapping stays a rule.
fn guessed(files: &[Described], mapping: &Mapping) -> Typed {
    let (mut choices, mut extra) = (Typed::new(), Mapping::default());
    for file in files {
        let headers: Vec<_> = file.columns.iter().map(|column| column.header.clone()).collect();
        let places = places(&headers);
        for target in targets(file.kind) {
            let rule = mapping.of(file.kind).find(|(name, _)| *name == target.name).map(|(_, pieces)| pieces);
            let column = match rule {
                None => places.get(&plain(target.name)),
                Some([Piece::Column(name)]) => places.get(&plain(name)),
                Some(_) => None,
            };
            match column.map(|index| choice(file.kind, *index)) {
                Some(choice) if !choices.contains_key(&choice) => drop(choices.insert(choice, target.name.into())),
                _ => {
                    // The target is one of this kind, so that it can be put.
                    let _ = rule.map(|rule| extra.put(file.kind, target.name, rule.to_vec()));
                }
            }
        }
    }
    choices.insert(EXTRA.into(), extra.written());
    choices
}

/// The mapping that the choices of a form make. A rule beyond them wins over a choice.
pub(super) fn mapping_of(files: &[Described], choices: &Typed) -> Result<Mapping> {
    let extra = Mapping::parse(choices.get(EXTRA).map(String::as_str).unwrap_or_default())?;
    let mut mapping = extra.clone();
    mapping.is_complete = true;
    for file in files {
        for (index, column) in file.columns.iter().enumerate() {
            match choices.get(&choice(file.kind, index)) {
                Some(target) if !target.is_empty() && !extra.has(file.kind, target) => {
                    mapping.join(file.kind, target, &column.header)?
                }
                _ => {}
            }
        }
    }
    Ok(mapping)
}

fn columns(file: Described, choices: &Typed) -> Columns {
    let kind = file.kind;
    let named = file.columns.into_iter().enumerate().filter(|(_, column)| !column.header.is_empty());
    let columns = named.map(|(index, Seen { header, sample })| {
        let choice = choice(kind, index);
        let target = choices.get(&choice).cloned().unwrap_or_default();
        FileColumn { choice, header, sample, target }
    });
    Columns {
        kind,
        name: file.name,
        columns: columns.collect(),
        targets: targets(kind).into_iter().map(|target| target.name.to_owned()).collect(),
    }
}

/// What a form shows again after it was refused: the choices as they were made.
pub fn chosen(mut review: Review, choices: &Typed) -> Review {
    for column in review.files.iter_mut().flat_map(|file| &mut file.columns) {
        column.target = choices.get(&column.choice).cloned().unwrap_or_default();
    }
    review.extra = choices.get(EXTRA).cloned().unwrap_or_default();
    review
}
