//! Calls that are passed on as they come.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::response::Response;
use axum::routing::MethodFilter;
use axum::routing::MethodRouter;
use axum::routing::on;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Map;
use serde_json::Value;

use super::Id;
use super::Row;
use super::json;
use super::problem::Failed;
use super::problem::Problem;
use crate::admin::Admin;
use crate::app::App;
use crate::browser::Browser;
use crate::daemon::Caller;
use crate::daemon::Trouble;

/// A method of `org.otpd.Account`, of whoever is signed in.
pub(super) fn account<P, R>(row: &'static Row) -> MethodRouter<App>
where
    P: DeserializeOwned + Serialize + Send + 'static,
    R: DeserializeOwned + Serialize + Send + 'static,
{
    on(row.method, move |State(app): State<App>, browser: Browser, sent: Sent| async move {
        let caller = browser.caller()?;
        let given = Given::read(row, sent)?;
        if given.has("user") {
            return Err(bad("user: it is whoever is signed in"));
        }
        passed_on::<P, R>(&app, &caller, row, given).await
    })
}

/// A method that an administrator calls. What changes somebody's account changes that of nobody whom they cannot act on.
pub(super) fn admin<P, R>(row: &'static Row) -> MethodRouter<App>
where
    P: DeserializeOwned + Serialize + Send + 'static,
    R: DeserializeOwned + Serialize + Send + 'static,
{
    on(row.method, move |State(app): State<App>, admin: Admin, sent: Sent| async move {
        let mut given = Given::read(row, sent)?;
        if let Given::Body(fields) = &mut given
            && let Some(Value::String(user)) = fields.get_mut("user")
        {
            *user = admin.acting_on(&app, user).await?;
        }
        passed_on::<P, R>(&app, &admin.caller, row, given).await
    })
}

async fn passed_on<P, R>(app: &App, caller: &Caller, row: &Row, given: Given) -> Result<Response, Failed>
where
    P: DeserializeOwned + Serialize + Send + 'static,
    R: DeserializeOwned + Serialize + Send + 'static,
{
    let done: R = app.daemon().call_as(caller, row.calls, given.parameters::<P>()?).await?;
    Ok(json(&done))
}

/// Parameters of a method that has none.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A request, but for who sent it.
type Sent = (Result<Path<HashMap<String, String>>, PathRejection>, RawQuery, HeaderMap, Bytes);

/// Parameters of a method, where they stand.
enum Given {
    /// Of what is only read.
    Query(Vec<(String, String)>),
    /// Of what does something.
    Body(Map<String, Value>),
}

impl Given {
    /// Those of a request, with the one that is in its path.
    fn read(row: &Row, (path, RawQuery(query), headers, body): Sent) -> Result<Self, Failed> {
        let Path(mut path) = path.map_err(|rejection| bad(&rejection.body_text()))?;
        let mut given = match row.method {
            MethodFilter::GET => {
                let query = query.unwrap_or_default();
                Self::Query(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
            }
            _ => Self::Body(object(&headers, &body)?),
        };
        if let Some((name, value)) = row.id.read(path.remove("id").unwrap_or_default())? {
            if given.has(name) {
                return Err(bad(&format!("{name}: it is in the path")));
            }
            match &mut given {
                Self::Query(pairs) => {
                    pairs.push((name.to_owned(), value.as_str().unwrap_or_default().into()))
                }
                Self::Body(fields) => drop(fields.insert(name.to_owned(), value)),
            }
        }
        Ok(given)
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Query(pairs) => pairs.iter().any(|(known, _)| known == name),
            Self::Body(fields) => fields.contains_key(name),
        }
    }

    /// As the method has them.
    fn parameters<P: DeserializeOwned>(self) -> Result<P, Failed> {
        match self {
            Self::Query(pairs) => asked(&pairs),
            Self::Body(fields) => typed(fields),
        }
    }
}

impl Id {
    fn read(self, id: String) -> Result<Option<(&'static str, Value)>, Trouble> {
        Ok(match self {
            Self::None => None,
            Self::Word(name) => Some((name, id.into())),
            Self::Number(name) => Some((name, id.parse::<i64>().map_err(|_| Trouble::NotFound)?.into())),
        })
    }
}

/// A query as parameters.
fn asked<P: DeserializeOwned>(pairs: &[(String, String)]) -> Result<P, Failed> {
    // Logs and histories keep addresses.
    if pairs.iter().any(|(name, _)| name == "code") {
        return Err(bad("code: it does not belong into an address; POST it to /admin/code"));
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let uri = format!("/?{query}").parse::<Uri>().map_err(|error| bad(&error.to_string()))?;
    let Query(parameters) = Query::try_from_uri(&uri).map_err(|rejection| bad(&rejection.body_text()))?;
    Ok(parameters)
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
    use otpd_proto::admin::AccountsParameters;

    use super::*;

    fn read<P: DeserializeOwned>(query: &str) -> Result<P, Failed> {
        asked(&form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<_>>())
    }

    #[test]
    fn a_query_is_read_as_parameters_and_nothing_unknown_passes() {
        let devices: DevicesParameters =
            read("retired=true&after=3").unwrap_or_else(|_| panic!("two parameters"));
        assert_eq!((devices.retired, devices.after), (Some(true), Some(3)));
        for bad in ["retired=1", "after=x", "after=", "after=1&after=2", "after=-1", "all=true"] {
            let refused = read::<DevicesParameters>(bad).map(|_| "nothing").into_response();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{bad}");
        }
    }

    #[test]
    fn a_name_is_text_whatever_it_looks_like_and_no_code_is_taken_from_an_address() {
        for (query, prefix) in [("prefix=007", "007"), ("prefix=7", "7"), ("prefix=null", "null")] {
            let accounts: AccountsParameters = read(query).unwrap_or_else(|_| panic!("{query}"));
            assert_eq!(accounts.prefix.as_deref(), Some(prefix));
        }
        let refused = read::<AccountsParameters>("code=123456").map(|_| "nothing").into_response();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    }
}
