//! CSV as RFC 4180 writes it, read with the row numbers a spreadsheet shows.
//!
//! A reader of our own, because a report must name the row: published ones skip blank lines without counting them and take
//! a quotation mark that is never closed for the end of the file.
//!
//! A table keeps where each row begins, not its values: those are read when they are needed, so that a file costs little more
//! memory than its bytes. Reading takes time in proportion to the bytes of a file, whatever stands in it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::problems::Problems;
use super::sheet::plain;
use super::{MAX_COLUMNS, Problem};
use crate::base::money::grouped;

/// The longest name of a column, in characters.
const MAX_NAME: usize = 200;

/// The longest value, in bytes. More than any field takes, and little enough to be copied and folded.
const MAX_VALUE: usize = 100_000;

/// A file: its header, and where its rows are that have as many values.
#[derive(Debug, Clone, Default)]
pub struct Table<'a> {
    pub headers: Vec<String>,
    pub rows: Vec<Row>,
    content: &'a [u8],
    separator: u8,
}

/// One row; it has as many values as the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// As a spreadsheet counts: the header is row 1.
    pub number: u64,
    /// The byte it begins at.
    start: usize,
}

/// The values of one row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cells<'a>(Vec<Cow<'a, str>>);

impl Cells<'_> {
    /// The value in a column, counted from zero.
    pub fn get(&self, index: usize) -> &str {
        self.0.get(index).map_or("", AsRef::as_ref)
    }
}

/// The beginning of a file: what its columns are called, and the first values in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub headers: Vec<String>,
    pub first: Vec<String>,
}

impl Head {
    /// Reads the beginning of a file; `is_whole` tells that nothing follows.
    ///
    /// # Errors
    /// Why nothing of the file can be mapped: no column has a name, or there are too many.
    pub fn read(content: &[u8], is_whole: bool) -> Result<Self, String> {
        let (mut table, mut problems) = (Table::default(), Problems::default());
        let mut reader = table.begin("", content, &mut problems);
        let mut spans = Vec::new();
        let has_header = reader.as_mut().is_some_and(|reader| table.header("", reader, &mut spans, &mut problems));
        let fatal = problems.listed().iter().find(|problem| table.headers.is_empty() && problem.row == Some(1));
        if let (true, Some(problem)) = (has_header, fatal) {
            return Err(problem.message.clone());
        }
        let is_cut = !is_whole && reader.as_ref().is_some_and(|reader| reader.at >= content.len());
        if is_cut {
            return Err(format!(
                "The first row, which names the columns, is longer than {} KiB.",
                content.len() / 1_024
            ));
        }
        if table.headers.iter().all(String::is_empty) {
            let whole = problems.listed().first().filter(|problem| problem.row.is_none());
            return Err(whole.map_or_else(
                || "This is not a CSV file. Save it as CSV UTF-8 where it comes from.".into(),
                |problem| problem.message.clone(),
            ));
        }
        let mut first = Vec::new();
        while let Some(reader) = &mut reader
            && let Some(record) = reader.next(&mut spans, table.headers.len())
        {
            if record.broken.is_none() && !record.is_blank && (is_whole || reader.at < content.len()) {
                let texts = spans.iter().map(|span| reader.text(*span).unwrap_or_default());
                first = texts.map(|text| if text.contains('\0') { String::new() } else { text.into_owned() }).collect();
                break;
            }
        }
        Ok(Self { headers: table.headers, first })
    }
}

