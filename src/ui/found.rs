//! What a page reads, drawn once it is there.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::suspense::Unsuspend;

use super::problem::Problem;
use crate::base::Result;

/// Draws what was found once it is there, or says why it is not.
///
/// To learn what there is to wait for, the server walks through what stands in a `Transition` up to three times, and would make
/// all of it anew each time; `draw` is called when it is written down, once.
#[component]
pub fn Found<T: Clone + Send + Sync + 'static>(
    found: Resource<Result<T>>,
    draw: impl Fn(T) -> AnyView + Send + Sync + 'static,
) -> impl IntoView {
    let draw: Arc<dyn Fn(T) -> AnyView + Send + Sync> = Arc::new(draw);
    view! {
        <Transition>
            {move || {
                let draw = Arc::clone(&draw);
                Suspend::new(async move {
                    let found = found.await;
                    Unsuspend::new(move || match found {
                        Err(error) => view! { <Problem error /> }.into_any(),
                        Ok(found) => draw(found),
                    })
                })
            }}
        </Transition>
    }
}
