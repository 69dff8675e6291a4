//! The end of turning protection on: what changes now, and what does not.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::account::Status;

use super::Frame;
use super::account;
use super::go;
use super::show;
use crate::app::App;
use crate::browser::Browser;
use crate::daemon::Trouble;

#[derive(Template)]
#[template(path = "protected.html")]
struct Page {
    f: Frame,
    status: Status,
    has_email: bool,
    others: usize,
}

/// GET /account/protected
pub(crate) async fn get(State(app): State<App>, browser: Browser) -> Result<Response, Trouble> {
    let caller = browser.caller()?;
    let user = app.daemon().who(&caller).await?.user;
    let status = account::status(&app, &caller).await?;
    if !status.protected {
        return Ok(go("/account"));
    }
    let sign_ins = account::sign_ins(&app, &caller).await?;
    show(&Page {
        f: Frame::new(&app, &browser, Some(&user)),
        has_email: status.emails.iter().any(|email| email.state == "confirmed"),
        others: sign_ins.iter().filter(|sign_in| !sign_in.current).count(),
        status,
    })
}
