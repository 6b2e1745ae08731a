//! Orders: who ordered what, at which price, and how far it got (DOMAIN.md, Orders).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::date::Date;
use crate::base::error::FieldErrors;
use crate::base::form::{Field, Given, Input, Kind, Typed, check_typed, checked, checked_beside};
use crate::base::id::id;
use crate::base::listing::{CREATED, ID, Listing, Relation, UPDATED};
use crate::base::money::{Money, Percent, Quantity, UnitPrice};
use crate::base::time::Moment;
use crate::base::{Error, Result};
use crate::customers::CustomerId;
use crate::products::ProductId;

/// Commands over REST, beside what every resource can do.
#[cfg(feature = "ssr")]
pub mod api;
/// The server's side of the pages.
#[cfg(feature = "ssr")]
pub mod desk;
/// The table of orders and what can be done with them.
#[cfg(feature = "ssr")]
pub mod entity;
pub mod entry;
/// The table of order items.
#[cfg(feature = "ssr")]
pub mod item;
pub mod pages;
/// Orders as they were.
#[cfg(feature = "ssr")]
mod past;
pub mod pricing;
pub mod rpc;
pub mod status;

pub use status::{Action, Command, Status};

id! {
    /// Which order.
    OrderId,
    /// Which line of an order.
    ItemId,
}

/// The most lines an order can have.
pub const MAX_LINES: usize = 5_000;

/// An order as it is read. A list leaves `items` out unless it is asked for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub id: OrderId,
    /// Grows with every change of the header or of a line.
    pub version: i64,
    /// Given when the order is placed, and kept from then on.
    pub number: Option<String>,
    pub status: Status,
    /// The customer's name when the order was last saved; fixed once it is placed.
    pub customer_name: String,
    #[serde(flatten)]
    pub header: Header,
    /// ISO 4217.
    pub currency: String,
    /// Quantity × price of all lines, before discount.
    pub subtotal: Money,
    pub discount_total: Money,
    pub tax_total: Money,
    /// `subtotal - discount_total + tax_total`.
    pub total: Money,
    pub placed_at: Option<Moment>,
    pub shipped_at: Option<Moment>,
    pub cancelled_at: Option<Moment>,
    pub cancel_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Item>>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

impl Order {
    /// What people call it: its number, or `Draft #7`.
    pub fn title(&self) -> String {
        title(self.number.as_deref(), self.id.0)
    }
}

/// What people call an order: its number, or `Draft #7` while it has none.
pub fn title(number: Option<&str>, id: i64) -> String {
    number.filter(|number| !number.is_empty()).map_or_else(|| format!("Draft #{id}"), str::to_owned)
}

/// A line of an order as it is read. Amounts are in the order's currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub id: ItemId,
    /// The order's version: a line and its order change together.
    #[serde(default)]
    pub version: i64,
    pub order: OrderId,
    /// From 1, in the order of the document.
    pub position: i64,
    pub product: ProductId,
    /// As the product had it when the line was added; `description` and `unit` alike.
    pub sku: String,
    pub description: String,
    pub unit: String,
    pub quantity: Quantity,
    pub unit_price: UnitPrice,
    /// Whether the price was typed instead of taken from the product.
    pub price_is_manual: bool,
    pub discount_percent: Percent,
    pub tax_rate: Percent,
    pub net: Money,
    pub tax: Money,
    pub total: Money,
}

impl Item {
    /// What its amounts are computed from.
    pub fn line(&self) -> pricing::Line {
        pricing::Line {
            quantity: self.quantity,
            unit_price: self.unit_price,
            discount_percent: self.discount_percent,
            tax_rate: self.tax_rate,
        }
    }

    /// The editable values by name, as the API writes them.
    pub fn values(&self) -> Map<String, Value> {
        let values = serde_json::json!({
            "order": self.order,
            "product": self.product,
            "sku": self.sku,
            "description": self.description,
            "quantity": self.quantity,
            "unit_price": self.unit_price,
            "discount_percent": self.discount_percent,
        });
        match values {
            Value::Object(values) => values,
            _ => Map::new(),
        }
    }
}

/// What can be written about an order but its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub customer: CustomerId,
    /// Today when absent.
    pub order_date: Option<Date>,
    pub required_date: Option<Date>,
    pub customer_reference: Option<String>,
    pub shipping_name: Option<String>,
    pub shipping_line1: Option<String>,
    pub shipping_line2: Option<String>,
    pub shipping_postal_code: Option<String>,
    pub shipping_city: Option<String>,
    pub shipping_region: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub shipping_country: Option<String>,
    /// What the carrier costs; recorded, and no part of the total.
    pub freight: Option<Money>,
    pub notes: Option<String>,
}

/// What can be written about an order, all in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderInput {
    #[serde(flatten)]
    pub header: Header,
    /// All lines; absent leaves them as they are.
    #[serde(skip)]
    pub items: Option<Vec<ItemInput>>,
}

