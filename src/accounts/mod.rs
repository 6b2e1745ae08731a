//! Accounts: signing in and out, people, roles, sessions, tokens, and everybody's own account.

/// Tokens, sessions and invitations over REST.
#[cfg(feature = "ssr")]
pub mod api;
pub mod pages;
pub mod rpc;

/// The page where an invited person chooses a password. The secret stands in the query, as logs hold paths only.
pub fn invitation_href(secret: &str) -> String {
    format!("/invite?key={secret}")
}
