//! Products: what is ordered (DOMAIN.md, Products).

use serde::{Deserialize, Serialize};

use crate::base::form::{Field, Input, Kind};
use crate::base::id::id;
use crate::base::listing::Listing;
use crate::base::money::{Percent, UnitPrice};
use crate::base::record::Record;

/// The table and what it can do.
#[cfg(feature = "ssr")]
pub mod entity;
pub mod pages;
pub mod rpc;

id! {
    /// Which product.
    ProductId,
}

/// A product as it is read.
pub type Product = Record<ProductId, ProductInput>;

/// What can be written about a product.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProductInput {
    pub sku: String,
    pub name: String,
    pub description: Option<String>,
    pub category: Option<String>,
    /// What one of it is: pcs, kg, box.
    pub unit: String,
    pub price: UnitPrice,
    pub tax_rate: Percent,
    pub barcode: Option<String>,
    pub is_active: bool,
}

const SALES: &str = "Price and unit";

impl Input for ProductInput {
    const FIELDS: &'static [Field] = &[
        Field::new("sku", "SKU", Kind::Line { max: 40 }).required().unique(),
        Field::new("name", "Name", Kind::Line { max: 200 }).required(),
        Field::new("category", "Category", Kind::Line { max: 100 }),
        Field::new("barcode", "Barcode", Kind::Line { max: 50 }),
        Field::new("description", "Description", Kind::Text { max: 5000 }),
        Field::new("is_active", "Active", Kind::Flag { default: true })
            .help("An inactive product stays on old orders and cannot be added to new ones."),
        Field::new("price", "Unit price", Kind::UnitPrice).required().section(SALES).help("Up to four decimals."),
        Field::new("unit", "Unit", Kind::Line { max: 20 })
            .required()
            .suggested("pcs")
            .section(SALES)
            .help("What one of it is: pcs, kg, box."),
        Field::new("tax_rate", "Tax rate, %", Kind::Percent).required().suggested("0.00").section(SALES),
    ];
}

/// The list of products.
pub const LISTING: Listing = Listing {
    ordering: &["name", "sku", "category", "price", "created_at", "updated_at"],
    default: "name",
    searched: "name, SKU, category and barcode",
    facets: &["category"],
    ..Listing::new("/products", ProductInput::FIELDS)
};