impl<'a> Table<'a> {
    /// Reads a file and says everything that is wrong with its form. Values are separated by the comma, semicolon or tab
    /// that the header has most of; a byte order mark is skipped, and so are rows without any value. No more than `most` rows
    /// are taken.
    pub fn read(file: &str, content: &'a [u8], most: usize) -> (Self, Problems) {
        let (mut table, mut problems) = (Self::default(), Problems::default());
        let mut spans = Vec::new();
        let Some(mut reader) = table.begin(file, content, &mut problems) else { return (table, problems) };
        if !table.header(file, &mut reader, &mut spans, &mut problems) {
            return (table, problems);
        }
        let columns = table.headers.len();
        while columns > 0
            && let Some(record) = reader.next(&mut spans, columns)
        {
            if let Some(broken) = record.broken {
                problems.add(problem(file, Some(record.number), "", broken.message()));
                continue;
            }
            if record.is_blank {
                continue;
            }
            let mut is_text = true;
            for (index, span) in spans.iter().enumerate() {
                if let Some(message) = reader.refusal(*span) {
                    is_text = false;
                    problems.add(problem(file, Some(record.number), &table.called(index), message));
                }
            }
            if record.count != columns {
                let message = format!("This row has {} values, and the header has {columns}.", record.count);
                problems.add(problem(file, Some(record.number), "", message));
            } else if is_text && table.rows.len() >= most {
                let most = grouped(&most.to_string());
                problems.add(problem(file, None, "", format!("A file can have up to {most} rows. Split it.")));
                break;
            } else if is_text {
                table.rows.push(Row { number: record.number, start: record.start });
            }
        }
        (table, problems)
    }

    /// The values of one of its rows.
    pub fn cells(&self, row: Row) -> Cells<'a> {
        let mut reader = Reader { content: self.content, at: row.start, separator: self.separator, number: 0 };
        let mut spans = Vec::with_capacity(self.headers.len());
        reader.next(&mut spans, self.headers.len());
        // That they are UTF-8 was seen when the table was read.
        Cells(spans.into_iter().map(|span| reader.text(span).unwrap_or_default()).collect())
    }

    /// A reader of the file's rows, unless it is written in another encoding.
    fn begin(&mut self, file: &str, content: &'a [u8], problems: &mut Problems) -> Option<Reader<'a>> {
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        if content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff") {
            problems.add(problem(file, None, "", "The file is UTF-16. Save it as CSV UTF-8."));
            return None;
        }
        (self.content, self.separator) = (content, separator(content));
        Some(Reader { content, at: 0, separator: self.separator, number: 0 })
    }

    /// Reads up to the row that names the columns, and says whether there is one. With too many columns there are none.
    fn header(&mut self, file: &str, reader: &mut Reader<'a>, spans: &mut Vec<Span>, problems: &mut Problems) -> bool {
        while let Some(record) = reader.next(spans, MAX_COLUMNS) {
            if let Some(broken) = record.broken {
                problems.add(problem(file, Some(record.number), "", broken.message()));
                continue;
            }
            if record.is_blank {
                continue;
            }
            if record.count > MAX_COLUMNS {
                let message = format!("The first row names more than {MAX_COLUMNS} columns, the most a file can have.");
                problems.add(problem(file, Some(1), "", message));
                return true;
            }
            for (index, span) in spans.iter().enumerate() {
                let message = reader.refusal(*span);
                let name = match message {
                    None => reader.text(*span).unwrap_or_default().trim().to_owned(),
                    Some(_) => String::new(),
                };
                if let Some(message) = message {
                    problems.add(problem(file, Some(record.number), &(index + 1).to_string(), message));
                }
                if name.chars().nth(MAX_NAME).is_some() {
                    let message = format!("The name of a column can have up to {MAX_NAME} characters.");
                    problems.add(problem(file, Some(1), &(index + 1).to_string(), message));
                    self.headers.clear();
                    return true;
                }
                self.headers.push(name);
            }
            let mut names = HashMap::with_capacity(self.headers.len());
            for (index, header) in self.headers.iter().enumerate().filter(|(_, header)| !header.is_empty()) {
                if names.insert(plain(header), index).is_some() {
                    problems.add(problem(file, Some(1), header, "Two columns have this name."));
                }
            }
            return true;
        }
        problems.add(problem(file, None, "", "The file is empty. Its first row must name the columns."));
        false
    }

    /// How people find a column.
    fn called(&self, index: usize) -> String {
        match self.headers.get(index) {
            Some(header) if !header.is_empty() => header.clone(),
            _ => (index + 1).to_string(),
        }
    }
}

