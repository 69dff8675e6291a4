//! An enrol code, shown until it was read out or is over.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::Secret;

use super::link;
use crate::admin::Admin;
use crate::app::App;
use crate::clock;
use crate::daemon::Trouble;
use crate::pages::Frame;
use crate::pages::draft;
use crate::pages::draft::Draft;
use crate::pages::go;
use crate::pages::show;

#[derive(Template)]
#[template(path = "admin/enrol.html")]
struct Page {
    f: Frame,
    at: &'static str,
    user: String,
    code: Secret,
    expires: i64,
}

/// GET /admin/enrol-code
pub(crate) async fn get(State(app): State<App>, admin: Admin) -> Result<Response, Trouble> {
    let f = admin.frame(&app);
    let page = draft::look(&app, &admin.browser, |draft| match draft {
        Draft::EnrolCode { by, user, code, expires }
            if *by == admin.holder.user && *expires > clock::now() =>
        {
            Some(Page { f, at: "account", user: user.clone(), code: code.clone(), expires: *expires })
        }
        _ => None,
    });
    page.flatten().map_or_else(|| Ok(go("/admin")), |page| show(&page))
}

/// POST /admin/enrol-code: it was read out.
pub(crate) async fn post(State(app): State<App>, admin: Admin) -> Response {
    let user = draft::look(&app, &admin.browser, |draft| match draft {
        Draft::EnrolCode { user, .. } => user.clone(),
        _ => String::new(),
    });
    let Some(user) = user.filter(|user| !user.is_empty()) else { return go("/admin") };
    draft::forget(&app, &admin.browser);
    go(&link("/admin/account", &[("user", &user)]))
}
