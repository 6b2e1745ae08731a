//! Pages whose code is not in the first bundle: the browser fetches it with the first of them that is opened.
//!
//! Four chunks: records and their past, orders, the admin area, and what is left. What the same ones share is a file of its
//! own, so each further chunk can double the files a page needs.
//!
//! Code that cannot be fetched costs nobody the page. A document that is alive gives way to the page as the server draws it;
//! one that is just coming to life stays as it was drawn, which is all a browser without JavaScript has. Neither tries again,
//! so that code which stays away makes no loop; the next document does.

use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;

use leptos::prelude::*;
use leptos_router::ChooseView;
use leptos_router::location::Url;
use wasm_split_helpers::SplitLoaderError;

use crate::base::error::Code;
use crate::base::{Error, Result};
use crate::ui::context::Chunks;
use crate::ui::problem::Problem;

/// What is there once the code has been fetched.
pub type Later<T> = Pin<Box<dyn Future<Output = T>>>;

/// One of the pages of a chunk, which is a function marked `wasm_split`.
pub struct Chunk<P> {
    /// The name of the chunk, which other functions marked `wasm_split` may share.
    pub name: &'static str,
    /// Fetches the code, before the browser turns to the page.
    pub fetch: fn() -> Later<Result<(), SplitLoaderError>>,
    pub page: P,
    pub draw: fn(P) -> Later<Result<AnyView>>,
}

impl<P: Copy> Clone for Chunk<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Copy> Copy for Chunk<P> {}

impl<P> fmt::Debug for Chunk<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<P: Copy + Send + 'static> ChooseView for Chunk<P> {
    async fn choose(self) -> AnyView {
        if let Some(chunks) = use_context::<Chunks>() {
            chunks.need(self.name);
        }
        match (self.draw)(self.page).await {
            Ok(page) => page,
            Err(error) => view! { <Problem error /> }.into_any(),
        }
    }

    async fn preload(&self) {
        let target = use_context::<ArcRwSignal<Url>>();
        if (self.fetch)().await.is_err() {
            give_way(target).await
        }
    }
}

/// Leads a document that is alive to the page as the server draws it. Never comes back: what is shown stays until then, and
/// the router takes whichever link is followed next.
async fn give_way(target: Option<ArcRwSignal<Url>>) {
    if let Some(target) = target.filter(|_| is_alive()) {
        // Without the fragment: where only that differs, nothing would be loaded.
        let address = target.with_untracked(|target| match target.search() {
            "" => target.path().to_owned(),
            query => format!("{}?{query}", target.path()),
        });
        // An address that is refused leaves the page as it is.
        let _ = window().location().assign(&address);
    }
    pending().await
}

/// Whether the document has come to life, so that the browser draws what comes next. Never on the server.
pub fn is_alive() -> bool {
    !is_server() && document().document_element().is_some_and(|root| root.has_attribute("data-hydrated"))
}

impl From<SplitLoaderError> for Error {
    fn from(_: SplitLoaderError) -> Self {
        Self::new(Code::Unavailable, "The code of this page could not be fetched. Load it again, please.")
    }
}
