//! The nouns of access: people, roles, sessions and tokens, as pages and scripts read and write them.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base::error::FieldErrors;
use crate::base::form::{Field, Given, Input, Kind, Typed, check_typed, checked_beside};
use crate::base::listing::Listing;
use crate::base::record::Record;
use crate::base::time::Moment;
use crate::base::{Error, Result};

/// What can be written about a person or a service account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UserInput {
    pub email: String,
    pub name: String,
    /// The codes of their roles, in their order.
    pub roles: Vec<String>,
    pub is_active: bool,
    /// A service account acts by tokens and never signs in. It is one from the start.
    pub is_service: bool,
}

impl Input for UserInput {
    const FIELDS: &'static [Field] = &[
        Field::new("name", "Name", Kind::Line { max: 200 }).required(),
        Field::new("email", "E-mail", Kind::Email).required().unique(),
        Field::new("is_active", "Active", Kind::Flag { default: true })
            .help("Who is not active cannot sign in; their sessions and tokens stop at once."),
        Field::new("is_service", "Service account", Kind::Flag { default: false })
            .help("Acts by tokens and cannot sign in. This cannot be changed later."),
    ];

    fn given(given: &[(String, Given)]) -> Result<Self> {
        given_with_words("roles", Self::FIELDS, given)
    }

    fn typed(typed: &Typed) -> Result<Self> {
        typed_with_words("roles", Self::FIELDS, typed)
    }
}

/// A person or a service account as it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub id: i64,
    pub version: i64,
    #[serde(flatten)]
    pub data: UserInput,
    /// Whether they chose a password, and so can sign in.
    pub has_password: bool,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// The list of people.
pub const USERS: Listing = Listing {
    special: &[
        Field::new("role", "Role", Kind::Line { max: 60 }).help("The code of a role they have."),
        Field::new("role_id", "Role", Kind::Reference("roles")),
    ],
    shown: &["id", "version", "roles", "has_password", "created_at", "updated_at"],
    ordering: &["name", "email", "created_at", "updated_at"],
    default: "name",
    searched: "name and e-mail",
    ..Listing::new("/admin/users", UserInput::FIELDS)
};

/// What can be written about a role.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoleInput {
    pub name: String,
    /// Made from the name when absent; never changes.
    pub code: Option<String>,
    pub description: Option<String>,
    pub requires_second_factor: bool,
    /// The codes of what it permits, in their order.
    pub permissions: Vec<String>,
}

impl Input for RoleInput {
    const FIELDS: &'static [Field] = &[
        Field::new("name", "Name", Kind::Line { max: 100 }).required(),
        Field::new("code", "Code", Kind::Line { max: 60 })
            .help("Small letters, digits and dashes. Blank makes one from the name; it stays from then on."),
        Field::new("description", "What it is for", Kind::Text { max: 500 }),
        Field::new("requires_second_factor", "Requires a second factor", Kind::Flag { default: false })
            .help("Whoever has this role sets one up at the next sign-in, and can do nothing else before."),
    ];

    fn given(given: &[(String, Given)]) -> Result<Self> {
        given_with_words("permissions", Self::FIELDS, given)
    }

    fn typed(typed: &Typed) -> Result<Self> {
        typed_with_words("permissions", Self::FIELDS, typed)
    }
}

/// A role as it is read.
pub type Role = Record<i64, RoleInput>;

/// The list of roles.
pub const ROLES: Listing = Listing {
    shown: &["id", "version", "permissions", "created_at", "updated_at"],
    ordering: &["name", "code", "created_at", "updated_at"],
    default: "name",
    searched: "name and code",
    ..Listing::new("/admin/roles", RoleInput::FIELDS)
};

/// A session of the web app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLine {
    /// The digest of its secret, by which it can be ended.
    pub id: String,
    pub user: i64,
    pub name: String,
    pub email: String,
    pub created_at: Moment,
    pub seen_at: Option<Moment>,
    pub expires_at: Moment,
    /// Where the person signed in.
    pub address: Option<String>,
    /// The browser and the system, such as `Firefox on Linux`.
    pub browser: Option<String>,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLine {
    pub id: i64,
    pub name: String,
    pub user: i64,
    pub user_name: String,
    pub email: String,
    /// What it may, out of what its person may; absent for all of it.
    pub permissions: Option<Vec<String>>,
    pub requires_version: bool,
    pub created_at: Moment,
    pub expires_at: Option<Moment>,
    pub last_used_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
    /// Whether it still works, as long as its person is active.
    pub is_valid: bool,
}

/// What can be written about a new token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInput {
    /// The person it acts for.
    pub user: i64,
    pub name: String,
    /// Empty for everything the person may.
    pub permissions: Vec<String>,
    /// As RFC 3339; absent for no end.
    pub expires_at: Option<String>,
    /// Whether every change must name the version it was decided on.
    pub requires_version: bool,
}

