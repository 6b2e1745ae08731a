//! The OpenAPI document: a contract, kept as a snapshot.

use serde_json::{Value, json};

use crate::both;
use crate::support::As;

#[test]
fn the_openapi_document_is_as_agreed() {
    let document = kontor::house::api().document();
    insta::with_settings!({ sort_maps => true }, { insta::assert_json_snapshot!("openapi", document) });
}

#[test]
fn every_reference_of_the_openapi_document_leads_somewhere() {
    let document = kontor::house::api().document();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/").skip(1) {
        let path = format!("/{}", reference.split('"').next().unwrap());
        assert!(document.pointer(&path).is_some(), "{path}");
    }
}

both! {
    async fn the_document_and_its_page_are_served_by_us(app) {
        let served = app.get(As::Viewer, "/api/openapi.json").await.expect(200).json();
        assert_eq!(served, kontor::house::api().document());
        app.get(As::Viewer, "/api/v1/openapi.json").await.expect(200);
        let page = app.get(As::Viewer, "/api/docs/").await.expect(200);
        assert!(page.body.contains("swagger-ui") && !page.body.contains("https://"));
        for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
            app.get(As::Viewer, &format!("/api/docs/{file}")).await.expect(200);
        }
        app.get(As::Viewer, "/api/docs/nothing.js").await.expect(404);
    }

    async fn answers_have_the_described_shape(app) {
        let document = kontor::house::api().document();
        let properties = |schema: &str| {
            let names = document["components"]["schemas"][schema]["properties"].as_object().unwrap();
            names.keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(keys(&app.customer("x").await), properties("Customer"));
        assert_eq!(keys(&app.product("x", "1").await), properties("Product"));
        assert_eq!(keys(&app.get(As::Viewer, "/api/customers").await.json()), properties("CustomerPage"));
        let order = app.order(&app.customer("y").await, json!([{ "sku": "x", "quantity": 2 }])).await;
        assert_eq!(keys(&order), properties("Order"));
        assert_eq!(keys(&order["items"][0]), properties("OrderItem"));
        let item = app.get(As::Viewer, &format!("/api/order-items/{}", order["items"][0]["id"])).await.expect(200).json();
        assert_eq!(keys(&item), properties("OrderItem"));
        let mut listed = properties("Order");
        listed.remove("items");
        assert_eq!(keys(&app.get(As::Viewer, "/api/orders").await.json()["results"][0]), listed);
        assert_eq!(keys(&app.get(As::Viewer, "/api/orders?expand=items").await.json()["results"][0]), properties("Order"));
        let problem = app.json(As::Staff, "POST", "/api/customers", json!({})).await.expect(400).json();
        assert!(keys(&problem).is_subset(&properties("Problem")));
    }
}
