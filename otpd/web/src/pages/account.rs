//! The account page: how the account stands, in words, and what can be changed.

use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::account;
use otpd_proto::account::Device;
use otpd_proto::account::Devices;
use otpd_proto::account::DevicesParameters;
use otpd_proto::account::Email;
use otpd_proto::account::Scope;
use otpd_proto::account::SignIn;
use otpd_proto::account::SignIns;
use otpd_proto::account::SignInsParameters;
use otpd_proto::account::Status;
use otpd_proto::account::StatusParameters;
use otpd_proto::web::Holder;
use serde::Deserialize;

use super::Frame;
use super::go;
use super::show;
use crate::app::App;
use crate::browser::Browser;
use crate::clock;
use crate::daemon::Caller;
use crate::daemon::Trouble;
use crate::said::Said;

#[derive(Template)]
#[template(path = "account.html")]
struct Page {
    f: Frame,
    holder: Holder,
    status: Status,
    devices: Vec<Device>,
    sign_ins: Vec<SignIn>,
    done: Option<&'static str>,
    was_done: bool,
    said: Vec<Said>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    done: String,
}

/// GET /
pub(crate) async fn home(browser: Browser) -> Response {
    go(if browser.ticket.is_some() { "/account" } else { "/sign-in" })
}

/// GET /account
pub(crate) async fn get(
    State(app): State<App>,
    browser: Browser,
    Query(after): Query<After>,
) -> Result<Response, Trouble> {
    let caller = browser.caller()?;
    let holder = app.daemon().who(&caller).await?;
    let status = status(&app, &caller).await?;
    let devices = devices(&app, &caller).await?;
    let said = app.greetings().take(&browser.form, clock::monotonic());
    show(&Page {
        f: Frame::new(&app, &browser, Some(&holder.user)),
        holder,
        sign_ins: sign_ins(&app, &caller).await?,
        done: done(&browser, &after.done),
        was_done: !matches!(after.done.as_str(), "gone" | "expired" | "not_there"),
        said: super::said(browser.language, &said.unwrap_or_default()),
        status,
        devices,
    })
}

/// What was done, said once: a word of ours in the path, and no text of anybody's.
pub(super) fn done(browser: &Browser, word: &str) -> Option<&'static str> {
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_word.then(|| browser.language.find(&format!("done.{word}"))).flatten()
}

/// How the account stands.
pub(super) async fn status(app: &App, caller: &Caller) -> Result<Status, Trouble> {
    app.daemon().call_as(caller, account::STATUS, StatusParameters::default()).await
}

/// Its active devices.
pub(super) async fn devices(app: &App, caller: &Caller) -> Result<Vec<Device>, Trouble> {
    let devices: Devices =
        app.daemon().call_as(caller, account::DEVICES, DevicesParameters::default()).await?;
    Ok(devices.devices.into_iter().filter(|device| device.state == "active").collect())
}

/// Where it is signed in.
pub(super) async fn sign_ins(app: &App, caller: &Caller) -> Result<Vec<SignIn>, Trouble> {
    let found: SignIns =
        app.daemon().call_as(caller, account::SIGN_INS, SignInsParameters::default()).await?;
    Ok(found.sign_ins)
}

impl Page {
    fn confirmed(&self) -> Vec<&Email> {
        self.emails("confirmed")
    }

    fn pending(&self) -> Vec<&Email> {
        self.emails("pending")
    }

    fn emails(&self, state: &str) -> Vec<&Email> {
        self.status.emails.iter().filter(|email| email.state == state).collect()
    }

    /// What is wrong with this box, and what happened.
    fn lines(&self) -> Vec<Said> {
        let lines = self.status.warnings.iter().chain(&self.status.news);
        lines.map(|line| Said::new(self.f.language, line, false)).collect()
    }

    /// From when on codes can be mailed there.
    fn readiness(&self, email: &Email) -> String {
        match email.recovers {
            Some(from) if from > self.status.now => {
                self.f.put("account.email_held", "when", self.f.time(&from))
            }
            _ => self.f.say("account.email_ready").to_owned(),
        }
    }

    /// Until when changes need no code.
    fn rebind_until(&self) -> Option<&i64> {
        self.holder.rebind_until.as_ref().filter(|until| **until > self.status.now)
    }

    fn has_wrong_codes(&self) -> bool {
        self.status.lanes.iter().any(|lane| lane.closed || lane.until.is_some_and(|at| at > self.status.now))
    }

    fn few_codes(&self) -> bool {
        self.status.protected && self.status.recovery_codes.len() <= FEW
    }

    fn is_required(&self) -> bool {
        self.status.requirement.state == "required"
    }

    /// Where it is used: a host, or this page.
    fn place<'a>(&'a self, sign_in: &'a SignIn) -> &'a str {
        match (sign_in.scope, &sign_in.host) {
            (Scope::Visit, Some(host)) => host,
            _ => self.f.say("account.this_page"),
        }
    }

    /// The browser and the system, of all that it says of itself.
    fn agent(&self, sign_in: &SignIn) -> String {
        let agent = sign_in.agent.as_deref().unwrap_or_default();
        let found = |names: &[(&str, &'static str)]| {
            names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
        };
        match (found(BROWSERS), found(SYSTEMS)) {
            (Some(browser), Some(system)) => format!("{browser}, {system}"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => self.f.say("account.unknown_browser").to_owned(),
        }
    }

    fn service(&self, device: &Device) -> String {
        let service = device.last_service.as_deref().unwrap_or_default();
        let known = self.f.language.find(&format!("service.{service}"));
        known.map_or_else(|| service.to_owned(), str::to_owned)
    }
}

/// So many recovery codes are few.
const FEW: usize = 3;

/// Marks in a User-Agent: others pretend to be the later ones.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
const SYSTEMS: &[(&str, &str)] = &[
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];
