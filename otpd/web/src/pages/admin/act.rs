//! What an administrator does to somebody's account: each its own page that says what it does. A form that lacks the
//! password or the administrator's code comes back with the field for it.

use askama::Template;
use axum::extract::Form;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::Secret;
use otpd_proto::account;
use otpd_proto::admin as wire;
use serde::Deserialize;

use super::link;
use crate::admin::Admin;
use crate::admin::May;
use crate::app::App;
use crate::browser::SIGNED_OUT;
use crate::clock;
use crate::daemon::Trouble;
use crate::daemon::to_the_end;
use crate::pages::Frame;
use crate::pages::change::is_fresh;
use crate::pages::change::renew;
use crate::pages::change::typed;
use crate::pages::change::with_ticket;
use crate::pages::draft;
use crate::pages::draft::Draft;
use crate::pages::go;
use crate::pages::refusal;
use crate::pages::show;
use crate::pages::show_again;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Unlock,
    EnrolCode,
    EndSignIns,
    Reset,
    TurnOff,
}

#[derive(Template)]
#[template(path = "admin/act.html")]
struct Page {
    f: Frame,
    at: &'static str,
    word: String,
    user: String,
    back: String,
    title: &'static str,
    lead: String,
    warning: Option<&'static str>,
    ask_password: bool,
    ask_code: bool,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    user: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Posted {
    user: String,
    password: Option<Secret>,
    code: Option<Secret>,
}

/// What is wrong with a form that comes back.
#[derive(Default)]
pub(super) struct Wrong {
    pub(super) error: Option<String>,
    ask_password: bool,
    ask_code: bool,
}

impl Wrong {
    /// What was refused, and what it lacked.
    pub(super) fn of(admin: &Admin, trouble: &Trouble) -> Self {
        Self {
            error: Some(refusal(admin.browser.language, trouble)),
            ask_password: trouble.is("password_needed"),
            ask_code: trouble.is("code_needed"),
        }
    }

    /// Whether the form needs a field for the password.
    pub(super) fn asks_password(&self, admin: &Admin) -> bool {
        self.ask_password || !is_fresh(&admin.holder)
    }

    /// Whether it needs one for the administrator's code.
    pub(super) fn asks_code(&self, admin: &Admin) -> bool {
        self.ask_code || admin.holder.code_until.is_none_or(|until| until <= clock::now())
    }
}

/// GET /admin/do/{act}
pub(crate) async fn get(
    State(app): State<App>,
    admin: Admin,
    Path(word): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let act = Act::from_word(&word).ok_or(Trouble::NotFound)?;
    // Whoever is nobody is said to be, before anything is typed.
    let user = admin.status(&app, &asked.user).await?.user;
    if May::of(&admin.holder.user, &user) != May::Act {
        return Ok(go(&link("/admin/account", &[("user", &user)])));
    }
    show(&page(&app, &admin, act, &word, user, Wrong::default()))
}

/// POST /admin/do/{act}
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
    let act = Act::from_word(&word).ok_or(Trouble::NotFound)?;
    let renewed = match renewed(&app, &mut admin, posted.password.take()).await? {
        Ok(renewed) => renewed,
        Err(wrong) => return show_again(&page(&app, &admin, act, &word, posted.user, wrong)),
    };
    let done = changed(&app, admin, act, &word, posted).await;
    with_ticket(done, renewed.as_ref())
}

/// Gives the password that came with a form, if one did. From then on the administrator acts by another ticket.
pub(super) async fn renewed(
    app: &App,
    admin: &mut Admin,
    password: Option<Secret>,
) -> Result<Result<Option<Secret>, Wrong>, Trouble> {
    let Some(password) = typed(password) else { return Ok(Ok(None)) };
    Ok(match renew(app, &admin.browser, &admin.holder, password).await? {
        Ok(ticket) => {
            admin.caller.ticket = ticket.clone();
            admin.browser.ticket = Some(ticket.clone());
            Ok(Some(ticket))
        }
        Err(error) => Err(Wrong { error: Some(error), ask_password: true, ask_code: false }),
    })
}

