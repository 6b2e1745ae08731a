//! JSON Schemas of single values, out of the rule of each [`Field`]: what the check takes, no more and no less.

use serde_json::{Map, Value, json};

use crate::base::country::countries;
use crate::base::form::{Field, Kind};
use crate::base::money::{Money, Percent, Quantity, UnitPrice};

/// No control characters.
pub const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// The same, and something to read.
const LINE_SAID: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
/// No control characters but tabs and line breaks.
const TEXT: &str = r"^([^\x00-\x08\x0b-\x1f\x7f-\x9f]|\r\n)*$";
/// The days that can be told: 1900 to 2999.
const DAY: &str = r"^(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}$";
const MOMENT: &str = r"^(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$";

/// Where the codes of countries stand in the document.
pub const COUNTRY: &str = "Country";

/// The schema of a country.
pub fn country() -> Value {
    let codes: Vec<_> = countries().map(|(code, _)| code).collect();
    json!({ "type": "string", "description": "ISO 3166-1 alpha-2.", "enum": codes, "examples": ["DE"] })
}

/// A decimal type as it is written: digits before and after the point, and the largest value.
struct Decimal {
    whole: usize,
    scale: u32,
    max: i64,
}

impl Decimal {
    fn of(kind: Kind) -> Option<Self> {
        let (scale, max) = match kind {
            Kind::Money => (Money::SCALE, Money::MAX),
            Kind::UnitPrice => (UnitPrice::SCALE, UnitPrice::MAX),
            Kind::Percent => (Percent::SCALE, Percent::MAX),
            Kind::Quantity => (Quantity::SCALE, Quantity::MAX),
            _ => return None,
        };
        Some(Self { whole: (max / 10_i64.pow(scale)).to_string().len(), scale, max })
    }

    /// The text form, without the marks of its beginning and end.
    fn pattern(&self, kind: Kind) -> String {
        let Self { whole, scale, .. } = self;
        match kind {
            Kind::Percent => format!(r"0*(100(\.0+)?|[0-9]{{1,2}}(\.[0-9]{{1,{scale}}}0*)?)"),
            // Above zero: a digit that is none stands before the point or after it.
            Kind::Quantity => format!(
                r"(0*[1-9][0-9]{{0,{}}}(\.[0-9]{{1,{scale}}}0*)?|0+\.(00[1-9]|0[1-9][0-9]?|[1-9][0-9]{{0,2}})0*)",
                whole - 1
            ),
            _ => format!(r"0*[0-9]{{1,{whole}}}(\.[0-9]{{1,{scale}}}0*)?"),
        }
    }

    fn text(&self, kind: Kind) -> Value {
        json!({ "type": "string", "pattern": format!("^{}$", self.pattern(kind)), "examples": ["9.90"] })
    }

    /// The same as a JSON number, whose digits count.
    fn number(&self, kind: Kind) -> Value {
        let one = 10_f64.powi(self.scale.try_into().unwrap_or_default());
        #[allow(clippy::cast_precision_loss)] // the largest has 15 digits
        let max = self.max as f64 / one;
        let least = if kind == Kind::Quantity { "exclusiveMinimum" } else { "minimum" };
        json!({ "type": "number", least: 0, "maximum": max, "multipleOf": 1.0 / one })
    }
}

/// The schema of a value that is there, as the API writes it.
pub fn plain(field: &Field) -> Value {
    match field.kind {
        Kind::Line { max } | Kind::Text { max } => {
            let pattern = match field.kind {
                Kind::Text { .. } => TEXT,
                _ if field.required => LINE_SAID,
                _ => LINE,
            };
            let mut schema = json!({ "type": "string", "maxLength": max, "pattern": pattern });
            if field.required {
                schema["minLength"] = json!(1);
            }
            schema
        }
        Kind::Email => json!({ "type": "string", "format": "email", "maxLength": 254 }),
        Kind::Country => json!({ "$ref": format!("#/components/schemas/{COUNTRY}") }),
        Kind::Flag { default } => json!({ "type": "boolean", "default": default }),
        Kind::Whole { min, max } if max == i64::MAX => {
            json!({ "type": "integer", "format": "int64", "minimum": min })
        }
        Kind::Whole { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        kind @ (Kind::Money | Kind::UnitPrice | Kind::Percent | Kind::Quantity) => {
            Decimal::of(kind).map_or(Value::Null, |decimal| decimal.text(kind))
        }
        Kind::Date => json!({ "type": "string", "format": "date", "pattern": DAY, "examples": ["2026-11-24"] }),
        Kind::Moment => {
            json!({ "type": "string", "format": "date-time", "pattern": MOMENT, "examples": ["2026-11-24T14:02:01Z"] })
        }
        Kind::Choice(choices) => {
            json!({ "type": "string", "enum": choices.iter().map(|(value, _)| *value).collect::<Vec<_>>() })
        }
        Kind::Reference(resource) => json!({ "type": "integer", "format": "int64", "minimum": 1,
                                             "description": format!("The id of one of the {resource}.") }),
    }
}

/// The schema of several values of a field in one text, separated by commas.
pub fn several(field: &Field) -> Value {
    let one = match field.kind {
        Kind::Line { max } | Kind::Text { max } => {
            format!(r"[^,\x00-\x1f\x7f-\x9f]{{0,{}}}[^,\s\x00-\x1f\x7f-\x9f]", max.saturating_sub(1))
        }
        Kind::Email => r"[^,@\s\x00-\x1f\x7f-\x9f]{1,64}@[a-z0-9]{1,63}(\.[a-z0-9]{1,63}){0,2}".to_owned(),
        Kind::Country => alternatives(countries().map(|(code, _)| code)),
        Kind::Flag { .. } => "(true|false)".to_owned(),
        Kind::Whole { min: 0, max } => up_to(max),
        Kind::Whole { .. } | Kind::Reference(_) => "0*[1-9][0-9]{0,17}".to_owned(),
        kind @ (Kind::Money | Kind::UnitPrice | Kind::Percent | Kind::Quantity) => {
            Decimal::of(kind).map_or_else(String::new, |decimal| decimal.pattern(kind))
        }
        Kind::Date => r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])".to_owned(),
        Kind::Moment => r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?Z".to_owned(),
        Kind::Choice(choices) => alternatives(choices.iter().map(|(value, _)| *value)),
    };
    json!({ "type": "string", "pattern": format!("^{one}(,{one})*$") })
}

