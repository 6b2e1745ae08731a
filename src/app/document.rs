//! The document: head, theme, and the script that starts the browser bundle.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;

use super::App;
use crate::server::AppState;
use crate::ui::context::{FailedForm, PageProblem, Revealed, Theme};

/// The whole document.
pub fn shell() -> impl IntoView {
    let site = use_context::<AppState>().map(|state| state.site.clone());
    let theme = use_context::<Theme>().unwrap_or_default();
    let (css, start) = site.map_or_else(Default::default, |site| {
        let start = (!stands_alone()).then(|| (site.js.clone(), site.wasm.clone()));
        (site.css.clone(), start)
    });
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.name()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="stylesheet" href=css />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                {start.map(|(js, wasm)| view! { <Start js wasm /> })}
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// Loads the bundle, whose names carry a hash of their content, and hydrates the page. What people see comes first: the bundle
/// is fetched when the page was painted, and where nothing is painted, as in a tab behind others, soon after.
///
/// The router listens to clicks on the window before it can draw anything. Until the page is alive, and if it never comes to
/// life, clicks do not get there, and links are what they are without JavaScript.
#[component]
fn Start(js: String, wasm: String) -> impl IntoView {
    let script = format!(
        "import start, {{ hydrate }} from {js:?};\n\
         const plain = new AbortController();\n\
         document.addEventListener(\"click\", (event) => event.stopPropagation(), {{ signal: plain.signal }});\n\
         await Promise.race([\n\
         new Promise((painted) => requestAnimationFrame(() => setTimeout(painted))),\n\
         new Promise((late) => setTimeout(late, 300)),\n\
         ]);\n\
         await start({{ module_or_path: {wasm:?} }});\nawait hydrate();\nplain.abort();\n\
         document.documentElement.dataset.hydrated = \"\";"
    );
    view! {
        <link rel="modulepreload" href=js />
        <script type="module" nonce=use_nonce()>
            {script}
        </script>
    }
}

/// Whether the page is shown as the answer to a form, at an address that is not its own, and so must not hydrate.
fn stands_alone() -> bool {
    use_context::<FailedForm>().is_some()
        || use_context::<Revealed>().is_some()
        || use_context::<PageProblem>().is_some()
}
