//! The second factor: codes of an app (TOTP, RFC 6238) beside the password, each taken once, and recovery codes for when the
//! app is lost.

use qrcodegen::{QrCode, QrCodeEcc};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use totp_rs::{Algorithm, Builder, Secret, Totp};

use super::gate::{Access, Oneself};
use super::people::Enrolment;
use super::token::digest;
use super::user;
use crate::base::error::Code;
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result};
use crate::server::record::Change;
use crate::server::transaction::DatabaseTransaction;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "second_factors")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    /// In base 32; an app must be able to make the same codes.
    pub secret: String,
    /// The latest step whose code was taken: none before it is taken again.
    pub last_step: i64,
    /// Absent until a first code showed that the app has the secret.
    pub confirmed_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl ActiveModelBehavior for ActiveModel {}

/// Codes for when the app is lost, each used once.
pub mod recovery {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "recovery_codes")]
    pub struct Model {
        /// The digest of the code.
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: String,
        pub user_id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// How many recovery codes there are at first.
const CODES: usize = 10;

/// From a user to their second factor.
pub(super) fn of_user() -> RelationDef {
    Relation::User.def().rev()
}

/// Codes of six digits that hold for half a minute, and half a minute around it.
fn totp(secret: &str, email: &str) -> Result<Totp> {
    let secret = Secret::try_from_base32(secret).map_err(|e| Error::internal(format!("second factor: {e}")))?;
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_secret(secret)
        .with_account_name(email.replace(':', " "))
        .with_issuer(Some("Kontor"))
        .build()
        .map_err(|e| Error::internal(format!("second factor: {e}")))
}

/// The modules of a QR code as the path of an SVG, and how many stand side by side.
fn drawn(text: &str) -> Result<(String, i32)> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|e| Error::internal(format!("QR code: {e}")))?;
    let size = code.size();
    let dark = (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).filter(|(x, y)| code.get_module(*x, *y));
    Ok((dark.map(|(x, y)| format!("M{x} {y}h1v1h-1z")).collect(), size))
}

/// Whether a person has confirmed one.
///
/// # Errors
/// When the database does not answer.
pub async fn is_on(db: &impl ConnectionTrait, user_id: i64) -> Result<bool> {
    Ok(Entity::find_by_id(user_id).one(db).await?.is_some_and(|factor| factor.confirmed_at.is_some()))
}

/// Where a person stands with it.
///
/// # Errors
/// When the database does not answer.
pub async fn enrolment(access: &Access<Oneself>) -> Result<Enrolment> {
    let id = access.user_id();
    let Some(factor) = Entity::find_by_id(id).one(access.reader()).await? else { return Ok(Enrolment::Off) };
    if factor.confirmed_at.is_some() {
        let left = recovery::Entity::find().filter(recovery::Column::UserId.eq(id)).count(access.reader()).await?;
        return Ok(Enrolment::On { codes_left: left });
    }
    let user = user::Entity::by_id(access.reader(), id).await?;
    let address = totp(&factor.secret, &user.email)?.to_url().map_err(|e| Error::internal(e.to_string()))?;
    let (path, size) = drawn(&address)?;
    Ok(Enrolment::Begun { secret: factor.secret, path, size })
}

/// Begins to set one up, with a new secret.
///
/// # Errors
/// `Conflict` when there is one already.
pub async fn begin(access: &Access<Oneself>) -> Result<()> {
    let id = access.user_id();
    let transaction = access.write().await?;
    if is_on(&transaction, id).await? {
        return Err(Error::new(Code::Conflict, "You have a second factor already. Turn it off first to change it."));
    }
    let secret = Secret::from(rand::random::<[u8; 20]>()).to_base32();
    let factor = ActiveModel { user_id: Set(id), secret: Set(secret), last_step: Set(0), confirmed_at: Set(None) };
    let again = OnConflict::column(Column::UserId).update_columns([Column::Secret, Column::LastStep]).to_owned();
    Entity::insert(factor).on_conflict(again).exec_without_returning(&transaction).await?;
    transaction.commit().await
}

/// Turns it on once a first code is right, and returns the recovery codes, which nobody can read again.
///
/// # Errors
/// `Invalid` at `code`; `Conflict` when it was not begun.
pub async fn confirm(access: &Access<Oneself>, code: &str) -> Result<Vec<String>> {
    let id = access.user_id();
    let transaction = access.write().await?;
    let user = user::Entity::by_id(&transaction, id).await?;
    let factor = Entity::find_by_id(id).one(&transaction).await?.filter(|factor| factor.confirmed_at.is_none());
    let factor = factor.ok_or_else(|| Error::new(Code::Conflict, "There is no second factor to confirm."))?;
    let step = step(&factor, &user, code)?.ok_or_else(wrong)?;
    let on = ActiveModel { last_step: Set(step), confirmed_at: Set(Some(now())), ..Default::default() };
    Entity::update_many().set(on).filter(Column::UserId.eq(id)).exec(&transaction).await?;
    let codes = fresh_codes(&transaction, id).await?;
    user::done(&transaction, access.caller(), &user, "second_factor_on").await?;
    transaction.commit().await?;
    Ok(codes)
}

