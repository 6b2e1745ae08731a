//! The rules of an input as a table: one [`Field`] says what a value is called, what it may be and how it is explained.
//!
//! The same table draws the form, is checked in the browser and on the server, describes the input in OpenAPI, and words
//! the errors. Both doors bring their values as [`Given`]: what was sent, before anyone knows whether it is right.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::country;
use super::date::{Date, DateError};
use super::error::{Error, FieldErrors, Result};
use super::money::{Money, Percent, Quantity, UnitPrice};
use super::time::Moment;

/// What a value may be. Limits of text count characters, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One line of text; outer white space is dropped, control characters are refused.
    Line {
        max: usize,
    },
    /// Text with line breaks.
    Text {
        max: usize,
    },
    /// An e-mail address, up to 254 characters (RFC 5321).
    Email,
    /// A country, kept as its ISO 3166-1 alpha-2 code; its English name is understood too.
    Country,
    Flag {
        default: bool,
    },
    Whole {
        min: i64,
        max: i64,
    },
    /// A non-negative [`Money`].
    Money,
    /// A non-negative [`UnitPrice`].
    UnitPrice,
    /// A [`Percent`] from 0 to 100.
    Percent,
    /// A [`Quantity`] above zero.
    Quantity,
    /// A [`Date`].
    Date,
    /// A [`Moment`].
    Moment,
    /// One of these: value, and what people read.
    Choice(&'static [(&'static str, &'static str)]),
    /// The id of a record of this resource.
    Reference(&'static str),
}

impl Kind {
    /// Whether values have an order that ranges make sense in.
    pub const fn is_ordered(self) -> bool {
        matches!(
            self,
            Kind::Whole { .. }
                | Kind::Money
                | Kind::UnitPrice
                | Kind::Percent
                | Kind::Quantity
                | Kind::Date
                | Kind::Moment
        )
    }
}

/// The rule of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The name in JSON, in the form and in the database.
    pub name: &'static str,
    pub label: &'static str,
    pub kind: Kind,
    pub required: bool,
    /// What a blank means or what the value is for; shown under the field and in the API's description.
    pub help: &'static str,
    /// The heading of the form under which the field stands.
    pub section: &'static str,
    /// What the form offers first for a new record.
    pub suggested: &'static str,
    /// Whether no two records may have the same value.
    pub unique: bool,
}

impl Field {
    /// An optional value of this kind.
    pub const fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self { name, label, kind, required: false, help: "", section: "", suggested: "", unique: false }
    }

    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub const fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    pub const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    pub const fn section(self, section: &'static str) -> Self {
        Self { section, ..self }
    }

    pub const fn suggested(self, suggested: &'static str) -> Self {
        Self { suggested, ..self }
    }

    /// What a value of this field is when nothing was said about it.
    pub fn blank(&self) -> Value {
        match self.kind {
            Kind::Flag { default } => Value::Bool(default),
            Kind::Percent | Kind::UnitPrice if self.required && !self.suggested.is_empty() => self.suggested.into(),
            _ => Value::Null,
        }
    }

    /// The normal form of a given value, or the sentence that says what is wrong with it.
    pub fn check(&self, given: &Given) -> std::result::Result<Value, String> {
        let value = match (self.kind, given) {
            (_, Given::Null) => Value::Null,
            (Kind::Flag { .. }, Given::Flag(flag)) => Value::Bool(*flag),
            (Kind::Flag { .. }, _) => return Err("Choose true or false.".into()),
            (Kind::Whole { min, max }, Given::Number(text)) => whole(text, min, max)?,
            (Kind::Whole { .. }, _) => return Err("Enter a whole number.".into()),
            (Kind::Money, Given::Text(text) | Given::Number(text)) => decimal::<Money>(text)?,
            (Kind::UnitPrice, Given::Text(text) | Given::Number(text)) => decimal::<UnitPrice>(text)?,
            (Kind::Percent, Given::Text(text) | Given::Number(text)) => decimal::<Percent>(text)?,
            (Kind::Quantity, Given::Text(text) | Given::Number(text)) => quantity(text)?,
            (Kind::Money | Kind::UnitPrice | Kind::Percent | Kind::Quantity, _) => {
                return Err("Enter a number such as 12.50.".into());
            }
            (Kind::Date, Given::Text(text)) => date(text)?,
            (Kind::Date, _) => return Err(DateError.to_string()),
            (Kind::Moment, Given::Text(text)) if Moment::is_written(text) => Value::String(text.clone()),
            (Kind::Moment, _) => return Err("Enter a moment such as 2026-11-24T14:02:01Z.".into()),
            (Kind::Choice(choices), Given::Text(text)) => choice(text, choices)?,
            (Kind::Reference(_), Given::Number(text)) => whole(text, 1, i64::MAX)?,
            (Kind::Reference(resource), _) => return Err(format!("Enter the id of one of the {resource}.")),
            (Kind::Line { max }, Given::Text(text)) => line(text, max)?,
            (Kind::Text { max }, Given::Text(text)) => lines(text, max)?,
            (Kind::Email, Given::Text(text)) => email(text)?,
            (Kind::Country, Given::Text(text)) => country_code(text)?,
            (Kind::Line { .. } | Kind::Text { .. } | Kind::Email | Kind::Country | Kind::Choice(_), _) => {
                return Err("Enter text.".into());
            }
        };
        match (value, self.kind) {
            (Value::Null, Kind::Flag { .. }) => Err("Choose true or false.".into()),
            (Value::Null, _) if self.required => Err(format!("{} is required.", self.label)),
            (value, _) => Ok(value),
        }
    }
}

