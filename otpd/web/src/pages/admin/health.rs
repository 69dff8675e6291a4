//! Whether mails go out, whether the clock is right, and what doctor says.

use askama::Template;
use axum::extract::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::Secret;
use otpd_proto::account;
use otpd_proto::account::Status;
use otpd_proto::account::StatusParameters;
use otpd_proto::admin;
use otpd_proto::admin::Check;
use otpd_proto::admin::Doctor;
use otpd_proto::admin::MailStatus;
use otpd_proto::admin::MailStatusParameters;
use otpd_proto::admin::MailTestParameters;
use otpd_proto::admin::MailTested;
use serde::Deserialize;

use super::link;
use crate::admin::Admin;
use crate::app::App;
use crate::clock;
use crate::daemon::Trouble;
use crate::pages::Frame;
use crate::pages::change::typed;
use crate::pages::go;
use crate::pages::refusal;
use crate::pages::show;
use crate::pages::show_again;
use crate::said::Said;

#[derive(Template)]
#[template(path = "admin/health.html")]
struct Page {
    f: Frame,
    at: &'static str,
    checks: Vec<Check>,
    mail: MailStatus,
    status: Status,
    test: String,
    address: String,
    ask_code: bool,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    test: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Posted {
    address: String,
    code: Option<Secret>,
}

/// GET /admin/health
pub(crate) async fn get(
    State(app): State<App>,
    admin: Admin,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    show(&page(&app, &admin, asked.test, String::new(), None, false).await?)
}

/// POST /admin/mail-test
pub(crate) async fn post(
    State(app): State<App>,
    admin: Admin,
    Form(mut posted): Form<Posted>,
) -> Result<Response, Trouble> {
    let call = MailTestParameters {
        address: posted.address.trim().to_owned(),
        language: Some(admin.browser.language.word().to_owned()),
        code: typed(posted.code.take()),
    };
    let sent: Result<MailTested, Trouble> = app.daemon().call_as(&admin.caller, admin::MAIL_TEST, call).await;
    match sent {
        Ok(sent) => Ok(go(&(link("/admin/health", &[("test", &sent.id)]) + "#mail"))),
        Err(trouble @ Trouble::Refused { .. }) if !trouble.is(crate::browser::SIGNED_OUT) => {
            let error = Some(refusal(admin.browser.language, &trouble));
            let asks = trouble.is("code_needed");
            show_again(&page(&app, &admin, String::new(), posted.address, error, asks).await?)
        }
        Err(trouble) => Err(trouble),
    }
}

async fn page(
    app: &App,
    admin: &Admin,
    test: String,
    address: String,
    error: Option<String>,
    ask_code: bool,
) -> Result<Page, Trouble> {
    let (daemon, caller) = (app.daemon(), &admin.caller);
    let doctor: Doctor = daemon.call_as(caller, admin::DOCTOR, serde_json::json!({})).await?;
    let call = MailStatusParameters { id: Some(test.clone()).filter(|id| !id.is_empty()) };
    let mail = daemon.call_as(caller, admin::MAIL_STATUS, call).await?;
    let status = daemon.call_as(caller, account::STATUS, StatusParameters::default()).await?;
    Ok(Page {
        f: admin.frame(app),
        at: "health",
        checks: doctor.checks,
        mail,
        status,
        test,
        address,
        ask_code: ask_code || admin.holder.code_until.is_none_or(|until| until <= clock::now()),
        error,
    })
}

impl Page {
    fn verdict(&self, check: &Check) -> &'static str {
        self.f.say(match check.verdict.as_str() {
            "ok" => "health.ok",
            "warn" => "health.warn",
            _ => "health.fail",
        })
    }

    fn name<'a>(&'a self, check: &'a Check) -> &'a str {
        match check.check.as_str() {
            "registry" => self.f.say("health.check_registry"),
            "disk" => self.f.say("health.check_disk"),
            "configuration" => self.f.say("health.check_configuration"),
            "backup" => self.f.say("health.check_backup"),
            "clock" => self.f.say("check.clock"),
            "devices' clocks" => self.f.say("health.check_devices"),
            "mail" => self.f.say("check.mail"),
            "policy" => self.f.say("policy.title"),
            other => other,
        }
    }

    fn said(&self, check: &Check) -> Said {
        Said::new(self.f.language, &check.say, check.verdict == "fail")
    }

    fn class(&self, check: &Check) -> &'static str {
        match check.verdict.as_str() {
            "ok" => "good",
            "warn" => "bad",
            _ => "fail",
        }
    }

    fn has_test(&self) -> bool {
        !self.test.is_empty()
    }
}
