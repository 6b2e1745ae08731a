//! The table of customers.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::{Customer, CustomerId, CustomerInput, LISTING};
use crate::base::column::{integer_column, placed_row};
use crate::base::listing::Listing;
use crate::base::money::Money;
use crate::base::record::Record;
use crate::base::time::stored::Timestamp;
use crate::base::{Result, fold};
use crate::server::record::{Resource, columns, searchable, series};
use crate::server::transaction::DatabaseTransaction;

integer_column!(CustomerId);

placed_row! {
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "customers")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: CustomerId,
        pub version: i64,
        pub code: String,
        pub code_key: String,
        pub name: String,
        pub name_key: String,
        pub email: Option<String>,
        pub email_key: Option<String>,
        pub phone: Option<String>,
        pub tax_id: Option<String>,
        pub billing_line1: Option<String>,
        pub billing_line2: Option<String>,
        pub billing_city: Option<String>,
        pub billing_region: Option<String>,
        pub billing_postal_code: Option<String>,
        pub billing_country: Option<String>,
        pub shipping_line1: Option<String>,
        pub shipping_line2: Option<String>,
        pub shipping_city: Option<String>,
        pub shipping_region: Option<String>,
        pub shipping_postal_code: Option<String>,
        pub shipping_country: Option<String>,
        pub payment_terms_days: Option<i64>,
        pub credit_limit: Option<Money>,
        pub notes: Option<String>,
        pub is_active: bool,
        pub search_text: String,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

columns!(Customer, CustomerInput {
    name, email, phone, tax_id, is_active,
    billing_line1, billing_line2, billing_city, billing_region, billing_postal_code, billing_country,
    shipping_line1, shipping_line2, shipping_city, shipping_region, shipping_postal_code, shipping_country,
    payment_terms_days, credit_limit, notes,
} and { code: Some(code) });

impl Resource for Entity {
    const NAME: &'static str = "customers";
    const SINGULAR: &'static str = "customer";
    const LISTING: Listing = LISTING;
    const SEARCH_INDEX: bool = true;
    const SEARCH_ORDER: Option<&'static str> = Some("name");
    const SEARCHED: &'static [&'static str] = &["name", "code", "email", "phone", "billing_city"];
    const TALLIED: bool = true;

    type Record = Customer;
    type Input = CustomerInput;

    fn read(row: Model) -> Customer {
        row.into()
    }

    fn fill(row: &mut ActiveModel, input: &CustomerInput) {
        let code = input.code.clone().unwrap_or_default();
        row.code_key = Set(fold::key(&code));
        row.name_key = Set(fold::fold(&input.name));
        row.email_key = Set(input.email.as_deref().map(fold::key));
        row.search_text = Set(searchable([
            Some(&input.name),
            Some(&code),
            input.email.as_ref(),
            input.phone.as_ref(),
            input.billing_city.as_ref(),
            input.shipping_city.as_ref(),
        ]));
        row.code = Set(code);
        row.set_columns(input);
    }

    /// A blank code keeps the stored one, or is the next of the series that nobody has.
    async fn complete(
        transaction: &DatabaseTransaction,
        stored: Option<&Customer>,
        input: &mut CustomerInput,
    ) -> Result<()> {
        if input.code.is_none() {
            input.code = stored.and_then(|stored| stored.data.code.clone());
        }
        if input.code.is_none() {
            input.code = next_codes(transaction, 1).await?.pop();
        }
        Ok(())
    }
}

/// The next codes, as `C-00001`, ascending. Two statements for every thousand.
///
/// # Errors
/// When the database does not answer.
pub async fn next_codes(transaction: &DatabaseTransaction, count: usize) -> Result<Vec<String>> {
    let written = |number| format!("C-{number:05}");
    series::draw::<Entity>(transaction, "customers", count, Column::CodeKey, written).await
}
