//! JSON as it was written: numbers keep their digits, duplicate keys and bottomless nesting are seen.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{Error, Result};
use super::form::Given;

/// The deepest nesting that can be allowed; the parser itself gives up a little below.
pub const MAX_DEPTH: usize = 100;

/// How many members one object may have.
pub const MAX_MEMBERS: usize = 200;

/// Reads a body as one JSON object, in which arrays and objects nest up to `depth` levels.
///
/// # Errors
/// `Invalid`, saying where the text stops being JSON, which key is given twice, or that it nests too deeply.
pub fn object(body: &[u8], depth: usize) -> Result<Vec<(String, Given)>> {
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid("The body is not valid UTF-8."))?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|e| malformed(&e))?;
    match given(raw, 0, depth)? {
        Given::Object(fields) => Ok(fields),
        _ => Err(Error::invalid("The body must be a JSON object.")),
    }
}

fn given(raw: &RawValue, level: usize, depth: usize) -> Result<Given> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{' | b'[') if level == depth => {
            Err(Error::invalid(format!("The body nests deeper than {depth} levels.")))
        }
        Some(b'{') => {
            let mut fields: Vec<(String, Given)> = Vec::new();
            let members = serde_json::from_str::<Pairs<'_>>(text).map_err(|e| malformed(&e))?.0;
            if members.len() > MAX_MEMBERS {
                return Err(Error::invalid(format!("An object of the body has more than {MAX_MEMBERS} members.")));
            }
            for (name, raw) in members {
                if fields.iter().any(|(known, _)| *known == name) {
                    return Err(Error::field(name, "Given more than once."));
                }
                let value = given(raw, level + 1, depth).map_err(|error| within(&name, error))?;
                fields.push((name, value));
            }
            Ok(Given::Object(fields))
        }
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)
            .map_err(|e| malformed(&e))?
            .into_iter()
            .enumerate()
            .map(|(index, raw)| given(raw, level + 1, depth).map_err(|error| within(&format!("[{index}]"), error)))
            .collect::<Result<_>>()
            .map(Given::List),
        Some(b'"') => serde_json::from_str(text).map(Given::Text).map_err(|e| malformed(&e)),
        Some(b't') => Ok(Given::Flag(true)),
        Some(b'f') => Ok(Given::Flag(false)),
        Some(b'n') => Ok(Given::Null),
        _ => Ok(Given::Number(text.to_owned())),
    }
}

/// Names the fields of an error from one level further out: `quantity`, `[2].quantity`, `items[2].quantity`.
fn within(outer: &str, error: Error) -> Error {
    let name =
        |inner: String| if inner.starts_with('[') { outer.to_owned() + &inner } else { format!("{outer}.{inner}") };
    let errors = error.errors.into_iter().map(|(inner, messages)| (name(inner), messages)).collect();
    Error { errors, ..error }
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::invalid(format!("The body is not valid JSON (line {}, column {}).", error.line(), error.column()))
}

/// An object's members in order, duplicates included.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let fields = object(br#"{"price": 0.30000000000000001, "days": 1e3}"#, 32).unwrap();
        assert_eq!(fields[0].1, Given::Number("0.30000000000000001".into()));
        assert_eq!(fields[1].1, Given::Number("1e3".into()));
    }

    #[test]
    fn what_json_forbids_or_hides_is_refused_with_its_place() {
        let refused = |body: &str| object(body.as_bytes(), 32).unwrap_err().to_string();
        assert!(refused("{").contains("line 1, column 1"));
        assert!(refused(r#"{"a": "\ud800"}"#).contains("not valid JSON"));
        assert!(refused(r#"{"a": NaN}"#).contains("not valid JSON"));
        assert!(refused("[]").contains("must be a JSON object"));
        assert!(refused(r#"{"a": 1, "a": 2}"#).contains("a: Given more than once."));
        assert!(refused(r#"{"a": [0, {"b": {"c": 1, "c": 2}}]}"#).contains("a[1].b.c: Given more than once."));
        let nested = |levels: usize| format!("{{\"a\": {}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        for depth in [1, 2, 32, MAX_DEPTH] {
            assert!(object(nested(depth).as_bytes(), depth).is_ok(), "{depth}");
            let deeper = object(nested(depth + 1).as_bytes(), depth).unwrap_err().to_string();
            assert!(deeper.contains(&format!("deeper than {depth} levels")), "{deeper}");
        }
        assert!(refused(&format!("{{\"a\": {}", "[".repeat(100_000))).contains("not valid JSON"));
        assert!(object(b"{\"a\": \"\xff\"}", 32).unwrap_err().to_string().contains("UTF-8"));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&body, 32);
        }
    }
}