fn problem(file: &str, row: Option<u64>, column: &str, message: impl Into<String>) -> Problem {
    Problem { file: file.into(), row, column: column.into(), message: message.into() }
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

/// Where a value stands, without the quotation marks around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    /// Whether quotation marks in it are written twice.
    has_marks: bool,
}

/// A row as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    number: u64,
    start: usize,
    /// How many values it has.
    count: usize,
    is_blank: bool,
    broken: Option<Broken>,
}

/// A place in a file, from which rows are read one after the other.
#[derive(Debug, Clone, Copy)]
struct Reader<'a> {
    content: &'a [u8],
    at: usize,
    separator: u8,
    number: u64,
}

impl<'a> Reader<'a> {
    /// The next row, and where the first `most` of its values stand. After a broken one, reading goes on at the next line.
    fn next(&mut self, spans: &mut Vec<Span>, most: usize) -> Option<Record> {
        spans.clear();
        if self.at >= self.content.len() {
            return None;
        }
        self.number += 1;
        let mut record = Record { number: self.number, start: self.at, count: 0, is_blank: true, broken: None };
        loop {
            match self.value() {
                Ok(span) => {
                    record.is_blank = record.is_blank && self.bytes(span).trim_ascii().is_empty();
                    if record.count < most {
                        spans.push(span);
                    }
                    record.count += 1;
                }
                Err(broken) => {
                    self.skip_line();
                    return Some(Record { broken: Some(broken), ..record });
                }
            }
            if self.content.get(self.at) != Some(&self.separator) {
                break;
            }
            self.at += 1;
        }
        self.end_line();
        Some(record)
    }

    /// One value, up to the separator or the end of the line.
    fn value(&mut self) -> Result<Span, Broken> {
        let separator = self.separator;
        let rest = self.content.get(self.at..).unwrap_or_default();
        let Some(quoted) = rest.strip_prefix(b"\"") else {
            let ends = |byte: &u8| *byte == separator || matches!(byte, b'\n' | b'\r');
            let length = rest.iter().position(ends).unwrap_or(rest.len());
            let span = Span { start: self.at, end: self.at + length, has_marks: false };
            self.at = span.end;
            return Ok(span);
        };
        let (start, mut length, mut has_marks) = (self.at + 1, 0, false);
        loop {
            let inside = quoted.get(length..).unwrap_or_default();
            let mark = inside.iter().position(|byte| *byte == b'"').ok_or(Broken::NeverClosed)?;
            match inside.get(mark + 1) {
                Some(b'"') => {
                    has_marks = true;
                    length += mark + 2;
                }
                None | Some(b'\n' | b'\r') => {}
                Some(byte) if *byte == separator => {}
                Some(_) => return Err(Broken::InsideValue),
            }
            if inside.get(mark + 1) != Some(&b'"') {
                let end = start + length + mark;
                self.at = end + 1;
                return Ok(Span { start, end, has_marks });
            }
        }
    }

