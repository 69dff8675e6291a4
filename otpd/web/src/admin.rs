//! Administrators who are signed in, by whatever they come: a page or the API. Nobody else gets by [`Admin`]; what an
//! administrator may do is decided by `otpd` at each call.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use otpd_proto::Secret;
use otpd_proto::account;
use otpd_proto::account::Status;
use otpd_proto::account::StatusParameters;
use otpd_proto::admin::AUDIT;
use otpd_proto::admin::Audit;
use otpd_proto::admin::AuditParameters;
use otpd_proto::web::Holder;

use crate::app::App;
use crate::browser::Browser;
use crate::daemon::Caller;
use crate::daemon::Trouble;

/// An administrator who is signed in.
pub(crate) struct Admin {
    /// Where they are.
    pub(crate) browser: Browser,
    /// For calls as them.
    pub(crate) caller: Caller,
    /// Who they are.
    pub(crate) holder: Holder,
}

/// Whether an administrator can act on an account here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    Act,
    NotOnThemselves,
    NotOnRoot,
}

impl Admin {
    /// How somebody's account stands.
    pub(crate) async fn status(&self, app: &App, user: &str) -> Result<Status, Trouble> {
        let call = StatusParameters { user: Some(user.to_owned()) };
        app.daemon().call_as(&self.caller, account::STATUS, call).await
    }

    /// The name of whom they act on, as the system has it: who is meant must not depend on how it is written.
    pub(crate) async fn acting_on(&self, app: &App, user: &str) -> Result<String, Trouble> {
        let user = self.status(app, user).await?.user;
        match May::of(&self.holder.user, &user).why_not() {
            Some(reason) => Err(Trouble::Refused { reason: reason.into(), say: String::new(), until: None }),
            None => Ok(user),
        }
    }

    /// Gives a code of their own, which is then good for ten minutes.
    pub(crate) async fn prove(&self, app: &App, code: Option<Secret>) -> Result<(), Trouble> {
        // Before the first event there is none: this proves, and reads nothing.
        let call = AuditParameters { before: Some(1), tail: Some(1), code, ..AuditParameters::default() };
        let _: Audit = app.daemon().call_as(&self.caller, AUDIT, call).await?;
        Ok(())
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

impl May {
    /// `user` is a name as the system has it.
    pub(crate) fn of(admin: &str, user: &str) -> Self {
        match user {
            "root" => Self::NotOnRoot,
            _ if user == admin => Self::NotOnThemselves,
            _ => Self::Act,
        }
    }

    /// The reason of a refusal.
    pub(crate) fn why_not(self) -> Option<&'static str> {
        match self {
            Self::Act => None,
            Self::NotOnThemselves => Some("not_on_yourself"),
            Self::NotOnRoot => Some("not_on_root"),
        }
    }
}
