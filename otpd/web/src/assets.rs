//! The style sheet, the script and the icon: part of the program, named by their content, so that browsers may keep them
//! for ever and never show old ones.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use sha2::Digest;
use sha2::Sha256;

use crate::daemon::Trouble;

struct Asset {
    name: String,
    kind: &'static str,
    content: &'static str,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset("page", "css", "text/css; charset=utf-8", include_str!("../assets/page.css")),
        asset("page", "js", "text/javascript; charset=utf-8", include_str!("../assets/page.js")),
        asset("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg")),
    ]
});

fn asset(stem: &str, ending: &str, kind: &'static str, content: &'static str) -> Asset {
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(content));
    let hash = hash.get(..12).unwrap_or_default();
    Asset { name: format!("{stem}.{hash}.{ending}"), kind, content }
}

/// The path of the one with this ending.
#[must_use]
pub fn path(ending: &str) -> String {
    let found = ASSETS.iter().find(|asset| asset.name.ends_with(ending));
    found.map(|asset| format!("/assets/{}", asset.name)).unwrap_or_default()
}

/// GET /assets/{name}
///
/// # Errors
/// There is none of this name.
pub async fn get(Path(name): Path<String>) -> Result<Response, Trouble> {
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or(Trouble::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, asset.content).into_response())
}
