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
use otpd_proto::account::StatusParameters;
use serde::Deserialize;

use super::Admin;
use super::link;
use crate::app::App;
use crate::daemon::Caller;
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

/// Whether an administrator can act on an account here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    Act,
    NotOnThemselves,
    NotOnRoot,
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
    let status = status(&app, &admin.caller, &asked.user).await?;
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

/// How somebody's account stands.
pub(super) async fn status(app: &App, caller: &Caller, user: &str) -> Result<Status, Trouble> {
    let call = StatusParameters { user: Some(user.to_owned()) };
    app.daemon().call_as(caller, account::STATUS, call).await
}

impl May {
    /// `otpd` decides; this only leaves out what it would refuse.
    pub(super) fn of(admin: &str, user: &str) -> Self {
        match user {
            "root" => Self::NotOnRoot,
            _ if user == admin => Self::NotOnThemselves,
            _ => Self::Act,
        }
    }
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
        self.f.say(if self.may == May::NotOnRoot { "admin.not_root" } else { "admin.not_self" })
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
