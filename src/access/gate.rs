//! The gate: who is asking, through which door, and the proof [`Access`] that they may.

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use super::permission::Catalogue;
use super::{grants, holds};
use crate::base::error::Code;
use crate::base::{Error, Result};
use crate::server::database::{Database, Reference};
use crate::server::idempotency::Claim;
use crate::server::reader::Reader;
use crate::server::transaction::Transaction;

/// Something a caller may do, such as view customers.
pub trait Permission: 'static {
    /// Whether what it opens stands in the admin area: on pages and in what they call it also takes [`Enter`].
    const IN_ADMIN_AREA: bool = false;

    /// The code roles and tokens are granted, such as `customers.view`.
    fn code() -> String;
}

/// The permission to enter the admin area.
#[derive(Debug)]
pub struct Enter;

impl Permission for Enter {
    fn code() -> String {
        "admin.view".into()
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    Anonymous,
    /// A signed-in person.
    User {
        id: i64,
        name: String,
        email: String,
    },
    /// A script with a token of a person.
    Token {
        id: i64,
        name: String,
        user_id: i64,
    },
    /// The command line and the server itself.
    System,
}

/// The way a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Web,
    Api,
    Cli,
    Import,
}

impl Door {
    /// The word the event log keeps.
    pub const fn name(self) -> &'static str {
        match self {
            Door::Web => "web",
            Door::Api => "api",
            Door::Cli => "cli",
            Door::Import => "import",
        }
    }
}

/// What a command is for, when it is not its own end: its event is kept under this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    pub command: &'static str,
    pub reason: String,
}

/// Whoever sent a request, and what they hold.
#[derive(Debug, Clone)]
pub struct Caller {
    pub actor: Actor,
    pub door: Door,
    /// Stands in the answer, in the log and in every event of the request.
    pub request_id: String,
    /// The e-mail of the account that acts, by a session or by a token.
    pub account: Option<String>,
    /// Where the request came from; absent for the command line.
    pub address: Option<IpAddr>,
    pub permissions: Vec<String>,
    /// The zone they read times in, by its IANA name; UTC when absent.
    pub time_zone: Option<String>,
    /// Whether they must set up a second factor before anything else.
    pub must_enrol: bool,
    /// Whether the person's session began with a link that somebody else made.
    pub is_by_link: bool,
    /// Whether the person gave their password within the last minutes (see [`super::session::RECENT`]).
    pub is_recent: bool,
    /// Whether every change must name the version it was decided on.
    pub requires_version: bool,
    /// What keeps a repeated request from being carried out twice.
    pub claim: Option<Arc<Claim>>,
    /// What commands are given for, such as undoing others.
    pub purpose: Option<Purpose>,
}

impl Caller {
    /// The house itself, on the command line: may do everything.
    pub fn system() -> Self {
        Self {
            actor: Actor::System,
            door: Door::Cli,
            request_id: uuid::Uuid::now_v7().to_string(),
            account: None,
            address: None,
            permissions: vec![super::EVERYTHING.into()],
            time_zone: None,
            must_enrol: false,
            is_by_link: false,
            is_recent: true,
            requires_version: false,
            claim: None,
            purpose: None,
        }
    }

    /// # Errors
    /// `Unauthenticated` when nobody knows who is asking, else `Forbidden` with the permission that is missing.
    pub fn must_hold(&self, permission: &str) -> Result<()> {
        if holds(&self.permissions, permission) {
            return Ok(());
        }
        if self.actor == Actor::Anonymous {
            return Err(Error::unauthenticated());
        }
        grants::refused(self, permission);
        Err(Error::forbidden(permission))
    }

    /// The person behind the request, if there is one.
    pub fn user_id(&self) -> Option<i64> {
        match self.actor {
            Actor::User { id, .. } => Some(id),
            Actor::Token { user_id, .. } => Some(user_id),
            Actor::Anonymous | Actor::System => None,
        }
    }
}

/// The proof that the caller holds `P`, with the database it opens.
///
/// Only [`Access::of`] makes one.
pub struct Access<P> {
    database: Database,
    caller: Arc<Caller>,
    permission: PhantomData<fn() -> P>,
}

