//! `/api/docs/`: what a newcomer works from, drawn from the same document that programs read.

use std::fmt::Write;

use serde_json::Value;

use crate::base::error::Code;

/// What to do about each kind of refusal.
const fn remedy(code: Code) -> &'static str {
    match code {
        Code::Invalid => "Mend the fields and parameters that `errors` names, and send it again.",
        Code::Unauthenticated => "Send a token that is known, has not run out and was not revoked.",
        Code::Forbidden => "Use a token with the permission that `detail` names, or ask an administrator for it.",
        Code::NotFound => "Look the id up: the record was deleted, or never was.",
        Code::MethodNotAllowed => "Use one of the methods in the header `Allow`.",
        Code::NotAcceptable => "Accept application/json; for lists text/csv and application/x-ndjson as well.",
        Code::Conflict => {
            "What is stored stands against it: a value that is taken (`errors`), records that refer to this one (`blockers`), or a state \
             that does not allow the command (`allowed` says what it does). Read the record and decide anew."
        }
        Code::Stale => {
            "Somebody saved the record since you read it. Read it again, and send your change with its new `ETag`."
        }
        Code::TooLarge => "Send less at once: several pages, several bulk requests.",
        Code::UnsupportedMediaType => "Send application/json.",
        Code::KeyReused => "Take a new `Idempotency-Key` for every new request.",
        Code::PreconditionRequired => "Send `If-Match` with the `ETag` you read; this token must.",
        Code::TooManyRequests => "Wait for the seconds in `Retry-After`.",
        Code::Internal => "It is our fault and nothing was written. Tell us the `instance`; it stands in our log.",
        Code::Unavailable => "Nothing was written. Wait for the seconds in `Retry-After`, and send it again.",
    }
}

const CONVENTIONS: &[(&str, &str)] = &[
    (
        "Shapes",
        "Names are snake_case, ids whole numbers, decimals texts such as <code>\"9.90\"</code>, moments RFC 3339 in UTC, days \
         <code>YYYY-MM-DD</code>. A write names only fields that exist; read-only ones are accepted when they come back unchanged. Every \
         address answers with and without the slash at its end, and under <code>/api/v1/</code> alike.",
    ),
    (
        "Lists",
        "<code>search</code> finds words whatever their case and accents, quotes keep a phrase together. <code>ordering=-total,id</code> turns \
         the order. A filter is <code>field=value</code> or <code>field__operator=value</code> with <code>in</code>, <code>contains</code>, \
         <code>startswith</code>, <code>gt</code>, <code>gte</code>, <code>lt</code>, <code>lte</code> or <code>isnull</code>, and reaches one \
         step through a reference: <code>customer__code=C-00001</code>. <code>fields=id,total</code> answers with less, \
         <code>expand=items</code> with more. The pages of the web app use the same parameters: what you see there you can ask for here.",
    ),
    (
        "Pages and walks",
        "<code>page</code> and <code>page_size</code> turn pages; <code>next</code> and <code>previous</code> in the answer, and the header \
         <code>Link</code>, lead on. <code>count</code> is how many rows there are; of a list that is narrowed to more than 10,000 (1,000 \
         where there are more than 20,000 in all) it says so with <code>count_is_exact: false</code>, and <code>count=exact</code> counts \
         them all. To read everything while others write, begin with <code>cursor=</code> and follow <code>next</code>: every \
         row that was there when you began comes exactly once.",
    ),
    (
        "Files",
        "<code>format=csv</code> or <code>Accept: text/csv</code> answers with all rows of a list as a spreadsheet reads them, \
         <code>ndjson</code> with a JSON object a line. Texts that a spreadsheet would take for a formula begin with an apostrophe, which \
         the import takes off again.",
    ),
    (
        "Versions",
        "A record has an <code>ETag</code>. Send it back as <code>If-Match</code> with a change, and the change is refused with 412 when \
         somebody saved in between. <code>If-None-Match</code> answers 304 when nothing changed.",
    ),
    (
        "Safe repetition",
        "Send a text of your choice as <code>Idempotency-Key</code> with a POST. Sent again with the same key, it is not carried out again \
         but gets the first answer, for 24 hours, with <code>Idempotency-Replayed: true</code>.",
    ),
    (
        "Many at once",
        "<code>POST /api/{resource}/bulk/</code> takes up to 1,000 rows in one transaction. An order takes its <code>items</code> along; \
         changing one, <code>items</code> is the whole list, or operations: <code>{\"add\": […], \"update\": […], \"remove\": […]}</code>. What a \
         PATCH leaves unsaid of a line, as its price, stays.",
    ),
    (
        "Following changes",
        "<code>GET /api/events/?after=0&amp;wait=30</code> answers with changes in the order in which they were committed. Ask again with \
         <code>after</code> set to <code>last</code>, and you miss none.",
    ),
    (
        "What was",
        "<code>?as_of=2026-11-24T14:02:01Z</code> reads a record as it was at that moment. <code>POST …/restore/</code> makes it so again, and \
         brings back what was deleted. <code>POST /api/changes/{request_id}/undo/</code> undoes everything that one request did, as long as \
         nothing depends on it; the id is in <code>X-Request-Id</code> of the answer and in the events.",
    ),
    (
        "Limits",
        "<code>RateLimit-Policy</code> says how many requests may come at once and how long they take to fill up again, <code>RateLimit</code> \
         what is left. Over it, 429 says in <code>Retry-After</code> how long to wait.",
    ),
];

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Escaped, with what stands between back quotes as code.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in escaped(text).split('`').enumerate() {
        let (before, after) = if index % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
        // Writing to a String cannot fail.
        let _ = write!(html, "{before}{part}{after}");
    }
    html
}

