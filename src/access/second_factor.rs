//! The second factor: codes of an app (TOTP, RFC 6238) beside the password, each taken once, and recovery codes for when the
//! app is lost.
//!
//! Wrong codes are counted in the database, so that the count holds for all servers: after every [`SHUT_AFTER`] of them no code of
//! the app is taken for an hour, then for two, up to a day. It ends by itself, with a recovery code, with another password, or
//! when an administrator takes the factor away. Nobody gets that far without the password, so nobody else can shut the owner out.

use chrono::TimeDelta;
use qrcodegen::{QrCode, QrCodeEcc};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, QuerySelect};
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
    /// Wrong codes since the last right one.
    pub failures: i64,
    /// Until when no code of the app is taken.
    pub shut_until: Option<Timestamp>,
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

/// After so many wrong codes in a row, and after every further so many, no code of the app is taken for a while.
const SHUT_AFTER: i64 = 30;
/// How long that is the first time; each time is twice as long as the one before.
const SHUT_FOR: TimeDelta = TimeDelta::hours(1);
/// How long it is at the most.
const SHUT_AT_MOST: TimeDelta = TimeDelta::hours(24);
/// From so many wrong codes on a person is told of them at the next sign-in.
const TOLD_FROM: i64 = 10;

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
    let Some(factor) = Entity::find_by_id(id).one(access.reader()).await? else {
        return Ok(Enrolment::Off { asks_password: !access.caller().is_recent });
    };
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
    let factor = ActiveModel { user_id: Set(id), secret: Set(secret), last_step: Set(0), ..Default::default() };
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

/// Makes new recovery codes in place of the old ones, for who has a code of the app. What became of the code is `told`.
///
/// # Errors
/// `Invalid` at `code`.
pub async fn renew_codes(access: &Access<Oneself>, code: &str, told: fn(&user::Model, Taken)) -> Result<Vec<String>> {
    let transaction = access.write().await?;
    let user = user::Entity::by_id(&transaction, access.user_id()).await?;
    let taken = taken(&transaction, &user, code).await?;
    told(&user, taken);
    if let Some(refused) = taken.refused() {
        transaction.commit().await?;
        return Err(refused);
    }
    let codes = fresh_codes(&transaction, user.id).await?;
    user::done(&transaction, access.caller(), &user, "recovery_codes").await?;
    transaction.commit().await?;
    Ok(codes)
}

/// Turns it off, for who has both the password and a code. What became of the code is `told`.
///
/// # Errors
/// `Invalid` at `password` or at `code`.
pub async fn turn_off(
    access: &Access<Oneself>,
    password: String,
    code: &str,
    told: fn(&user::Model, Taken),
) -> Result<()> {
    let user = super::own::with_password(access, password).await?;
    let transaction = access.write().await?;
    let taken = taken(&transaction, &user, code).await?;
    told(&user, taken);
    if let Some(refused) = taken.refused() {
        transaction.commit().await?;
        return Err(refused);
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

/// What became of a code that somebody entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is right, and spent. So many wrong ones were entered before it.
    Right { by: Means, failures: i64 },
    /// It is not right. With it, the factor may have been shut.
    Wrong { shut_until: Option<Timestamp> },
    /// It was not looked at, as no code of the app is taken before this moment.
    Shut { until: Timestamp },
}

/// What kind of code it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    App,
    RecoveryCode,
}

impl Taken {
    /// The error to answer with, unless the code was right.
    pub fn refused(self) -> Option<Error> {
        match self {
            Taken::Right { .. } => None,
            Taken::Wrong { .. } => Some(wrong()),
            Taken::Shut { until } => {
                let seconds = u32::try_from((until - now()).num_seconds()).unwrap_or_default().saturating_add(1);
                let minutes = seconds.div_ceil(60);
                let detail = format!(
                    "There were too many wrong codes. Codes of the app are taken again in {minutes} minutes; a recovery code \
                     works now."
                );
                Some(Error { retry_after: Some(seconds), ..Error::new(Code::TooManyRequests, detail) })
            }
        }
    }

