//! Which column of a file goes to which value: said on the command line, in a mapping file, or on the page.

use std::collections::BTreeMap;

use super::Kind;
use crate::base::form::{Field, Input, Kind as Value, nearest};
use crate::base::{Error, Result};
use crate::customers::CustomerInput;
use crate::orders::{ItemInput, OrderInput, STATUSES};
use crate::products::ProductInput;

/// How the text of a cell becomes the value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    AsItIs,
    /// Yes means no: `is_inactive` for `is_active`.
    Negated,
    /// A part of one as a percentage: `0.15` is 15 %.
    Fraction,
}

/// A value that a column can go to.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    /// The field it ends up in.
    pub field: Field,
    pub reading: Reading,
}

/// The longest mapping, in bytes.
pub const MAX_MAPPING: usize = 65_536;

/// The most columns and texts that one value is joined from.
const MAX_PIECES: usize = 20;

const fn line(name: &'static str, label: &'static str, max: usize) -> Field {
    Field::new(name, label, Value::Line { max })
}

/// What an order of the past brings along beside its input.
pub const ORIGIN: &[Field] = &[
    line("number", "Number", 40).required(),
    line("customer_code", "Customer", 40).required(),
    Field::new("status", "Status", Value::Choice(STATUSES)),
    Field::new("shipped_date", "Shipped", Value::Date),
    Field::new("cancelled_date", "Cancelled", Value::Date),
    line("cancel_reason", "Reason", 500),
];

/// What a line says about itself beside its input.
pub const OWNER: &[Field] = &[line("order_number", "Order", 40).required()];

/// Everything that columns of this kind can go to.
pub fn targets(kind: Kind) -> Vec<Target> {
    const INACTIVE: (&str, &str, Reading) = ("is_inactive", "is_active", Reading::Negated);
    const FRACTION: (&str, &str, Reading) = ("discount_fraction", "discount_percent", Reading::Fraction);
    match kind {
        Kind::Customers => collected(&[], CustomerInput::FIELDS, &[], Some(INACTIVE)),
        Kind::Products => collected(&[], ProductInput::FIELDS, &[], Some(INACTIVE)),
        Kind::Orders => collected(ORIGIN, OrderInput::FIELDS, &["customer"], None),
        Kind::Lines => collected(OWNER, ItemInput::FIELDS, &["id", "product"], Some(FRACTION)),
    }
}

/// The fields of two tables but those of `without`, and one that is read in another way.
fn collected(
    own: &[Field],
    fields: &[Field],
    without: &[&str],
    special: Option<(&'static str, &str, Reading)>,
) -> Vec<Target> {
    let fields = own.iter().chain(fields).filter(|field| !without.contains(&field.name));
    let mut targets: Vec<_> =
        fields.map(|field| Target { name: field.name, field: *field, reading: Reading::AsItIs }).collect();
    if let Some((name, goes_to, reading)) = special
        && let Some(plain) = targets.iter().find(|target| target.name == goes_to)
    {
        targets.push(Target { name, reading, ..*plain });
    }
    targets
}

/// A part of a value: what a column says, or a text that stands for every row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Column(String),
    Text(String),
}

impl Piece {
    /// `=pcs` is the text `pcs`; anything else names a column.
    fn parse(text: &str) -> Self {
        match text.strip_prefix('=') {
            Some(text) => Piece::Text(text.trim().to_owned()),
            None => Piece::Column(text.trim().to_owned()),
        }
    }

    fn written(&self) -> toml::Value {
        match self {
            Piece::Column(name) => name.clone().into(),
            Piece::Text(text) => format!("={text}").into(),
        }
    }
}

/// Where the values of each kind come from. Several pieces are joined by a blank.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapping {
    rules: BTreeMap<Kind, BTreeMap<&'static str, Vec<Piece>>>,
    /// Whether columns without a rule go nowhere, instead of to the value they are called like.
    pub is_complete: bool,
}

