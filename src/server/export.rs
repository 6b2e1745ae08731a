//! A whole list as a file: CSV for spreadsheets, NDJSON for programs. Written while it is read, a chunk of rows at a time.

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde_json::{Map, Value};

use super::record::{Resource, View, all_of};
use crate::access::gate::Access;
use crate::base::listing::{Format, ListQuery};
use crate::base::{Error, Result};

/// All rows that a query describes, on all pages.
///
/// # Errors
/// Those of a list. What goes wrong later ends the answer early, so that it is seen to be incomplete.
pub async fn export<R: Resource>(access: &Access<View<R>>, query: &ListQuery, format: Format) -> Result<Response> {
    let names = columns::<R>(query);
    let head = match format {
        Format::Csv => Bytes::from(line(names.iter().map(|name| (*name).to_owned()))),
        Format::Json | Format::Ndjson => Bytes::new(),
    };
    let rows = all_of::<R>(access, query).await?.map(move |rows| {
        let mut text = Vec::new();
        for row in rows? {
            let row = sparse(&row, &names)?;
            match format {
                Format::Csv => text.extend(line(names.iter().map(|name| cell(row.get(*name))))),
                Format::Json | Format::Ndjson => {
                    serde_json::to_writer(&mut text, &row).map_err(|e| Error::internal(e.to_string()))?;
                    text.push(b'\n');
                }
            }
        }
        Ok::<_, Error>(Bytes::from(text))
    });
    let body = stream::once(async { Ok(head) }).chain(rows).map(|chunk| {
        chunk.map_err(|error| {
            tracing::error!(%error, "an export broke off");
            std::io::Error::other("the export broke off")
        })
    });
    let kind = match format {
        Format::Csv => "text/csv; charset=utf-8; header=present",
        format => format.media(),
    };
    let name = format!("attachment; filename=\"{}.{}\"", R::NAME, format.name());
    let headers = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name.as_str()), (CACHE_CONTROL, "private, no-store")];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// What a row says: what was asked for, in that order, else everything but what is not carried along.
fn columns<R: Resource>(query: &ListQuery) -> Vec<&'static str> {
    let known = |name: &str| R::LISTING.names().find(|known| *known == name);
    let carried = |name: &&str| R::LISTING.expands != Some(*name) || query.expand == Some(*name);
    if query.fields.is_empty() {
        R::LISTING.names().filter(carried).collect()
    } else {
        query.fields.iter().filter_map(|name| known(name)).filter(carried).collect()
    }
}

/// The named values of a record.
pub fn sparse(record: &impl serde::Serialize, names: &[impl AsRef<str>]) -> Result<Map<String, Value>> {
    match serde_json::to_value(record) {
        Ok(Value::Object(mut values)) => {
            values.retain(|name, _| names.iter().any(|wanted| wanted.as_ref() == name));
            Ok(values)
        }
        Ok(_) => Err(Error::internal("a record is no object")),
        Err(error) => Err(Error::internal(error.to_string())),
    }
}

/// A value as a spreadsheet shows it. A text that a spreadsheet would take for a formula gets an apostrophe in front, which
/// the import takes off again.
pub fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => guarded(text),
        Some(value) => value.to_string(),
    }
}

fn guarded(text: &str) -> String {
    let plain = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']);
    if formula && !number { format!("'{text}") } else { text.to_owned() }
}

/// A line of CSV (RFC 4180).
pub fn line(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let cells: Vec<_> = cells
        .map(|cell| {
            let quoted = cell.contains([',', '"', '\n', '\r']) || cell.trim() != cell;
            if quoted { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
        })
        .collect();
    format!("{}\r\n", cells.join(",")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_taken_for_a_formula() {
        assert_eq!(guarded("=1+1"), "'=1+1");
        assert_eq!(guarded("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(guarded("+49 89 5550"), "'+49 89 5550");
        assert_eq!(guarded("-12.50"), "-12.50");
        assert_eq!(guarded("plain"), "plain");
    }

    #[test]
    fn a_cell_is_quoted_when_it_must_be() {
        let cells = ["a,b", "say \"hi\"", "two\nlines", "plain"].map(str::to_owned);
        assert_eq!(line(cells.into_iter()), b"\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",plain\r\n");
    }
}
