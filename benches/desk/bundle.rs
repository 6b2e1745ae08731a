//! What is in the browser bundle: how much of its code came from which crate, before it was split and packed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

use super::{Outcome, wrong};

/// Below this share crates are told together.
const SMALL: f64 = 1.0;

/// Bytes of code by crate, the largest first; what is small stands together at the end. The program must still have the names
/// of its functions.
pub fn shares(program: &Path) -> Outcome<Vec<(String, u64)>> {
    let bytes = fs::read(program).map_err(wrong(format!("no program of the browser at {}", program.display())))?;
    let broken = || wrong("the browser's program cannot be read");
    let (mut sizes, mut names, mut imported) = (Vec::new(), BTreeMap::new(), 0);
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.map_err(broken())? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if let TypeRef::Func(_) = import.map_err(broken())?.ty {
                        imported += 1;
                    }
                }
            }
            Payload::CodeSectionEntry(body) => sizes.push(body.range().end - body.range().start),
            Payload::CustomSection(section) => {
                let KnownCustom::Name(section) = section.as_known() else { continue };
                for part in section {
                    let Name::Function(known) = part.map_err(broken())? else { continue };
                    for name in known {
                        let name = name.map_err(broken())?;
                        names.insert(name.index as usize, origin(name.name));
                    }
                }
            }
            _ => {}
        }
    }
    if names.is_empty() {
        return Err(format!("the functions of {} have no names", program.display()));
    }
    let all: u64 = sizes.iter().sum();
    let mut by_crate: BTreeMap<String, u64> = BTreeMap::new();
    for (index, size) in sizes.into_iter().enumerate() {
        let name = names.get(&(imported + index)).cloned().unwrap_or_else(|| "unnamed".into());
        *by_crate.entry(name).or_default() += size;
    }
    let (mut large, small): (Vec<_>, Vec<_>) =
        by_crate.into_iter().partition(|(_, size)| 100.0 * *size as f64 / all as f64 >= SMALL);
    large.sort_by(|(_, one), (_, other)| other.cmp(one));
    large.push(("everything else".into(), small.into_iter().map(|(_, size)| size).sum()));
    Ok(large)
}

/// The crate a function was written in: `leptos` of `<leptos::Thing as core::fmt::Debug>::fmt`.
fn origin(symbol: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(symbol));
    let path = name.trim_start_matches(['<', '&', '(', '*', '[']).trim_start_matches("mut ").trim_start_matches("dyn ");
    let first: String = path.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    match path.get(first.len()..).is_some_and(|rest| rest.starts_with("::")) {
        true => first,
        false => "no crate".into(),
    }
}
