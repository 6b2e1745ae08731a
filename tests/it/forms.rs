//! Forms, as the browser's script sends them and as the page alone does: success, refusal, conflict, double click.

use crate::both;
use crate::support::As;

const ONCE: &str = "01890000-0000-7000-8000-000000000002";
const PAGE: &str = "text/html,application/xhtml+xml";
const SCRIPT: &str = "application/json";

both! {
    async fn a_form_without_javascript_creates_and_leads_to_the_record(app) {
        let fields = [("once", ONCE), ("page", "/customers/new"), ("form[name]", "Café"), ("form[is_active]", "true")];
        let made = app.form(As::Staff, "/-/customers/create", PAGE, &fields).await.expect(303);
        let page = app.page(As::Staff, made.header("location")).await.expect(200);
        assert!(page.body.contains("Café") && page.body.contains("The staff") && page.body.contains("web"));
    }

    async fn a_form_with_javascript_gets_the_id_and_where_to_go(app) {
        let fields = [("once", ONCE), ("form[name]", "Café")];
        let made = app.form(As::Staff, "/-/customers/create", SCRIPT, &fields).await.expect(200);
        let id = made.json();
        assert_eq!(made.header("location"), format!("/customers/{id}"));
        assert!(made.headers.contains_key("serverfnredirect"));
        let stored = app.get(As::Staff, &format!("/api/customers/{id}")).await.json();
        assert_eq!(stored["is_active"], false, "a box that is not ticked is not sent");
    }

    async fn a_refused_form_comes_back_with_its_errors_and_what_was_typed(app) {
        let fields = [("once", ONCE), ("page", "/customers/new"), ("form[name]", ""), ("form[phone]", "+49 <5>"),
                      ("form[credit_limit]", "lots"), ("form[notes]", "two\r\nlines")];
        let back = app.form(As::Staff, "/-/customers/create", PAGE, &fields).await.expect(400);
        assert!(back.header("content-type").starts_with("text/html"));
        for part in ["Name is required.", "Enter a number such as 12.50.", "value=\"lots\"", "+49 &lt;5&gt;", "aria-invalid=\"true\"",
                     "href=\"#f-name\"", ONCE, "two\r\nlines"] {
            assert!(back.body.contains(part), "{part}: {}", back.body);
        }
        assert!(!back.body.contains("hydrate"), "the address is not the page's own, so it must not hydrate");
        assert!(!back.body.contains("__err"));
        assert_eq!(app.rows("customers").await, 0);

        let refused = app.form(As::Staff, "/-/customers/create", SCRIPT, &fields).await.expect(400).json();
        assert_eq!(refused["errors"]["name"][0], "Name is required.");
    }

    async fn a_double_click_creates_one_record(app) {
        let fields = [("once", ONCE), ("page", "/customers/new"), ("form[name]", "Café"), ("form[email]", "a@b.example")];
        let first = app.form(As::Staff, "/-/customers/create", PAGE, &fields).await.expect(303);
        let second = app.form(As::Staff, "/-/customers/create", PAGE, &fields).await.expect(303);
        assert_eq!(first.header("location"), second.header("location"));
        let (one, two) = tokio::join!(
            app.form(As::Administrator, "/-/products/create", SCRIPT, &[("once", ONCE), ("form[sku]", "A"), ("form[name]", "x"),
                     ("form[unit]", "pcs"), ("form[price]", "1"), ("form[tax_rate]", "0")]),
            app.form(As::Administrator, "/-/products/create", SCRIPT, &[("once", ONCE), ("form[sku]", "A"), ("form[name]", "x"),
                     ("form[unit]", "pcs"), ("form[price]", "1"), ("form[tax_rate]", "0")]),
        );
        assert_eq!(one.expect(200).body, two.expect(200).body);
        assert_eq!(app.rows("customers").await, 1);
        assert_eq!(app.rows("products").await, 1);
        assert_eq!(app.rows("events WHERE command = 'create' AND resource IN ('customers', 'products')").await, 2);
        app.form(As::Staff, "/-/customers/create", SCRIPT, &[("once", "not-a-key"), ("form[name]", "x")]).await.expect(400);
    }

    async fn a_conflict_shows_both_values_and_loses_nothing(app) {
        let id = app.customer("Before").await["id"].to_string();
        app.json(As::Administrator, "PATCH", &format!("/api/customers/{id}"), serde_json::json!({ "name": "Theirs", "phone": "1" })).await.expect(200);
        let page = format!("/customers/{id}/edit");
        let fields = [("id", id.as_str()), ("version", "1"), ("page", &page), ("form[name]", "Mine"), ("form[is_active]", "true"), ("form[code]", "C-00001")];
        let back = app.form(As::Staff, "/-/customers/update", PAGE, &fields).await.expect(412);
        assert!(back.body.contains("Somebody else saved this meanwhile."));
        assert!(back.body.contains("Theirs") && back.body.contains("value=\"Mine\""));
        assert!(back.body.contains("name=\"version\" value=\"2\"") || back.body.contains("value=\"2\" name=\"version\""), "saving again is decided on what was shown");
        assert_eq!(app.get(As::Staff, &format!("/api/customers/{id}")).await.json()["name"], "Theirs");

        let stale = app.form(As::Staff, "/-/customers/update", SCRIPT, &fields).await.expect(412).json();
        assert_eq!(stale["stale"]["version"], 2);
        assert_eq!(stale["stale"]["values"]["name"], "Theirs");

        let again = [("id", id.as_str()), ("version", "2"), ("page", &page), ("form[name]", "Mine"), ("form[is_active]", "true")];
        app.form(As::Staff, "/-/customers/update", PAGE, &again).await.expect(303);
        let stored = app.get(As::Staff, &format!("/api/customers/{id}")).await.json();
        assert_eq!((stored["name"].as_str(), stored["code"].as_str()), (Some("Mine"), Some("C-00001")));
    }

    async fn deleting_is_asked_on_a_page_and_leads_to_the_list(app) {
        let id = app.customer("Gone").await["id"].to_string();
        let page = app.page(As::Staff, &format!("/customers/{id}/delete")).await.expect(200);
        assert!(page.body.contains("Delete Gone?"));
        let stale = [("id", id.as_str()), ("version", "9"), ("page", &format!("/customers/{id}/delete"))];
        let back = app.form(As::Staff, "/-/customers/delete", PAGE, &stale).await.expect(412);
        assert!(back.body.contains("It is at version 1 now."));
        let fields = [("id", id.as_str()), ("version", "1"), ("page", "/")];
        let gone = app.form(As::Staff, "/-/customers/delete", PAGE, &fields).await.expect(303);
        assert_eq!(gone.header("location"), "/customers");
        app.page(As::Staff, &format!("/customers/{id}")).await.expect(404);
    }

    async fn a_missing_record_is_a_404_page_in_the_layout(app) {
        for path in ["/customers/99", "/customers/abc", "/products/99999999999999999999999", "/customers/99/edit", "/customers/0/delete"] {
            let page = app.page(As::Staff, path).await.expect(404);
            assert!(page.body.contains("There is no such") && page.body.contains("Skip to the content"), "{path}");
        }
        assert!(app.page(As::Staff, "/nowhere").await.expect(404).body.contains("There is no page at this address."));
    }
}
