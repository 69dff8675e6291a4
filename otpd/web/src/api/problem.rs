//! What went wrong, told to a program: RFC 9457.

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use otpd_proto::session::Text;
use otpd_proto::web::TOO_MANY_CALLS;
use serde::Serialize;

use crate::browser::SIGNED_OUT;
use crate::daemon::Trouble;
use crate::pages;
use crate::texts::Language;

/// Its document. The type is always `about:blank`; `reason` says which it is.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    texts: Vec<Text>,
}

/// Why a call of the API has no result.
pub(crate) enum Failed {
    /// As a page would have it; the guard tells it in the language that is asked for.
    Trouble(Trouble),
    /// What no page can run into.
    Problem(Box<Problem>),
}

impl Problem {
    /// One of the API's own.
    pub(crate) fn new(status: StatusCode, reason: &str, detail: impl Into<String>) -> Self {
        Self {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: detail.into(),
            reason: reason.to_owned(),
            until: None,
            texts: Vec::new(),
        }
    }

    /// With what PAM modules said.
    pub(crate) fn with_texts(self, texts: Vec<Text>) -> Self {
        Self { texts, ..self }
    }

    /// One that pages have too.
    pub(crate) fn of(trouble: &Trouble, language: Language) -> Self {
        let say = |status, reason: &str, key| Self::new(status, reason, language.say(key));
        match trouble {
            Trouble::Refused { reason, until, .. } => {
                let detail = pages::refusal(language, trouble);
                Self { until: *until, ..Self::new(status_of(reason), reason, detail) }
            }
            Trouble::Unavailable { say: why } | Trouble::Away { why } => {
                log::warn!("otpd: {why}");
                say(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "trouble.away_text")
            }
            Trouble::Busy => say(StatusCode::TOO_MANY_REQUESTS, "busy", "trouble.busy_text"),
            Trouble::NotFound => say(StatusCode::NOT_FOUND, "not_found", "trouble.not_found_text"),
            Trouble::Forbidden => say(StatusCode::FORBIDDEN, "not_permitted", "trouble.forbidden_text"),
            Trouble::Foreign => say(StatusCode::FORBIDDEN, "foreign", "trouble.foreign_text"),
            Trouble::UnknownHost => {
                let say = "This is not a name of this box; hosts in web.toml names others.";
                Self::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", say)
            }
            Trouble::TooMuch => say(StatusCode::PAYLOAD_TOO_LARGE, "too_much", "trouble.too_much_text"),
        }
    }

    /// Of the reply.
    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The status of a refusal. What lacks a proof, or has a wrong one, is 403; what the state of the account or of the box
/// does not allow is 409.
fn status_of(reason: &str) -> StatusCode {
    match reason {
        SIGNED_OUT => StatusCode::UNAUTHORIZED,
        "not_permitted" | "not_on_yourself" | "not_on_root" | "password_needed" | "code_needed"
        | "code_wrong" | "code_used" => StatusCode::FORBIDDEN,
        "locked" => StatusCode::LOCKED,
        "too_many_mails" | TOO_MANY_CALLS => StatusCode::TOO_MANY_REQUESTS,
        "clock_unset" | "clock_went_back" | "no_mail" => StatusCode::SERVICE_UNAVAILABLE,
        reason if reason.starts_with("no_such_") => StatusCode::NOT_FOUND,
        reason if reason.starts_with("bad_") || reason == "code_malformed" => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        _ => StatusCode::CONFLICT,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, super::json(&self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::Trouble(trouble) => trouble.into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_its_reason_its_status_and_its_time() {
        for (reason, status) in [
            ("signed_out", 401),
            ("password_needed", 403),
            ("code_wrong", 403),
            ("no_such_device", 404),
            ("name_taken", 409),
            ("bad_name", 422),
            ("code_malformed", 422),
            ("locked", 423),
            ("too_many_mails", 429),
            ("too_many_calls", 429),
            ("not_on_root", 403),
            ("clock_unset", 503),
        ] {
            let trouble = Trouble::Refused { reason: reason.into(), say: "Say.".into(), until: Some(7) };
            let problem = serde_json::to_value(Problem::of(&trouble, Language::English)).unwrap();
            assert_eq!(problem["status"], status, "{reason}");
            assert_eq!((&problem["reason"], &problem["until"]), (&reason.into(), &7.into()));
        }
    }
}