impl Mapping {
    /// Reads a mapping file: a table for each kind, in it `target = "column"`, `target = "=text"`, or a list of those.
    ///
    /// # Errors
    /// `Invalid`, saying where the text is no mapping.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_MAPPING {
            return Err(Error::invalid(format!("A mapping may have up to {} KiB.", MAX_MAPPING / 1_024)));
        }
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let at =
                error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
            let place = at.map_or_else(String::new, |line| format!(" (line {line})"));
            Error::invalid(format!("The mapping is not valid TOML{place}: {}", error.message()))
        })?;
        let mut mapping = Self::default();
        for (name, rules) in table {
            let kind = Kind::named(&name).ok_or_else(|| {
                let known = Kind::ALL.map(Kind::name);
                Error::invalid(format!("The mapping has a part [{name}]; there are only {}.", known.join(", ")))
            })?;
            let toml::Value::Table(rules) = rules else {
                return Err(Error::invalid(format!("In the mapping, {name} must be a part of its own: [{name}].")));
            };
            for (target, source) in rules {
                let pieces = match source {
                    toml::Value::String(text) => Some(vec![Piece::parse(&text)]),
                    toml::Value::Array(list) => {
                        list.iter().map(|piece| piece.as_str().map(Piece::parse)).collect::<Option<Vec<_>>>()
                    }
                    _ => None,
                };
                let pieces = pieces.filter(|pieces| !pieces.is_empty()).ok_or_else(|| {
                    Error::invalid(format!(
                        "In the mapping, {name}.{target} must be a column, a list of columns, or \"=text\"."
                    ))
                })?;
                mapping.put(kind, &target, pieces)?;
            }
        }
        Ok(mapping)
    }

    /// The same as a mapping file.
    pub fn written(&self) -> String {
        let mut table = toml::Table::new();
        for (kind, rules) in &self.rules {
            let rules = rules.iter().map(|(target, pieces)| {
                let value = match pieces.as_slice() {
                    [piece] => piece.written(),
                    pieces => pieces.iter().map(Piece::written).collect::<Vec<_>>().into(),
                };
                ((*target).to_owned(), value)
            });
            table.insert(kind.name().into(), toml::Value::Table(rules.collect()));
        }
        table.to_string()
    }

    /// Adds a rule of the command line: `target=column`, or `kind.target=column` where several kinds have the target.
    /// A target that has a rule of the command line already is joined from both.
    ///
    /// # Errors
    /// `Invalid` for a rule that makes no sense, or that could be about several of the kinds in `given`.
    pub fn rule(&mut self, rule: &str, given: &[Kind], said: &mut Vec<(Kind, &'static str)>) -> Result<()> {
        let (target, source) = rule.split_once('=').ok_or_else(|| {
            Error::invalid(format!("--map {rule}: write it as target=column, such as name=company_name."))
        })?;
        let (target, source) = (target.trim(), source.trim());
        let kind = match target.split_once('.') {
            Some((kind, _)) => Kind::named(kind).ok_or_else(|| {
                Error::invalid(format!(
                    "--map {rule}: there is no kind {kind}; there are customers, products, orders, lines."
                ))
            })?,
            None => one_of(target, given).map_err(|detail| Error::invalid(format!("--map {rule}: {detail}")))?,
        };
        let target = target.split_once('.').map_or(target, |(_, target)| target);
        let known = known(kind, target).map_err(|detail| Error::invalid(format!("--map {rule}: {detail}")))?;
        if said.contains(&(kind, known)) {
            self.rules.entry(kind).or_default().entry(known).or_default().push(Piece::parse(source));
        } else {
            said.push((kind, known));
            self.rules.entry(kind).or_default().insert(known, vec![Piece::parse(source)]);
        }
        Ok(())
    }

    /// Says where the values of a target come from.
    ///
    /// # Errors
    /// `Invalid` when there is no such target.
    pub fn put(&mut self, kind: Kind, target: &str, pieces: Vec<Piece>) -> Result<()> {
        let known = known(kind, target).map_err(|detail| Error::invalid(format!("In the mapping: {detail}")))?;
        if pieces.len() > MAX_PIECES {
            return Err(too_many(kind, known));
        }
        self.rules.entry(kind).or_default().insert(known, pieces);
        Ok(())
    }

    /// Whether something was said about a target.
    pub fn has(&self, kind: Kind, target: &str) -> bool {
        self.of(kind).any(|(known, _)| known == target)
    }

    /// Lets another column take part in a target.
    ///
    /// # Errors
    /// `Invalid` when there is no such target.
    pub fn join(&mut self, kind: Kind, target: &str, column: &str) -> Result<()> {
        let known = known(kind, target).map_err(|detail| Error::invalid(format!("In the mapping: {detail}")))?;
        let pieces = self.rules.entry(kind).or_default().entry(known).or_default();
        if pieces.len() >= MAX_PIECES {
            return Err(too_many(kind, known));
        }
        pieces.push(Piece::Column(column.to_owned()));
        Ok(())
    }

    /// What was said about a kind, by target.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (&'static str, &[Piece])> {
        self.rules.get(&kind).into_iter().flatten().map(|(target, pieces)| (*target, pieces.as_slice()))
    }
}