/// Makes new recovery codes in place of the old ones, for who has a code of the app.
///
/// # Errors
/// `Invalid` at `code`.
pub async fn renew_codes(access: &Access<Oneself>, code: &str) -> Result<Vec<String>> {
    let transaction = access.write().await?;
    let user = user::Entity::by_id(&transaction, access.user_id()).await?;
    if !taken(&transaction, &user, code).await? {
        return Err(wrong());
    }
    let codes = fresh_codes(&transaction, user.id).await?;
    user::done(&transaction, access.caller(), &user, "recovery_codes").await?;
    transaction.commit().await?;
    Ok(codes)
}

/// Turns it off, for who has both the password and a code.
///
/// # Errors
/// `Invalid` at `password` or at `code`.
pub async fn turn_off(access: &Access<Oneself>, password: String, code: &str) -> Result<()> {
    let user = super::own::with_password(access, password).await?;
    let transaction = access.write().await?;
    if !taken(&transaction, &user, code).await? {
        return Err(wrong());
    }
    forget(&transaction, user.id).await?;
    user::done(&transaction, access.caller(), &user, "second_factor_off").await?;
    transaction.commit().await
}

/// Takes a person's second factor away, when they lost app and recovery codes, and ends their sessions.
///
/// # Errors
/// `NotFound`; `Forbidden` for somebody who may more than the caller; `Conflict` when there is none.
pub async fn take_away(access: &Access<Change<user::Entity>>, id: i64) -> Result<()> {
    let transaction = access.write().await?;
    let user = user::managed(&transaction, access, id).await?;
    if forget(&transaction, id).await? == 0 {
        return Err(Error::new(Code::Conflict, "There is no second factor to take away."));
    }
    super::session::end_all(&transaction, id, None).await?;
    user::done(&transaction, access.caller(), &user, "second_factor_off").await?;
    transaction.commit().await
}

/// Whether a code is right for a person: one of their app, or a recovery code. It is spent then.
///
/// # Errors
/// When the database does not answer.
pub async fn taken(transaction: &DatabaseTransaction, user: &user::Model, code: &str) -> Result<bool> {
    let Some(factor) = Entity::find_by_id(user.id).one(transaction).await? else { return Ok(false) };
    if let Some(step) = step(&factor, user, code)? {
        // Of two with the same code at once, one finds the step taken.
        let spent = Entity::update_many()
            .set(ActiveModel { last_step: Set(step), ..Default::default() })
            .filter(Column::UserId.eq(user.id))
            .filter(Column::LastStep.lt(step))
            .exec(transaction)
            .await?;
        return Ok(spent.rows_affected == 1);
    }
    let spent = recovery::Entity::delete_many()
        .filter(recovery::Column::UserId.eq(user.id))
        .filter(recovery::Column::Hash.eq(recovery_hash(user.id, code)))
        .exec(transaction)
        .await?;
    Ok(spent.rows_affected == 1)
}

/// The step whose code this is.
fn step(factor: &Model, user: &user::Model, code: &str) -> Result<Option<i64>> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let seconds = u64::try_from(user::seconds()).unwrap_or_default();
    let step = totp(&factor.secret, &user.email)?.check(&digits, seconds);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

fn wrong() -> Error {
    Error::field("code", "This code is not right, or was used already. Wait for the next one.")
}

async fn forget(transaction: &DatabaseTransaction, id: i64) -> Result<u64> {
    recovery::Entity::delete_many().filter(recovery::Column::UserId.eq(id)).exec(transaction).await?;
    Ok(Entity::delete_many().filter(Column::UserId.eq(id)).exec(transaction).await?.rows_affected)
}

async fn fresh_codes(transaction: &DatabaseTransaction, id: i64) -> Result<Vec<String>> {
    recovery::Entity::delete_many().filter(recovery::Column::UserId.eq(id)).exec(transaction).await?;
    let codes: Vec<String> = (0..CODES).map(|_| super::password::generated()).collect();
    let rows = codes.iter().map(|code| recovery::ActiveModel { hash: Set(recovery_hash(id, code)), user_id: Set(id) });
    recovery::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    Ok(codes)
}

/// Dashes, spaces and case do not count in a recovery code. It has 100 random bits, so a plain digest keeps it.
fn recovery_hash(id: i64, code: &str) -> String {
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    digest(&format!("{id}:{}", letters.to_ascii_lowercase()))
}