/// The page, for an API that is reached at `origin`, in the style at `css`.
pub fn page(document: &Value, origin: &str, css: &str) -> String {
    let mut html = String::new();
    let base = escaped(origin);
    let _ = write!(
        html,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><title>API · Kontor</title><link rel=\"stylesheet\" \
         href=\"{}\"><link rel=\"icon\" href=\"/favicon.svg\"></head><body><main class=\"docs\"><h1>The API of Kontor</h1><p>Plain REST: \
         JSON over HTTP. <a href=\"/api/openapi.json\">OpenAPI 3.1 document</a> · <a href=\"/api/docs/explorer/\">try it in the \
         explorer</a> · <a href=\"/\">back to Kontor</a></p>",
        escaped(css)
    );
    let _ = write!(
        html,
        "<section><h2 id=\"start\">The first call</h2><p>An administrator makes a token; it is shown once. It may do what its person \
         may, or less with <code>--permission</code>.</p><pre>kontor token create --user you@example.com --name script --expires 90d</pre>\
         <p>Send it with every request, as <code>Bearer</code> or <code>Token</code>:</p><pre>export KONTOR_TOKEN=kontor_…\ncurl -H \
         \"Authorization: Bearer $KONTOR_TOKEN\" '{base}/api/customers/?page_size=2'</pre></section><section><h2 \
         id=\"conventions\">Conventions</h2>"
    );
    for (title, text) in CONVENTIONS {
        let _ = write!(html, "<h3>{title}</h3><p>{text}</p>");
    }
    html.push_str("</section>");
    operations(&mut html, document, origin);
    html.push_str(
        "<section><h2 id=\"errors\">Errors</h2><p>A refusal is <code>application/problem+json</code> (RFC 9457). Its <code>type</code> leads \
         here, its <code>instance</code> is the request id that also stands in our log. Nothing is written by a request that is \
         refused.</p><dl class=\"catalogue\">",
    );
    for code in Code::ALL {
        let (name, status) = (code.name(), code.status());
        let _ = write!(
            html,
            "<dt id=\"{name}\"><code>{name}</code> · {status}</dt><dd><b>{}.</b> {}</dd>",
            escaped(code.title()),
            prose(remedy(code))
        );
    }
    html.push_str("</dl></section></main></body></html>");
    html
}

/// The id of a request, in examples.
const REQUEST: &str = "01936f3e-7a2b-7c11-9d40-3f5b8e6a1c22";

