//! The catalogue of permissions: everything that a role can let people do. It is put together where the modules are known.

use serde::{Deserialize, Serialize};

use super::{EVERYTHING, holds};

/// The actions every resource knows, in the order of the matrix: the last half of a permission, and its name.
pub const ACTIONS: [(&str, &str); 4] = [("view", "View"), ("add", "Add"), ("change", "Change"), ("delete", "Delete")];

/// What can be done with one kind of record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The name as people read it.
    pub label: String,
    /// The permission for each of [`ACTIONS`]; absent where there is no such thing to do.
    pub codes: [Option<String>; 4],
}

/// A permission beyond the uniform ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    pub code: String,
    pub label: String,
}

/// Every permission there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    pub rows: Vec<Row>,
    pub extras: Vec<Extra>,
}

impl Catalogue {
    /// All codes but the one that implies all others.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        let uniform = self.rows.iter().flat_map(|row| row.codes.iter().flatten());
        uniform.chain(self.extras.iter().map(|extra| &extra.code)).map(String::as_str)
    }

    /// Whether there is such a permission.
    pub fn knows(&self, code: &str) -> bool {
        code == EVERYTHING || self.codes().any(|known| known == code)
    }

    /// What of it somebody holds.
    pub fn held(&self, permissions: &[String]) -> Self {
        let held = |code: &String| holds(permissions, code);
        let rows = self.rows.iter().cloned().map(|row| Row { codes: row.codes.map(|code| code.filter(held)), ..row });
        Self {
            rows: rows.filter(|row| row.codes.iter().any(Option::is_some)).collect(),
            extras: self.extras.iter().filter(|extra| held(&extra.code)).cloned().collect(),
        }
    }
}

/// The first of these permissions that somebody lacks.
pub fn lacking<'a>(held: &[String], wanted: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    wanted.into_iter().find(|code| !holds(held, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_covers_all_and_is_covered_by_nothing_less() {
        let held = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
        assert_eq!(lacking(&held(&["*"]), ["a.view", "*"]), None);
        assert_eq!(lacking(&held(&["a.view", "b.view"]), ["a.view", "*"]), Some("*"));
        assert_eq!(lacking(&held(&["a.view"]), ["a.view", "a.add"]), Some("a.add"));
        assert_eq!(lacking(&[], []), None);
    }
}
