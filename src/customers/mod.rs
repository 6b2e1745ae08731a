//! Customers: who orders (DOMAIN.md, Customers).

use serde::{Deserialize, Serialize};

use crate::base::form::{Field, Input, Kind};
use crate::base::id::id;
use crate::base::listing::Listing;
use crate::base::money::Money;
use crate::base::record::Record;

/// The table and what it can do.
#[cfg(feature = "ssr")]
pub mod entity;
pub mod pages;
pub mod rpc;

id! {
    /// Which customer.
    CustomerId,
}

/// A customer as it is read.
pub type Customer = Record<CustomerId, CustomerInput>;

/// What can be written about a customer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CustomerInput {
    /// Drawn from the series `C-00001` when absent.
    pub code: Option<String>,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub tax_id: Option<String>,
    pub is_active: bool,
    pub billing_line1: Option<String>,
    pub billing_line2: Option<String>,
    pub billing_postal_code: Option<String>,
    pub billing_city: Option<String>,
    pub billing_region: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub billing_country: Option<String>,
    pub shipping_line1: Option<String>,
    pub shipping_line2: Option<String>,
    pub shipping_postal_code: Option<String>,
    pub shipping_city: Option<String>,
    pub shipping_region: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub shipping_country: Option<String>,
    pub payment_terms_days: Option<i64>,
    /// Absent for no limit.
    pub credit_limit: Option<Money>,
    pub notes: Option<String>,
}

const BILLING: &str = "Billing address";
const SHIPPING: &str = "Shipping address";
const TERMS: &str = "Terms";

const fn line(name: &'static str, label: &'static str, max: usize) -> Field {
    Field::new(name, label, Kind::Line { max })
}

impl Input for CustomerInput {
    const FIELDS: &'static [Field] = &[
        line("name", "Name", 200).required(),
        line("code", "Code", 40).unique().help("Leave it blank to get the next number, such as C-00042."),
        Field::new("email", "E-mail", Kind::Email).unique(),
        line("phone", "Phone", 50),
        line("tax_id", "Tax number", 50),
        Field::new("is_active", "Active", Kind::Flag { default: true })
            .help("An inactive customer keeps what was ordered and cannot get new orders."),
        line("billing_line1", "Street", 200).section(BILLING),
        line("billing_line2", "Additional line", 200).section(BILLING),
        line("billing_postal_code", "Postal code", 20).section(BILLING),
        line("billing_city", "City", 100).section(BILLING),
        line("billing_region", "Region", 100).section(BILLING),
        Field::new("billing_country", "Country", Kind::Country).section(BILLING),
        line("shipping_line1", "Street", 200).section(SHIPPING),
        line("shipping_line2", "Additional line", 200).section(SHIPPING),
        line("shipping_postal_code", "Postal code", 20).section(SHIPPING),
        line("shipping_city", "City", 100).section(SHIPPING),
        line("shipping_region", "Region", 100).section(SHIPPING),
        Field::new("shipping_country", "Country", Kind::Country).section(SHIPPING),
        Field::new("payment_terms_days", "Payment terms (days)", Kind::Whole { min: 0, max: 365 }).section(TERMS),
        Field::new("credit_limit", "Credit limit", Kind::Money).section(TERMS).help("Blank for no limit."),
        Field::new("notes", "Notes", Kind::Text { max: 5000 }).section(TERMS),
    ];
}

/// The list of customers.
pub const LISTING: Listing = Listing {
    ordering: &["name", "code", "email", "created_at", "updated_at"],
    default: "name",
    searched: "name, code, e-mail, phone and city",
    ..Listing::new("/customers", CustomerInput::FIELDS)
};
