//! Security events: who signed in or tried to, and what was done about ways in. Each stands in the log under the target
//! `kontor::security`, and in a table for administrators.
//!
//! What a command does is written in its transaction, at every entry point, as the history is. What is no command, such as a wrong
//! password, is written beside the request, which never waits for it: it is gathered for a moment, equal events within
//! [`TOGETHER`] become one row that counts them, and beyond [`A_MINUTE`] rows a minute all others of a kind become one row
//! without account and address. So a flood of failures neither fills the database nor slows anybody's sign-in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, QuerySelect};
use serde_json::Value as Json;

use super::gate::{Actor, Caller, Permission};
use super::{token, user};
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result, fold};
use crate::history::entity::Subject;
use crate::server::database::Database;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "security_events")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub at: Timestamp,
    /// When the last of those happened that the row counts.
    pub last_at: Timestamp,
    pub count: i64,
    pub kind: String,
    /// The e-mail of the account that it is about, or that was tried.
    pub account: String,
    /// The account as it is compared.
    pub account_key: String,
    /// Who did it; blank when nobody knows.
    pub actor: String,
    /// Blank for the command line.
    pub address: String,
    pub request_id: String,
    pub detail: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The permission to see security events.
#[derive(Debug)]
pub struct View;

impl Permission for View {
    const IN_ADMIN_AREA: bool = true;

    fn code() -> String {
        "security.view".into()
    }
}

/// Equal events within so long are one row.
const TOGETHER: TimeDelta = TimeDelta::minutes(10);
/// So many rows of events that anybody can cause are written a minute.
const A_MINUTE: usize = 300;
/// So many different events wait to be written.
const WAITING: usize = 1_000;
/// For so long events are gathered before they are written.
const GATHERED_FOR: Duration = Duration::from_millis(200);
/// The longest account and detail, in characters.
const LONGEST: usize = 300;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    SignedIn,
    SignInFailed,
    SignedOut,
    Throttled,
    SecondFactorOn,
    SecondFactorOff,
    SecondFactorUsed,
    SecondFactorFailed,
    SecondFactorShut,
    RecoveryCodeUsed,
    RecoveryCodesMade,
    PasswordChanged,
    PasswordRefused,
    InvitationMade,
    InvitationAccepted,
    SessionsEnded,
    TokenMade,
    TokenFirstUsed,
    TokenNewAddress,
    TokenRevoked,
    TokenRefused,
    Refused,
    Exported,
    SettingsChanged,
    RolesChanged,
    AccountChanged,
}