fn too_many(kind: Kind, target: &str) -> Error {
    Error::invalid(format!("In the mapping, {}.{target} may be joined from up to {MAX_PIECES} columns.", kind.name()))
}

fn known(kind: Kind, target: &str) -> Result<&'static str, String> {
    let targets = targets(kind);
    if let Some(known) = targets.iter().find(|known| known.name == target) {
        return Ok(known.name);
    }
    let hint = nearest(target, targets.iter().map(|target| target.name))
        .map_or_else(String::new, |near| format!(" Did you mean {near}?"));
    Err(format!("{} have no value {target}.{hint}", kind.name()))
}

fn one_of(target: &str, given: &[Kind]) -> Result<Kind, String> {
    let having = |kind: &&Kind| targets(**kind).iter().any(|known| known.name == target);
    let kinds: Vec<_> = given.iter().filter(having).copied().collect();
    match kinds.as_slice() {
        [kind] => Ok(*kind),
        [] => {
            let all: Vec<_> = given.iter().flat_map(|kind| targets(*kind)).map(|target| target.name).collect();
            let hint =
                nearest(target, all.into_iter()).map_or_else(String::new, |near| format!(" Did you mean {near}?"));
            Err(format!("no file given here has a value {target}.{hint}"))
        }
        [first, ..] => {
            let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
            Err(format!("{} all have a value {target}; write {}.{target} or another.", names.join(", "), first.name()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_file_names_columns_lists_and_texts() {
        let mapping =
            Mapping::parse("[products]\nsku = \"product_id\"\nunit = \"=pcs\"\ndescription = [\"=Per\", \"per\"]");
        let mapping = mapping.unwrap();
        let rules: Vec<_> = mapping.of(Kind::Products).collect();
        assert_eq!(rules[1], ("sku", [Piece::Column("product_id".into())].as_slice()));
        assert_eq!(rules[2], ("unit", [Piece::Text("pcs".into())].as_slice()));
        assert_eq!(rules[0].1.len(), 2);
        assert_eq!(mapping.of(Kind::Orders).count(), 0);
        assert_eq!(Mapping::parse(&mapping.written()), Ok(mapping));
    }

    #[test]
    fn a_mapping_that_makes_no_sense_says_where() {
        let refused = |text: &str| Mapping::parse(text).unwrap_err().to_string();
        assert!(refused("[products\n").contains("line 1"));
        assert!(refused("[goods]\n").contains("[goods]"));
        assert!(refused("[products]\nskuu = \"x\"").contains("Did you mean sku?"));
        assert!(refused("[products]\nsku = 3").contains("products.sku"));
        assert!(refused("products = 3").contains("[products]"));
    }

    #[test]
    fn a_rule_finds_its_kind_or_asks_for_it() {
        let (mut mapping, mut said) = (Mapping::default(), Vec::new());
        let all = Kind::ALL;
        mapping.rule("customer_code=customer_id", &all, &mut said).unwrap();
        mapping.rule("name=company", &[Kind::Customers, Kind::Orders], &mut said).unwrap();
        mapping.rule("products.unit==pcs", &all, &mut said).unwrap();
        mapping.rule("customers.notes=title", &all, &mut said).unwrap();
        mapping.rule("customers.notes=contact", &all, &mut said).unwrap();
        assert_eq!(mapping.of(Kind::Customers).map(|(_, pieces)| pieces.len()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(mapping.of(Kind::Products).next().unwrap().1, [Piece::Text("pcs".into())]);
        let refused = |rule: &str| Mapping::default().rule(rule, &all, &mut Vec::new()).unwrap_err().to_string();
        assert!(refused("name=x").contains("customers, products"));
        assert!(refused("nam=x").contains("Did you mean name?"));
        assert!(refused("goods.name=x").contains("no kind goods"));
        assert!(refused("name").contains("target=column"));
    }
}
