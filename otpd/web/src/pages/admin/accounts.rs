//! The list of accounts: searched by how names begin, by state, a page at a time both ways.

use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::admin;
use otpd_proto::admin::Account;
use otpd_proto::admin::Accounts;
use otpd_proto::admin::AccountsParameters;
use serde::Deserialize;

use super::link;
use super::some;
use crate::admin::Admin;
use crate::app::App;
use crate::daemon::Trouble;
use crate::pages::Frame;
use crate::pages::show;

#[derive(Template)]
#[template(path = "admin/accounts.html")]
struct Page {
    f: Frame,
    at: &'static str,
    asked: Asked,
    accounts: Vec<Account>,
    newer: Option<String>,
    older: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    search: String,
    only: String,
    after: String,
    before: String,
}

/// GET /admin
pub(crate) async fn get(
    State(app): State<App>,
    admin: Admin,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let asked = Asked { only: if is_state(&asked.only) { asked.only } else { String::new() }, ..asked };
    let call = AccountsParameters {
        after: some(&asked.after),
        before: some(&asked.before),
        prefix: some(&asked.search),
        only: some(&asked.only),
        code: None,
    };
    let found: Accounts = app.daemon().call_as(&admin.caller, admin::ACCOUNTS, call).await?;
    let (newer, older) = asked.ways(&found);
    show(&Page { f: admin.frame(&app), at: "accounts", asked, accounts: found.accounts, newer, older })
}

fn is_state(word: &str) -> bool {
    matches!(word, "protected" | "unprotected" | "locked")
}

impl Asked {
    /// Where the pages before and behind this one are.
    fn ways(&self, found: &Accounts) -> (Option<String>, Option<String>) {
        let to = |way: &str, account: Option<&Account>| {
            let name = account.map(|account| account.user.as_str())?;
            Some(link("/admin", &[("search", &self.search), ("only", &self.only), (way, name)]))
        };
        let backwards = !self.before.is_empty();
        let has_newer = if backwards { found.more } else { !self.after.is_empty() };
        let has_older = backwards || found.more;
        (
            to("before", found.accounts.first()).filter(|_| has_newer),
            to("after", found.accounts.last()).filter(|_| has_older),
        )
    }

    fn is_narrow(&self) -> bool {
        !self.search.is_empty() || !self.only.is_empty() || !self.after.is_empty() || !self.before.is_empty()
    }
}

impl Page {
    fn path(&self, account: &Account) -> String {
        link("/admin/account", &[("user", &account.user)])
    }

    /// The page of somebody who has no account yet.
    fn look_up(&self) -> Option<String> {
        some(&self.asked.search).map(|user| link("/admin/account", &[("user", &user)]))
    }

    fn way(&self, account: &Account) -> &'static str {
        way(&self.f, &account.weakest)
    }
}

/// What opens an account, in words.
pub(super) fn way(f: &Frame, word: &str) -> &'static str {
    f.language.find(&format!("way.{word}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(more: bool) -> Accounts {
        let account = |user: &str| Account {
            user: user.into(),
            uid: 1,
            protected: true,
            active_devices: 1,
            last_used: None,
            locked: false,
            recovery_codes: 10,
            emails: 0,
            weakest: "recovery_code".into(),
        };
        Accounts { accounts: vec![account("bea"), account("cid")], more }
    }

    #[test]
    fn pages_lead_to_where_there_is_more() {
        let (after, before) =
            (Some("/admin?only=locked&after=cid".to_owned()), "/admin?only=locked&before=bea");
        let before = Some(before.to_owned());
        let asked = || Asked { only: "locked".into(), ..Asked::default() };
        assert_eq!(asked().ways(&found(false)), (None, None));
        assert_eq!(asked().ways(&found(true)), (None, after.clone()));
        let on = Asked { after: "ann".into(), ..asked() };
        assert_eq!(on.ways(&found(false)), (before.clone(), None));
        let back = Asked { before: "dan".into(), ..asked() };
        assert_eq!(back.ways(&found(false)), (None, after.clone()));
        assert_eq!(back.ways(&found(true)), (before, after));
    }
}
