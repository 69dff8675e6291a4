//! Calls that are passed on as they come.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::Response;
use axum::routing::MethodFilter;
use axum::routing::MethodRouter;
use axum::routing::on;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Map;
use serde_json::Value;

use super::Id;
use super::Row;
use super::json;
use super::problem::Failed;
use super::problem::Problem;
use crate::app::App;
use crate::browser::Browser;
use crate::daemon::Trouble;

/// A method of `org.otpd.Account`, of whoever is signed in.
pub(super) fn account<P, R>(row: &'static Row) -> MethodRouter<App>
where
    P: DeserializeOwned + Serialize + Send + 'static,
    R: DeserializeOwned + Serialize + Send + 'static,
{
    on(
        row.method,
        move |State(app): State<App>,
              browser: Browser,
              Path(path): Path<HashMap<String, String>>,
              RawQuery(query): RawQuery,
              headers: HeaderMap,
              body: Bytes| async move {
            let caller = browser.caller()?;
            let mut given = match row.method {
                MethodFilter::GET => asked(query.as_deref().unwrap_or_default())?,
                _ => object(&headers, &body)?,
            };
            if given.contains_key("user") {
                return Err(bad("user: it is whoever is signed in"));
            }
            if let Some((name, value)) = row.id.read(&path)?
                && given.insert(name.to_owned(), value).is_some()
            {
                return Err(bad(&format!("{name}: it is in the path")));
            }
            let done: R = app.daemon().call_as(&caller, row.calls, typed::<P>(given)?).await?;
            Ok::<Response, Failed>(json(&done))
        },
    )
}

impl Id {
    fn read(self, path: &HashMap<String, String>) -> Result<Option<(&'static str, Value)>, Trouble> {
        let id = path.get("id").map(String::as_str).unwrap_or_default();
        Ok(match self {
            Self::None => None,
            Self::Word(name) => Some((name, id.into())),
            Self::Number(name) => Some((name, id.parse::<i64>().map_err(|_| Trouble::NotFound)?.into())),
        })
    }
}

/// A query as parameters: numbers and truth as in JSON, anything else is text.
fn asked(query: &str) -> Result<Map<String, Value>, Failed> {
    let mut given = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = serde_json::from_str(&value).unwrap_or_else(|_| Value::from(value.as_ref()));
        if given.insert(name.clone().into_owned(), value).is_some() {
            return Err(bad(&format!("{name}: it is there twice")));
        }
    }
    Ok(given)
}

/// What was sent; nothing is an object without a field.
pub(super) fn object(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Failed> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let say = "Send application/json.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", say).into());
    }
    serde_json::from_slice(body).map_err(|error| bad(&error.to_string()))
}

/// The same as the parameters of a method: a field that it does not have is refused.
pub(super) fn typed<P: DeserializeOwned>(given: Map<String, Value>) -> Result<P, Failed> {
    serde_json::from_value(Value::Object(given)).map_err(|error| bad(&error.to_string()))
}

fn bad(say: &str) -> Failed {
    Problem::new(StatusCode::BAD_REQUEST, "bad_request", say).into()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use otpd_proto::account::DevicesParameters;

    use super::*;

    #[test]
    fn a_query_is_read_as_parameters_and_nothing_unknown_passes() {
        let read = |query: &str| asked(query).and_then(typed::<DevicesParameters>);
        let devices = read("retired=true&after=3").unwrap_or_else(|_| panic!("two parameters"));
        assert_eq!((devices.retired, devices.after), (Some(true), Some(3)));
        for bad in ["retired=1", "after=x", "after=1&after=2", "all=true"] {
            let refused = read(bad).map(|_| "nothing").into_response();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{bad}");
        }
    }
}
