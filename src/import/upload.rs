//! Files that wait on the server while a person maps and checks them: each upload belongs to who made it, for a day.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QueryOrder};

use super::mapping::{Mapping, Piece, targets};
use super::run::{self, File, Import, Mode, Watch, demand_one_each};
use super::sheet::plain;
use super::table::Table;
use super::{Column as FileColumn, Columns, Kind, Report, Review};
use crate::access::gate::Access;
use crate::base::form::Typed;
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result};
use crate::server::database::Database;
use crate::server::web::done;

/// How long an upload waits.
const KEPT: TimeDelta = TimeDelta::days(1);

/// Problems that the page lists; the report as CSV has more.
const SHOWN: usize = 200;

/// Problems that are kept.
const KEPT_PROBLEMS: usize = 10_000;

/// Characters of a value that stand as a sample.
const SAMPLE: usize = 60;

/// The field of the form with rules beyond the choices.
const EXTRA: &str = "extra";

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
        pub content: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Keeps files with a first guess at their mapping, and answers with the id of the upload.
///
/// # Errors
/// `Invalid` when there is no file, two of a kind, or one that is no CSV file.
pub async fn keep(access: &Access<Import>, files: Vec<File>, mapping: &Mapping) -> Result<String> {
    demand_one_each(&files)?;
    demand_headers(&files)?;
    let id = Uuid::new_v4().to_string();
    let row = ActiveModel {
        id: Set(id.clone()),
        user_id: Set(owner(access)?),
        choices: Set(written(&guessed(&files, mapping))?),
        report: Set(None),
        is_done: Set(false),
        created_at: Set(now()),
    };
    let transaction = access.write().await?;
    Entity::insert(row).exec_without_returning(&transaction).await?;
    let rows = files.into_iter().map(|file| file::ActiveModel {
        import_id: Set(id.clone()),
        kind: Set(file.kind.name().into()),
        name: Set(file.name),
        content: Set(file.content),
    });
    file::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
    transaction.commit().await?;
    Ok(id)
}

/// An upload as the page shows it.
///
/// # Errors
/// `NotFound` for an upload of somebody else, or of another day.
pub async fn review(access: &Access<Import>, id: &str) -> Result<Review> {
    let (upload, files) = found(access, id).await?;
    let choices: Typed = read(upload.choices)?;
    let mut report: Option<Report> = upload.report.map(read).transpose()?;
    if let Some(report) = &mut report {
        report.list_at_most(SHOWN);
    }
    let files = files.iter().map(|file| columns(file, &choices)).collect();
    let extra = choices.get(EXTRA).cloned().unwrap_or_default();
    Ok(Review { id: upload.id, files, extra, report, is_done: upload.is_done })
}

/// The problems of an upload, as CSV.
///
/// # Errors
/// `NotFound`, also when it was not checked yet.
pub async fn problems(access: &Access<Import>, id: &str) -> Result<String> {
    let report = owned(access, id).await?.report.ok_or_else(|| Error::not_found("report"))?;
    Ok(read::<Report>(report)?.csv())
}

/// Maps an upload by the choices of the form and tries it.
///
/// # Errors
/// `NotFound`; `Invalid` when the choices make no mapping; those of [`run::run`].
pub async fn check(access: &Access<Import>, id: &str, choices: &Typed) -> Result<()> {
    let (upload, files) = found(access, id).await?;
    if upload.is_done {
        return Ok(());
    }
    let mapping = mapping_of(&files, choices)?;
    let mut report = run::run(access, &files, &mapping, Mode::DryRun, &Watch::new(&|_, _| ())).await?;
    report.list_at_most(KEPT_PROBLEMS);
    let row =
        ActiveModel { choices: Set(written(choices)?), report: Set(Some(written(&report)?)), ..Default::default() };
    put(access, id, row).await
}

/// Imports an upload as it was last mapped. Done once: a second time only shows the result.
///
/// # Errors
/// `NotFound`; those of [`run::run`].
pub async fn carry_out(access: &Access<Import>, id: &str) -> Result<()> {
    let (upload, files) = found(access, id).await?;
    if upload.is_done {
        return Ok(());
    }
    let mapping = mapping_of(&files, &read(upload.choices)?)?;
    let mut report = run::run(access, &files, &mapping, Mode::Write, &Watch::new(&|_, _| ())).await?;
    report.list_at_most(KEPT_PROBLEMS);
    let is_done = report.is_clean();
    if is_done && report.counts.iter().any(|(_, counts)| counts.created + counts.changed > 0) {
        done("Imported");
    }
    put(access, id, ActiveModel { report: Set(Some(written(&report)?)), is_done: Set(is_done), ..Default::default() })
        .await
}

/// Forgets uploads of another day, and says how many.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep(database: &Database) -> Result<u64> {
    let transaction = database.write().await?;
    let swept = Entity::delete_many().filter(Column::CreatedAt.lt(now() - KEPT)).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(swept.rows_affected)
}

