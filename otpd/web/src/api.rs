//! The JSON API, for software that shows the account, or all of them, in an interface of its own: what the pages do, with
//! the same tickets and behind the same [`crate::guard`]. Bodies and replies are the parameters and results of the Varlink methods.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::MethodFilter;
use axum::routing::MethodRouter;
use axum::routing::on;
use otpd_proto::account;
use otpd_proto::admin;
use otpd_proto::session;
use otpd_proto::web;
use serde::Serialize;

use crate::app::App;
use problem::Problem;

mod call;
pub mod problem;
mod prove;
mod sign_in;

/// Where it is.
pub const PREFIX: &str = "/api/v1";
/// The header that brings the token that is a field of forms elsewhere.
pub const TOKEN: &str = "x-otpd-token";

/// Whether a path is of the API, and what is wrong there is told to a program.
#[must_use]
pub fn has(path: &str) -> bool {
    path.starts_with("/api/")
}

/// What can be asked for.
struct Row {
    method: MethodFilter,
    /// Below [`PREFIX`].
    path: &'static str,
    /// The Varlink method that does it.
    calls: &'static str,
    /// Which of its parameters is in the path.
    id: Id,
    handler: fn(&'static Row) -> MethodRouter<App>,
}

/// How a parameter of a method stands in a path.
#[derive(Clone, Copy)]
enum Id {
    None,
    Word(&'static str),
    Number(&'static str),
}

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;
const PATCH: MethodFilter = MethodFilter::PATCH;
const DELETE: MethodFilter = MethodFilter::DELETE;

const DEVICE: Id = Id::Word("device");
const EMAIL: Id = Id::Word("email");
const USER: Id = Id::Word("user");
const GROUP: Id = Id::Word("group");
const SIGN_IN: Id = Id::Number("id");

const fn row(
    method: MethodFilter,
    path: &'static str,
    calls: &'static str,
    id: Id,
    handler: fn(&'static Row) -> MethodRouter<App>,
) -> Row {
    Row { method, path, calls, id, handler }
}

/// All of it: the router and the test of the document are made of this.
static ROWS: [Row; 40] = [
    row(GET, "/openapi.json", "", Id::None, |row| on(row.method, document)),
    row(GET, "/session", web::WHO, Id::None, |row| on(row.method, sign_in::get)),
    row(POST, "/session", session::OPEN, Id::None, |row| on(row.method, sign_in::open)),
    row(POST, "/session/answer", session::ANSWER, Id::None, |row| on(row.method, sign_in::answer)),
    row(POST, "/session/password", session::OPEN, Id::None, |row| on(row.method, sign_in::renew)),
    row(DELETE, "/session", web::SIGN_OUT, Id::None, |row| on(row.method, sign_in::out)),
    row(
        GET,
        "/account",
        account::STATUS,
        Id::None,
        call::account::<account::StatusParameters, account::Status>,
    ),
    row(
        GET,
        "/devices",
        account::DEVICES,
        Id::None,
        call::account::<account::DevicesParameters, account::Devices>,
    ),
    row(
        POST,
        "/devices",
        account::BEGIN,
        Id::None,
        call::account::<account::BeginParameters, account::Begun>,
    ),
    row(
        POST,
        "/devices/{id}/confirm",
        account::CONFIRM,
        DEVICE,
        call::account::<account::ConfirmParameters, account::Confirmed>,
    ),
    row(
        POST,
        "/devices/{id}/resync",
        account::RESYNC,
        DEVICE,
        call::account::<account::ResyncParameters, account::Resynced>,
    ),
    row(
        PATCH,
        "/devices/{id}",
        account::RENAME,
        DEVICE,
        call::account::<account::RenameParameters, account::Renamed>,
    ),
    row(
        DELETE,
        "/devices/{id}",
        account::UNBIND,
        DEVICE,
        call::account::<account::UnbindParameters, account::Unbound>,
    ),
    row(
        POST,
        "/recovery-codes",
        account::NEW_CODES,
        Id::None,
        call::account::<account::ProofParameters, account::RecoveryCodes>,
    ),
    row(
        GET,
        "/emails",
        account::EMAILS,
        Id::None,
        call::account::<account::EmailsParameters, account::Emails>,
    ),
    row(
        POST,
        "/emails",
        account::ADD_EMAIL,
        Id::None,
        call::account::<account::AddEmailParameters, account::EmailAdded>,
    ),
    row(
        POST,
        "/emails/confirm",
        account::CONFIRM_EMAIL,
        Id::None,
        call::account::<account::ConfirmEmailParameters, account::EmailConfirmed>,
    ),
    row(
        DELETE,
        "/emails/{id}",
        account::REMOVE_EMAIL,
        EMAIL,
        call::account::<account::RemoveEmailParameters, account::EmailRemoved>,
    ),
    row(
        GET,
        "/sign-ins",
        account::SIGN_INS,
        Id::None,
        call::account::<account::SignInsParameters, account::SignIns>,
    ),
    row(
        DELETE,
        "/sign-ins",
        account::END_SIGN_INS,
        Id::None,
        call::account::<account::EndSignInsParameters, account::SignInsEnded>,
    ),
    row(
        DELETE,
        "/sign-ins/{id}",
        account::END_SIGN_INS,
        SIGN_IN,
        call::account::<account::EndSignInsParameters, account::SignInsEnded>,
    ),
    row(POST, "/off", account::OFF, Id::None, call::account::<account::ProofParameters, account::TurnedOff>),
    row(
        POST,
        "/unlock",
        account::UNLOCK,
        Id::None,
        call::account::<account::ProofParameters, account::Unlocked>,
    ),
    row(POST, "/admin/code", admin::AUDIT, Id::None, |row| on(row.method, prove::post)),
    row(
        GET,
        "/admin/accounts",
        admin::ACCOUNTS,
        Id::None,
        call::admin::<admin::AccountsParameters, admin::Accounts>,
    ),
    row(
        GET,
        "/admin/accounts/{id}",
        account::STATUS,
        USER,
        call::admin::<account::StatusParameters, account::Status>,
    ),
    row(
        GET,
        "/admin/accounts/{id}/devices",
        account::DEVICES,
        USER,
        call::admin::<account::DevicesParameters, account::Devices>,
    ),
    row(
        GET,
        "/admin/accounts/{id}/sign-ins",
        account::SIGN_INS,
        USER,
        call::admin::<account::SignInsParameters, account::SignIns>,
    ),
    row(
        DELETE,
        "/admin/accounts/{id}/sign-ins",
        account::END_SIGN_INS,
        USER,
        call::admin::<account::EndSignInsParameters, account::SignInsEnded>,
    ),
    row(
        POST,
        "/admin/accounts/{id}/unlock",
        account::UNLOCK,
        USER,
        call::admin::<account::ProofParameters, account::Unlocked>,
    ),
    row(
        POST,
        "/admin/accounts/{id}/enrol-code",
        admin::ENROL_CODE,
        USER,
        call::admin::<admin::ResetParameters, admin::EnrolCode>,
    ),
    row(
        POST,
        "/admin/accounts/{id}/reset",
        admin::RESET,
        USER,
        call::admin::<admin::ResetParameters, admin::WasReset>,
    ),
    row(
        POST,
        "/admin/accounts/{id}/off",
        account::OFF,
        USER,
        call::admin::<account::ProofParameters, account::TurnedOff>,
    ),
    row(
        GET,
        "/admin/policy",
        admin::POLICY_REPORT,
        Id::None,
        call::admin::<admin::PolicyReportParameters, admin::PolicyReport>,
    ),
    row(
        POST,
        "/admin/requirements/{id}",
        admin::REQUIRE_GROUP,
        GROUP,
        call::admin::<admin::RequireGroupParameters, admin::GroupRequired>,
    ),
    row(
        DELETE,
        "/admin/requirements/{id}",
        admin::RELEASE_GROUP,
        GROUP,
        call::admin::<admin::ReleaseGroupParameters, admin::GroupReleased>,
    ),
    row(GET, "/admin/audit", admin::AUDIT, Id::None, call::admin::<admin::AuditParameters, admin::Audit>),
    row(GET, "/admin/health", admin::DOCTOR, Id::None, call::admin::<call::Nothing, admin::Doctor>),
    row(
        GET,
        "/admin/mail",
        admin::MAIL_STATUS,
        Id::None,
        call::admin::<admin::MailStatusParameters, admin::MailStatus>,
    ),
    row(
        POST,
        "/admin/mail/test",
        admin::MAIL_TEST,
        Id::None,
        call::admin::<admin::MailTestParameters, admin::MailTested>,
    ),
];

/// Routes of all rows.
pub fn router() -> Router<App> {
    let routes = ROWS.iter().fold(Router::new(), |router, row| {
        router.route(&format!("{PREFIX}{}", row.path), (row.handler)(row))
    });
    routes.method_not_allowed_fallback(async || {
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "no_such_method",
            "This cannot be done to what is there. The header Allow says what can.",
        )
    })
}

/// A reply.
fn json(reply: &impl Serialize) -> Response {
    // Types with names for keys always can be.
    serde_json::to_vec(reply).map_or_else(
        |_| StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        |bytes| ([(header::CONTENT_TYPE, JSON)], bytes).into_response(),
    )
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const DOCUMENT: &str = include_str!("../assets/openapi.json");

/// GET /api/v1/openapi.json
async fn document() -> Response {
    ([(header::CONTENT_TYPE, JSON)], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests;
