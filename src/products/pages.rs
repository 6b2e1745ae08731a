//! What products look like; the pages themselves are those of every kind of record.

use super::rpc::{
    create_product, delete_product, list_products, new_product, product_taken_along, read_product, update_product,
};
use super::{LISTING, ProductId};
use crate::base::listing::ListQuery;
use crate::base::money::grouped;
use crate::ui::page::activity;
use crate::ui::records::{Calls, Pages, RecordCalls};
use crate::ui::rows::Said;
use crate::ui::table::{ACTIVE, Column, Filter};

/// `/products` and below.
pub static PAGES: Pages = Pages {
    resource: "products",
    one: "product",
    title: "Products",
    aside: "sku",
    purpose: "Products are what is ordered, each with a SKU and a price.",
    listing: &LISTING,
    columns: &[
        Column { order: "name", label: "Name", class: "name", cell: |row| Said::Name(row.text("name")) },
        Column { order: "sku", label: "SKU", class: "code muted", cell: |row| Said::Text(row.text("sku")) },
        Column {
            order: "category",
            label: "Category",
            class: "opt",
            cell: |row| {
                let name = row.text("category");
                let href = ListQuery::default().filtered("category", &name).href(LISTING.path);
                if name.is_empty() { Said::Text(name) } else { Said::Link { href, name } }
            },
        },
        Column { order: "", label: "Unit", class: "opt", cell: |row| Said::Text(row.text("unit")) },
        Column {
            order: "price",
            label: "Unit price",
            class: "num amount",
            cell: |row| Said::Text(grouped(&row.text("price"))),
        },
        Column { order: "", label: "State", class: "state", cell: |row| Said::badge(activity(row.is("is_active"))) },
    ],
    tabs: &[],
    filters: &[ACTIVE, Filter::Exact { name: "category", label: "Category" }],
    calls: Calls {
        list: |query| Box::pin(list_products(query)),
        delete: |id, version| Box::pin(delete_product(ProductId(id), version)),
        taken_along: |id| Box::pin(product_taken_along(ProductId(id))),
        record: Some(RecordCalls {
            read: |id, within| Box::pin(read_product(ProductId(id), within)),
            new: || Box::pin(new_product()),
            create: |once, form| Box::pin(create_product(once, form)),
            update: |id, version, form| Box::pin(update_product(ProductId(id), version, form)),
        }),
    },
};