/// A file without named columns is most likely one of another type: there is nothing to map in it.
fn demand_headers(files: &[File]) -> Result<()> {
    let refused = |file: &File| Some(format!("{}: {}", file.name, Table::refusal(&file.content)?));
    let refused: Vec<_> = files.iter().filter_map(refused).collect();
    if refused.is_empty() { Ok(()) } else { Err(Error::invalid(refused.join(" "))) }
}

fn owner(access: &Access<Import>) -> Result<i64> {
    access.caller().user_id().ok_or_else(Error::unauthenticated)
}

async fn owned(access: &Access<Import>, id: &str) -> Result<Model> {
    let upload = Entity::find_by_id(id).filter(Column::UserId.eq(owner(access)?)).one(access.reader()).await?;
    upload.ok_or_else(|| Error::not_found("upload; files are kept for a day"))
}

async fn found(access: &Access<Import>, id: &str) -> Result<(Model, Vec<File>)> {
    if id.contains('\0') {
        return Err(Error::not_found("upload"));
    }
    // Files go when the import is done, so one that is not done yet when they were read still has them.
    let rows = file::Entity::find()
        .filter(file::Column::ImportId.eq(id))
        .order_by_asc(file::Column::Kind)
        .all(access.reader())
        .await?;
    let upload = owned(access, id).await?;
    let mut files: Vec<_> = rows
        .into_iter()
        .filter_map(|row| Some(File { kind: Kind::named(&row.kind)?, name: row.name, content: row.content }))
        .collect();
    files.sort_by_key(|file| file.kind);
    Ok((upload, files))
}

async fn put(access: &Access<Import>, id: &str, row: ActiveModel) -> Result<()> {
    let transaction = access.write().await?;
    if row.is_done == Set(true) {
        file::Entity::delete_many().filter(file::Column::ImportId.eq(id)).exec(&transaction).await?;
    }
    // What is done stays so, whatever another request made of the same files.
    let waiting = Entity::update_many().filter(Column::Id.eq(id)).filter(Column::IsDone.eq(false));
    waiting.set(row).exec(&transaction).await?;
    transaction.commit().await
}

fn written(value: &impl serde::Serialize) -> Result<Json> {
    serde_json::to_value(value).map_err(|error| Error::internal(format!("an upload cannot be kept: {error}")))
}

fn read<T: serde::de::DeserializeOwned>(value: Json) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::internal(format!("an upload cannot be read: {error}")))
}

fn choice(kind: Kind, index: usize) -> String {
    format!("{}.{index}", kind.name())
}

/// The choices a form starts with: what the mapping says of single columns, and columns that are called like a target.
/// Everything else of the mapping stays a rule.
fn guessed(files: &[File], mapping: &Mapping) -> Typed {
    let (mut choices, mut extra) = (Typed::new(), Mapping::default());
    for file in files {
        let headers = Table::head(&file.content).headers;
        let position =
            |name: &str| headers.iter().position(|header| !header.is_empty() && plain(header) == plain(name));
        for target in targets(file.kind) {
            let rule = mapping.of(file.kind).find(|(name, _)| *name == target.name).map(|(_, pieces)| pieces);
            let column = match rule {
                None => position(target.name),
                Some([Piece::Column(name)]) => position(name),
                Some(_) => None,
            };
            match column.map(|index| choice(file.kind, index)) {
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
fn mapping_of(files: &[File], choices: &Typed) -> Result<Mapping> {
    let extra = Mapping::parse(choices.get(EXTRA).map(String::as_str).unwrap_or_default())?;
    let mut mapping = extra.clone();
    mapping.is_complete = true;
    for file in files {
        let headers = Table::head(&file.content).headers;
        for (index, header) in headers.iter().enumerate() {
            match choices.get(&choice(file.kind, index)) {
                Some(target) if !target.is_empty() && !extra.has(file.kind, target) => {
                    mapping.join(file.kind, target, header)?
                }
                _ => {}
            }
        }
    }
    Ok(mapping)
}

fn columns(file: &File, choices: &Typed) -> Columns {
    let table = Table::head(&file.content);
    let first = table.rows.first();
    let columns =
        table.headers.into_iter().enumerate().filter(|(_, header)| !header.is_empty()).map(|(index, header)| {
            let sample = first.and_then(|row| row.cells.get(index)).map(|text| text.chars().take(SAMPLE).collect());
            let choice = choice(file.kind, index);
            let target = choices.get(&choice).cloned().unwrap_or_default();
            FileColumn { choice, header, sample: sample.unwrap_or_default(), target }
        });
    Columns {
        kind: file.kind,
        name: file.name.clone(),
        columns: columns.collect(),
        targets: targets(file.kind).into_iter().map(|target| target.name.to_owned()).collect(),
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
