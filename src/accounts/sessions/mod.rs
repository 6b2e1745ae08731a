//! Who is signed in.

pub mod pages;
pub mod rpc;
