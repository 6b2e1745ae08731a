//! The state of a list: what is searched, filtered, ordered, and which page is shown.
//!
//! One text form serves the address of a list page, the REST query and the command line: `search=bob&ordering=-name&page=2`.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::form::{Field, Given, Kind, nearest};
use super::money::grouped;

/// Rows of a page when nothing is said.
pub const PAGE_SIZE: u32 = 25;
/// The most rows a page can have.
pub const MAX_PAGE_SIZE: u32 = 200;
/// The longest search, in characters.
pub const MAX_SEARCH: usize = 200;

/// The most values of an `__in` filter.
pub const MAX_VALUES: usize = 1_000;

/// What a resource's list can do.
#[derive(Debug, Clone, Copy)]
pub struct Listing {
    /// The list page, such as `/customers`.
    pub path: &'static str,
    /// The fields rows can be filtered by: those of the input.
    pub fields: &'static [Field],
    /// What rows can also be filtered by, though nobody writes it.
    pub also: &'static [Field],
    /// Filters that compare something other than a field of the row; they know no operators.
    pub special: &'static [Field],
    /// The records that rows refer to, whose filters reach through: `customer__code`.
    pub relations: &'static [Relation],
    /// The names of what a row says beyond the fields of its input.
    pub shown: &'static [&'static str],
    /// The names rows can be ordered by; `id` goes without saying.
    pub ordering: &'static [&'static str],
    /// The order when nothing is said.
    pub default: &'static str,
    /// What a search looks at, in words; blank for a list that cannot be searched.
    pub searched: &'static str,
    /// The filter whose values are the tabs of the page, each with its count.
    pub tabs: Option<&'static str>,
    /// The amount that is summed over all rows.
    pub summed: Option<&'static str>,
    /// What rows can carry along on request: `expand=items`.
    pub expands: Option<&'static str>,
    /// Fields of text whose values are few, so that rows are counted by them.
    pub facets: &'static [&'static str],
}

/// A way from a row to the record it refers to.
#[derive(Debug, Clone, Copy)]
pub struct Relation {
    /// The name of the reference, such as `customer`.
    pub name: &'static str,
    /// The list of what it refers to.
    pub listing: &'static Listing,
}

/// The id, as a filter.
pub const ID: Field = Field::new("id", "Id", Kind::Whole { min: 1, max: i64::MAX }).required();
/// When a record was made, as a filter.
pub const CREATED: Field = Field::new("created_at", "Created", Kind::Moment).required();
/// When a record was last changed, as a filter.
pub const UPDATED: Field = Field::new("updated_at", "Changed", Kind::Moment).required();

/// What a record of a plain resource says beyond its input.
const SHOWN: &[&str] = &["id", "version", "created_at", "updated_at"];

impl Listing {
    /// A plain list: nothing but the fields of its input, without tabs and sums.
    pub const fn new(path: &'static str, fields: &'static [Field]) -> Self {
        Self {
            path,
            fields,
            also: &[ID, CREATED, UPDATED],
            special: &[],
            relations: &[],
            shown: SHOWN,
            ordering: &[],
            default: "id",
            searched: "",
            tabs: None,
            summed: None,
            expands: None,
            facets: &[],
        }
    }