    fn bytes(&self, span: Span) -> &'a [u8] {
        self.content.get(span.start..span.end).unwrap_or_default()
    }

    /// A value; nothing where it is not UTF-8.
    fn text(&self, span: Span) -> Option<Cow<'a, str>> {
        let text = std::str::from_utf8(self.bytes(span)).ok()?;
        Some(if span.has_marks { Cow::Owned(text.replace("\"\"", "\"")) } else { Cow::Borrowed(text) })
    }

    /// Why a value is none that anything can be made of.
    fn refusal(&self, span: Span) -> Option<&'static str> {
        let bytes = self.bytes(span);
        if bytes.len() > MAX_VALUE {
            return Some("This value is longer than 100,000 bytes.");
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains('\0') => Some("This value has a NUL character."),
            Ok(_) => None,
            Err(_) => Some("This is not UTF-8. Save the file as CSV UTF-8."),
        }
    }

    fn skip_line(&mut self) {
        let rest = self.content.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        self.end_line();
    }

    fn end_line(&mut self) {
        match (self.content.get(self.at), self.content.get(self.at + 1)) {
            (Some(b'\r'), Some(b'\n')) => self.at += 2,
            (Some(b'\r' | b'\n'), _) => self.at += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<(u64, Vec<String>)>) {
        let (table, problems) = Table::read("x.csv", text.as_bytes(), usize::MAX);
        assert_eq!(problems.listed(), [], "{text}");
        let texts = |row: &Row| table.cells(*row).0.into_iter().map(Cow::into_owned).collect();
        let rows = table.rows.iter().map(|row| (row.number, texts(row))).collect();
        (table.headers.clone(), rows)
    }

    fn refused(content: &[u8]) -> Vec<String> {
        Table::read("x.csv", content, 3).1.listed().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_have_the_numbers_a_spreadsheet_shows() {
        let (headers, rows) = read("\u{feff}code,name\r\nA,\"one\ntwo\"\r\n\r\nB,\"say \"\"hi\"\"\"\n,\nC,5\" pipe");
        assert_eq!(headers, ["code", "name"]);
        let rows: Vec<_> = rows.iter().map(|(number, cells)| (*number, cells[1].as_str())).collect();
        assert_eq!(rows, [(2, "one\ntwo"), (4, "say \"hi\""), (6, "5\" pipe")]);
    }

    #[test]
    fn semicolons_and_tabs_separate_as_well() {
        assert_eq!(read("code;name\nA;1,5").1[0].1, ["A", "1,5"]);
        assert_eq!(read("code\tname\nA\tb;c").1[0].1, ["A", "b;c"]);
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
        assert_eq!(refused(b"a\n1\n2\n3\n4\n5"), ["x.csv: A file can have up to 3 rows. Split it."]);
        let long = [b"a\n".as_slice(), &[b'x'; MAX_VALUE + 1]].concat();
        assert_eq!(refused(&long), ["x.csv, row 2, column a: This value is longer than 100,000 bytes."]);
    }

    #[test]
    fn a_file_names_some_hundred_columns_at_most() {
        let header = |columns: usize| (0..columns).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
        assert_eq!(refused(header(MAX_COLUMNS).as_bytes()), [""; 0]);
        let wide = header(16_000);
        let many = "The first row names more than 300 columns, the most a file can have.";
        assert_eq!(refused(wide.as_bytes()), [format!("x.csv, row 1: {many}")]);
        assert_eq!(Head::read(wide.as_bytes(), true).unwrap_err(), many);
        assert_eq!(Head::read(wide.as_bytes().get(..2_048).unwrap(), false).unwrap_err(), many);
        let said = Head::read(wide.as_bytes().get(..1_024).unwrap(), false).unwrap_err();
        assert_eq!(said, "The first row, which names the columns, is longer than 1 KiB.");
        let long = "x".repeat(MAX_NAME + 1);
        assert_eq!(
            refused(long.as_bytes()),
            ["x.csv, row 1, column 1: The name of a column can have up to 200 characters."]
        );
        assert!(Head::read(long.as_bytes(), true).is_err());
    }

    #[test]
    fn the_head_of_a_file_has_the_first_values() {
        let head = Head::read(b"a,b\n\n\"x \"\"y\"\"\",\xff\nz,z\n", true).unwrap();
        assert_eq!((head.headers, head.first), (vec!["a".into(), "b".into()], vec!["x \"y\"".into(), String::new()]));
        // A row that goes on beyond the beginning is not known.
        assert_eq!(Head::read(b"a,b\nx,y", false).unwrap().first, [""; 0]);
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_as_it_was(cells in proptest::collection::vec("[^\0]{1,12}", 3)) {
            prop_assume!(!cells.iter().all(|cell| cell.trim_ascii().is_empty()));
            let row = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>().join(",");
            prop_assert_eq!(&read(&format!("a,b,c\n{row}\n")).1[0].1, &cells);
        }

        #[test]
        fn no_bytes_make_it_panic(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Table::read("x.csv", &content, 100);
            let _ = Head::read(&content, true);
            let _ = Head::read(&content, false);
        }
    }
}
