//! Accounts: signing in and out, and how the web app looks for a person.

pub mod pages;
pub mod rpc;