async fn changed(
    app: &App,
    mut admin: Admin,
    act: Act,
    word: &str,
    mut posted: Posted,
) -> Result<Response, Trouble> {
    match act.run(app, &admin, &posted.user, typed(posted.code.take())).await {
        Ok(next) => Ok(go(&next)),
        Err(trouble @ Trouble::Refused { .. }) if !trouble.is(SIGNED_OUT) => {
            admin.holder = app.daemon().who(&admin.caller).await?;
            let wrong = Wrong::of(&admin, &trouble);
            show_again(&page(app, &admin, act, word, posted.user, wrong))
        }
        Err(trouble) => Err(trouble),
    }
}

fn page(app: &App, admin: &Admin, act: Act, word: &str, user: String, wrong: Wrong) -> Page {
    let f = admin.frame(app);
    let (title, lead, warning) = act.words();
    Page {
        at: "account",
        word: word.to_owned(),
        back: link("/admin/account", &[("user", &user)]),
        title: f.say(title),
        lead: f.put(lead, "user", &user),
        warning: warning.map(|key| f.say(key)),
        ask_password: if act == Act::EndSignIns { wrong.ask_password } else { wrong.asks_password(admin) },
        ask_code: wrong.asks_code(admin),
        error: wrong.error,
        user,
        f,
    }
}

impl Act {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Unlock, "unlock"),
        (Self::EnrolCode, "enrol-code"),
        (Self::EndSignIns, "end-sign-ins"),
        (Self::Reset, "reset"),
        (Self::TurnOff, "turn-off"),
    ];

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == word).map(|(act, _)| act)
    }

    /// The keys of its title, of what it does, and of a warning.
    fn words(self) -> (&'static str, &'static str, Option<&'static str>) {
        match self {
            Self::Unlock => ("admin.unlock", "admin.unlock_lead", None),
            Self::EnrolCode => ("admin.enrol", "admin.enrol_lead", Some("admin.enrol_warning")),
            Self::EndSignIns => ("admin.end_sign_ins", "admin.end_sign_ins_lead", None),
            Self::Reset => ("admin.reset", "admin.reset_lead", Some("admin.reset_warning")),
            Self::TurnOff => ("admin.turn_off", "admin.turn_off_lead", Some("admin.turn_off_warning")),
        }
    }

    /// Does it, and says where to go then.
    async fn run(
        self,
        app: &App,
        admin: &Admin,
        user: &str,
        code: Option<Secret>,
    ) -> Result<String, Trouble> {
        let daemon = app.daemon();
        let caller = &admin.caller;
        let user = &*admin.acting_on(app, user).await?;
        let whose = Some(user.to_owned());
        let done = match self {
            Self::Unlock => {
                let call = account::ProofParameters { user: whose, code };
                let _: account::Unlocked = daemon.call_as(caller, account::UNLOCK, call).await?;
                "user_unlocked"
            }
            Self::EnrolCode => {
                let call = wire::ResetParameters { user: user.to_owned(), code };
                let made: wire::EnrolCode = daemon.call_as(caller, wire::ENROL_CODE, call).await?;
                let draft = Draft::EnrolCode {
                    by: admin.holder.user.clone(),
                    user: user.to_owned(),
                    code: made.enrol_code,
                    expires: made.expires,
                };
                draft::keep(app, &admin.browser, draft);
                return Ok("/admin/enrol-code".into());
            }
            Self::EndSignIns => {
                let call = account::EndSignInsParameters { user: whose, id: None, code };
                let _: account::SignInsEnded = daemon.call_as(caller, account::END_SIGN_INS, call).await?;
                "user_signed_out"
            }
            Self::Reset => {
                let call = wire::ResetParameters { user: user.to_owned(), code };
                let _: wire::WasReset = daemon.call_as(caller, wire::RESET, call).await?;
                "user_reset"
            }
            Self::TurnOff => {
                let call = account::ProofParameters { user: whose, code };
                let _: account::TurnedOff = daemon.call_as(caller, account::OFF, call).await?;
                "user_turned_off"
            }
        };
        Ok(link("/admin/account", &[("user", user), ("done", done)]))
    }
}