/// What can be written about a line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemInput {
    /// Where it stood in what was sent, from 0: errors are named after it.
    #[serde(skip)]
    pub row: usize,
    /// The stored line this is; a new one when absent.
    #[serde(default)]
    pub id: Option<ItemId>,
    #[serde(default)]
    pub product: Option<ProductId>,
    /// Names the product where `product` does not.
    #[serde(default)]
    pub sku: Option<String>,
    /// The product's name when absent.
    pub description: Option<String>,
    pub quantity: Quantity,
    /// The product's price when absent.
    pub unit_price: Option<UnitPrice>,
    /// None when absent.
    pub discount_percent: Option<Percent>,
}

const SHIPPING: &str = "Ship to";
const TERMS: &str = "Notes";

const fn line(name: &'static str, label: &'static str, max: usize) -> Field {
    Field::new(name, label, Kind::Line { max })
}

/// The rules of a line's values but where it belongs.
const QUANTITY: Field = Field::new("quantity", "Quantity", Kind::Quantity).required().help("Up to three decimals.");
const PRICE: Field = Field::new("unit_price", "Unit price", Kind::UnitPrice).help("Blank takes the product's price.");
const DISCOUNT: Field = Field::new("discount_percent", "Discount, %", Kind::Percent);
const PRODUCT: Field = Field::new("product", "Product", Kind::Reference("products"));
const SKU: Field = line("sku", "SKU", 40).help("Names the product where its id does not.");
const DESCRIPTION: Field = line("description", "Description", 200).help("Blank takes the product's name.");

impl Input for ItemInput {
    const FIELDS: &'static [Field] = &[
        Field::new("id", "Line", Kind::Whole { min: 1, max: i64::MAX })
            .help("The stored line this is; blank for a new one."),
        PRODUCT,
        SKU,
        DESCRIPTION,
        QUANTITY,
        PRICE,
        DISCOUNT,
    ];
}

impl Input for OrderInput {
    const FIELDS: &'static [Field] = &[
        Field::new("customer", "Customer", Kind::Reference("customers")).required(),
        Field::new("order_date", "Ordered", Kind::Date).help("Blank for today."),
        Field::new("required_date", "Required", Kind::Date),
        line("customer_reference", "Customer's reference", 100),
        line("shipping_name", "Name", 200)
            .section(SHIPPING)
            .help("Blank takes the customer's address when the order is placed."),
        line("shipping_line1", "Street", 200).section(SHIPPING),
        line("shipping_line2", "Additional line", 200).section(SHIPPING),
        line("shipping_postal_code", "Postal code", 20).section(SHIPPING),
        line("shipping_city", "City", 100).section(SHIPPING),
        line("shipping_region", "Region", 100).section(SHIPPING),
        Field::new("shipping_country", "Country", Kind::Country).section(SHIPPING),
        Field::new("freight", "Freight", Kind::Money)
            .section(TERMS)
            .help("What the carrier costs; no part of the total."),
        Field::new("notes", "Notes", Kind::Text { max: 5000 }).section(TERMS),
    ];

    fn given(given: &[(String, Given)]) -> Result<Self> {
        let mut errors = FieldErrors::new();
        let mut lists = given.iter().filter(|(name, _)| name == "items").map(|(_, given)| given);
        let header = collected(checked_beside(&["items"], Self::FIELDS, given), &mut errors);
        let items = match (lists.next(), lists.next()) {
            (None | Some(Given::Null), None) => None,
            // Before each of them gets errors of its own.
            (Some(Given::List(rows)), None) if rows.len() > MAX_LINES => too_many_lines(&mut errors),
            (Some(Given::List(rows)), None) => Some(given_items(rows, &mut errors)),
            (_, None) => wrong(&mut errors, "items", "Enter a list of lines."),
            _ => wrong(&mut errors, "items", "Given more than once."),
        };
        Self::of(header, items, errors)
    }

    /// Reads the form of an order: `items.3.quantity` is the quantity in the fourth row of the grid. Rows that say nothing
    /// are spare.
    fn typed(typed: &Typed) -> Result<Self> {
        let mut errors = FieldErrors::new();
        let mut header = Typed::new();
        let mut rows: BTreeMap<usize, Typed> = BTreeMap::new();
        for (name, text) in typed {
            match name.strip_prefix("items.").and_then(|name| name.split_once('.')) {
                Some((row, name)) => match row.parse() {
                    Ok(row) => drop(rows.entry(row).or_default().insert(name.to_owned(), text.clone())),
                    Err(_) => drop(wrong::<()>(&mut errors, "items", "A row has no number.")),
                },
                None => drop(header.insert(name.clone(), text.clone())),
            }
        }
        let header = collected(check_typed(Self::FIELDS, &header), &mut errors);
        rows.retain(|_, row| row.iter().any(|(name, text)| name != "id" && !text.trim().is_empty()));
        let items = match rows.len() > MAX_LINES {
            true => too_many_lines(&mut errors),
            false => {
                let check = |(row, typed)| item(row, check_typed(ItemInput::FIELDS, &typed), &mut errors);
                Some(rows.into_iter().filter_map(check).collect())
            }
        };
        Self::of(header, items, errors)
    }
}

