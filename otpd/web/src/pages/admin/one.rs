//! One account, as an administrator sees it, and what they can do for its owner.

use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::account;
use otpd_proto::account::Device;
use otpd_proto::account::Devices;
use otpd_proto::account::DevicesParameters;
use otpd_proto::account::SignIns;
use otpd_proto::account::SignInsParameters;
use otpd_proto::account::Status;
use serde::Deserialize;

use super::link;
use crate::admin::Admin;
use crate::admin::May;
use crate::app::App;
use crate::daemon::Trouble;
use crate::pages::Frame;
use crate::pages::account::done;
use crate::pages::show;

#[derive(Template)]
#[template(path = "admin/one.html")]
struct Page {
    f: Frame,
    at: &'static str,
    status: Status,
    devices: Vec<Device>,
    sign_ins: usize,
    may: May,
    done: Option<&'static str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    user: String,
    done: String,
}

/// GET /admin/account
pub(crate) async fn get(
    State(app): State<App>,
    admin: Admin,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let status = admin.status(&app, &asked.user).await?;
    let user = Some(status.user.clone());
    let daemon = app.daemon();
    let call = DevicesParameters { user: user.clone(), ..DevicesParameters::default() };
    let devices: Devices = daemon.call_as(&admin.caller, account::DEVICES, call).await?;
    let sign_ins: SignIns =
        daemon.call_as(&admin.caller, account::SIGN_INS, SignInsParameters { user }).await?;
    show(&Page {
        f: admin.frame(&app),
        at: "account",
        may: May::of(&admin.holder.user, &status.user),
        devices: devices.devices.into_iter().filter(|device| device.state == "active").collect(),
        sign_ins: sign_ins.sign_ins.len(),
        done: done(&admin.browser, &asked.done),
        status,
    })
}

impl Page {
    fn path(&self, act: &str) -> String {
        link(&format!("/admin/do/{act}"), &[("user", &self.status.user)])
    }

    fn events(&self) -> String {
        link("/admin/audit", &[("user", &self.status.user)])
    }

    fn may_act(&self) -> bool {
        self.may == May::Act
    }

    fn why_not(&self) -> &'static str {
        let key = self.may.why_not().map(|reason| format!("reason.{reason}"));
        key.and_then(|key| self.f.language.find(&key)).unwrap_or_default()
    }

    /// Lanes with wrong codes, in words.
    fn lanes(&self) -> Vec<String> {
        let lanes = self.status.lanes.iter().filter(|lane| lane.failures > 0 || lane.closed);
        let words = lanes.map(|lane| {
            let lane_name = self.f.language.find(&format!("lane.{}", lane.lane)).unwrap_or_default();
            let failures = lane.failures.to_string();
            let key = if lane.closed { "admin.lane_closed" } else { "admin.lane_open" };
            self.f.language.with(key, &[("lane", lane_name), ("count", &failures)])
        });
        words.collect()
    }

    fn requirement(&self) -> String {
        let requirement = &self.status.requirement;
        match (requirement.state.as_str(), requirement.since) {
            ("required", Some(since)) if since > self.status.now => {
                self.f.put("admin.required_from", "when", self.f.time(&since))
            }
            ("required", _) => self.f.say("admin.required").to_owned(),
            ("exempt", _) => self.f.say("admin.exempt").to_owned(),
            _ => self.f.say("admin.optional").to_owned(),
        }
    }

    fn confirmed(&self) -> Vec<&str> {
        let confirmed = self.status.emails.iter().filter(|email| email.state == "confirmed");
        confirmed.map(|email| email.address.as_str()).collect()
    }
}
