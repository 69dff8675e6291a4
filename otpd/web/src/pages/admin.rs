//! Administration: for root and the administrators' group. Every page begins with [`Admin`], which nobody else gets by;
//! what an administrator may do is decided by `otpd` at each call.

use askama::Template;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::get;
use axum::routing::post;
use otpd_proto::web::Holder;

use super::Frame;
use crate::app::App;
use crate::browser::Browser;
use crate::daemon::Caller;
use crate::daemon::Trouble;

mod accounts;
mod act;
mod audit;
mod csv;
mod enrol;
mod health;
mod one;
mod policy;

/// An administrator who is signed in.
pub(crate) struct Admin {
    browser: Browser,
    caller: Caller,
    holder: Holder,
}

impl Admin {
    fn frame(&self, app: &App) -> Frame {
        Frame::new(app, &self.browser, Some(&self.holder.user))
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let browser = Browser::from_request_parts(parts, app).await?;
        let caller = browser.caller()?;
        let holder = app.daemon().who(&caller).await?;
        if !holder.admin {
            return Err(Trouble::Forbidden);
        }
        Ok(Self { browser, caller, holder })
    }
}

/// Its pages.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/admin", get(accounts::get))
        .route("/admin/account", get(one::get))
        .route("/admin/do/{act}", get(act::get).post(act::post))
        .route("/admin/enrol-code", get(enrol::get).post(enrol::post))
        .route("/admin/policy", get(policy::get))
        .route("/admin/audit", get(audit::get).post(audit::post))
        .route("/admin/audit.csv", get(csv::get))
        .route("/admin/health", get(health::get))
        .route("/admin/mail-test", post(health::post))
}

/// A path with what is asked, as far as it is.
fn link(path: &str, asked: &[(&str, &str)]) -> String {
    let asked = asked.iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// An administrator's own code, asked for before something that is only looked at.
#[derive(Template)]
#[template(path = "admin/prove.html")]
struct Prove {
    f: Frame,
    at: &'static str,
    title: &'static str,
    action: &'static str,
    kept: Vec<(&'static str, String)>,
    error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_what_was_asked_and_nothing_that_was_not() {
        assert_eq!(link("/admin", &[("only", ""), ("after", "")]), "/admin");
        assert_eq!(
            link("/admin", &[("only", "locked"), ("after", "a&b c")]),
            "/admin?only=locked&after=a%26b+c"
        );
    }
}