impl OrderInput {
    fn of(header: Option<Map<String, Value>>, items: Option<Vec<ItemInput>>, errors: FieldErrors) -> Result<Self> {
        match header {
            Some(header) if errors.is_empty() => {
                let header = serde_json::from_value(Value::Object(header))
                    .map_err(|e| Error::internal(format!("table and type disagree: {e}")))?;
                Ok(Self { header, items })
            }
            _ => Err(Error::fields(errors)),
        }
    }
}

fn too_many_lines<T>(errors: &mut FieldErrors) -> Option<T> {
    wrong(errors, "items", &format!("An order can have up to {MAX_LINES} lines."))
}

fn wrong<T>(errors: &mut FieldErrors, name: &str, message: &str) -> Option<T> {
    errors.entry(name.into()).or_default().push(message.into());
    None
}

fn collected<T>(result: Result<T>, errors: &mut FieldErrors) -> Option<T> {
    result.map_err(|error| errors.extend(error.errors)).ok()
}

fn given_items(rows: &[Given], errors: &mut FieldErrors) -> Vec<ItemInput> {
    let mut items = Vec::with_capacity(rows.len());
    for (row, given) in rows.iter().enumerate() {
        match given {
            Given::Object(given) => items.extend(item(row, checked(ItemInput::FIELDS, given), errors)),
            _ => drop(wrong::<()>(
                errors,
                &format!("items[{row}]"),
                "Enter a line, such as {\"product\": 3, \"quantity\": \"2\"}.",
            )),
        }
    }
    items
}

/// One line out of its checked values; what is wrong is named `items[2].quantity`.
fn item(row: usize, values: Result<Map<String, Value>>, errors: &mut FieldErrors) -> Option<ItemInput> {
    let values = match values {
        Ok(values) => values,
        Err(error) => {
            errors.extend(error.errors.into_iter().map(|(name, messages)| (format!("items[{row}].{name}"), messages)));
            return None;
        }
    };
    let item: ItemInput = serde_json::from_value(Value::Object(values)).ok()?;
    if item.product.is_none() && item.sku.is_none() && item.id.is_none() {
        return wrong(errors, &format!("items[{row}].product"), "Choose a product.");
    }
    Some(ItemInput { row, ..item })
}

/// The statuses as a choice: value, and what people read.
pub const STATUSES: &[(&str, &str)] = &[
    (Status::Draft.name(), Status::Draft.label()),
    (Status::Placed.name(), Status::Placed.label()),
    (Status::Shipped.name(), Status::Shipped.label()),
    (Status::Cancelled.name(), Status::Cancelled.label()),
];

/// The list of orders.
pub const LISTING: Listing = Listing {
    also: &[
        line("number", "Number", 40).unique(),
        Field::new("status", "Status", Kind::Choice(STATUSES)),
        Field::new("total", "Total", Kind::Money),
        Field::new("placed_at", "Placed", Kind::Moment),
        Field::new("shipped_at", "Shipped", Kind::Moment),
        Field::new("cancelled_at", "Cancelled", Kind::Moment),
        ID,
        CREATED,
        UPDATED,
    ],
    special: &[
        Field::new("product", "Product", Kind::Reference("products")),
        line("customer_name", "Customer's name", 200),
    ],
    relations: &[Relation { name: "customer", listing: &crate::customers::LISTING }],
    shown: &[
        "id",
        "version",
        "number",
        "status",
        "customer_name",
        "currency",
        "subtotal",
        "discount_total",
        "tax_total",
        "total",
        "placed_at",
        "shipped_at",
        "cancelled_at",
        "cancel_reason",
        "items",
        "created_at",
        "updated_at",
    ],
    ordering: &["order_date", "number", "customer_name", "required_date", "total", "created_at", "updated_at"],
    default: "-order_date",
    searched: "number, customer and reference",
    tabs: Some("status"),
    summed: Some("total"),
    expands: Some("items"),
    ..Listing::new("/orders", OrderInput::FIELDS)
};

/// The list of order items over REST.
pub const ITEMS: Listing = Listing {
    also: &[ID],
    relations: &[
        Relation { name: "order", listing: &LISTING },
        Relation { name: "product", listing: &crate::products::LISTING },
    ],
    shown: &["id", "version", "position", "unit", "price_is_manual", "tax_rate", "net", "tax", "total"],
    ordering: &["order", "position", "product"],
    ..Listing::new("/order-items", OrderItemInput::FIELDS)
};

/// What can be written about a line as a resource of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderItemInput {
    pub order: OrderId,
    #[serde(flatten)]
    pub item: ItemInput,
}

impl Input for OrderItemInput {
    const FIELDS: &'static [Field] = &[
        Field::new("order", "Order", Kind::Reference("orders")).required(),
        PRODUCT,
        SKU,
        DESCRIPTION,
        QUANTITY,
        PRICE,
        DISCOUNT,
    ];
}

/// An order with what can be done with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    pub order: Order,
    pub actions: Vec<Action>,
    /// The SKUs on its lines whose product is not sold any more.
    pub inactive: Vec<String>,
}

/// What a command does, or did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether it was only tried, and nothing is written.
    pub dry_run: bool,
    /// Field name to `[before, after]`, as in the event.
    pub changes: Map<String, Value>,
    pub order: Order,
}
