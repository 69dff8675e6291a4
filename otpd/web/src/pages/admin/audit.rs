//! The audit log, the newest first.

use askama::Template;
use axum::extract::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::Secret;
use otpd_proto::admin;
use otpd_proto::admin::Audit;
use otpd_proto::admin::AuditParameters;
use otpd_proto::admin::Event;
use serde::Deserialize;

use super::Prove;
use super::link;
use super::some;
use crate::admin::Admin;
use crate::app::App;
use crate::daemon::Caller;
use crate::daemon::Trouble;
use crate::pages::Frame;
use crate::pages::change::typed;
use crate::pages::go;
use crate::pages::refusal;
use crate::pages::show;
use crate::pages::show_again;

#[derive(Template)]
#[template(path = "admin/audit.html")]
struct Page {
    f: Frame,
    at: &'static str,
    asked: Asked,
    events: Vec<Event>,
    older: Option<String>,
    csv: String,
    error: Option<&'static str>,
}

/// Which events.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    user: String,
    since: String,
    event: String,
    verdict: String,
    before: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Posted {
    #[serde(flatten)]
    asked: Asked,
    code: Option<Secret>,
}

/// GET /admin/audit
pub(crate) async fn get(
    State(app): State<App>,
    admin: Admin,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let f = admin.frame(&app);
    let is_date = asked.since.trim().is_empty() || asked.since().is_some();
    let error = (!is_date).then(|| f.say("audit.since_bad"));
    let (events, older) = match asked.read(&app, &admin.caller, PAGE, asked.before.trim().parse().ok()).await
    {
        Ok(found) => (found.events, found.older),
        Err(trouble) if trouble.is("code_needed") => return show(&prove(f, &asked, None)),
        Err(trouble) => return Err(trouble),
    };
    let older = older.map(|id| asked.path("/admin/audit", &id.to_string()));
    let csv = asked.path("/admin/audit.csv", "");
    show(&Page { f, at: "audit", events: events.into_iter().rev().collect(), older, csv, asked, error })
}

/// POST /admin/audit: the administrator's own code.
pub(crate) async fn post(
    State(app): State<App>,
    admin: Admin,
    Form(mut posted): Form<Posted>,
) -> Result<Response, Trouble> {
    match admin.prove(&app, typed(posted.code.take())).await {
        Ok(()) => Ok(go(&posted.asked.path("/admin/audit", &posted.asked.before))),
        Err(trouble @ Trouble::Refused { .. }) if !trouble.is(crate::browser::SIGNED_OUT) => {
            let error = refusal(admin.browser.language, &trouble);
            show_again(&prove(admin.frame(&app), &posted.asked, Some(error)))
        }
        Err(trouble) => Err(trouble),
    }
}

pub(super) fn prove(f: Frame, asked: &Asked, error: Option<String>) -> Prove {
    let kept = asked.pairs(&asked.before).map(|(name, value)| (name, value.to_owned()));
    Prove { at: "audit", title: f.say("audit.title"), action: "/admin/audit", kept: kept.into(), error, f }
}

impl Asked {
    /// So many events before one, oldest first.
    pub(super) async fn read(
        &self,
        app: &App,
        caller: &Caller,
        most: u32,
        before: Option<i64>,
    ) -> Result<Audit, Trouble> {
        let call = AuditParameters {
            user: some(&self.user),
            since: self.since(),
            before,
            event: some(&self.event),
            verdict: some(&self.verdict),
            tail: Some(most),
            ..AuditParameters::default()
        };
        app.daemon().call_as(caller, admin::AUDIT, call).await
    }

    /// The midnight that a day begins with.
    fn since(&self) -> Option<i64> {
        let day: jiff::civil::Date = self.since.trim().parse().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::system()).ok()?.timestamp().as_second())
    }

    fn pairs<'a>(&'a self, before: &'a str) -> [(&'static str, &'a str); 5] {
        [
            ("user", &self.user),
            ("since", &self.since),
            ("event", &self.event),
            ("verdict", &self.verdict),
            ("before", before),
        ]
    }

    fn path(&self, path: &str, before: &str) -> String {
        link(path, &self.pairs(before))
    }
}

impl Page {
    fn kinds(&self) -> Vec<(&'static str, &'static str)> {
        KINDS
            .iter()
            .map(|word| (*word, self.f.language.find(&format!("event.{word}")).unwrap_or(word)))
            .collect()
    }

    fn kind<'a>(&self, event: &'a Event) -> &'a str {
        self.f.language.find(&format!("event.{}", event.event)).unwrap_or(&event.event)
    }

    fn verdict<'a>(&self, event: &'a Event) -> &'a str {
        self.f.language.find(&format!("verdict.{}", event.verdict)).unwrap_or(&event.verdict)
    }

    fn is_refused(&self, event: &Event) -> bool {
        event.verdict == "refuse"
    }

    fn account(&self, event: &Event) -> String {
        link("/admin/account", &[("user", &event.user)])
    }

    /// Where from, with what, and what else.
    fn around(&self, event: &Event) -> String {
        let parts = [&event.service, &event.address, &event.device, &event.detail];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · ")
    }
}

const PAGE: u32 = 50;
/// Those that are worth looking for.
const KINDS: &[&str] = &[
    "login",
    "no_code",
    "sign_in",
    "sign_out",
    "sign_ins_ended",
    "bind",
    "confirm",
    "rename",
    "unbind",
    "resync",
    "off",
    "unlock",
    "reset",
    "enrol_code",
    "codes",
    "mail_code",
    "email_add",
    "email_confirm",
    "email_remove",
    "mail",
    "require_group",
    "release_group",
    "step_up",
    "read",
    "import",
    "export",
    "backup",
    "restore",
    "master_key",
    "adopt",
    "prune",
    "clock",
    "clock_reset",
    "daemon",
];
