//! The problems of one file: as many as anybody reads, however many there are.

use super::{Problem, Report};

/// The most problems of one file that are listed; further ones are counted.
const MAX_PROBLEMS: usize = 10_000;

/// The longest message and column of a problem, in characters: they repeat what stands in the file.
const MAX_TEXT: usize = 300;

/// The problems of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    listed: Vec<Problem>,
    more: u64,
}

impl Problems {
    /// Lists a problem, or counts it when there are many.
    pub fn add(&mut self, mut problem: Problem) {
        if self.listed.len() >= MAX_PROBLEMS {
            self.more += 1;
            return;
        }
        for text in [&mut problem.message, &mut problem.column] {
            if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
                text.truncate(end);
                text.push('…');
            }
        }
        self.listed.push(problem);
    }

    /// Those that are listed.
    pub fn listed(&self) -> &[Problem] {
        &self.listed
    }

    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Puts the problems into a report, by row and column.
    pub fn report(mut self, report: &mut Report) {
        self.listed.sort_by(|one, other| (one.row, &one.column).cmp(&(other.row, &other.column)));
        report.problems.extend(self.listed);
        report.more += self.more;
    }
}
