//! Requires protection of a group, or releases one: each its own page that says what it does, and whom it locks out.

use askama::Template;
use axum::extract::Form;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::Secret;
use otpd_proto::admin;
use otpd_proto::admin::PolicyReportParameters;
use serde::Deserialize;

use super::act::Wrong;
use super::act::renewed;
use super::link;
use super::policy::ALL;
use super::policy::read_days;
use super::policy::report;
use crate::admin::Admin;
use crate::app::App;
use crate::browser::SIGNED_OUT;
use crate::clock;
use crate::daemon::Trouble;
use crate::daemon::to_the_end;
use crate::pages::Frame;
use crate::pages::change::typed;
use crate::pages::change::with_ticket;
use crate::pages::go;
use crate::pages::show;
use crate::pages::show_again;

/// What is done, and to which group.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Act {
    Require { group: String, days: u32 },
    Release { group: String },
}

#[derive(Template)]
#[template(path = "admin/group.html")]
struct Page {
    f: Frame,
    at: &'static str,
    word: &'static str,
    group: String,
    days: Option<u32>,
    /// How many have to be named.
    locks_out: u32,
    back: String,
    title: String,
    lead: String,
    warning: Option<String>,
    ask_password: bool,
    ask_code: bool,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    group: String,
    days: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Posted {
    group: String,
    days: String,
    locks_out: String,
    password: Option<Secret>,
    code: Option<Secret>,
}

/// GET /admin/policy/{act}
pub(crate) async fn get(
    State(app): State<App>,
    admin: Admin,
    Path(word): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let act = Act::read(&word, asked.group, &asked.days).ok_or(Trouble::NotFound)?;
    show(&page(&app, &admin, act, Wrong::default()).await?)
}

/// POST /admin/policy/{act}
pub(crate) async fn post(
    State(app): State<App>,
    admin: Admin,
    Path(word): Path<String>,
    Form(posted): Form<Posted>,
) -> Result<Response, Trouble> {
    to_the_end(prove_and_run(app, admin, word, posted)).await
}

async fn prove_and_run(
    app: App,
    mut admin: Admin,
    word: String,
    mut posted: Posted,
) -> Result<Response, Trouble> {
    let act = Act::read(&word, posted.group, &posted.days).ok_or(Trouble::NotFound)?;
    let renewed = match renewed(&app, &mut admin, posted.password.take()).await? {
        Ok(renewed) => renewed,
        Err(wrong) => return show_again(&page(&app, &admin, act, wrong).await?),
    };
    let locks_out = posted.locks_out.trim().parse().ok();
    let done = changed(&app, admin, act, locks_out, typed(posted.code.take())).await;
    with_ticket(done, renewed.as_ref())
}

async fn changed(
    app: &App,
    mut admin: Admin,
    act: Act,
    locks_out: Option<u32>,
    code: Option<Secret>,
) -> Result<Response, Trouble> {
    match act.run(app, &admin, locks_out, code).await {
        Ok(done) => Ok(go(&link("/admin/policy", &[("done", done)]))),
        Err(trouble @ Trouble::Refused { .. }) if !trouble.is(SIGNED_OUT) => {
            admin.holder = app.daemon().who(&admin.caller).await?;
            let wrong = Wrong::of(&admin, &trouble);
            show_again(&page(app, &admin, act, wrong).await?)
        }
        Err(trouble) => Err(trouble),
    }
}

async fn page(app: &App, admin: &Admin, act: Act, wrong: Wrong) -> Result<Page, Trouble> {
    let f = admin.frame(app);
    let mut page = Page {
        at: "policy",
        word: RELEASE,
        group: String::new(),
        days: None,
        locks_out: 0,
        back: "/admin/policy".to_owned(),
        title: String::new(),
        lead: String::new(),
        warning: None,
        ask_password: wrong.asks_password(admin),
        ask_code: wrong.asks_code(admin),
        error: wrong.error,
        f,
    };
    let f = &page.f;
    match act {
        Act::Require { group, days } => {
            let call =
                PolicyReportParameters { group: Some(group.clone()), grace_days: Some(days), after: None };
            let locks_out = report(app, admin, call, ALL).await?.locks_out;
            let from = clock::now().saturating_add(i64::from(days).saturating_mul(DAY));
            page.lead = match days {
                0 => f.put("policy.require_now", "group", &group),
                _ => f.language.with("policy.require_lead", &[("group", &*group), ("when", &*f.time(&from))]),
            };
            page.warning = (locks_out > 0).then(|| f.put("policy.locks_out", "number", locks_out));
            page.back = link("/admin/policy", &[("group", &group), ("days", &days.to_string())]);
            page.title = f.put("policy.require", "group", &group);
            (page.word, page.days, page.locks_out, page.group) = (REQUIRE, Some(days), locks_out, group);
        }
        Act::Release { group } => {
            let report = report(app, admin, PolicyReportParameters::default(), 1).await?;
            let known = report.required.into_iter().find(|one| one.gid.to_string() == group);
            let name = known.map_or_else(|| group.clone(), |one| one.group);
            page.title = f.put("policy.release", "group", &name);
            page.lead = f.put("policy.release_lead", "group", &name);
            page.group = group;
        }
    }
    Ok(page)
}

impl Act {
    fn read(word: &str, group: String, days: &str) -> Option<Self> {
        match word {
            REQUIRE => Some(Self::Require { group, days: read_days(days) }),
            RELEASE => Some(Self::Release { group }),
            _ => None,
        }
    }

    /// Does it, and says what was done.
    async fn run(
        &self,
        app: &App,
        admin: &Admin,
        locks_out: Option<u32>,
        code: Option<Secret>,
    ) -> Result<&'static str, Trouble> {
        let (daemon, caller) = (app.daemon(), &admin.caller);
        match self.clone() {
            Self::Require { group, days: grace_days } => {
                let call = admin::RequireGroupParameters { group, grace_days, locks_out, code };
                let _: admin::GroupRequired = daemon.call_as(caller, admin::REQUIRE_GROUP, call).await?;
                Ok("group_required")
            }
            Self::Release { group } => {
                let call = admin::ReleaseGroupParameters { group, code };
                let done: admin::GroupReleased = daemon.call_as(caller, admin::RELEASE_GROUP, call).await?;
                Ok(if done.configured { "group_configured" } else { "group_released" })
            }
        }
    }
}

const REQUIRE: &str = "require";
const RELEASE: &str = "release";
const DAY: i64 = 86_400;
