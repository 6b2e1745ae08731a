//! CSV as RFC 4180 writes it, read with the row numbers a spreadsheet shows.
//!
//! A reader of our own, because a report must name the row: published ones skip blank lines without counting them and take
//! a quotation mark that is never closed for the end of the file.

use super::Problem;

/// A file read whole: the header, and every row that has as many values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    pub headers: Vec<String>,
    pub rows: Vec<Row>,
}

/// One row; it has as many cells as the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As a spreadsheet counts: the header is row 1.
    pub number: u64,
    pub cells: Vec<String>,
}

impl Table {
    /// Reads a file and says everything that is wrong with its form. Values are separated by the comma, semicolon or tab
    /// that the header has most of; a byte order mark is skipped, and so are rows without any value.
    pub fn read(file: &str, content: &[u8]) -> (Self, Vec<Problem>) {
        Self::read_most(file, content, usize::MAX)
    }

    /// The header and the first row, whatever is wrong behind them.
    pub fn head(content: &[u8]) -> Self {
        Self::read_most("", content, 1).0
    }

    /// Why nothing of a file can be mapped: no column of it has a name.
    pub fn refusal(content: &[u8]) -> Option<String> {
        let (table, problems) = Self::read_most("", content, 1);
        if table.headers.iter().any(|header| !header.is_empty()) {
            return None;
        }
        let whole = problems.into_iter().next().filter(|problem| problem.row.is_none());
        Some(whole.map_or_else(
            || "This is not a CSV file. Save it as CSV UTF-8 where it comes from.".into(),
            |problem| problem.message,
        ))
    }

    fn read_most(file: &str, content: &[u8], most: usize) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut problem = |row: Option<u64>, column: &str, message: String| {
            problems.push(Problem { file: file.into(), row, column: column.into(), message });
        };
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        if content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff") {
            problem(None, "", "The file is UTF-16. Save it as CSV UTF-8.".into());
            return (Self::default(), problems);
        }
        let mut records = Records { rest: content, separator: separator(content), number: 0 };
        let mut table = Self::default();
        let mut has_header = false;
        while table.rows.len() < most {
            let Some((number, record)) = records.next() else { break };
            let cells = match record {
                Ok(cells) => cells,
                Err(broken) => {
                    problem(Some(number), "", broken.message().into());
                    continue;
                }
            };
            if cells.iter().all(|cell| cell.trim_ascii().is_empty()) {
                continue;
            }
            let mut texts = Vec::with_capacity(cells.len());
            for (index, cell) in cells.into_iter().enumerate() {
                match String::from_utf8(cell) {
                    Ok(text) if !text.contains('\0') => texts.push(text),
                    Ok(_) => problem(Some(number), &table.called(index), "This value has a NUL character.".into()),
                    Err(_) => {
                        problem(
                            Some(number),
                            &table.called(index),
                            "This is not UTF-8. Save the file as CSV UTF-8.".into(),
                        );
                    }
                }
                if texts.len() <= index {
                    texts.push(String::from('\0'));
                }
            }
            if !has_header {
                has_header = true;
                table.headers = texts.iter().map(|text| text.trim_matches('\0').trim().to_owned()).collect();
                continue;
            }
            if texts.len() != table.headers.len() {
                let message =
                    format!("This row has {} values, and the header has {}.", texts.len(), table.headers.len());
                problem(Some(number), "", message);
            } else if texts.iter().all(|text| text != "\0") {
                table.rows.push(Row { number, cells: texts });
            }
        }
        if !has_header {
            problem(None, "", "The file is empty. Its first row must name the columns.".into());
        }
        for (index, header) in table.headers.iter().enumerate() {
            let same = |other: &String| super::sheet::plain(other) == super::sheet::plain(header);
            if !header.is_empty() && table.headers.iter().take(index).any(same) {
                problem(Some(1), header, "Two columns have this name.".into());
            }
        }
        (table, problems)
    }

    /// How people find a column.
    fn called(&self, index: usize) -> String {
        match self.headers.get(index) {
            Some(header) if !header.is_empty() => header.clone(),
            _ => (index + 1).to_string(),
        }
    }
}

/// The separator that the first line has most of.
fn separator(content: &[u8]) -> u8 {
    let header = content.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let count = |separator: u8| header.iter().filter(|byte| **byte == separator).count();
    // Of equals the last wins, which is the comma.
    [b'\t', b';', b','].into_iter().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

/// How a quotation mark stands where none may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    NeverClosed,
    InsideValue,
}

impl Broken {
    const fn message(self) -> &'static str {
        match self {
            Broken::NeverClosed => "This row opens a quotation mark that is never closed.",
            Broken::InsideValue => "A quotation mark inside a quoted value must be written twice.",
        }
    }
}

/// The values of a row, as bytes.
type Cells = Vec<Vec<u8>>;

/// What is left to read.
struct Records<'a> {
    rest: &'a [u8],
    separator: u8,
    number: u64,
}