/// A value as it arrived, before any rule was asked. Numbers keep the digits they were written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    Null,
    Flag(bool),
    Number(String),
    Text(String),
    List(Vec<Given>),
    Object(Vec<(String, Given)>),
}

impl Given {
    /// What a person typed into the form control of this kind.
    pub fn typed(kind: Kind, text: &str) -> Self {
        match kind {
            Kind::Flag { .. } => Given::Flag(matches!(text, "true" | "on")),
            _ if text.trim().is_empty() => Given::Null,
            Kind::Whole { .. } | Kind::Reference(_) if text.trim().parse::<i64>().is_ok() => {
                Given::Number(text.trim().into())
            }
            Kind::Money | Kind::UnitPrice | Kind::Percent | Kind::Quantity | Kind::Date | Kind::Moment => {
                Given::Text(text.trim().into())
            }
            _ => Given::Text(text.into()),
        }
    }
}

impl From<Value> for Given {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Given::Null,
            Value::Bool(flag) => Given::Flag(flag),
            Value::Number(number) => Given::Number(number.to_string()),
            Value::String(text) => Given::Text(text),
            Value::Array(values) => Given::List(values.into_iter().map(Given::from).collect()),
            Value::Object(values) => {
                Given::Object(values.into_iter().map(|(name, value)| (name, value.into())).collect())
            }
        }
    }
}

/// What a person typed, by field name: the body of a form.
pub type Typed = BTreeMap<String, String>;

/// Values that are written: a plain struct with its table of rules.
pub trait Input: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The rules, in the order of the form.
    const FIELDS: &'static [Field];

    /// Reads values sent by a script. A field that is not named takes its blank value.
    ///
    /// # Errors
    /// `Invalid`, naming every field that is unknown or breaks a rule.
    fn given(given: &[(String, Given)]) -> Result<Self> {
        typed_input(checked(Self::FIELDS, given)?)
    }

    /// Reads values typed into the form. A flag that is not named is off, as browsers leave it out.
    ///
    /// # Errors
    /// `Invalid`, naming every field that is unknown or breaks a rule.
    fn typed(typed: &Typed) -> Result<Self> {
        typed_input(check_typed(Self::FIELDS, typed)?)
    }

    /// The values by name, as the API writes them.
    fn values(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(values)) => values,
            _ => Map::new(),
        }
    }
}

