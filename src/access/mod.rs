//! Who is asking and what they may.
//!
//! The gate ([`gate`]) is the only place that makes an `Access<P>`, the proof that a caller holds a permission. Every
//! function that reads or writes business data takes one, so a forgotten check does not compile.

use serde::{Deserialize, Serialize};

pub mod part;
pub mod people;
pub mod permission;

/// The proof and where it comes from: session, token, command line.
#[cfg(feature = "ssr")]
pub mod gate;
/// What people hold, and the rule that nobody gives what they do not have.
#[cfg(feature = "ssr")]
pub mod grants;
/// One-time links by which people choose their password.
#[cfg(feature = "ssr")]
pub mod invitation;
/// What a person does with their own account.
#[cfg(feature = "ssr")]
pub mod own;
/// Passwords and their hashes.
#[cfg(feature = "ssr")]
pub mod password;
/// Roles and their permissions.
#[cfg(feature = "ssr")]
pub mod role;
/// Codes of an app beside the password.
#[cfg(feature = "ssr")]
pub mod second_factor;
/// Security events: who came in, or tried to.
#[cfg(feature = "ssr")]
pub mod security;
/// Sessions of the web app.
#[cfg(feature = "ssr")]
pub mod session;
/// How often one may try to sign in.
#[cfg(feature = "ssr")]
pub mod throttle;
/// API tokens.
#[cfg(feature = "ssr")]
pub mod token;
/// People who sign in.
#[cfg(feature = "ssr")]
pub mod user;

/// The permission that implies all others.
pub const EVERYTHING: &str = "*";

/// Whether `held` contains `permission`, such as `customers.view`.
pub fn holds(held: &[String], permission: &str) -> bool {
    held.iter().any(|code| code == permission || code == EVERYTHING)
}

/// The signed-in person as pages know them. Hiding what they may not do is a courtesy; the server decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    pub name: String,
    pub email: String,
    pub permissions: Vec<String>,
}

impl Me {
    /// Whether this person holds the permission to do `action` with `resource`.
    pub fn may(&self, resource: &str, action: &str) -> bool {
        self.holds(&format!("{resource}.{action}"))
    }

    /// Whether this person holds a permission, such as `customers.view`.
    pub fn holds(&self, permission: &str) -> bool {
        holds(&self.permissions, permission)
    }
}

/// Whether the signed-in person of the page may do `action` with `resource`.
pub fn may(resource: &str, action: &str) -> bool {
    leptos::prelude::use_context::<Me>().is_some_and(|me| me.may(resource, action))
}
