//! The table of products.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::{LISTING, Product, ProductId, ProductInput};
use crate::base::column::{integer_column, placed_row};
use crate::base::fold;
use crate::base::listing::Listing;
use crate::base::money::{Percent, UnitPrice};
use crate::base::record::Record;
use crate::base::time::stored::Timestamp;
use crate::server::record::{Resource, columns, searchable};

integer_column!(ProductId);

placed_row! {
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "products")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: ProductId,
        pub version: i64,
        pub sku: String,
        pub sku_key: String,
        pub name: String,
        pub name_key: String,
        pub description: Option<String>,
        pub category: Option<String>,
        pub unit: String,
        pub price: UnitPrice,
        pub tax_rate: Percent,
        pub barcode: Option<String>,
        pub is_active: bool,
        pub search_text: String,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

columns!(Product, ProductInput {
    sku, name, description, category, unit, price, tax_rate, barcode, is_active,
} and {});

impl Resource for Entity {
    const NAME: &'static str = "products";
    const SINGULAR: &'static str = "product";
    const LISTING: Listing = LISTING;
    const SEARCH_INDEX: bool = true;
    const SEARCH_ORDER: Option<&'static str> = Some("name");
    const SEARCHED: &'static [&'static str] = &["name", "sku", "category", "barcode"];
    const TALLIED: bool = true;

    type Record = Product;
    type Input = ProductInput;

    fn read(row: Model) -> Product {
        row.into()
    }

    fn fill(row: &mut ActiveModel, input: &ProductInput) {
        row.sku_key = Set(fold::key(&input.sku));
        row.name_key = Set(fold::fold(&input.name));
        row.search_text =
            Set(searchable([Some(&input.name), Some(&input.sku), input.category.as_ref(), input.barcode.as_ref()]));
        row.set_columns(input);
    }
}
