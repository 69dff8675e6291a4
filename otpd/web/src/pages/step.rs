//! What a login asks after the password: a code, most of the time; a new password, when the old one is over; or whatever
//! another module wants to know.

use askama::Template;
use axum::extract::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use otpd_proto::Secret;
use serde::Deserialize;

use super::Frame;
use super::go;
use super::show;
use super::sign_in;
use crate::app::App;
use crate::browser::Browser;
use crate::clock;
use crate::daemon::Trouble;
use crate::said::Said;

#[derive(Template)]
#[template(path = "step.html")]
struct Page {
    f: Frame,
    user: String,
    said: Vec<Said>,
    asked: Asked,
    letters: bool,
}

impl Page {
    fn is_bad(&self) -> bool {
        self.said.iter().any(|said| said.is_error)
    }

    /// What otpd says above its question.
    fn news(&self, news: &str) -> Said {
        Said::new(self.f.language, news, false)
    }
}

/// What is asked.
enum Asked {
    /// A code of otpd's, with what it says above the question.
    Code { news: Option<String> },
    /// Anything else, as the module words it.
    Other { prompt: String, echo: bool },
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct With {
    with: String,
}

#[derive(Deserialize)]
pub(crate) struct Posted {
    answer: Secret,
}

/// GET /sign-in/code
pub(crate) async fn get(
    State(app): State<App>,
    browser: Browser,
    Query(with): Query<With>,
) -> Result<Response, Trouble> {
    let Some(login) = &browser.login else { return Ok(go("/sign-in")) };
    let f = Frame::new(&app, &browser, None);
    let language = browser.language;
    let page = app.logins().with(login, clock::monotonic(), |half| Page {
        f,
        user: half.user.clone(),
        said: super::said(language, &half.texts),
        asked: Asked::read(&half.prompt, half.echo),
        letters: with.with == "letters",
    });
    page.map_or_else(|| Ok(go("/sign-in?why=signed_out")), |page| show(&page))
}

/// POST /sign-in/code
pub(crate) async fn post(
    State(app): State<App>,
    browser: Browser,
    Form(posted): Form<Posted>,
) -> Result<Response, Trouble> {
    let half = browser.login.as_ref().and_then(|login| app.logins().take(login, clock::monotonic()));
    let Some(half) = half else { return Ok(go("/sign-in?why=signed_out")) };
    let user = half.user.clone();
    // The password was right, or there would have been no question.
    let failed = match Asked::read(&half.prompt, half.echo) {
        Asked::Code { .. } => "sign_in.failed_code",
        Asked::Other { .. } => "sign_in.failed",
    };
    let outcome = half.answer(posted.answer).await?;
    sign_in::went_on(&app, &browser, outcome, &user, failed)
}

/// POST /sign-in/leave
pub(crate) async fn leave(State(app): State<App>, browser: Browser) -> Response {
    let mut response = go("/sign-in");
    sign_in::end_half(&app, &browser, &mut response);
    response
}

impl Asked {
    /// Tells otpd's question by its last words, which `otpd` never leaves out.
    fn read(prompt: &str, echo: bool) -> Self {
        let prompt = prompt.trim();
        match prompt.rfind(QUESTION) {
            Some(at) if prompt.ends_with(':') => {
                let news = prompt.get(..at).unwrap_or_default().trim();
                Self::Code { news: (!news.is_empty()).then(|| news.to_owned()) }
            }
            _ => Self::Other { prompt: prompt.trim_end_matches(':').trim_end().to_owned(), echo },
        }
    }
}

const QUESTION: &str = "One-time code";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn code(prompt: &str, expected: Option<&str>) {
        let Asked::Code { news } = Asked::read(prompt, false) else { panic!("{prompt} asks for a code") };
        assert_eq!(news.as_deref(), expected);
    }

    #[test]
    fn the_question_of_otpd_is_told_from_others_and_its_news_from_the_question() {
        code("One-time code for alice: ", None);
        code("One-time code: ", None);
        code(
            "Wrong code (it is 10:00:00 here). One-time code for alice: ",
            Some("Wrong code (it is 10:00:00 here)."),
        );
        for prompt in ["New password: ", "Password:", "One-time codes are nice"] {
            let Asked::Other { prompt: shown, .. } = Asked::read(prompt, false) else { panic!("{prompt}") };
            assert_eq!(shown, prompt.trim().trim_end_matches(':'));
        }
    }
}