impl Kind {
    /// Every kind, as the page offers them.
    pub const ALL: &'static [Kind] = &[
        Kind::SignedIn,
        Kind::SignInFailed,
        Kind::SignedOut,
        Kind::Throttled,
        Kind::SecondFactorOn,
        Kind::SecondFactorOff,
        Kind::SecondFactorUsed,
        Kind::SecondFactorFailed,
        Kind::SecondFactorShut,
        Kind::RecoveryCodeUsed,
        Kind::RecoveryCodesMade,
        Kind::PasswordChanged,
        Kind::PasswordRefused,
        Kind::InvitationMade,
        Kind::InvitationAccepted,
        Kind::SessionsEnded,
        Kind::TokenMade,
        Kind::TokenFirstUsed,
        Kind::TokenNewAddress,
        Kind::TokenRevoked,
        Kind::TokenRefused,
        Kind::Refused,
        Kind::Exported,
        Kind::SettingsChanged,
        Kind::RolesChanged,
        Kind::AccountChanged,
    ];

    /// The word that is stored and logged, and the one people read.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::SignedIn => ("signed_in", "Signed in"),
            Kind::SignInFailed => ("sign_in_failed", "Sign-in failed"),
            Kind::SignedOut => ("signed_out", "Signed out"),
            Kind::Throttled => ("throttled", "Too many attempts"),
            Kind::SecondFactorOn => ("second_factor_on", "Second factor turned on"),
            Kind::SecondFactorOff => ("second_factor_off", "Second factor turned off"),
            Kind::SecondFactorUsed => ("second_factor_used", "Code accepted"),
            Kind::SecondFactorFailed => ("second_factor_failed", "Wrong code"),
            Kind::SecondFactorShut => ("second_factor_shut", "Second factor locked"),
            Kind::RecoveryCodeUsed => ("recovery_code_used", "Recovery code used"),
            Kind::RecoveryCodesMade => ("recovery_codes_made", "Recovery codes made"),
            Kind::PasswordChanged => ("password_changed", "Password changed"),
            Kind::PasswordRefused => ("password_refused", "Wrong password in a session"),
            Kind::InvitationMade => ("invitation_made", "Invitation made"),
            Kind::InvitationAccepted => ("invitation_accepted", "Invitation accepted"),
            Kind::SessionsEnded => ("sessions_ended", "Sessions ended"),
            Kind::TokenMade => ("token_made", "Token made"),
            Kind::TokenFirstUsed => ("token_first_used", "Token used for the first time"),
            Kind::TokenNewAddress => ("token_new_address", "Token used from a new address"),
            Kind::TokenRevoked => ("token_revoked", "Token revoked"),
            Kind::TokenRefused => ("token_refused", "Token refused"),
            Kind::Refused => ("refused", "Access refused"),
            Kind::Exported => ("exported", "Export taken"),
            Kind::SettingsChanged => ("settings_changed", "Settings changed"),
            Kind::RolesChanged => ("roles_changed", "Roles changed"),
            Kind::AccountChanged => ("account_changed", "Account changed"),
        }
    }

    /// The word that is stored and logged.
    pub const fn name(self) -> &'static str {
        self.words().0
    }

    /// What people call it.
    pub const fn label(self) -> &'static str {
        self.words().1
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether callers can cause as many as they like.
    const fn is_frequent(self) -> bool {
        matches!(
            self,
            Kind::SignInFailed
                | Kind::Throttled
                | Kind::SecondFactorFailed
                | Kind::PasswordRefused
                | Kind::TokenRefused
                | Kind::Refused
                | Kind::Exported
        )
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    pub kind: Kind,
    pub account: String,
    pub actor: String,
    pub address: Option<IpAddr>,
    pub request_id: String,
    pub detail: String,
}

impl Happened {
    /// What a caller did; about their own account unless another is named.
    pub fn by(caller: &Caller, kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            account: caller.account.clone().unwrap_or_default(),
            actor: actor(caller),
            address: caller.address,
            request_id: caller.request_id.clone(),
            detail: detail.into(),
        }
    }

    /// The same about an account.
    pub fn about(self, account: &str) -> Self {
        Self { account: account.to_owned(), ..self }
    }

    fn address(&self) -> String {
        self.address.map_or_else(String::new, |address| address.to_string())
    }

    /// Writes it to the log.
    fn log(&self) {
        let (kind, address) = (self.kind.name(), self.address());
        let (account, actor, detail) = (plain(&self.account), plain(&self.actor), plain(&self.detail));
        let request = self.request_id.as_str();
        tracing::info!(target: "kontor::security", kind, account, actor, address, request, detail, "{}", self.kind.label());
    }

    fn row(&self, at: Timestamp, count: i64) -> ActiveModel {
        let account = plain(&self.account);
        ActiveModel {
            at: Set(at),
            last_at: Set(at),
            count: Set(count),
            kind: Set(self.kind.name().into()),
            account_key: Set(fold::key(account.trim())),
            account: Set(account),
            actor: Set(plain(&self.actor)),
            address: Set(self.address()),
            request_id: Set(self.request_id.clone()),
            detail: Set(plain(&self.detail)),
            ..Default::default()
        }
    }
}