    /// The fields rows can be filtered by.
    pub fn filters(&self) -> impl Iterator<Item = &'static Field> {
        let all = self.fields.iter().chain(self.also).chain(self.special);
        all.filter(|field| !matches!(field.kind, Kind::Text { .. }))
    }

    /// The operators of a filter.
    pub fn comparisons(&self, field: &'static Field) -> impl Iterator<Item = Comparison> {
        let special = self.special.iter().any(|special| special.name == field.name);
        Comparison::ALL.into_iter().filter(move |comparison| match comparison {
            Comparison::Exact => true,
            comparison => !special && comparison.suits(field),
        })
    }

    /// What a filter of this name compares and how: `total`, `total__gte`, `customer__code`.
    pub fn filter(&self, name: &str) -> Option<Filter> {
        let own = |listing: &Self, name: &str, relation| {
            let (field, comparison) = match name.rsplit_once("__") {
                Some((field, suffix)) => (field, Comparison::of(suffix)?),
                None => (name, Comparison::Exact),
            };
            let field = listing.filters().find(|known| known.name == field)?;
            let known = listing.comparisons(field).any(|known| known == comparison);
            known.then_some(Filter { relation, field, comparison })
        };
        own(self, name, None).or_else(|| {
            let (relation, name) = name.split_once("__")?;
            let relation = self.relations.iter().find(|known| known.name == relation)?;
            own(relation.listing, name, Some(relation.name))
        })
    }

    /// Every parameter the list understands, but for the operators of its filters.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        let search = (!self.searched.is_empty()).then_some("search");
        let own = search.into_iter().chain(["ordering", "page", "page_size", "cursor", "count", "fields", "format"]);
        own.chain(self.expands.map(|_| "expand")).chain(self.filters().map(|field| field.name))
    }

    /// The names of everything a row says, in the order of an export.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let (first, last) = self.shown.split_at(self.shown.len().min(2));
        first.iter().copied().chain(self.fields.iter().map(|field| field.name)).chain(last.iter().copied())
    }

    /// What is wrong with the name of a parameter that is not understood.
    fn misunderstood(&self, name: &str) -> String {
        let relation = name.split_once("__").and_then(|(before, rest)| {
            let relation = self.relations.iter().find(|known| known.name == before)?;
            Some((relation, rest))
        });
        let near = match relation {
            Some((relation, rest)) => match relation.listing.unknown_operator(rest, name) {
                Some(message) => return message,
                None => near_with(rest, || relation.listing.filters().map(|field| field.name))
                    .map(|near| format!("{}__{near}", relation.name)),
            },
            None => match self.unknown_operator(name, name) {
                Some(message) => return message,
                None => near_with(name, || self.parameters()),
            },
        };
        format!("There is no such parameter.{}", near.map_or(String::new(), |near| format!(" Did you mean {near}?")))
    }

    /// What is wrong with a name that is a field of this list and an operator it does not know; `whole` is the parameter.
    fn unknown_operator(&self, name: &str, whole: &str) -> Option<String> {
        let (field, suffix) = name.rsplit_once("__")?;
        let known = self.filters().find(|known| known.name == field)?;
        let names = || self.comparisons(known).map(Comparison::suffix);
        let called = whole.strip_suffix(suffix)?.trim_end_matches('_');
        let hint = nearest(suffix, names()).map_or(String::new(), |near| format!(" Did you mean {called}__{near}?"));
        let names = names().collect::<Vec<_>>().join(", ");
        Some(format!("There is no such operator. {called} takes {names}.{hint}"))
    }
}

/// The nearest of these names, with the operator it was given.
fn near_with<'a, I: Iterator<Item = &'a str>>(name: &str, known: impl Fn() -> I) -> Option<String> {
    let with =
        name.split_once("__").and_then(|(field, suffix)| Some(format!("{}__{suffix}", nearest(field, known())?)));
    with.or_else(|| nearest(name, known()).map(str::to_owned))
}

/// What a filter compares, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    /// The reference it reaches through.
    pub relation: Option<&'static str>,
    pub field: &'static Field,
    pub comparison: Comparison,
}

/// How a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Exact,
    /// One of several values, separated by commas.
    In,
    /// Holds the text, letter by letter.
    Contains,
    /// Begins with the text, letter by letter.
    StartsWith,
    Greater,
    AtLeast,
    Less,
    AtMost,
    /// Whether there is a value: `true` or `false`.
    IsNull,
}

impl Comparison {
    pub const ALL: [Self; 9] = [
        Self::Exact,
        Self::In,
        Self::Contains,
        Self::StartsWith,
        Self::Greater,
        Self::AtLeast,
        Self::Less,
        Self::AtMost,
        Self::IsNull,
    ];

    /// What stands after `__` in the name of the parameter.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::In => "in",
            Self::Contains => "contains",
            Self::StartsWith => "startswith",
            Self::Greater => "gt",
            Self::AtLeast => "gte",
            Self::Less => "lt",
            Self::AtMost => "lte",
            Self::IsNull => "isnull",
        }
    }

    fn of(suffix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|comparison| comparison.suffix() == suffix)
    }

    /// Whether it makes sense for a field.
    fn suits(self, field: &Field) -> bool {
        match self {
            Self::Exact => true,
            Self::In => !matches!(field.kind, Kind::Flag { .. }),
            Self::Contains | Self::StartsWith => matches!(field.kind, Kind::Line { .. } | Kind::Email),
            Self::Greater | Self::AtLeast | Self::Less | Self::AtMost => field.kind.is_ordered(),
            Self::IsNull => !field.required && !matches!(field.kind, Kind::Flag { .. }),
        }
    }
}