    /// What a person who signs in is told of the wrong codes before theirs, if there were many.
    pub fn warning(self) -> Option<String> {
        match self {
            Taken::Right { failures, .. } if failures >= TOLD_FROM => Some(format!(
                "{failures} wrong codes were entered for your account before you signed in. Whoever entered them knows your \
                 password: unless it was you, change it now."
            )),
            _ => None,
        }
    }
}

/// How long a factor is shut after so many wrong codes; absent when it stays open.
fn shut_for(failures: i64) -> Option<TimeDelta> {
    let times = u32::try_from(failures / SHUT_AFTER).ok().filter(|times| *times > 0 && failures % SHUT_AFTER == 0)?;
    let doubled = SHUT_FOR.checked_mul(2_i32.checked_pow(times - 1).unwrap_or(i32::MAX));
    Some(doubled.map_or(SHUT_AT_MOST, |time| time.min(SHUT_AT_MOST)))
}

/// Whether a code is right for a person: one of their app, or a recovery code. It is spent then; a wrong one is counted. The
/// transaction is to be committed either way.
///
/// # Errors
/// When the database does not answer.
pub async fn taken(transaction: &DatabaseTransaction, user: &user::Model, code: &str) -> Result<Taken> {
    // Locked, so that codes that are tried at once are all counted.
    let factor = Entity::find_by_id(user.id).lock_exclusive().one(transaction).await?;
    let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_some()) else {
        return Ok(Taken::Wrong { shut_until: None });
    };
    let failures = factor.failures;
    let shut = factor.shut_until.filter(|until| *until > now());
    if let (Some(until), Some(_)) = (shut, digits(code)) {
        return Ok(Taken::Shut { until });
    }
    if let Some(step) = step(&factor, user, code)?.filter(|step| *step > factor.last_step) {
        reopen(transaction, user.id, Some(step)).await?;
        return Ok(Taken::Right { by: Means::App, failures });
    }
    let spent = recovery::Entity::delete_many()
        .filter(recovery::Column::UserId.eq(user.id))
        .filter(recovery::Column::Hash.eq(recovery_hash(user.id, code)))
        .exec(transaction)
        .await?;
    if spent.rows_affected == 1 {
        reopen(transaction, user.id, None).await?;
        return Ok(Taken::Right { by: Means::RecoveryCode, failures });
    }
    if shut.is_some() {
        // Nobody makes it longer by wrong recovery codes.
        return Ok(Taken::Wrong { shut_until: None });
    }
    let failures = failures.saturating_add(1);
    let shut_until = shut_for(failures).map(|time| now() + time);
    let counted = ActiveModel { failures: Set(failures), shut_until: Set(shut_until), ..Default::default() };
    Entity::update_many().set(counted).filter(Column::UserId.eq(user.id)).exec(transaction).await?;
    Ok(Taken::Wrong { shut_until })
}

/// Forgets wrong codes, so that codes of the app are taken again; `step` is that of the last one that was taken.
async fn reopen(transaction: &DatabaseTransaction, user_id: i64, step: Option<i64>) -> Result<()> {
    let open = ActiveModel {
        failures: Set(0),
        shut_until: Set(None),
        last_step: step.map_or(ActiveValue::NotSet, Set),
        ..Default::default()
    };
    Entity::update_many().set(open).filter(Column::UserId.eq(user_id)).exec(transaction).await?;
    Ok(())
}

/// The same for a person who got another password, which whoever entered the wrong codes does not know.
pub(super) async fn reopened(transaction: &DatabaseTransaction, user_id: i64) -> Result<()> {
    reopen(transaction, user_id, None).await
}

/// A code as an app shows it: six digits, however they are spaced.
fn digits(code: &str) -> Option<String> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// The step whose code this is.
fn step(factor: &Model, user: &user::Model, code: &str) -> Result<Option<i64>> {
    let Some(digits) = digits(code) else { return Ok(None) };
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