/// A text that neither breaks a line of a log nor hides anything in it.
fn plain(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn actor(caller: &Caller) -> String {
    match &caller.actor {
        Actor::Anonymous => String::new(),
        Actor::User { name, .. } => name.clone(),
        Actor::Token { name, .. } => format!("Token {name}"),
        Actor::System => "Command line".into(),
    }
}

/// What a command is about, if it is about ways in or what people may.
fn kind_of(subject: &Subject<'_>, changes: &Json) -> Option<Kind> {
    let changed = |name: &str| changes.get(name).is_some();
    match (subject.resource, subject.command) {
        ("users", "set_password" | "change_password") => Some(Kind::PasswordChanged),
        ("users", "invite") => Some(Kind::InvitationMade),
        ("users", "accept_invitation") => Some(Kind::InvitationAccepted),
        ("users", "second_factor_on") => Some(Kind::SecondFactorOn),
        ("users", "second_factor_off") => Some(Kind::SecondFactorOff),
        ("users", "recovery_codes") => Some(Kind::RecoveryCodesMade),
        ("users", "sign_out" | "end_session") | ("sessions", _) => Some(Kind::SessionsEnded),
        ("users", "choose_zone") => None,
        ("users", "create" | "delete") => Some(Kind::AccountChanged),
        ("users", _) if changed("roles") => Some(Kind::RolesChanged),
        ("users", _) => Some(Kind::AccountChanged),
        ("tokens", "create") => Some(Kind::TokenMade),
        ("tokens", _) => Some(Kind::TokenRevoked),
        ("roles", _) => Some(Kind::RolesChanged),
        ("settings", _) => Some(Kind::SettingsChanged),
        _ => None,
    }
}

/// The changes of a command in few words.
fn told(subject: &Subject<'_>, changes: &Json) -> String {
    let value = |value: Option<&Json>| match value {
        None | Some(Json::Null) => "–".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let changes = changes.as_object().into_iter().flatten();
    let changes = changes.map(|(name, both)| format!("{name}: {} → {}", value(both.get(0)), value(both.get(1))));
    let of = match subject.id {
        0 => subject.resource.to_owned(),
        id => format!("{} {id}", subject.resource),
    };
    let mut said = vec![format!("{} of {of}", subject.command.replace('_', " "))];
    said.extend(changes);
    said.join("; ")
}

/// Writes the security event of a command into its transaction, if it is one. The history calls this for every command.
///
/// # Errors
/// When it cannot be written; the command must fail with it.
pub async fn follow(db: &impl ConnectionTrait, caller: &Caller, subject: &Subject<'_>, changes: &Json) -> Result<()> {
    let Some(kind) = kind_of(subject, changes) else { return Ok(()) };
    let account: Option<String> = match subject.resource {
        "users" => {
            let email = user::Entity::find_by_id(subject.id).select_only().column(user::Column::Email);
            let stored: Option<String> = email.into_tuple().one(db).await?;
            let was = || changes.pointer("/email/0").and_then(Json::as_str).map(str::to_owned);
            stored.or_else(was)
        }
        "tokens" => {
            let owner = token::Entity::find_by_id(subject.id).inner_join(user::Entity);
            owner.select_only().column(user::Column::Email).into_tuple().one(db).await?
        }
        _ => None,
    };
    let happened = Happened::by(caller, kind, told(subject, changes));
    let happened = match account {
        Some(account) => happened.about(&account),
        None => happened,
    };
    write(db, happened).await
}

/// Writes an event into a transaction.
///
/// # Errors
/// When the database does not answer.
pub async fn write(db: &impl ConnectionTrait, happened: Happened) -> Result<()> {
    happened.log();
    Entity::insert(happened.row(now(), 1)).exec_without_returning(db).await?;
    Ok(())
}

/// Forgets what is older than so many days.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep(database: &Database, days: u16) -> Result<u64> {
    let transaction = database.write().await?;
    let old = Entity::delete_many().filter(Column::At.lt(now() - TimeDelta::days(days.into())));
    let swept = old.exec(&transaction).await?;
    transaction.commit().await?;
    Ok(swept.rows_affected)
}

/// What makes events equal.
type Key = (Kind, String, String, Option<IpAddr>, String);

fn key(happened: &Happened) -> Key {
    let Happened { kind, account, actor, address, detail, .. } = happened;
    (*kind, fold::key(account.trim()), actor.clone(), *address, detail.clone())
}

/// A row that was written lately and still counts.
#[derive(Debug, Clone, Copy)]
struct Lately {
    id: i64,
    since: Timestamp,
}

/// Events that wait to be written, each with how many there were.
#[derive(Debug, Default)]
struct Waiting {
    events: Vec<(Happened, i64)>,
    /// Where those stand that are counted together.
    places: HashMap<Key, usize>,
}

impl Waiting {
    fn add(&mut self, happened: Happened) {
        let happened = if self.events.len() < WAITING { happened } else { others(happened) };
        let key = key(&happened);
        if let Some((_, count)) = self.places.get(&key).and_then(|place| self.events.get_mut(*place)) {
            *count += 1;
            return;
        }
        if happened.kind.is_frequent() || self.events.len() >= WAITING {
            self.places.insert(key, self.events.len());
        }
        self.events.push((happened, 1));
    }
}

#[derive(Debug, Default)]
struct Written {
    lately: HashMap<Key, Lately>,
    /// The minute, and how many rows were written in it.
    minute: (i64, usize),
}

/// Writes events beside the requests that caused them.
#[derive(Debug)]
pub struct Recorder {
    database: Database,
    waiting: Mutex<Waiting>,
    is_coming: AtomicBool,
    written: tokio::sync::Mutex<Written>,
}

impl Recorder {
    pub fn new(database: Database) -> Self {
        Self {
            database,
            waiting: Mutex::default(),
            is_coming: AtomicBool::new(false),
            written: tokio::sync::Mutex::default(),
        }
    }

    /// Notes what happened. Returns at once; it is in the log then, and soon in the table.
    pub fn note(self: &Arc<Self>, happened: Happened) {
        happened.log();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).add(happened);
        if !self.is_coming.swap(true, Ordering::AcqRel) {
            let recorder = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(GATHERED_FOR).await;
                recorder.flush().await;
            });
        }
    }

    /// Writes what waits. What cannot be written stands in the log alone.
    pub async fn flush(&self) {
        let mut written = self.written.lock().await;
        self.is_coming.store(false, Ordering::Release);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner)).events;
        if waiting.is_empty() {
            return;
        }
        if let Err(error) = self.stored(&mut written, waiting).await {
            tracing::warn!(error = error.internal.as_deref(), "security events could not be stored");
        }
    }

    async fn stored(&self, written: &mut Written, waiting: Vec<(Happened, i64)>) -> Result<(), Error> {
        let at = now();
        let minute = at.timestamp() / 60;
        if written.minute.0 != minute {
            written.minute = (minute, 0);
        }
        written.lately.retain(|_, row| at - row.since < TOGETHER);
        let transaction = self.database.write().await?;
        for (happened, count) in waiting {
            let is_frequent = happened.kind.is_frequent();
            let happened =
                match is_frequent && written.minute.1 >= A_MINUTE && !written.lately.contains_key(&key(&happened)) {
                    true => others(happened),
                    false => happened,
                };
            let row = written.lately.get(&key(&happened)).copied().filter(|_| is_frequent);
            if let Some(row) = row {
                let counted = Entity::update_many()
                    .col_expr(Column::Count, Expr::col(Column::Count).add(count))
                    .col_expr(Column::LastAt, Expr::value(at))
                    .filter(Column::Id.eq(row.id))
                    .exec(&transaction)
                    .await?;
                if counted.rows_affected > 0 {
                    continue;
                }
            }
            let made = Entity::insert(happened.row(at, count)).exec(&transaction).await?;
            if is_frequent {
                written.minute.1 += 1;
                written.lately.insert(key(&happened), Lately { id: made.last_insert_id, since: at });
            }
        }
        transaction.commit().await
    }
}

/// One of many: its kind alone.
fn others(happened: Happened) -> Happened {
    Happened {
        account: String::new(),
        actor: String::new(),
        address: None,
        detail: "Others, too many to be told one by one".into(),
        ..happened
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, plain};

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(*kind));
        }
    }

    #[test]
    fn no_text_breaks_a_line_of_the_log() {
        assert_eq!(plain("a\r\nforged: line\u{1b}[31m"), "a\u{fffd}\u{fffd}forged: line\u{fffd}[31m");
        assert_eq!(plain(&"x".repeat(1_000)).len(), 300);
    }
}