/// Where a walk through all rows stands. It goes by `id`, which never changes, so that it neither skips nor repeats a row
/// while others write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// `cursor=` without a value.
    Start,
    /// After the row with this id.
    After(i64),
}

impl Walk {
    fn parse(text: &str) -> Option<Self> {
        let id = text.strip_prefix("c1-").filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()))?;
        id.parse().ok().map(Self::After)
    }

    /// The value of the parameter `cursor`.
    pub fn text(self) -> String {
        match self {
            Self::Start => String::new(),
            Self::After(id) => format!("c1-{id}"),
        }
    }
}

/// The form a list is answered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    /// All rows, one a line, as a spreadsheet reads them.
    Csv,
    /// All rows, a JSON object a line.
    Ndjson,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Ndjson];

    /// The value of the parameter `format`, and how such a file's name ends.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// The media type.
    pub const fn media(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

/// One column of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub field: String,
    pub descending: bool,
}

/// The state of one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    pub search: String,
    /// Filter, such as `total` or `total__gte`, to the value it compares with, in the field's normal form.
    pub filters: BTreeMap<String, String>,
    /// What rows carry along of what the listing can expand.
    pub expand: Option<&'static str>,
    /// Empty for the listing's default.
    pub ordering: Vec<Order>,
    /// From 1.
    pub page: u32,
    pub page_size: u32,
    /// Instead of a page: where a walk through all rows stands.
    pub walk: Option<Walk>,
    /// What a row is to say; empty for everything.
    pub fields: Vec<String>,
    /// The form of the answer, if one is asked for.
    pub format: Option<Format>,
    /// Whether rows are counted to the last, however many there are.
    pub exact: bool,
    /// Whether nobody asks for the counts of the tabs and for the sum.
    pub bare: bool,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            filters: BTreeMap::new(),
            expand: None,
            ordering: Vec::new(),
            page: 1,
            page_size: PAGE_SIZE,
            walk: None,
            fields: Vec::new(),
            format: None,
            exact: false,
            bare: false,
        }
    }
}

