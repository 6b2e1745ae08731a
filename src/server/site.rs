//! The browser bundle and other static files: hashed names are kept for a year, compressed forms are sent as they are.

use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::base::Error;
use crate::base::error::Code;

const A_YEAR: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// The addresses of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub css: String,
    pub js: String,
    pub wasm: String,
    /// The files of each chunk of code that only some pages need.
    pub chunks: BTreeMap<String, Vec<String>>,
}

impl Site {
    /// Finds the bundle under `folder/pkg`, by its plain or its hashed names.
    pub fn find(folder: &Path) -> Self {
        let names: Vec<String> = std::fs::read_dir(folder.join("pkg"))
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                Some((entry.metadata().ok()?.modified().ok()?, entry.file_name()))
            })
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .rev()
            .filter_map(|(_, name)| name.into_string().ok())
            .collect();
        let newest = |extension: &str| {
            let name = names.iter().find(|name| name.starts_with("kontor") && name.ends_with(extension));
            format!("/pkg/{}", name.map_or_else(|| format!("kontor{extension}"), Clone::clone))
        };
        let manifest = names.iter().find(|name| name.starts_with("__wasm_split_manifest") && name.ends_with(".json"));
        let chunks = manifest
            .and_then(|name| std::fs::read(folder.join("pkg").join(name)).ok())
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        Self { css: newest(".css"), js: newest(".js"), wasm: newest(".wasm"), chunks }
    }

    /// The addresses of a chunk's files.
    pub fn code(&self, chunk: &str) -> impl Iterator<Item = String> {
        self.chunks.get(chunk).into_iter().flatten().map(|file| format!("/pkg/{file}.wasm"))
    }
}

/// Serves the files under `folder`; whatever is not there is not found.
pub fn files<S: Clone + Send + Sync + 'static>(folder: &Path) -> Router<S> {
    let directory = |folder: &Path| ServeDir::new(folder).precompressed_br().precompressed_gzip();
    let kept = SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, |response: &Response<_>| {
        response.status().is_success().then_some(A_YEAR)
    });
    let others = directory(folder).append_index_html_on_directories(false);
    Router::new()
        .nest_service("/pkg", tower::ServiceBuilder::new().layer(kept).service(directory(&folder.join("pkg"))))
        .fallback(move |request: Request<axum::body::Body>| async move {
            if !matches!(*request.method(), Method::GET | Method::HEAD) {
                return Error::not_found("page").into_response();
            }
            match others.oneshot(request).await {
                Ok(found) if found.status().is_success() || found.status() == StatusCode::NOT_MODIFIED => {
                    ([(CACHE_CONTROL, AN_HOUR)], found).into_response()
                }
                _ => Error::new(Code::NotFound, "There is no page at this address.").into_response(),
            }
        })
}
