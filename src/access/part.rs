//! Which part of the sessions, or of the tokens, is shown: one person's or everybody's, page by page.

use serde::{Deserialize, Serialize};

use crate::base::form::unknown;
use crate::base::listing::{MAX_PAGE_SIZE, PAGE_SIZE, decoded, number};
use crate::base::{Error, Result};

/// A page of sessions or of tokens, as the address says it: `user=3&page=2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Absent for everybody.
    pub user: Option<i64>,
    /// From 1.
    pub page: u32,
    pub page_size: u32,
}

impl Default for Part {
    fn default() -> Self {
        Self { user: None, page: 1, page_size: PAGE_SIZE }
    }
}

impl Part {
    /// The first ones of a person.
    pub fn of(user: i64) -> Self {
        Self { user: Some(user), ..Self::default() }
    }

    /// # Errors
    /// `Invalid`, naming the parameter that is unknown, given twice or makes no sense.
    pub fn parse(query: &str) -> Result<Self> {
        let (mut part, mut seen) = (Self::default(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if seen.contains(&name) {
                return Err(Error::field(name, "Given more than once."));
            }
            match name.as_str() {
                "user" => {
                    let id = value.parse().ok().filter(|id| *id > 0);
                    let wrong = || Error::field("user", "Enter the id of one of the users.");
                    part.user = Some(id.ok_or_else(wrong)?);
                }
                "page" => part.page = number("page", &value, u32::MAX)?,
                "page_size" => part.page_size = number("page_size", &value, MAX_PAGE_SIZE)?,
                other => {
                    let known = ["user", "page", "page_size"].into_iter();
                    let message = unknown(other, known).replace("field", "parameter");
                    let other = other.chars().filter(|c| !c.is_control()).take(40);
                    return Err(Error::field(other.collect::<String>(), message));
                }
            }
            seen.push(name);
        }
        Ok(part)
    }

    /// The same at another page.
    pub fn at_page(self, page: u32) -> Self {
        Self { page, ..self }
    }

    /// The address below `path` that says it.
    pub fn href(self, path: &str) -> String {
        let said = [
            self.user.map(|user| format!("user={user}")),
            (self.page > 1).then(|| format!("page={}", self.page)),
            (self.page_size != PAGE_SIZE).then(|| format!("page_size={}", self.page_size)),
        ];
        match said.into_iter().flatten().collect::<Vec<_>>().join("&") {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// How many come before it.
    pub fn offset(self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.page_size)
    }

    /// The page before, if there is one.
    pub fn previous(self) -> Option<Self> {
        (self.page > 1).then(|| self.at_page(self.page - 1))
    }

    /// The page after, if there is one.
    pub fn next(self, count: u64) -> Option<Self> {
        let is_last = self.offset() + u64::from(self.page_size) >= count;
        (!is_last).then(|| self.at_page(self.page.saturating_add(1)))
    }
}

/// What such a page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines<T> {
    pub part: Part,
    /// How many there are on all pages.
    pub count: u64,
    pub lines: Vec<T>,
}