impl ListQuery {
    /// Reads the text form, with or without the leading `?`. Blank values count as not said.
    ///
    /// # Errors
    /// `Invalid`, naming the parameter that is unknown, repeated or no sense.
    pub fn parse(listing: &Listing, query: &str) -> Result<Self> {
        let mut state = Self::default();
        let mut seen = Vec::new();
        for pair in query.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            // `total__exact` is another name of `total`.
            let name = name.strip_suffix("__exact").map_or(name.clone(), str::to_owned);
            if seen.contains(&name) {
                return Err(Error::field(name, "Given more than once."));
            }
            if !value.trim().is_empty() || name == "cursor" {
                state.set(listing, &name, &value)?;
            } else if !listing.parameters().any(|known| known == name) && listing.filter(&name).is_none() {
                return Err(unknown(listing, &name));
            }
            seen.push(name);
        }
        if state.walk.is_some() {
            if seen.iter().any(|name| name == "page") {
                return Err(Error::field("page", "Give either page or cursor."));
            }
            if state.ordering.first().is_some_and(|order| order.field != "id") {
                return Err(Error::field(
                    "ordering",
                    "A walk with cursor goes by id or -id, as other values may change on the way.",
                ));
            }
        }
        Ok(state)
    }

    fn set(&mut self, listing: &Listing, name: &str, value: &str) -> Result<()> {
        match name {
            "search" if !listing.searched.is_empty() => self.search = searchable(value)?,
            "ordering" => self.ordering = ordering(listing, value)?,
            "count" if value == "exact" => self.exact = true,
            "count" => return Err(Error::field("count", "Say exact, or leave it out.")),
            "page" => self.page = number(name, value, u32::MAX)?,
            "page_size" => self.page_size = number(name, value, MAX_PAGE_SIZE)?,
            "cursor" if value.is_empty() => self.walk = Some(Walk::Start),
            "cursor" => {
                let walk = Walk::parse(value);
                let wrong = || Error::field(name, "Take the cursor from the `next` address of the page before.");
                self.walk = Some(walk.ok_or_else(wrong)?);
            }
            "fields" => self.fields = fields(listing, value)?,
            "format" => {
                let format = Format::ALL.into_iter().find(|format| format.name() == value);
                self.format = Some(format.ok_or_else(|| Error::field(name, "Choose json, csv or ndjson."))?);
            }
            "expand" if listing.expands == Some(value) => self.expand = listing.expands,
            "expand" => {
                let known = listing.expands.map_or_else(
                    || "There is nothing to expand.".into(),
                    |known| format!("This list can expand {known}."),
                );
                return Err(Error::field(name, known));
            }
            _ => {
                let known = listing.filter(name).ok_or_else(|| unknown(listing, name))?;
                self.filters.insert(name.into(), filter(known, name, value)?);
            }
        }
        Ok(())
    }

    /// The text form, without what is said anyway; empty for the default state.
    pub fn query_string(&self) -> String {
        let mut pairs = Vec::new();
        let mut say = |name: &str, value: &str| pairs.push(format!("{name}={}", encoded(value)));
        if !self.search.is_empty() {
            say("search", &self.search);
        }
        for (name, value) in &self.filters {
            say(name, value);
        }
        if !self.ordering.is_empty() {
            let names: Vec<_> = self
                .ordering
                .iter()
                .map(|order| format!("{}{}", if order.descending { "-" } else { "" }, order.field))
                .collect();
            say("ordering", &names.join(","));
        }
        if self.page_size != PAGE_SIZE {
            say("page_size", &self.page_size.to_string());
        }
        if self.page > 1 {
            say("page", &self.page.to_string());
        }
        if self.exact {
            say("count", "exact");
        }
        if let Some(expand) = self.expand {
            say("expand", expand);
        }
        if !self.fields.is_empty() {
            say("fields", &self.fields.join(","));
        }
        if let Some(format) = self.format {
            say("format", format.name());
        }
        if let Some(walk) = self.walk {
            say("cursor", &walk.text());
        }
        pairs.join("&")
    }

    /// The address of this state under `path`.
    pub fn href(&self, path: &str) -> String {
        match self.query_string() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// The same list at another page.
    pub fn at_page(&self, page: u32) -> Self {
        Self { page, ..self.clone() }
    }

    /// The same walk, after the row with this id.
    pub fn after(&self, id: i64) -> Self {
        Self { walk: Some(Walk::After(id)), ..self.clone() }
    }

    /// The same list with another value of one filter, from its first page; blank takes the filter away.
    pub fn filtered(&self, name: &str, value: &str) -> Self {
        let mut state = self.at_page(1);
        match value {
            "" => state.filters.remove(name),
            value => state.filters.insert(name.into(), value.into()),
        };
        state
    }

    /// Whether this column orders the list, and if so whether downwards.
    pub fn ordered_by(&self, listing: &Listing, field: &str) -> Option<bool> {
        match self.ordering.first() {
            Some(order) => (order.field == field).then_some(order.descending),
            None => (listing.default.trim_start_matches('-') == field).then_some(listing.default.starts_with('-')),
        }
    }

    /// The same list ordered by this column; a second time turns it around.
    pub fn sorted(&self, listing: &Listing, field: &str) -> Self {
        let descending = self.ordered_by(listing, field) == Some(false);
        Self { ordering: vec![Order { field: field.into(), descending }], ..self.at_page(1) }
    }

    /// The columns of the order, with `id` last, in the direction of the column before it, so that no two
    /// rows are equal.
    pub fn order(&self, listing: &Listing) -> Vec<Order> {
        let mut columns = self.ordering.clone();
        if columns.is_empty() && self.walk.is_none() {
            let field = listing.default.trim_start_matches('-').to_owned();
            columns.push(Order { field, descending: listing.default.starts_with('-') });
        }
        if !columns.iter().any(|order| order.field == "id") {
            let descending = columns.last().is_some_and(|last| last.descending);
            columns.push(Order { field: "id".into(), descending });
        }
        columns
    }

    /// Rows before this page.
    pub fn offset(&self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.page_size)
    }

    /// The words and quoted phrases of the search.
    pub fn terms(&self) -> Vec<String> {
        let mut terms = Vec::new();
        for (index, part) in self.search.split('"').enumerate() {
            if index % 2 == 1 {
                terms.push(part.trim().to_owned());
            } else {
                terms.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        terms.retain(|term| !term.is_empty());
        terms
    }

    /// Whether anything narrows the list.
    pub fn is_narrowed(&self) -> bool {
        !self.search.is_empty() || !self.filters.is_empty()
    }
}

/// Rows of one page, and how many there are in all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// How many rows there are on all pages; where that is not exact, there are more.
    pub count: u64,
    /// Whether they were counted to the last.
    pub exact: bool,
    pub results: Vec<T>,
    /// Rows by the value of the listing's tabs, whatever tab is open; blank counts all. Nothing where they are too many to be
    /// counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tabs: BTreeMap<String, u64>,
    /// The listing's amount over all rows of all pages, in plain notation; absent where they were not counted to the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
}

