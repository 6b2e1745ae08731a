//! What Kontor promises, through the doors people use: pages, server functions, REST, command line. Read the names as the
//! specification. Every test of the `both!` kind runs on SQLite and on PostgreSQL.

// What a test expects, it may insist on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod access;
mod accounts;
mod acknowledged;
mod admin;
mod arrows;
mod audit;
mod bad_input;
mod bearers;
mod bulk;
mod chain;
mod cli;
mod constraints;
mod contention;
mod contract;
mod crash;
mod demo;
mod documents;
mod doors;
mod feed;
mod forms;
mod history;
mod http;
mod import;
mod life;
mod lifecycle;
mod list_grammar;
mod lists;
mod many;
mod money;
mod operations;
mod order_forms;
mod order_items;
mod order_lists;
mod orders;
mod other_sites;
mod outage;
mod past;
mod pooler;
mod repetition;
mod rest;
mod security_events;
mod signing;
mod together;
mod undo;
mod upgrades;
mod ways_in;
mod worst_input;
mod zones;
