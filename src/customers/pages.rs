//! What customers look like; the pages themselves are those of every kind of record.

use super::rpc::{
    create_customer, customer_taken_along, delete_customer, list_customers, new_customer, read_customer,
    update_customer,
};
use super::{CustomerId, LISTING};
use crate::ui::page::activity;
use crate::ui::records::{Calls, Pages, RecordCalls};
use crate::ui::rows::Said;
use crate::ui::table::{ACTIVE, Column};

/// `/customers` and below.
pub static PAGES: Pages = Pages {
    resource: "customers",
    one: "customer",
    title: "Customers",
    aside: "code",
    purpose: "Customers are who orders. Add one by hand, or let a script send them over the API.",
    listing: &LISTING,
    columns: &[
        Column { order: "name", label: "Name", class: "name", cell: |row| Said::Name(row.text("name")) },
        Column { order: "code", label: "Code", class: "code muted", cell: |row| Said::Text(row.text("code")) },
        Column { order: "", label: "City", class: "opt", cell: |row| Said::Name(row.text("billing_city")) },
        Column { order: "email", label: "E-mail", class: "opt", cell: |row| Said::Text(row.text("email")) },
        Column { order: "", label: "Phone", class: "opt", cell: |row| Said::Text(row.text("phone")) },
        Column { order: "", label: "State", class: "state", cell: |row| Said::badge(activity(row.is("is_active"))) },
    ],
    tabs: &[],
    filters: &[ACTIVE],
    calls: Calls {
        list: |query| Box::pin(list_customers(query)),
        delete: |id, version| Box::pin(delete_customer(CustomerId(id), version)),
        taken_along: |id| Box::pin(customer_taken_along(CustomerId(id))),
        record: Some(RecordCalls {
            read: |id, within| Box::pin(read_customer(CustomerId(id), within)),
            new: || Box::pin(new_customer()),
            create: |once, form| Box::pin(create_customer(once, form)),
            update: |id, version, form| Box::pin(update_customer(CustomerId(id), version, form)),
        }),
    },
};