impl Input for TokenInput {
    const FIELDS: &'static [Field] = &[
        Field::new("user", "User", Kind::Reference("users")).required().help("The person it acts for."),
        Field::new("name", "Name", Kind::Line { max: 100 }).required().help("What uses it, such as shop."),
        Field::new("expires_at", "Expires", Kind::Moment).help("Blank for no end."),
        Field::new("requires_version", "Must name versions", Kind::Flag { default: false })
            .help("Every change must say which version it was decided on (If-Match)."),
    ];

    fn given(given: &[(String, Given)]) -> Result<Self> {
        given_with_words("permissions", Self::FIELDS, given)
    }

    fn typed(typed: &Typed) -> Result<Self> {
        typed_with_words("permissions", Self::FIELDS, typed)
    }
}

/// Where a person stands with their second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Enrolment {
    /// Whether beginning to set it up asks for the password.
    Off { asks_password: bool },
    /// The app is to learn the secret, by QR code or as text, and to show a first code.
    Begun {
        /// In base 32.
        secret: String,
        /// The dark modules of the QR code as the path of an SVG.
        path: String,
        /// How many modules stand side by side.
        size: i32,
    },
    On {
        /// Recovery codes that were not used yet.
        codes_left: u64,
    },
}

/// Words in their order, each once.
fn sorted(words: impl IntoIterator<Item = String>) -> Vec<String> {
    words.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// What a list of words is stored as.
pub fn joined(words: &[String]) -> String {
    words.join(" ")
}

/// The words of a stored list.
pub fn split(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn given_with_words<I: DeserializeOwned>(name: &str, fields: &[Field], given: &[(String, Given)]) -> Result<I> {
    let mut named = given.iter().filter(|(known, _)| known == name).map(|(_, given)| given);
    let words = match (named.next(), named.next()) {
        (None | Some(Given::Null), None) => Ok(Vec::new()),
        (Some(Given::List(list)), None) => list.iter().map(word).collect(),
        (_, None) => Err("Enter a list of texts."),
        _ => Err("Given more than once."),
    };
    with_words(name, checked_beside(&[name], fields, given), words)
}

/// `permissions.customers.view` that is on stands for `customers.view`.
fn typed_with_words<I: DeserializeOwned>(name: &str, fields: &[Field], typed: &Typed) -> Result<I> {
    let word = |key: &str| key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned);
    let plain = typed.iter().filter(|(key, _)| word(key).is_none());
    let plain: Typed = plain.map(|(key, text)| (key.clone(), text.clone())).collect();
    let on = typed.iter().filter(|(_, text)| *text == "true").filter_map(|(key, _)| word(key));
    let words = on.map(|text| self::word(&Given::Text(text))).collect();
    with_words(name, check_typed(fields, &plain), words)
}

fn word(given: &Given) -> std::result::Result<String, &'static str> {
    match given {
        Given::Text(text) if (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(text.clone())
        }
        _ => Err("Enter a list of texts without spaces."),
    }
}

fn with_words<I: DeserializeOwned>(
    name: &str,
    values: Result<serde_json::Map<String, Value>>,
    words: std::result::Result<Vec<String>, &'static str>,
) -> Result<I> {
    match (values, words) {
        (Ok(mut values), Ok(words)) => {
            values.insert(name.into(), json!(sorted(words)));
            serde_json::from_value(Value::Object(values))
                .map_err(|e| Error::internal(format!("table and type disagree: {e}")))
        }
        (Ok(_), Err(message)) => Err(Error::field(name, message)),
        (Err(error), Ok(_)) => Err(error),
        (Err(mut error), Err(message)) => {
            error.errors.extend(FieldErrors::from([(name.to_owned(), vec![message.to_owned()])]));
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_and_a_script_name_the_same_role() {
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let typed = Typed::from([
            pair("name", "Packers"),
            pair("permissions.orders.view", "true"),
            pair("permissions.orders.ship", "true"),
            pair("permissions.orders.cancel", ""),
        ]);
        let codes = ["orders.view", "orders.ship", "orders.view"].map(|code| Given::Text(code.into()));
        let given =
            [("name".to_owned(), Given::Text("Packers".into())), ("permissions".to_owned(), Given::List(codes.into()))];
        let role = RoleInput::typed(&typed).unwrap();
        assert_eq!(role, RoleInput::given(&given).unwrap());
        assert_eq!(role.permissions, ["orders.ship", "orders.view"]);
    }

    #[test]
    fn what_is_no_word_is_refused_at_its_list() {
        for list in [Given::Text("x".into()), Given::List(vec![Given::Text("a b".into())]), Given::Flag(true)] {
            let given = [("name".to_owned(), Given::Text("x".into())), ("permissions".to_owned(), list)];
            assert!(RoleInput::given(&given).unwrap_err().errors.contains_key("permissions"));
        }
    }
}
