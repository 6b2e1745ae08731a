//! The parameters of a list, out of its [`Listing`](crate::base::listing::Listing).

use serde_json::{Value, json};

use super::query;
use super::value::{LINE, alternatives, plain, several};
use crate::base::form::Field;
use crate::base::listing::{Comparison, Format, MAX_PAGE_SIZE, MAX_SEARCH, MAX_VALUES};
use crate::server::record::{FEW, Resource};

/// The parameters of a list, each of which may be blank: that says nothing.
pub fn list_parameters<R: Resource>() -> Value {
    let listing = R::LISTING;
    let orders = listing.ordering.iter().chain([&"id"]).copied().collect::<Vec<_>>().join(", ");
    let mut parameters = vec![
        query("page", "From 1.", json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX, "default": 1 })),
        query(
            "page_size",
            "Rows of a page.",
            json!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": crate::base::listing::PAGE_SIZE }),
        ),
        query(
            "ordering",
            &format!("Names out of {orders}, separated by commas, each with `-` to turn it around."),
            several_names(listing.ordering.iter().chain([&"id"]).copied(), "-?", listing.default),
        ),
    ];
    if !listing.searched.is_empty() {
        parameters.push(query(
            "search",
            &format!(
                "Every word must occur in {}, one or two letters at the beginning of a word; quotes keep a phrase together; case and \
                 accents do not count.",
                listing.searched
            ),
            json!({ "type": "string", "maxLength": MAX_SEARCH, "pattern": LINE }),
        ));
    }
    if let Some(expands) = listing.expands {
        let schema = json!({ "type": "string", "enum": [expands] });
        parameters.push(query("expand", &format!("Let every row carry its {expands}."), schema));
    }
    parameters.extend([
        query(
            "cursor",
            "Walks through all rows by id instead of by page, skipping and repeating none while others write: blank to begin, then as \
             `next` says. Nothing is counted.",
            json!({ "type": "string", "pattern": "^(c1-[0-9]{1,18})?$" }),
        ),
        query(
            "count",
            &format!(
                "`exact` counts every row. Without it, a narrowed list is counted up to {FEW} rows, of a large table up to 1000; where \
                 there are more, the answer says `count_is_exact: false`."
            ),
            json!({ "type": "string", "enum": ["", "exact"] }),
        ),
        query(
            "fields",
            "What rows say, separated by commas.",
            several_names(listing.names(), "", &listing.names().take(3).collect::<Vec<_>>().join(",")),
        ),
        query(
            "format",
            "`csv` and `ndjson` answer with all rows, streamed; so do `Accept: text/csv` and `application/x-ndjson`.",
            json!({ "type": "string", "enum": Format::ALL.map(Format::name) }),
        ),
    ]);
    for field in listing.filters() {
        parameters.extend(listing.comparisons(field).map(|comparison| filter_parameter("", field, comparison)));
    }
    for relation in listing.relations {
        let filters = relation.listing.filters().filter(|field| !field.name.contains("__"));
        parameters.extend(filters.flat_map(|field| {
            let comparisons = relation.listing.comparisons(field);
            comparisons.map(|comparison| filter_parameter(&format!("{}__", relation.name), field, comparison))
        }));
    }
    Value::Array(parameters)
}

/// Names out of these, separated by commas.
fn several_names<'a>(names: impl Iterator<Item = &'a str>, before: &str, example: &str) -> Value {
    let one = format!("{before}{}", alternatives(names));
    json!({ "type": "string", "pattern": format!("^{one}(,{one})*$"), "examples": [example] })
}

fn filter_parameter(prefix: &str, field: &Field, comparison: Comparison) -> Value {
    // Blank text is as good as none.
    let mut schema = plain(&Field { required: false, ..*field });
    if let Some(schema) = schema.as_object_mut() {
        schema.retain(|name, _| !["description", "default", "examples"].contains(&name.as_str()));
    }
    let several_meaning = format!("Only rows with one of these values, up to {MAX_VALUES}, separated by commas.");
    let part = || json!({ "type": "string", "maxLength": MAX_SEARCH, "pattern": LINE });
    let (meaning, schema) = match comparison {
        Comparison::Exact => ("Only rows with exactly this value.", schema),
        Comparison::In => (several_meaning.as_str(), several(field)),
        Comparison::Contains => ("Only rows whose text holds this one, letter by letter.", part()),
        Comparison::StartsWith => ("Only rows whose text begins with this one, letter by letter.", part()),
        Comparison::Greater => ("Only rows with a larger value.", schema),
        Comparison::AtLeast => ("Only rows with at least this value.", schema),
        Comparison::Less => ("Only rows with a smaller value.", schema),
        Comparison::AtMost => ("Only rows with at most this value.", schema),
        Comparison::IsNull => {
            ("Only rows without a value, or with `false` only those with one.", json!({ "type": "boolean" }))
        }
    };
    let name = match comparison {
        Comparison::Exact => format!("{prefix}{}", field.name),
        comparison => format!("{prefix}{}__{}", field.name, comparison.suffix()),
    };
    query(&name, meaning, schema)
}
