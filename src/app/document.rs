//! The document: head, theme, and the script that starts the browser bundle.

use std::sync::Arc;

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;
use tokio::task::yield_now;

use super::App;
use crate::server::AppState;
use crate::server::site::Site;
use crate::ui::context::{Chunks, FailedForm, PageProblem, Revealed, Theme};

/// The whole document.
pub fn shell() -> impl IntoView {
    let site = use_context::<AppState>().map(|state| state.site.clone());
    let theme = use_context::<Theme>().unwrap_or_default();
    let css = site.as_ref().map(|site| site.css.clone());
    let site = site.filter(|_| !stands_alone());
    let js = site.as_ref().map(|site| site.js.clone());
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.name()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="stylesheet" href=css />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                {js.map(|js| view! { <link rel="modulepreload" href=js /> })}
                <MetaTags />
            </head>
            <body>
                <App />
                {site.map(|site| view! { <Start site /> })}
            </body>
        </html>
    }
}

/// Loads the bundle, whose names carry a hash of their content, and hydrates the page. What people see comes first: the bundle
/// and the chunks of the page are fetched when it was painted, and where nothing is painted, as in a tab behind others, soon
/// after.
///
/// The router listens to clicks on the window before it can draw anything. Until the page is alive, and if it never comes to
/// life, clicks do not get there, and links are what they are without JavaScript.
#[component]
fn Start(site: Arc<Site>) -> impl IntoView {
    let chunks = use_context::<Chunks>().unwrap_or_default();
    let script = Suspend::new(async move {
        // A document is drawn from its beginning to its end, so by the next time this is asked the page above is there.
        yield_now().await;
        let code: Vec<_> = chunks.named().iter().flat_map(|chunk| site.code(chunk)).collect();
        starting(&site.js, &site.wasm, &code)
    });
    view! {
        <script type="module" nonce=use_nonce()>
            {script}
        </script>
    }
}

/// The script that starts `wasm` by `js`, and has the files of `code` fetched beside it.
fn starting(js: &str, wasm: &str, code: &[String]) -> String {
    format!(
        "import start, {{ hydrate }} from {js:?};\n\
         const plain = new AbortController();\n\
         document.addEventListener(\"click\", (event) => event.stopPropagation(), {{ signal: plain.signal }});\n\
         await Promise.race([\n\
         new Promise((painted) => requestAnimationFrame(() => setTimeout(painted))),\n\
         new Promise((late) => setTimeout(late, 300)),\n\
         ]);\n\
         const started = start({{ module_or_path: {wasm:?} }});\n\
         for (const href of {code:?}) {{\n\
         const link = {{ rel: \"preload\", as: \"fetch\", type: \"application/wasm\", crossOrigin: \"anonymous\", href }};\n\
         document.head.append(Object.assign(document.createElement(\"link\"), link));\n\
         }}\n\
         await started;\nawait hydrate();\nplain.abort();\n\
         document.documentElement.dataset.hydrated = \"\";"
    )
}

/// Whether the page is shown as the answer to a form, at an address that is not its own, and so must not hydrate.
fn stands_alone() -> bool {
    use_context::<FailedForm>().is_some()
        || use_context::<Revealed>().is_some()
        || use_context::<PageProblem>().is_some()
}