/// How many rows there are, as people read it: `1,204`, or `10,000+` where there are more than were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub rows: u64,
    pub exact: bool,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.exact { "" } else { "+" };
        write!(f, "{}{more}", grouped(&self.rows.to_string()))
    }
}

impl<T> Page<T> {
    /// How many rows there are on all pages.
    pub fn counted(&self) -> Count {
        Count { rows: self.count, exact: self.exact }
    }

    /// The same page with its rows turned into something else.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page {
            count: self.count,
            exact: self.exact,
            results: self.results.into_iter().map(turn).collect(),
            tabs: self.tabs,
            sum: self.sum,
        }
    }

    /// Whether there is a page after the one `query` asked for.
    pub fn has_next(&self, query: &ListQuery) -> bool {
        query.offset() + u64::from(query.page_size) < self.count
    }
}

fn searchable(value: &str) -> Result<String> {
    if value.chars().any(char::is_control) {
        return Err(Error::field("search", "Use no control characters."));
    }
    if value.chars().count() > MAX_SEARCH {
        return Err(Error::field("search", format!("Use at most {MAX_SEARCH} characters.")));
    }
    Ok(value.trim().to_owned())
}

fn ordering(listing: &Listing, value: &str) -> Result<Vec<Order>> {
    let known = || listing.ordering.iter().copied().chain(["id"]);
    let mut columns: Vec<Order> = Vec::new();
    for name in value.split(',') {
        let (field, descending) = name.strip_prefix('-').map_or((name, false), |field| (field, true));
        if !known().any(|known| known == field) {
            let names = known().collect::<Vec<_>>().join(", ");
            let hint = nearest(field, known()).map_or(String::new(), |near| format!(" Did you mean {near}?"));
            return Err(Error::field("ordering", format!("Order by one of {names}.{hint}")));
        }
        if columns.iter().any(|order| order.field == field) {
            return Err(Error::field("ordering", format!("{field} is given more than once.")));
        }
        columns.push(Order { field: field.into(), descending });
    }
    Ok(columns)
}

/// A whole number from 1 to `max`.
///
/// # Errors
/// `Invalid` at `name`.
pub fn number(name: &str, value: &str, max: u32) -> Result<u32> {
    match value.parse::<u32>() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => Err(Error::field(name, format!("Enter a whole number from 1 to {max}."))),
    }
}

/// The value of a filter in its field's normal form.
fn filter(Filter { field, comparison, .. }: Filter, name: &str, value: &str) -> Result<String> {
    let wrong = |message: String| Error::field(name, message);
    match comparison {
        Comparison::IsNull if matches!(value, "true" | "false") => Ok(value.into()),
        Comparison::IsNull => Err(wrong("Choose true or false.".into())),
        Comparison::Contains | Comparison::StartsWith => {
            let text = Field::new("", "", Kind::Line { max: MAX_SEARCH });
            text.check(&Given::Text(value.into())).map_err(wrong)?;
            Ok(value.into())
        }
        Comparison::In => {
            let values: Vec<_> = value
                .split(',')
                .map(|value| one(field, value))
                .collect::<std::result::Result<_, _>>()
                .map_err(wrong)?;
            if values.len() > MAX_VALUES {
                return Err(wrong(format!("Give at most {MAX_VALUES} values.")));
            }
            Ok(values.join(","))
        }
        _ => one(field, value).map_err(wrong),
    }
}

/// One value in the field's normal form.
fn one(field: &Field, value: &str) -> std::result::Result<String, String> {
    let given = match field.kind {
        _ if value.is_empty() => return Err("A value is missing.".into()),
        Kind::Flag { .. } if value == "true" || value == "false" => return Ok(value.into()),
        Kind::Whole { .. } | Kind::Reference(_) => Given::Number(value.into()),
        _ => Given::Text(value.into()),
    };
    match field.check(&given)? {
        serde_json::Value::Null => Err("A value is missing.".into()),
        serde_json::Value::String(text) => Ok(text),
        value => Ok(value.to_string()),
    }
}

