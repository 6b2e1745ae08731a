//! The words everything else is written in: plain values without a database, a request or a page.

/// Implements the column traits of SeaORM for newtypes over `i64`.
#[cfg(feature = "ssr")]
pub mod column;
pub mod country;
pub mod date;
pub mod error;
/// Text folded for search and for keys that ignore case.
#[cfg(feature = "ssr")]
pub mod fold;
pub mod form;
pub mod id;
/// JSON as it was written.
#[cfg(feature = "ssr")]
pub mod json;
pub mod listing;
pub mod money;
pub mod record;
pub mod time;
pub mod wire;

pub use error::{Error, Result};
