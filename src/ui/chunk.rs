//! Pages whose code is not in the first bundle: the browser fetches it with the first of them that is opened.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use leptos::prelude::*;
use leptos_router::ChooseView;
use wasm_split_helpers::SplitLoaderError;

use crate::base::error::Code;
use crate::base::{Error, Result};
use crate::ui::context::Announce;
use crate::ui::problem::Problem;

/// What is there once the code has been fetched.
pub type Later<T> = Pin<Box<dyn Future<Output = T>>>;

/// One of the pages of a chunk, which is a function marked `wasm_split`.
pub struct Chunk<P> {
    /// The name of the chunk.
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
        if let Some(announce) = use_context::<Announce>() {
            announce.chunk(self.name);
        }
        match (self.draw)(self.page).await {
            Ok(page) => page,
            Err(error) => view! { <Problem error /> }.into_any(),
        }
    }

    async fn preload(&self) {
        // Where this fails, drawing the page fails and says so.
        let _ = (self.fetch)().await;
    }
}

impl From<SplitLoaderError> for Error {
    fn from(_: SplitLoaderError) -> Self {
        Self::new(Code::Unavailable, "The code of this page could not be fetched. Load it again, please.")
    }
}
