//! Of whom protection is required, whom that meets without a device, and whom it would meet to require it of one more
//! group. That is done at a page of its own: [`super::group`].

use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::admin;
use otpd_proto::admin::Concerned;
use otpd_proto::admin::PolicyReport;
use otpd_proto::admin::PolicyReportParameters;
use serde::Deserialize;

use super::link;
use super::some;
use crate::admin::Admin;
use crate::app::App;
use crate::daemon::Trouble;
use crate::pages::Frame;
use crate::pages::account::done;
use crate::pages::show;

#[derive(Template)]
#[template(path = "admin/policy.html")]
struct Page {
    f: Frame,
    at: &'static str,
    asked: Asked,
    /// In force, and whom it meets: or would.
    report: PolicyReport,
    group: Option<String>,
    days: u32,
    next: Option<String>,
    error: Option<String>,
    done: Option<&'static str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    group: String,
    days: String,
    after: String,
    done: String,
}

/// GET /admin/policy
pub(crate) async fn get(
    State(app): State<App>,
    admin: Admin,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let f = admin.frame(&app);
    let group = some(&asked.group);
    let days = group.as_ref().map(|_| read_days(&asked.days));
    let call = PolicyReportParameters { group: group.clone(), grace_days: days, after: some(&asked.after) };
    let (report, group, error) = match report(&app, &admin, call, SHOWN).await {
        Ok(report) => (report, group, None),
        Err(trouble) if trouble.is("no_such_group") => {
            let report = self::report(&app, &admin, PolicyReportParameters::default(), SHOWN).await?;
            (report, None, Some(f.put("policy.no_group", "group", &asked.group)))
        }
        Err(trouble) => return Err(trouble),
    };
    let days = days.unwrap_or(DAYS);
    let next = report.next.as_ref().map(|next| {
        let days = if group.is_some() { days.to_string() } else { String::new() };
        let named = group.clone().unwrap_or_default();
        link("/admin/policy", &[("group", &named), ("days", &days), ("after", next)])
    });
    let done = done(&admin.browser, &asked.done);
    show(&Page { f, at: "policy", asked, report, group, days, next, error, done })
}

/// So many pages of it together.
pub(super) async fn report(
    app: &App,
    admin: &Admin,
    mut call: PolicyReportParameters,
    pages: usize,
) -> Result<PolicyReport, Trouble> {
    let mut whole: Option<PolicyReport> = None;
    for _ in 0..pages {
        let (group, grace_days) = (call.group.clone(), call.grace_days);
        let page: PolicyReport = app.daemon().call_as(&admin.caller, admin::POLICY_REPORT, call).await?;
        let next = page.next.clone();
        whole = Some(match whole {
            None => page,
            Some(whole) => joined(whole, page),
        });
        if next.is_none() {
            break;
        }
        call = PolicyReportParameters { group, grace_days, after: next };
    }
    whole.ok_or(Trouble::NotFound)
}

fn joined(mut whole: PolicyReport, page: PolicyReport) -> PolicyReport {
    whole.concerned.extend(page.concerned);
    whole.looked_at = whole.looked_at.saturating_add(page.looked_at);
    whole.protected = whole.protected.saturating_add(page.protected);
    whole.locks_out = whole.locks_out.saturating_add(page.locks_out);
    PolicyReport { next: page.next, ..whole }
}

impl Page {
    fn counts(&self) -> String {
        let of = |standing| self.report.concerned.iter().filter(|one| one.standing == standing).count();
        let (out, grace) = (of("locked_out").to_string(), of("grace").to_string());
        let (looked, protected) = (self.report.looked_at.to_string(), self.report.protected.to_string());
        let values = [("looked", &*looked), ("protected", &*protected), ("out", &*out), ("grace", &*grace)];
        self.f.language.with("policy.counts", &values)
    }

    fn path(&self, one: &Concerned) -> String {
        link("/admin/account", &[("user", &one.user)])
    }

    fn standing(&self, one: &Concerned) -> String {
        match (one.standing.as_str(), one.from, one.enrol_code) {
            ("exempt", ..) => self.f.say("policy.exempt").to_owned(),
            ("grace", Some(from), _) => self.f.put("policy.grace", "when", self.f.time(&from)),
            (_, _, true) => self.f.say("policy.enrol_code").to_owned(),
            _ => self.f.say("policy.locked_out").to_owned(),
        }
    }

    fn is_in_force(&self) -> bool {
        self.is_configured() || !self.report.required.is_empty()
    }

    fn is_configured(&self) -> bool {
        self.report.require_everyone || !self.report.require_groups.is_empty()
    }

    fn require(&self, group: &str) -> String {
        link("/admin/policy/require", &[("group", group), ("days", &self.days.to_string())])
    }
}

/// As they stand in a form.
pub(super) fn read_days(typed: &str) -> u32 {
    typed.trim().parse().unwrap_or(DAYS).min(MOST_DAYS)
}

const DAYS: u32 = 14;
const MOST_DAYS: u32 = 3650;
/// A hundred names each.
const SHOWN: usize = 5;
/// More than otpd itself counts in time.
pub(super) const ALL: usize = 1000;
