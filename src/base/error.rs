//! The one error of Kontor: a value that says what happened in words a person or a script can act on.
//!
//! It knows nothing of HTTP bodies, forms or drivers. Those translations live at the borders (`border`), where an error
//! gets its status, is logged once, and loses whatever must not leave the house.

use std::collections::BTreeMap;

use super::money::grouped;
use super::wire::TextEncoding;
use leptos::prelude::FromServerFnError;
use leptos::server_fn::error::ServerFnErrorErr;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Translations of drivers' errors into [`Error`] and of [`Error`] into answers.
#[cfg(feature = "ssr")]
pub mod border;
/// Which failures of a command are met no more when it is repeated.
#[cfg(feature = "ssr")]
pub mod retry;

/// The result of everything that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Messages by field name; a nested field is written `items[2].quantity`.
pub type FieldErrors = BTreeMap<String, Vec<String>>;

/// The kinds of refusal a caller can tell apart. Each has one HTTP status and one stable name, the `code` of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The input is malformed or breaks a rule; `errors` names the fields where there are any.
    Invalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    /// The request contradicts what is stored: a duplicate, a protected record, an impossible transition.
    Conflict,
    /// The record was changed since the version the request was decided on.
    Stale,
    TooLarge,
    UnsupportedMediaType,
    /// An `Idempotency-Key` was used for another request.
    KeyReused,
    PreconditionRequired,
    TooManyRequests,
    Internal,
    Unavailable,
}

impl Code {
    /// Every kind, in the order of their statuses.
    pub const ALL: [Self; 15] = [
        Self::Invalid,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::Conflict,
        Self::Stale,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::KeyReused,
        Self::PreconditionRequired,
        Self::TooManyRequests,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The HTTP status of this kind of refusal.
    pub const fn status(self) -> u16 {
        match self {
            Code::Invalid => 400,
            Code::KeyReused => 422,
            Code::Unauthenticated => 401,
            Code::Forbidden => 403,
            Code::NotFound => 404,
            Code::MethodNotAllowed => 405,
            Code::NotAcceptable => 406,
            Code::Conflict => 409,
            Code::Stale => 412,
            Code::TooLarge => 413,
            Code::UnsupportedMediaType => 415,
            Code::PreconditionRequired => 428,
            Code::TooManyRequests => 429,
            Code::Internal => 500,
            Code::Unavailable => 503,
        }
    }

    /// The kind that stands for `status`; an unknown client error is `Invalid`, an unknown server error `Internal`.
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 => Code::Unauthenticated,
            403 => Code::Forbidden,
            404 => Code::NotFound,
            405 => Code::MethodNotAllowed,
            406 => Code::NotAcceptable,
            409 => Code::Conflict,
            412 => Code::Stale,
            413 => Code::TooLarge,
            415 => Code::UnsupportedMediaType,
            428 => Code::PreconditionRequired,
            429 => Code::TooManyRequests,
            503 => Code::Unavailable,
            400..=499 => Code::Invalid,
            _ => Code::Internal,
        }
    }

    /// A short heading, the same for every occurrence (RFC 9457 `title`).
    pub const fn title(self) -> &'static str {
        match self {
            Code::Invalid => "The request is not valid",
            Code::Unauthenticated => "Sign in first",
            Code::Forbidden => "Not allowed",
            Code::NotFound => "Not found",
            Code::MethodNotAllowed => "Method not allowed",
            Code::NotAcceptable => "Not acceptable",
            Code::Conflict => "This conflicts with what is stored",
            Code::Stale => "Changed by somebody else meanwhile",
            Code::TooLarge => "Too large",
            Code::UnsupportedMediaType => "Unsupported media type",
            Code::KeyReused => "Idempotency-Key reused",
            Code::PreconditionRequired => "A version is required",
            Code::TooManyRequests => "Too many requests",
            Code::Internal => "Something went wrong on our side",
            Code::Unavailable => "Not available right now",
        }
    }

    /// The stable name, as in the `code` of a problem.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            _ => String::new(),
        }
    }
}

