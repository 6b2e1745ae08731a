//! Everybody's own account, and the pages on the way in.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use wasm_split_helpers::wasm_split;

use crate::access::part::Lines;
use crate::access::people::{SessionLine, TokenLine};
use crate::base::Result;
use crate::ui::chunk::Chunk;

/// The server's side of the pages.
#[cfg(feature = "ssr")]
pub mod desk;
mod entrance;
mod pages;
pub mod rpc;
mod second_factor;

/// One's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What the person is to be told once they signed in.
    pub notice: Option<String>,
    pub has_second_factor: bool,
    pub time_zone: String,
    /// The zones to choose from.
    pub zones: Vec<String>,
    pub sessions: Lines<SessionLine>,
    pub tokens: Lines<TokenLine>,
}

/// A page of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnPage {
    /// Where the code is asked for after the password.
    Code,
    /// Where an invited person chooses a password.
    Invitation,
    Account,
    NewToken,
    SecondFactor,
}

/// The page, whose code comes when it is opened.
pub fn chunk(page: OwnPage) -> Chunk<OwnPage> {
    Chunk { name: "own", fetch: || Box::pin(fetch_own_page()), page, draw: |page| Box::pin(own_page(page)) }
}

#[wasm_split(own, preload(fetch_own_page), fallible)]
fn own_page(page: OwnPage) -> Result<AnyView> {
    Ok(match page {
        OwnPage::Code => entrance::code(),
        OwnPage::Invitation => entrance::invitation(),
        OwnPage::Account => pages::account(),
        OwnPage::NewToken => pages::new_token(),
        OwnPage::SecondFactor => second_factor::page(),
    })
}