fn typed_input<I: Input>(values: Map<String, Value>) -> Result<I> {
    serde_json::from_value(Value::Object(values)).map_err(|e| Error::internal(format!("table and type disagree: {e}")))
}

/// Holds typed values against the rules, in the browser and on the server alike.
///
/// # Errors
/// `Invalid`, naming every field that is unknown or breaks a rule.
pub fn check_typed(fields: &[Field], typed: &Typed) -> Result<Map<String, Value>> {
    let kinds = |name: &str| fields.iter().find(|field| field.name == name).map(|field| field.kind);
    let mut given: Vec<_> = typed
        .iter()
        .map(|(name, text)| {
            let kind = kinds(name).unwrap_or(Kind::Line { max: 0 });
            (name.clone(), Given::typed(kind, text))
        })
        .collect();
    for field in fields {
        if matches!(field.kind, Kind::Flag { .. }) && !typed.contains_key(field.name) {
            given.push((field.name.into(), Given::Flag(false)));
        }
    }
    checked(fields, &given)
}

/// Holds given values against the rules and returns all of them in normal form, blanks included.
///
/// # Errors
/// `Invalid`, naming every field that is given twice or breaks a rule, and the first that are unknown.
pub fn checked(fields: &[Field], given: &[(String, Given)]) -> Result<Map<String, Value>> {
    checked_beside(&[], fields, given)
}

/// The same for a part of what was given: the values `beside` it are for others to check.
///
/// # Errors
/// Those of [`checked`].
pub fn checked_beside(beside: &[&str], fields: &[Field], given: &[(String, Given)]) -> Result<Map<String, Value>> {
    let mut errors = FieldErrors::new();
    let mut values = Map::new();
    let known = || fields.iter().map(|field| field.name).chain(beside.iter().copied());
    let strangers = given.iter().filter(|(name, _)| !known().any(|known| known == name));
    for (name, _) in strangers.take(MAX_UNKNOWN) {
        errors.entry(shortened(name)).or_default().push(unknown(name, known()));
    }
    for field in fields {
        let mut named = given.iter().filter(|(name, _)| name == field.name);
        let value = match (named.next(), named.next()) {
            (None, _) => match field.blank() {
                Value::Null => field.check(&Given::Null),
                value => Ok(value),
            },
            (Some((_, given)), None) => field.check(given),
            (Some(_), Some(_)) => Err("Given more than once.".into()),
        };
        match value {
            Ok(value) => {
                values.insert(field.name.into(), value);
            }
            Err(message) => errors.entry(field.name.into()).or_default().push(message),
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(Error::fields(errors)) }
}

/// How many unknown names of one object are told.
const MAX_UNKNOWN: usize = 20;

/// The sentence for a name that does not exist, with the nearest one that does.
pub fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("There is no such field. Did you mean {near}?"),
        None => "There is no such field.".into(),
    }
}

/// The known name that a misspelt one most likely means.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = shortened(name);
    let length = name.chars().count();
    known
        // The distance is at least that of the lengths, and costs much more.
        .filter(|known| length.abs_diff(known.len()) <= known.len().max(3) / 2)
        .map(|known| (strsim::damerau_levenshtein(&name, known), known))
        .filter(|(distance, known)| *distance <= known.len().max(3) / 2)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// A name somebody sent, cut to what an error can repeat.
fn shortened(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// Values as a form shows them: text for every field.
pub fn shown(fields: &[Field], values: &Map<String, Value>) -> Typed {
    fields
        .iter()
        .map(|field| {
            let text = match values.get(field.name) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                Some(Value::Bool(true)) => "true".into(),
                _ => String::new(),
            };
            (field.name.to_owned(), text)
        })
        .collect()
}

/// What the form of a new record offers.
pub fn suggested(fields: &[Field]) -> Typed {
    fields
        .iter()
        .map(|field| {
            let text = match field.kind {
                Kind::Flag { default: true } => "true",
                _ => field.suggested,
            };
            (field.name.to_owned(), text.to_owned())
        })
        .collect()
}

