//! Components on native HTML. They know no module: lists, forms and details are drawn from tables of rules.
//!
//! Everything works before the browser bundle arrives, and without it.

pub mod chunk;
pub mod confirm;
pub mod context;
pub mod facts;
pub mod form;
pub mod found;
pub mod frame;
pub mod icon;
pub mod keys;
pub mod notice;
pub mod page;
pub mod past;
pub mod plain;
pub mod problem;
pub mod records;
pub mod rows;
pub mod table;
pub mod timeline;
pub mod unsaved;
pub mod when;