/// A pattern for a whole number from 0 to this one.
fn up_to(max: i64) -> String {
    let digits = max.to_string();
    let mut shapes = vec![digits.clone()];
    if digits.len() > 1 {
        shapes.push(format!("[0-9]{{1,{}}}", digits.len() - 1));
    }
    for (at, digit) in digits.bytes().enumerate() {
        let least = if at == 0 && digits.len() > 1 { b'1' } else { b'0' };
        if digit > least {
            let (least, most, rest) = (char::from(least), char::from(digit - 1), digits.len() - at - 1);
            let before: String = digits.chars().take(at).collect();
            shapes.push(format!("{before}[{least}-{most}][0-9]{{{rest}}}"));
        }
    }
    format!("0*({})", shapes.join("|"))
}

/// A pattern for one of these names.
pub fn alternatives<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("({})", names.collect::<Vec<_>>().join("|"))
}

/// The schema of one value of a record as it is read.
pub fn field_schema(field: &Field) -> Value {
    let nullable = !field.required && !matches!(field.kind, Kind::Flag { .. });
    let schema = plain(field);
    titled(field, if nullable { or(schema, &json!({ "type": "null" })) } else { schema })
}

/// The schema of one value as it is taken. A blank text is no value, and decimals may be numbers.
pub fn written_schema(field: &Field) -> Value {
    let mut schema = plain(field);
    let decimal = Decimal::of(field.kind);
    if let Some(decimal) = &decimal {
        let number = decimal.number(field.kind);
        schema = json!({ "anyOf": [schema, number], "examples": ["9.90"] });
    }
    let nullable = !field.required && !matches!(field.kind, Kind::Flag { .. });
    let blank = match field.kind {
        Kind::Email | Kind::Country | Kind::Choice(_) | Kind::Date => true,
        _ => decimal.is_some(),
    };
    titled(
        field,
        match (nullable, blank) {
            (false, _) => schema,
            (true, true) => or(schema, &json!({ "enum": ["", null] })),
            (true, false) => or(schema, &json!({ "type": "null" })),
        },
    )
}

/// Either of two schemas; one type or null is written as such.
fn or(mut schema: Value, other: &Value) -> Value {
    if *other == json!({ "type": "null" }) && schema.get("enum").is_none() && schema["type"].is_string() {
        schema["type"] = json!([schema["type"], "null"]);
        return schema;
    }
    let examples = schema.as_object_mut().and_then(|schema| schema.remove("examples"));
    let mut either = match schema {
        Value::Object(ref mut own) if own.contains_key("anyOf") => json!({ "anyOf": own["anyOf"] }),
        schema => json!({ "anyOf": [schema] }),
    };
    if let Some(alternatives) = either["anyOf"].as_array_mut() {
        alternatives.push(other.clone());
    }
    if let Some(examples) = examples {
        either["examples"] = examples;
    }
    either
}

fn titled(field: &Field, mut schema: Value) -> Value {
    schema["title"] = json!(field.label);
    if !field.help.is_empty() {
        schema["description"] = json!(field.help);
    }
    schema
}

/// The schema of an input: its table of rules, and what it has beyond it.
pub fn input_schema(fields: &[Field], whole: bool, more: Map<String, Value>) -> Value {
    let own = fields.iter().map(|field| (field.name.to_owned(), written_schema(field)));
    let properties: Map<String, Value> = own.chain(more).collect();
    let required: Vec<_> =
        fields.iter().filter(|field| field.required && field.blank().is_null()).map(|field| field.name).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if whole {
        schema["required"] = json!(required);
    }
    schema
}

/// Says that at least one of these fields must be there and say something.
pub fn need_any(schema: &mut Value, fields: &[Field]) {
    if !fields.is_empty() {
        let said = |field: &Field| {
            let field = field.required();
            json!({ "required": [field.name], "properties": { field.name: plain(&field) } })
        };
        schema["anyOf"] = fields.iter().map(said).collect();
    }
}