impl Records<'_> {
    /// The next row with its number. After a broken one, reading goes on at the next line.
    fn next(&mut self) -> Option<(u64, Result<Cells, Broken>)> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let mut cells = Vec::new();
        loop {
            let cell = match self.cell() {
                Ok(cell) => cell,
                Err(broken) => {
                    self.skip_line();
                    return Some((self.number, Err(broken)));
                }
            };
            cells.push(cell);
            match self.rest.split_first() {
                Some((byte, rest)) if *byte == self.separator => self.rest = rest,
                _ => break,
            }
        }
        self.end_line();
        Some((self.number, Ok(cells)))
    }

    /// One value, up to the separator or the end of the line.
    fn cell(&mut self) -> Result<Vec<u8>, Broken> {
        let Some(quoted) = self.rest.strip_prefix(b"\"") else {
            let ends = |byte: &u8| *byte == self.separator || matches!(byte, b'\n' | b'\r');
            let length = self.rest.iter().position(ends).unwrap_or(self.rest.len());
            let (cell, rest) = self.rest.split_at(length);
            self.rest = rest;
            return Ok(cell.to_vec());
        };
        let mut cell = Vec::new();
        let mut inside = quoted;
        loop {
            let mark = inside.iter().position(|byte| *byte == b'"').ok_or(Broken::NeverClosed)?;
            let (text, rest) = inside.split_at(mark);
            cell.extend_from_slice(text);
            match rest.get(1) {
                Some(b'"') => {
                    cell.push(b'"');
                    inside = rest.get(2..).unwrap_or_default();
                }
                None | Some(b'\n' | b'\r') => {
                    self.rest = rest.get(1..).unwrap_or_default();
                    return Ok(cell);
                }
                Some(byte) if *byte == self.separator => {
                    self.rest = rest.get(1..).unwrap_or_default();
                    return Ok(cell);
                }
                Some(_) => return Err(Broken::InsideValue),
            }
        }
    }

    fn skip_line(&mut self) {
        let length = self.rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(self.rest.len());
        self.rest = self.rest.get(length..).unwrap_or_default();
        self.end_line();
    }

    fn end_line(&mut self) {
        let rest = self.rest;
        self.rest = rest
            .strip_prefix(b"\r\n")
            .or_else(|| rest.strip_prefix(b"\n"))
            .or_else(|| rest.strip_prefix(b"\r"))
            .unwrap_or(rest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Table {
        let (table, problems) = Table::read("x.csv", text.as_bytes());
        assert_eq!(problems, [], "{text}");
        table
    }

    fn refused(content: &[u8]) -> Vec<String> {
        Table::read("x.csv", content).1.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_have_the_numbers_a_spreadsheet_shows() {
        let table = read("\u{feff}code,name\r\nA,\"one\ntwo\"\r\n\r\nB,\"say \"\"hi\"\"\"\n,\nC,5\" pipe");
        assert_eq!(table.headers, ["code", "name"]);
        let rows: Vec<_> = table.rows.iter().map(|row| (row.number, row.cells[1].as_str())).collect();
        assert_eq!(rows, [(2, "one\ntwo"), (4, "say \"hi\""), (6, "5\" pipe")]);
    }

    #[test]
    fn semicolons_and_tabs_separate_as_well() {
        assert_eq!(read("code;name\nA;1,5").rows[0].cells, ["A", "1,5"]);
        assert_eq!(read("code\tname\nA\tb;c").rows[0].cells, ["A", "b;c"]);
    }

    #[test]
    fn what_is_no_csv_is_named_with_its_place() {
        assert_eq!(refused(b""), ["x.csv: The file is empty. Its first row must name the columns."]);
        assert_eq!(
            refused(b"a,b\n1\n1,2\n1,2,3"),
            [
                "x.csv, row 2: This row has 1 values, and the header has 2.",
                "x.csv, row 4: This row has 3 values, and the header has 2.",
            ]
        );
        assert_eq!(refused(b"a,b\n1,\"2"), ["x.csv, row 2: This row opens a quotation mark that is never closed."]);
        assert_eq!(
            refused(b"a,b\n1,\"2\" x\n3,4"),
            ["x.csv, row 2: A quotation mark inside a quoted value must be written twice."]
        );
        assert_eq!(
            refused(b"a,b\n1,M\xfcnchen"),
            ["x.csv, row 2, column b: This is not UTF-8. Save the file as CSV UTF-8."]
        );
        assert_eq!(refused(b"\xff\xfea\0"), ["x.csv: The file is UTF-16. Save it as CSV UTF-8."]);
        assert_eq!(refused(b"a,b\n1,\0"), ["x.csv, row 2, column b: This value has a NUL character."]);
        assert_eq!(refused(b"Name,name \n1,2"), ["x.csv, row 1, column name: Two columns have this name."]);
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_as_it_was(cells in proptest::collection::vec("[^\0]{1,12}", 3)) {
            prop_assume!(!cells.iter().all(|cell| cell.trim_ascii().is_empty()));
            let row = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>().join(",");
            prop_assert_eq!(&read(&format!("a,b,c\n{row}\n")).rows[0].cells, &cells);
        }

        #[test]
        fn no_bytes_make_it_panic(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Table::read("x.csv", &content);
        }
    }
}