/// The names of a sparse answer.
fn fields(listing: &Listing, value: &str) -> Result<Vec<String>> {
    let mut fields: Vec<String> = Vec::new();
    for name in value.split(',') {
        if !listing.names().any(|known| known == name) {
            let hint = nearest(name, listing.names()).map_or(String::new(), |near| format!(" Did you mean {near}?"));
            let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(Error::field("fields", format!("There is no field {name}.{hint}")));
        }
        if !fields.iter().any(|given| given == name) {
            fields.push(name.into());
        }
    }
    Ok(fields)
}

fn unknown(listing: &Listing, name: &str) -> Error {
    let message = listing.misunderstood(name);
    let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    Error::field(name, message)
}

/// Decodes one part of an `application/x-www-form-urlencoded` text.
///
/// # Errors
/// `Invalid` for what is no such text.
pub fn decoded(part: &str) -> Result<String> {
    let wrong = || Error::invalid("The query is not valid percent-encoded UTF-8.");
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
                u8::try_from(high * 16 + low).map_err(|_| wrong())?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// Encodes a value for a query.
pub fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b',' => text.push(char::from(byte)),
            b' ' => text.push('+'),
            byte => {
                // Writing to a String cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LISTING: Listing = Listing {
        ordering: &["name", "created_at"],
        default: "name",
        searched: "name",
        ..Listing::new(
            "/things",
            &[
                Field::new("name", "Name", Kind::Line { max: 50 }),
                Field::new("is_active", "Active", Kind::Flag { default: true }),
                Field::new("notes", "Notes", Kind::Text { max: 50 }),
                Field::new("total", "Total", Kind::Money),
            ],
        )
    };

    fn refused(query: &str) -> String {
        ListQuery::parse(&LISTING, query).unwrap_err().to_string()
    }

    #[test]
    fn what_makes_no_sense_is_named_with_the_nearest_that_does() {
        assert!(refused("serach=x").contains("serach: There is no such parameter. Did you mean search?"));
        assert!(refused("ordering=nmae").contains("Did you mean name?"));
        assert!(refused("serach=").contains("Did you mean search?"));
        assert!(refused("notes=x").contains("notes: There is no such parameter."));
        for query in ["page=0", "page=-1", "page=x", "page=1.5", "page_size=201", "page=99999999999999999999"] {
            assert!(refused(query).contains("Enter a whole number from 1 to"), "{query}");
        }
        assert!(refused("page=1&page=2").contains("more than once"));
        assert!(refused("search=%00").contains("control"));
        assert!(refused("search=%zz").contains("percent-encoded"));
        assert!(refused("search=%ff").contains("percent-encoded"));
        assert!(refused("total__gte=lots").contains("total__gte: Enter a number"));
        assert!(refused("name__gte=x").contains("name takes exact, in, contains"));
        assert!(refused("is_active=maybe").contains("is_active: Choose true or false."));
    }

    #[test]
    fn quotes_keep_a_phrase_together() {
        let query = ListQuery::parse(&LISTING, "search=red+%22big+box%22+x").unwrap();
        assert_eq!(query.terms(), ["red", "big box", "x"]);
    }

    #[test]
    fn a_header_sorts_up_first_and_down_next() {
        let query = ListQuery { page: 3, ..ListQuery::default() };
        assert_eq!(query.sorted(&LISTING, "created_at").query_string(), "ordering=created_at");
        assert_eq!(query.sorted(&LISTING, "name").query_string(), "ordering=-name");
    }

    #[test]
    fn the_order_is_total() {
        let names: Vec<_> = ListQuery::default().order(&LISTING).into_iter().map(|order| order.field).collect();
        assert_eq!(names, ["name", "id"]);
    }

    proptest! {
        #[test]
        fn a_state_survives_its_text(search in "[^\\p{Cc}]{0,40}", page in 1..u32::MAX, size in 1..=MAX_PAGE_SIZE, down in any::<bool>()) {
            let state = ListQuery {
                search: search.trim().to_owned(),
                filters: BTreeMap::from([("is_active".to_owned(), "false".to_owned()), ("total__gte".to_owned(), "1.50".to_owned())]),
                expand: None,
                ordering: vec![Order { field: "name".into(), descending: down }],
                page,
                page_size: size,
                ..ListQuery::default()
            };
            prop_assert_eq!(ListQuery::parse(&LISTING, &state.query_string()).unwrap(), state);
        }

        #[test]
        fn no_query_makes_it_panic(query in "\\PC*") {
            let _ = ListQuery::parse(&LISTING, &query);
        }
    }
}
