//! An administrator's own code, given before something that is only looked at: addresses bring no codes.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use otpd_proto::Secret;
use serde::Deserialize;
use serde::Serialize;

use super::call::object;
use super::call::typed;
use super::json;
use super::problem::Failed;
use crate::admin::Admin;
use crate::app::App;

/// Body of POST /admin/code.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proof {
    pub(super) code: Secret,
}

/// POST /admin/code
pub(super) async fn post(
    State(app): State<App>,
    admin: Admin,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failed> {
    let Proof { code } = typed(object(&headers, &body)?)?;
    admin.prove(&app, Some(code)).await?;
    Ok(json(&app.daemon().who(&admin.caller).await?))
}
