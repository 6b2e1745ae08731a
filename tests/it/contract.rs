//! The calls of the API that Kontor replaces, a Django REST Framework `ModelViewSet` for each resource (token authentication,
//! `IsAuthenticated`, no pagination, no filter backends, `DefaultRouter`), with what it answered, what Kontor answers, and why
//! where the two differ. What Kontor answers is asked of it.

use axum::body::Body;
use serde_json::{Value, json};

use crate::both;
use crate::support::{As, TestApp};

/// A call: what it is about, who sends it, method and path, one further header, the body; the status it got and what came with
/// it; the status it gets and what its answer says, by JSON pointer or `header name`; and why it is another one.
struct Call(
    &'static str,
    As,
    &'static str,
    (&'static str, &'static str),
    &'static str,
    (u16, &'static str),
    u16,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const NONE: (&str, &str) = ("accept", "*/*");
const JSON: (&str, &str) = ("content-type", "application/json");
const STRICT: &str = "What is not understood is refused: a misspelt name would be lost without a word.";
const TYPES: &str = "JSON has types of its own; text that looks like a number or a truth is more often a mistake.";
const PROBLEM: &str = "Errors are problem+json, with the fields under `errors`.";

use As::{Anonymous, Staff, Viewer};

#[rustfmt::skip] // a table
const CALLS: &[Call] = &[
    // Lists
    Call("list", Viewer, "GET /api/customers/", NONE, "", (200, "an array of all"), 200, &[("/count", "2"), ("/results/0/name", "Ada")],
         "A page with its `count`: a list has no end, an answer must have one."),
    Call("list of products", Viewer, "GET /api/products/", NONE, "", (200, "an array of all"), 200, &[("/results/0/price", "9.90")], "As above."),
    Call("list of orders", Viewer, "GET /api/orders/", NONE, "", (200, "an array of all"), 200, &[("/count", "2")], "As above."),
    Call("list of order items", Viewer, "GET /api/order-items/", NONE, "", (200, "an array of all"), 200, &[("/count", "2")], "As above."),
    Call("a page", Viewer, "GET /api/customers/?page=1", NONE, "", (200, "the parameter was ignored"), 200, &[("/count", "2")], ""),
    Call("a page of one row", Viewer, "GET /api/customers/?page_size=1", NONE, "", (200, "the parameter was ignored"), 200,
         &[("/next", "page=2"), ("header link", "rel=\"next\"")], "Pages are new."),
    Call("a page beyond the last", Viewer, "GET /api/customers/?page=9", NONE, "", (200, "the parameter was ignored"), 404, &[("/code", "not_found")],
         "As DRF answers where pagination is on."),
    Call("a page that is none", Viewer, "GET /api/customers/?page=x", NONE, "", (200, "the parameter was ignored"), 400, &[("/errors/page/0", "whole number")], STRICT),
    Call("a filter", Viewer, "GET /api/customers/?name=Ada", NONE, "", (200, "the parameter was ignored: all of them"), 200, &[("/count", "1")],
         "Filters work: an ignored one answers with the wrong rows."),
    Call("a filter that nothing meets", Viewer, "GET /api/orders/?status=shipped", NONE, "", (200, "the parameter was ignored: all of them"), 200, &[("/count", "0")], "As above."),
    Call("a misspelt filter", Viewer, "GET /api/customers/?nmae=Ada", NONE, "", (200, "the parameter was ignored: all of them"), 400,
         &[("/errors/nmae/0", "Did you mean name?")], STRICT),
    Call("a search", Viewer, "GET /api/customers/?search=ADA", NONE, "", (200, "the parameter was ignored: all of them"), 200, &[("/count", "1")], "Search works."),
    Call("an order", Viewer, "GET /api/customers/?ordering=-name", NONE, "", (200, "the parameter was ignored"), 200, &[("/results/0/name", "Bob")], "Ordering works."),
    Call("an order by nothing", Viewer, "GET /api/customers/?ordering=shoe_size", NONE, "", (200, "the parameter was ignored"), 400, &[("/errors/ordering/0", "Order by one of")], STRICT),
    Call("as JSON by parameter", Viewer, "GET /api/customers/?format=json", NONE, "", (200, "JSON"), 200, &[("header content-type", "application/json")], ""),
    Call("as something unknown", Viewer, "GET /api/customers/?format=xml", NONE, "", (404, "Not found."), 400, &[("/errors/format/0", "json, csv or ndjson")],
         "The address is right, the parameter is not."),
    Call("as JSON by suffix", Viewer, "GET /api/customers.json", NONE, "", (200, "JSON"), 404, &[("/code", "not_found")], "One address for one thing; `format=json` says the same."),
    Call("as XML", Viewer, "GET /api/customers/", ("accept", "application/xml"), "", (406, "Could not satisfy the request Accept header."), 406, &[("/code", "not_acceptable")], ""),
    Call("as a page", Viewer, "GET /api/customers/", ("accept", "text/html"), "", (200, "the browsable API"), 200, &[("header content-type", "application/json")],
         "The pages for people are the web app, the explorer is at /api/docs/explorer/."),
    Call("without the slash", Viewer, "GET /api/customers", NONE, "", (301, "to the address with it"), 200, &[("/count", "2")], "Both addresses answer, without a detour."),
    Call("the index", Viewer, "GET /api/", NONE, "", (200, "the addresses of the resources"), 200, &[("/customers", "/api/customers/"), ("/order-items", "/api/order-items/")], ""),
    Call("an unknown address", Viewer, "GET /api/suppliers/", NONE, "", (404, "a page of Django"), 404, &[("header content-type", "application/problem+json")], ""),
    // Reading one
    Call("read", Viewer, "GET /api/customers/{ada}/", NONE, "", (200, "the object"), 200, &[("/name", "Ada"), ("header etag", "\"v1\"")], ""),
    Call("read an order", Viewer, "GET /api/orders/{draft}/", NONE, "", (200, "the object, items apart"), 200, &[("/items/0/sku", "P-1"), ("/customer_name", "Ada")],
         "An order comes with its lines; they are at /api/order-items/ as well."),
    Call("read what is not there", Viewer, "GET /api/customers/999999/", NONE, "", (404, "Not found."), 404, &[("/detail", "There is no such customer.")], ""),
    Call("read by something that is no id", Viewer, "GET /api/customers/abc/", NONE, "", (404, "Not found."), 404, &[("/code", "not_found")], ""),
    Call("read by an id beyond all", Viewer, "GET /api/customers/99999999999999999999999/", NONE, "", (404, "Not found."), 404, &[("/code", "not_found")], ""),
    Call("read what did not change", Viewer, "GET /api/customers/{ada}/", ("if-none-match", "\"v1\""), "", (200, "the object"), 304, &[("header etag", "\"v1\"")], "Versions are new."),
    // Methods
    Call("head of a list", Viewer, "HEAD /api/orders/", NONE, "", (200, ""), 200, &[], ""),
    Call("head of one", Viewer, "HEAD /api/products/{used}/", NONE, "", (200, ""), 200, &[("header etag", "\"v1\"")], ""),
    Call("options of a list", Viewer, "OPTIONS /api/customers/", NONE, "", (200, "a description of the fields"), 204, &[("header allow", "GET, HEAD, POST, OPTIONS")],
         "Fields are described once, in /api/openapi.json."),
    Call("options of one", Viewer, "OPTIONS /api/order-items/{line}/", NONE, "", (200, "a description of the fields"), 204,
         &[("header allow", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS")], "As above."),
    Call("put to a list", Staff, "PUT /api/customers/", JSON, r#"{"name": "x"}"#, (405, "Method \"PUT\" not allowed."), 405, &[("header allow", "POST")], ""),
    Call("delete a list", Staff, "DELETE /api/orders/", NONE, "", (405, "Method \"DELETE\" not allowed."), 405, &[("/code", "method_not_allowed")], ""),
    Call("post to one", Staff, "POST /api/customers/{ada}/", JSON, r#"{"name": "x"}"#, (405, "Method \"POST\" not allowed."), 405, &[("header allow", "PATCH")], ""),
    // Who asks
    Call("nobody", Anonymous, "GET /api/customers/", NONE, "", (401, "WWW-Authenticate: Token"), 401, &[("header www-authenticate", "Bearer"), ("/code", "unauthenticated")], ""),
    Call("a wrong token", Anonymous, "GET /api/customers/", ("authorization", "Token 0123"), "", (401, "Invalid token."), 401, &[("/code", "unauthenticated")], ""),
    Call("a password", Anonymous, "GET /api/customers/", ("authorization", "Basic YWRhOmFkYQ=="), "", (401, "Authentication credentials were not provided."), 401, &[], ""),
    Call("someone who only reads", Viewer, "POST /api/customers/", JSON, r#"{"name": "Eve"}"#, (201, "whoever signed in might write"), 403, &[("/detail", "customers.add")],
         "What people may do is said by their role."),
    // Creating
    Call("create", Staff, "POST /api/customers/", JSON, r#"{"name": "Cleo", "email": "cleo@kontor.example"}"#, (201, "the object"), 201,
         &[("/name", "Cleo"), ("header location", "/api/customers/"), ("header etag", "\"v1\"")], ""),
    Call("create without the slash", Staff, "POST /api/customers", JSON, r#"{"name": "Dora"}"#, (301, "to where the body got lost"), 201, &[("/name", "Dora")],
         "Both addresses answer."),
    Call("create a product", Staff, "POST /api/products/", JSON, r#"{"sku": "N-1", "name": "New", "unit": "pcs", "price": "0.50"}"#, (201, "the object"), 201, &[("/price", "0.50")], ""),
    Call("a price as a number", Staff, "POST /api/products/", JSON, r#"{"sku": "N-2", "name": "New", "unit": "pcs", "price": 9.9}"#, (201, "\"9.9000\""), 201, &[("/price", "9.90")], ""),
    Call("a whole number with a point", Staff, "POST /api/customers/", JSON, r#"{"name": "Flo", "payment_terms_days": 30.0}"#, (201, "30"), 201, &[("/payment_terms_days", "30")], ""),
    Call("white space around", Staff, "POST /api/customers/", JSON, r#"{"name": "  Gus  "}"#, (201, "trimmed"), 201, &[("/name", "Gus")], ""),
    Call("a field that is missing", Staff, "POST /api/products/", JSON, r#"{"name": "x"}"#, (400, "{\"sku\": [\"This field is required.\"], …}"), 400,
         &[("/errors/sku/0", "SKU is required."), ("/errors/price/0", "required"), ("/code", "invalid")], PROBLEM),
    Call("nothing at all", Staff, "POST /api/customers/", JSON, "{}", (400, "{\"name\": [\"This field is required.\"]}"), 400, &[("/errors/name/0", "Name is required.")], PROBLEM),
    Call("a blank", Staff, "POST /api/customers/", JSON, r#"{"name": " "}"#, (400, "This field may not be blank."), 400, &[("/errors/name/0", "Name is required.")], PROBLEM),
    Call("a null", Staff, "POST /api/customers/", JSON, r#"{"name": null}"#, (400, "This field may not be null."), 400, &[("/errors/name/0", "Name is required.")], PROBLEM),
    Call("a list for text", Staff, "POST /api/customers/", JSON, r#"{"name": []}"#, (400, "Not a valid string."), 400, &[("/errors/name/0", "Enter text.")], PROBLEM),
    Call("a number for text", Staff, "POST /api/customers/", JSON, r#"{"name": 5}"#, (201, "\"5\""), 400, &[("/errors/name/0", "Enter text.")], TYPES),
    Call("text for a number", Staff, "POST /api/customers/", JSON, r#"{"name": "x", "payment_terms_days": "30"}"#, (201, "30"), 400, &[("/errors/payment_terms_days/0", "whole number")], TYPES),
    Call("text for a flag", Staff, "POST /api/customers/", JSON, r#"{"name": "x", "is_active": "yes"}"#, (201, "true"), 400, &[("/errors/is_active/0", "true or false")], TYPES),
    Call("text that is no decimal", Staff, "POST /api/products/", JSON, r#"{"sku": "N-3", "name": "x", "unit": "pcs", "price": "cheap"}"#, (400, "A valid number is required."), 400,
         &[("/errors/price/0", "Enter a number")], PROBLEM),
    Call("too many decimals", Staff, "POST /api/products/", JSON, r#"{"sku": "N-3", "name": "x", "unit": "pcs", "price": "0.00001"}"#,
         (400, "Ensure that there are no more than 4 decimal places."), 400, &[("/errors/price/0", "at most 4 decimals")], PROBLEM),
    Call("a negative price", Staff, "POST /api/products/", JSON, r#"{"sku": "N-3", "name": "x", "unit": "pcs", "price": "-1"}"#, (201, "\"-1.0000\""), 400, &[("/errors/price/0", "not negative")],
         "A price below nothing is a mistake; the database refuses it too."),
    Call("an address that is none", Staff, "POST /api/customers/", JSON, r#"{"name": "x", "email": "nobody"}"#, (400, "Enter a valid email address."), 400, &[("/errors/email/0", "name@example.com")], PROBLEM),
    Call("a line break in a name", Staff, "POST /api/customers/", JSON, r#"{"name": "a\nb"}"#, (201, "with the line break"), 400, &[("/errors/name/0", "one line")],
         "A name is one line, on labels and in exports."),
    Call("text beyond the limit", Staff, "POST /api/products/", JSON, r#"{"sku": "01234567890123456789012345678901234567890", "name": "x", "unit": "pcs", "price": "1"}"#,
         (400, "Ensure this field has no more than 40 characters."), 400, &[("/errors/sku/0", "at most 40 characters")], PROBLEM),
    Call("an unknown field", Staff, "POST /api/customers/", JSON, r#"{"name": "x", "emial": "a@b.example"}"#, (201, "the field was ignored"), 400, &[("/errors/emial/0", "Did you mean email?")], STRICT),
    Call("a field only we write", Staff, "POST /api/customers/", JSON, r#"{"name": "x", "id": 7}"#, (201, "the field was ignored"), 400, &[("/errors/id/0", "no such field")], STRICT),
    Call("a field given twice", Staff, "POST /api/customers/", JSON, r#"{"name": "x", "name": "y"}"#, (201, "the last one"), 400, &[("/errors/name/0", "more than once")], "Either could be meant."),
    Call("a value that is taken", Staff, "POST /api/products/", JSON, r#"{"sku": "p-1", "name": "x", "unit": "pcs", "price": "1"}"#, (400, "product with this sku already exists."), 409,
         &[("/errors/sku/0", "already has this value"), ("/code", "conflict")], "The request is sound; it is what is stored that stands in its way. Case does not make another SKU."),
    Call("no JSON", Staff, "POST /api/customers/", JSON, "{", (400, "JSON parse error"), 400, &[("/detail", "not valid JSON")], PROBLEM),
    Call("no object", Staff, "POST /api/customers/", JSON, "[]", (400, "Invalid data. Expected a dictionary, but got list."), 400, &[("/detail", "must be a JSON object")], PROBLEM),
    Call("no body", Staff, "POST /api/customers/", JSON, "", (400, "{\"name\": [\"This field is required.\"]}"), 400, &[("/detail", "not valid JSON")], PROBLEM),
    Call("a form", Staff, "POST /api/customers/", ("content-type", "application/x-www-form-urlencoded"), "name=Eve", (201, "the object"), 415, &[("/code", "unsupported_media_type")],
         "A form knows no types, and other sites can send one with your cookie."),
    Call("plain text", Staff, "POST /api/customers/", ("content-type", "text/plain"), "Eve", (415, "Unsupported media type"), 415, &[], ""),
    // Changing
    Call("replace", Staff, "PUT /api/customers/{bob}/", JSON, r#"{"name": "Bob", "phone": "+49 1"}"#, (200, "the object"), 200, &[("/phone", "+49 1"), ("header etag", "\"v2\"")], ""),
    Call("replace without an optional field", Staff, "PUT /api/customers/{bob}/", JSON, r#"{"name": "Bob"}"#, (200, "\"phone\" stayed"), 200, &[("/phone", "null")],
         "What a PUT does not name is blank: the body is the whole record, as HTTP says. PATCH keeps what it does not name."),
    Call("replace without a required field", Staff, "PUT /api/customers/{bob}/", JSON, r#"{"phone": "1"}"#, (400, "{\"name\": [\"This field is required.\"]}"), 400, &[("/errors/name/0", "required")], PROBLEM),
    Call("replace what is not there", Staff, "PUT /api/customers/999999/", JSON, r#"{"name": "x"}"#, (404, "Not found."), 404, &[], ""),
    Call("change", Staff, "PATCH /api/customers/{bob}/", JSON, r#"{"phone": "+49 2"}"#, (200, "the object"), 200, &[("/name", "Bob"), ("/phone", "+49 2")], ""),
    Call("change nothing", Staff, "PATCH /api/customers/{bob}/", JSON, "{}", (200, "the object"), 200, &[("/phone", "+49 2"), ("header etag", "\"v4\"")], ""),
    Call("change an unknown field", Staff, "PATCH /api/customers/{bob}/", JSON, r#"{"phoen": "1"}"#, (200, "the field was ignored"), 400, &[("/errors/phoen/0", "Did you mean phone?")], STRICT),
    Call("change what only we write", Staff, "PATCH /api/customers/{bob}/", JSON, r#"{"created_at": "2020-01-01T00:00:00Z"}"#, (200, "the field was ignored"), 400, &[("/errors/created_at/0", "read-only")], STRICT),
    Call("change what is not there", Staff, "PATCH /api/customers/999999/", JSON, "{}", (404, "Not found."), 404, &[], ""),
    Call("change what somebody changed", Staff, "PATCH /api/products/{used}/", ("if-match", "\"v9\""), r#"{"price": "1"}"#, (200, "the header was ignored"), 412, &[("/version", "1")],
         "Versions are new: nobody's change is lost."),
    // Orders
    Call("create an order", Staff, "POST /api/orders/", JSON, r#"{"customer": {ada}}"#, (201, "the object"), 201, &[("/status", "draft"), ("/customer_name", "Ada")], ""),
    Call("for nobody", Staff, "POST /api/orders/", JSON, r#"{"customer": 999999}"#, (400, "Invalid pk \"999999\" - object does not exist."), 400, &[("/errors/customer/0", "no such customer")], PROBLEM),
    Call("for a name", Staff, "POST /api/orders/", JSON, r#"{"customer": "Ada"}"#, (400, "Incorrect type. Expected pk value, received str."), 400, &[("/errors/customer/0", "the id of one of the customers")], PROBLEM),
    Call("an id as text", Staff, "POST /api/orders/", JSON, r#"{"customer": "{ada}"}"#, (201, "the object"), 400, &[("/errors/customer/0", "the id of one of the customers")], TYPES),
    Call("a day of another notation", Staff, "POST /api/orders/", JSON, r#"{"customer": {ada}, "order_date": "24.11.2026"}"#, (400, "Date has wrong format."), 400, &[("/errors/order_date/0", "2026-11-24")], PROBLEM),
    Call("a status of one's own", Staff, "POST /api/orders/", JSON, r#"{"customer": {ada}, "status": "shipped"}"#, (201, "shipped at once"), 400, &[("/errors/status/0", "no such field")],
         "A status changes by commands, which check and record what it means."),
    Call("change a status", Staff, "PATCH /api/orders/{draft}/", JSON, r#"{"status": "placed"}"#, (200, "placed"), 400, &[("/errors/status/0", "read-only")], "As above: POST /api/orders/{id}/place/."),
    Call("change what was placed", Staff, "PATCH /api/orders/{placed}/", JSON, r#"{"customer": {bob}}"#, (200, "the object"), 409, &[("/code", "conflict")], "A placed order is a document; `reopen` makes it a draft."),
    // Order items
    Call("create a line", Staff, "POST /api/order-items/", JSON, r#"{"order": {draft}, "product": {spare}, "quantity": "2"}"#, (201, "the object"), 201, &[("/position", "2"), ("/total", "19.80")], ""),
    Call("the same product again", Staff, "POST /api/order-items/", JSON, r#"{"order": {draft}, "product": {used}, "quantity": 1}"#, (201, "a second line of it"), 409, &[("/errors/product/0", "already has P-1")],
         "One line for one product: two are a double click more often than a wish."),
    Call("of no order", Staff, "POST /api/order-items/", JSON, r#"{"order": 999999, "product": {used}, "quantity": 1}"#, (400, "Invalid pk \"999999\" - object does not exist."), 400, &[("/errors/order/0", "no such order")], PROBLEM),
    Call("nothing of it", Staff, "POST /api/order-items/", JSON, r#"{"order": {draft}, "product": {used}, "quantity": 0}"#, (201, "the object"), 400, &[("/errors/quantity/0", "above zero")], "A line of nothing is none."),
    Call("less than nothing", Staff, "POST /api/order-items/", JSON, r#"{"order": {draft}, "product": {used}, "quantity": "-1"}"#, (201, "the object"), 400, &[("/errors/quantity/0", "not negative")], "As above."),
    Call("change a line", Staff, "PATCH /api/order-items/{line}/", JSON, r#"{"quantity": "3"}"#, (200, "the object"), 200, &[("/quantity", "3"), ("/net", "29.70")], ""),
    Call("move a line", Staff, "PATCH /api/order-items/{line}/", JSON, r#"{"order": {placed}}"#, (200, "on the other order"), 400, &[("/errors/order/0", "stays on its order")], "Two documents would change at once."),
    Call("a line of what was placed", Staff, "POST /api/order-items/", JSON, r#"{"order": {placed}, "product": {spare}, "quantity": 1}"#, (201, "the object"), 409, &[("/code", "conflict")], "A placed order is a document."),
    Call("read the lines of an order", Viewer, "GET /api/order-items/?order={draft}", NONE, "", (200, "the parameter was ignored: those of all orders"), 200, &[("/count", "2")], "Filters work."),
    Call("delete a line", Staff, "DELETE /api/order-items/{line}/", NONE, "", (204, ""), 204, &[], ""),
    Call("delete it again", Staff, "DELETE /api/order-items/{line}/", NONE, "", (404, "Not found."), 404, &[], ""),
    // Deleting
    Call("delete what orders refer to", Staff, "DELETE /api/customers/{ada}/", NONE, "", (500, "ProtectedError"), 409, &[("/blockers/0/resource", "orders")], "It says what stands in the way instead of failing."),
    Call("delete a product on an order", Staff, "DELETE /api/products/{used}/", NONE, "", (500, "ProtectedError"), 409, &[("/blockers/0/count", "1")], "As above."),
    Call("delete a placed order", Staff, "DELETE /api/orders/{placed}/", NONE, "", (204, "with its items"), 409, &[("/code", "conflict")], "A placed order is cancelled, not forgotten."),
    Call("delete a draft", Staff, "DELETE /api/orders/{draft}/", NONE, "", (204, "with its items"), 204, &[], ""),
    Call("delete", Staff, "DELETE /api/customers/{bob}/", NONE, "", (204, ""), 204, &[], ""),
    Call("delete again", Staff, "DELETE /api/customers/{bob}/", NONE, "", (404, "Not found."), 404, &[], ""),
    Call("delete nothing", Staff, "DELETE /api/products/abc/", NONE, "", (404, "Not found."), 404, &[], ""),
];

/// Two customers, two products, a draft and a placed order of the first customer: their ids by name.
async fn stored(app: &TestApp) -> Vec<(&'static str, Value)> {
    let (ada, bob) = (app.customer("Ada").await, app.customer("Bob").await);
    let (used, spare) = (app.product("P-1", "9.90").await, app.product("P-2", "9.90").await);
    let draft = app.order(&ada, json!([{ "sku": "P-1", "quantity": 1 }])).await;
    let placed = app.order(&ada, json!([{ "sku": "P-1", "quantity": 1 }])).await;
    app.act(Staff, &placed, "place", json!({})).await.expect(200);
    // The line that is deleted is not the one that blocks its product.
    let line = draft["items"][0]["id"].clone();
    let ids = [("ada", ada), ("bob", bob), ("used", used), ("spare", spare), ("draft", draft), ("placed", placed)];
    let ids = ids.into_iter().map(|(name, record)| (name, record["id"].clone()));
    ids.chain([("line", line)]).collect()
}

both! {
    async fn the_calls_of_the_old_contract_are_answered_as_the_table_says(app) {
        let ids = stored(app).await;
        let filled = |text: &str| ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), &id.to_string()));
        for Call(about, who, call, (header, value), body, (drf, drf_said), status, says, why) in CALLS {
            assert!(drf == status || !why.is_empty(), "{about}: another status than {drf} {drf_said} has no reason");
            let call = filled(call);
            let (method, path) = call.split_once(' ').unwrap();
            let mut headers = vec![(*header, *value)];
            if *header == "if-match" {
                headers.push(JSON);
            }
            let answer = app.call(*who, method, path, &headers, Body::from(filled(body))).await;
            assert_eq!(answer.status.as_u16(), *status, "{about}: {call}: {}", answer.body);
            if *status >= 400 && method != "HEAD" {
                assert_eq!(answer.header("content-type"), "application/problem+json", "{about}");
                assert_eq!(answer.json()["status"], *status, "{about}");
            }
            for (place, expected) in *says {
                let said = match place.strip_prefix("header ") {
                    Some(header) => answer.header(header).to_owned(),
                    None => match answer.json().pointer(place) {
                        Some(Value::String(text)) => text.clone(),
                        Some(value) => value.to_string(),
                        None => panic!("{about}: nothing at {place}: {}", answer.body),
                    },
                };
                assert!(said.contains(expected), "{about}: {place} is {said:?}, not {expected:?}");
            }
        }
    }
}