/// What stands in the way of a delete: how many records of which kind, and where they are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// The resource that refers to the record, such as `orders`.
    pub resource: String,
    pub count: u64,
    /// The page that lists them; blank where there is none.
    pub href: String,
}

impl Blocker {
    /// How many of what, for reading: `1 order`, `1,284 orders`.
    pub fn said(&self) -> String {
        let count = grouped(&self.count.to_string());
        // They all are called as one of them is, with an s.
        let what = if self.count == 1 { self.resource.trim_end_matches('s') } else { &self.resource };
        format!("{count} {what}")
    }
}

/// The stored state that a stale write missed: its version and its editable values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stale {
    pub version: i64,
    pub values: Map<String, Value>,
}

/// A refusal. Made by the constructors below; `detail` and `errors` may be shown to whoever asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Error {
    pub code: Code,
    pub detail: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: FieldErrors,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub blockers: Box<[Blocker]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Box<Stale>>,
    /// The commands that could be given instead.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub allowed: Box<[String]>,
    /// Seconds until a repetition may succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// What the log gets to know and nobody else: never serialised.
    #[serde(skip)]
    pub internal: Option<Box<str>>,
}

impl Error {
    /// A refusal of this kind with a sentence for whoever asked.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: FieldErrors::new(),
            blockers: Box::default(),
            allowed: Box::default(),
            stale: None,
            retry_after: None,
            internal: None,
        }
    }

    /// The input breaks a rule that belongs to no single field.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::Invalid, detail)
    }

    /// The input breaks rules of these fields.
    pub fn fields(errors: FieldErrors) -> Self {
        Self { errors, ..Self::new(Code::Invalid, "Some values need your attention.") }
    }

    /// The input breaks a rule of one field.
    pub fn field(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(FieldErrors::from([(name.into(), vec![message.into()])]))
    }

    /// Another record already has this field's value.
    pub fn taken(name: impl Into<String>) -> Self {
        Self {
            errors: FieldErrors::from([(name.into(), vec!["Another record already has this value.".into()])]),
            ..Self::new(Code::Conflict, "A value that must be unique is taken.")
        }
    }

    /// No such record, or none that the caller may know of.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// Who is asking is not known.
    pub fn unauthenticated() -> Self {
        Self::new(Code::Unauthenticated, "Sign in, or send an API token as `Authorization: Bearer …`.")
    }

    /// The caller is known and lacks `permission`.
    pub fn forbidden(permission: &str) -> Self {
        Self::new(Code::Forbidden, format!("This needs the permission {permission}."))
    }

    /// The record was changed since; `version` and `values` are what is stored now.
    pub fn stale(version: i64, values: Map<String, Value>) -> Self {
        Self {
            stale: Some(Box::new(Stale { version, values })),
            ..Self::new(Code::Stale, format!("Somebody saved this record meanwhile. It is at version {version} now."))
        }
    }

    /// A failure of ours: `internal` goes to the log, never to the caller.
    pub fn internal(internal: impl Into<String>) -> Self {
        Self {
            internal: Some(internal.into().into_boxed_str()),
            ..Self::new(Code::Internal, "The request id leads to the details in the log.")
        }
    }

    /// The HTTP status of this refusal.
    pub const fn status(&self) -> u16 {
        self.code.status()
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)?;
        for (field, messages) in &self.errors {
            write!(f, " {field}: {}", messages.join(" "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl FromServerFnError for Error {
    type Encoder = TextEncoding;

    /// What the framework could not do is said in our words: bad arguments are the caller's, a lost connection is named.
    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Deserialization(_) => {
                Self::invalid("The request could not be read: a value is missing or of the wrong type.")
            }
            ServerFnErrorErr::Request(_) => Self::new(
                Code::Unavailable,
                "The server cannot be reached. What you typed is kept; try again in a moment.",
            ),
            ServerFnErrorErr::UnsupportedRequestMethod(_) => {
                Self::new(Code::MethodNotAllowed, "This address does not answer that method.")
            }
            other => Self::internal(other.to_string()),
        }
    }
}