fn whole(text: &str, min: i64, max: i64) -> std::result::Result<Value, String> {
    match integer(text) {
        Some(number) if (min..=max).contains(&number) => Ok(number.into()),
        Some(_) => Err(format!("Enter a whole number from {min} to {max}.")),
        None => Err("Enter a whole number.".into()),
    }
}

/// A whole number in any form JSON has for it: `7`, `7.0`, `0.7e1`.
pub fn integer(text: &str) -> Option<i64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let shift = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let zeros = usize::try_from(shift).ok().filter(|zeros| *zeros < 20)?;
    format!("{whole}{fraction}{}", "0".repeat(zeros)).parse().ok()
}

fn decimal<T>(text: &str) -> std::result::Result<Value, String>
where
    T: std::str::FromStr<Err: ToString> + PartialOrd + Default + ToString,
{
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let value: T = text.parse().map_err(|e: T::Err| e.to_string())?;
    if value < T::default() {
        return Err("Enter a number that is not negative.".into());
    }
    Ok(value.to_string().into())
}

fn quantity(text: &str) -> std::result::Result<Value, String> {
    match decimal::<Quantity>(text)? {
        Value::String(text) if text.parse() == Ok(Quantity::default()) => Err("Enter a quantity above zero.".into()),
        value => Ok(value),
    }
}

fn date(text: &str) -> std::result::Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    text.parse::<Date>().map(|date| date.iso().into()).map_err(|e| e.to_string())
}

fn choice(text: &str, choices: &[(&str, &str)]) -> std::result::Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    if choices.iter().any(|(value, _)| *value == text) {
        return Ok(text.into());
    }
    let known = choices.iter().map(|(value, _)| *value).collect::<Vec<_>>().join(", ");
    Err(format!("Choose one of {known}."))
}

fn line(text: &str, max: usize) -> std::result::Result<Value, String> {
    if text.chars().any(char::is_control) {
        return Err("Use one line without control characters.".into());
    }
    limited(text, max)
}

fn lines(text: &str, max: usize) -> std::result::Result<Value, String> {
    let text = text.replace("\r\n", "\n");
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err("Use no control characters.".into());
    }
    limited(&text, max)
}

/// The text without blanks around it, which count all the same, as they do in the description.
fn limited(text: &str, max: usize) -> std::result::Result<Value, String> {
    match text.chars().count() {
        length if length > max => Err(format!("Use at most {max} characters (these are {length}).")),
        _ if text.trim().is_empty() => Ok(Value::Null),
        _ => Ok(text.trim().into()),
    }
}

fn email(text: &str) -> std::result::Result<Value, String> {
    let wrong = || "Enter an address such as name@example.com.".to_owned();
    let value = line(text, 254)?;
    let Value::String(address) = &value else { return Ok(value) };
    let (local, domain) = address.rsplit_once('@').ok_or_else(wrong)?;
    let sound = !local.is_empty()
        && !local.contains('@')
        && !address.contains(char::is_whitespace)
        && domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
    if sound { Ok(value) } else { Err(wrong()) }
}