fn operations(html: &mut String, document: &Value, origin: &str) {
    let paths = document["paths"].as_object().into_iter().flatten();
    let mut shown = String::new();
    for (path, item) in paths {
        for method in ["get", "post", "put", "patch", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            if tag != shown {
                if !shown.is_empty() {
                    html.push_str("</section>");
                }
                let _ = write!(html, "<section><h2 id=\"{0}\">{0}</h2>", escaped(tag));
                tag.clone_into(&mut shown);
            }
            self::operation(html, document, origin, (&method.to_uppercase(), path), operation);
        }
    }
    html.push_str("</section>");
}

fn operation(html: &mut String, document: &Value, origin: &str, (method, path): (&str, &str), operation: &Value) {
    let text = |name: &str| operation[name].as_str().unwrap_or_default();
    let _ = write!(
        html,
        "<details class=\"operation\" id=\"{}\"><summary><code>{method} {}</code> {}</summary><p>{}</p>",
        escaped(text("operationId")),
        escaped(path),
        escaped(text("summary")),
        prose(text("description"))
    );
    let parameters: Vec<_> = operation["parameters"].as_array().into_iter().flatten().collect();
    if !parameters.is_empty() {
        html.push_str(
            "<table><thead><tr><th scope=\"col\">Parameter</th><th scope=\"col\">Meaning</th></tr></thead><tbody>",
        );
        for parameter in parameters {
            let said = |name: &str| parameter[name].as_str().unwrap_or_default();
            let _ = write!(
                html,
                "<tr><td><code>{}</code>{}</td><td>{}</td></tr>",
                escaped(said("name")),
                if said("in") == "header" { " (header)" } else { "" },
                prose(said("description"))
            );
        }
        html.push_str("</tbody></table>");
    }
    let body = operation["requestBody"]
        .get("content")
        .map(|content| example(document, &content["application/json"]["schema"], 0));
    let mut call = format!("curl -X {method} -H \"Authorization: Bearer $KONTOR_TOKEN\"");
    if let Some(body) = &body {
        let _ = write!(call, " \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'");
    }
    let _ = write!(call, " \\\n  '{origin}{}'", path.replace("{id}", "1").replace("{request_id}", REQUEST));
    let _ = write!(html, "<pre>{}</pre><p class=\"muted\">Answers ", escaped(&call));
    let statuses = operation["responses"].as_object().into_iter().flat_map(|responses| responses.keys());
    html.push_str(&statuses.map(|status| escaped(status)).collect::<Vec<_>>().join(", "));
    html.push_str(".</p></details>");
}

/// A value that fits a schema, as an example: what is required, and one operation where there are several.
fn example(document: &Value, schema: &Value, depth: usize) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/schemas/")) {
        return example(document, &document["components"]["schemas"][name], depth);
    }
    if let Some(constant) = schema.get("const").or_else(|| schema["examples"].get(0)).or_else(|| schema["enum"].get(0))
    {
        return constant.clone();
    }
    let alternatives = schema["oneOf"].get(0).or_else(|| schema["anyOf"].get(0));
    if let Some(first) = alternatives.filter(|_| schema.get("properties").is_none()) {
        return example(document, first, depth);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
    match kind {
        "object" => {
            let required: Vec<_> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let properties = schema["properties"].as_object();
            // Where nothing is required, what people call it is what they would change.
            let called = properties.is_some_and(|properties| properties.contains_key("name"));
            let few = properties.into_iter().flatten().enumerate().filter(|(index, (name, schema))| {
                let chosen = required.is_empty() && if called { name.as_str() == "name" } else { *index == 0 };
                let lines = depth == 0 && name.as_str() == "items" && schema.get("anyOf").is_some();
                let needed = alternatives.is_some_and(|first| first["required"][0] == **name);
                required.contains(&name.as_str()) || chosen || lines || needed
            });
            few.map(|(_, (name, schema))| (name.clone(), example(document, schema, depth + 1))).collect()
        }
        "array" => Value::Array(vec![example(document, &schema["items"], depth + 1)]),
        "integer" => 1.into(),
        "boolean" => true.into(),
        "string" if schema["format"] == "email" => "mira@company.example".into(),
        _ => schema["title"].as_str().unwrap_or("text").into(),
    }
}
