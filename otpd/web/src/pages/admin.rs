//! Administration: for root and the administrators' group. Every page begins with [`Admin`].

use askama::Template;
use axum::Router;
use axum::routing::get;
use axum::routing::post;

use super::Frame;
use crate::admin::Admin;
use crate::app::App;

mod accounts;
mod act;
mod audit;
mod csv;
mod enrol;
mod group;
mod health;
mod one;
mod policy;

impl Admin {
    fn frame(&self, app: &App) -> Frame {
        Frame::new(app, &self.browser, Some(&self.holder.user))
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
        .route("/admin/policy/{act}", get(group::get).post(group::post))
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