fn country_code(text: &str) -> std::result::Result<Value, String> {
    let value = line(text, 100)?;
    let Value::String(typed) = &value else { return Ok(value) };
    match country::code(typed) {
        Some(code) => Ok(code.into()),
        None => Err("Enter a country's name or its two-letter code, such as DE.".into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIELDS: &[Field] = &[
        Field::new("name", "Name", Kind::Line { max: 5 }).required(),
        Field::new("days", "Days", Kind::Whole { min: 0, max: 365 }),
        Field::new("price", "Price", Kind::UnitPrice),
        Field::new("is_active", "Active", Kind::Flag { default: true }),
        Field::new("notes", "Notes", Kind::Text { max: 50 }),
        Field::new("country", "Country", Kind::Country),
        Field::new("email", "E-mail", Kind::Email),
    ];

    fn given(name: &str, given: Given) -> Result<Map<String, Value>> {
        checked(FIELDS, &[("name".into(), Given::Text("Bob".into())), (name.into(), given)])
    }

    fn message(result: Result<Map<String, Value>>, field: &str) -> String {
        result.unwrap_err().errors[field].join(" ")
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let error =
            checked(FIELDS, &[("nmae".into(), Given::Null), ("days".into(), Given::Text("x".into()))]).unwrap_err();
        assert_eq!(error.errors.keys().collect::<Vec<_>>(), ["days", "name", "nmae"]);
        assert!(error.errors["nmae"][0].contains("Did you mean name?"));
        assert_eq!(error.errors["name"], ["Name is required."]);
    }

    #[test]
    fn a_field_given_twice_is_refused() {
        assert_eq!(message(given("name", Given::Text("Eve".into())), "name"), "Given more than once.");
    }

    #[test]
    fn numbers_are_taken_by_their_digits() {
        assert_eq!(given("price", Given::Number("9.90".into())).unwrap()["price"], "9.90");
        for odd in ["1e3", "NaN", "1.00001", "-1"] {
            assert!(given("price", Given::Number(odd.into())).is_err(), "{odd}");
        }
        for whole in ["30", "30.0", "3e1", "3.00E+1", "0.3e2"] {
            assert_eq!(given("days", Given::Number(whole.into())).unwrap()["days"], 30, "{whole}");
        }
        for broken in ["1.5", "3e-1", "1e99", "1e9999999999", ".", "e", ""] {
            assert_eq!(message(given("days", Given::Number(broken.into())), "days"), "Enter a whole number.");
        }
        assert_eq!(message(given("days", Given::Number("9".repeat(30))), "days"), "Enter a whole number.");
    }

    #[test]
    fn text_is_trimmed_and_keeps_what_it_says() {
        let notes = "  „Ünïcødé“ 👩‍🚀 مرحبا <b>'\"; DROP\r\nnext  ";
        let values = given("notes", Given::Text(notes.into())).unwrap();
        assert_eq!(values["notes"], "„Ünïcødé“ 👩‍🚀 مرحبا <b>'\"; DROP\nnext");
        assert_eq!(message(given("notes", Given::Text("a\0b".into())), "notes"), "Use no control characters.");
    }

    #[test]
    fn a_country_is_understood_by_name_or_code() {
        for typed in ["DE", "de", "germany"] {
            assert_eq!(given("country", Given::Text(typed.into())).unwrap()["country"], "DE");
        }
        assert!(given("country", Given::Text("Atlantis".into())).is_err());
    }

    #[test]
    fn an_address_needs_both_halves() {
        for address in ["a@b.example", "x.y+z@münchen.example"] {
            assert!(given("email", Given::Text(address.into())).is_ok(), "{address}");
        }
        for address in ["a", "@b", "a@", "a@b..c", "a b@c.d", "a@@b.c"] {
            assert!(given("email", Given::Text(address.into())).is_err(), "{address}");
        }
    }

    #[test]
    fn an_unticked_box_is_off_and_an_unnamed_flag_takes_its_default() {
        let typed = Typed::from([("name".into(), "Bob".into())]);
        assert_eq!(check_typed(FIELDS, &typed).unwrap()["is_active"], false);
        assert_eq!(checked(FIELDS, &[("name".into(), Given::Text("Bob".into()))]).unwrap()["is_active"], true);
    }

    proptest! {
        #[test]
        fn what_a_form_shows_reads_back_the_same(name in "[a-z]{1,5}", days in 0..=365i64, on in any::<bool>()) {
            let typed = Typed::from([
                ("name".into(), name),
                ("days".into(), days.to_string()),
                ("is_active".into(), if on { "true".into() } else { String::new() }),
            ]);
            let values = check_typed(FIELDS, &typed).unwrap();
            prop_assert_eq!(check_typed(FIELDS, &shown(FIELDS, &values)).unwrap(), values);
        }

        #[test]
        fn no_text_makes_a_check_panic(text in "\\PC*", at in 0..FIELDS.len()) {
            let _ = FIELDS[at].check(&Given::Text(text.clone()));
            let _ = FIELDS[at].check(&Given::Number(text));
        }
    }
}
