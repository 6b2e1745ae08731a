//! Kontor: the order desk of a trading company, in one binary.
//!
//! | module | what it is |
//! |---|---|
//! | [`base`] | the words everything is written in: errors, rules of inputs, lists, money |
//! | [`access`] | who is asking and what they may |
//! | [`history`] | what changed, by whom |
//! | `server` | the machinery: database, records, REST, pages; knows no module |
//! | [`ui`] | components on native HTML |
//! | [`customers`], [`products`], [`orders`] | the modules: nouns, table, server functions, pages |
//! | [`import`] | all of them out of CSV files |
//! | [`audit`] | the log of the house |
//! | [`accounts`] | signing in, people, roles, tokens, one's own account |
//! | [`admin`] | every resource by the same pages, and how the house is |
//! | [`app`] | document, layout, navigation |
//! | `house` | puts the modules and the machinery together |
//!
//! Arrows run one way: modules → access, history, server, ui → base. `server` and everything that touches the database is
//! compiled with the feature `ssr` only; the rest also runs in the browser (`hydrate`).

// A page is one deep type; proving its bounds takes the compiler many steps.
#![recursion_limit = "512"]

pub mod access;
pub mod accounts;
pub mod admin;
pub mod app;
pub mod audit;
pub mod base;
pub mod customers;
/// A small, believable company to try things on.
#[cfg(feature = "ssr")]
pub mod demo;
pub mod history;
/// All modules under one roof.
#[cfg(feature = "ssr")]
pub mod house;
pub mod import;
pub mod orders;
pub mod products;
pub mod search;
#[cfg(feature = "ssr")]
pub mod server;
pub mod ui;

/// Brings the page that the server drew to life.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_from_async(leptos::tachys::dom::body(), app::App).await.forget();
}