impl<P: Permission> Access<P> {
    /// Lets a caller through who holds the permission, and may enter the admin area if that is where it is used.
    ///
    /// # Errors
    /// `Unauthenticated` when nobody knows who is asking, else `Forbidden` with the permission that is missing.
    pub fn of(caller: Arc<Caller>, database: Database) -> Result<Self> {
        caller.must_hold(&P::code())?;
        if P::IN_ADMIN_AREA && caller.door == Door::Web {
            caller.must_hold(&Enter::code())?;
        }
        Ok(Self { database, caller, permission: PhantomData })
    }

    /// The command line's access.
    pub fn system(database: &Database) -> Result<Self> {
        Self::of(Arc::new(Caller::system()), database.clone())
    }
}

/// What a person may do with what is their own. It takes a session: no token speaks for a person.
#[derive(Debug)]
pub struct Oneself;

impl Access<Oneself> {
    /// Lets through who is signed in.
    ///
    /// # Errors
    /// `Unauthenticated` for anybody else; `Forbidden` for who must set up a second factor first.
    pub fn of_oneself(caller: Arc<Caller>, database: Database) -> Result<Self> {
        if caller.must_enrol {
            return Err(Error::new(Code::Forbidden, "Set up your second factor first."));
        }
        Self::of_enrolling(caller, database)
    }

    /// Lets through who is signed in, and be it to set up the second factor they need.
    ///
    /// # Errors
    /// `Unauthenticated` for anybody else.
    pub fn of_enrolling(caller: Arc<Caller>, database: Database) -> Result<Self> {
        match caller.actor {
            Actor::User { .. } => Ok(Self { database, caller, permission: PhantomData }),
            _ => Err(Error::unauthenticated()),
        }
    }

    /// Who asks.
    pub fn user_id(&self) -> i64 {
        self.caller.user_id().unwrap_or_default()
    }
}

impl<P> Access<P> {
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Where reads go.
    pub fn reader(&self) -> &Reader {
        self.database.reader()
    }

    /// The database.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// What refers to records.
    pub fn references(&self) -> &'static [Reference] {
        self.database.references()
    }

    /// The company's currency, as ISO 4217.
    pub fn currency(&self) -> Arc<str> {
        self.database.currency()
    }

    /// Every permission that a role can have.
    pub fn catalogue(&self) -> &'static Catalogue {
        self.database.catalogue()
    }

    /// The same caller with another permission they hold.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn also<Q: Permission>(&self) -> Result<Access<Q>> {
        Access::of(Arc::clone(&self.caller), self.database.clone())
    }

    /// The same access, through another door: what it does is told apart in the history.
    pub fn through(&self, door: Door) -> Self {
        let caller = Arc::new(Caller { door, ..Caller::clone(&self.caller) });
        Self { database: self.database.clone(), caller, permission: PhantomData }
    }

    /// The same access of a person who just gave their password.
    pub(crate) fn confirmed(&self) -> Self {
        let caller = Arc::new(Caller { is_recent: true, ..Caller::clone(&self.caller) });
        Self { database: self.database.clone(), caller, permission: PhantomData }
    }

    /// The same access, for a purpose: commands given with it are kept under its name.
    pub fn meaning(&self, purpose: Purpose) -> Self {
        let caller = Arc::new(Caller { purpose: Some(purpose), ..Caller::clone(&self.caller) });
        Self { database: self.database.clone(), caller, permission: PhantomData }
    }

    /// Opens the transaction of a command.
    ///
    /// # Errors
    /// `Unavailable` when no writer gets free in time; `Conflict` when another request holds the idempotency key of this one.
    pub async fn write(&self) -> Result<Transaction> {
        let transaction = self.database.write().await?;
        if let Some(claim) = &self.caller.claim {
            claim.take(&transaction).await?;
        }
        Ok(transaction)
    }
}

impl<P> Clone for Access<P> {
    fn clone(&self) -> Self {
        Self { database: self.database.clone(), caller: Arc::clone(&self.caller), permission: PhantomData }
    }
}

impl<P> fmt::Debug for Access<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("caller", &self.caller).finish_non_exhaustive()
    }
}
