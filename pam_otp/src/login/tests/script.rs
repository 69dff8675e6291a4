//! The two scripts: what the application does and what the daemon says.

use std::ffi::CStr;
use std::path::Path;

use pam::constants::PamResultCode;
use zeroize::Zeroizing;

use super::*;

/// A PAM transaction; every reply must be asked for.
pub(super) struct Pam {
    pub(super) user: Option<String>,
    pub(super) facts: Vec<(Fact, String)>,
    pub(super) unreadable: Option<Fact>,
    pub(super) password: Option<Vec<u8>>,
    pub(super) kept_code: Option<Vec<u8>>,
    /// How often PAM_AUTHTOK and PAM_OLDAUTHTOK can be set.
    pub(super) sets: usize,
    pub(super) replies: VecDeque<PamResult<Option<Vec<u8>>>>,
    /// PAM_USER after the next prompt.
    pub(super) renamed_by_prompt: Option<String>,
    /// PAM_USER after the next text.
    pub(super) renamed_by_text: Option<String>,
    /// How often the mark can be stored.
    pub(super) stores: usize,
    pub(super) mark: Option<String>,
    pub(super) prompts: Vec<(Echo, String)>,
    pub(super) shown: Vec<(Tone, String)>,
    pub(super) logs: Vec<(Priority, String)>,
}

impl Pam {
    pub(super) fn new(user: &str) -> Self {
        Self {
            user: Some(user.to_owned()),
            facts: Vec::new(),
            unreadable: None,
            password: None,
            kept_code: None,
            sets: usize::MAX,
            replies: VecDeque::new(),
            renamed_by_prompt: None,
            renamed_by_text: None,
            stores: usize::MAX,
            mark: None,
            prompts: Vec::new(),
            shown: Vec::new(),
            logs: Vec::new(),
        }
    }

    pub(super) fn typing(self, typed: &[u8]) -> Self {
        self.replying(Some(typed))
    }

    pub(super) fn replying(mut self, reply: Option<&[u8]>) -> Self {
        self.replies.push_back(Ok(reply.map(<[u8]>::to_vec)));
        self
    }

    /// Everything logged at this priority.
    pub(super) fn logged(&self, priority: Priority) -> String {
        let lines = self.logs.iter().filter(|(at, _)| *at == priority);
        lines.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" | ")
    }
}

impl Transaction for Pam {
    fn user(&mut self) -> PamResult<String> {
        self.user.clone().ok_or(PamResultCode::PAM_CONV_ERR)
    }

    fn user_now(&self) -> PamResult<Option<String>> {
        Ok(self.user.clone())
    }

    fn fact(&mut self, fact: Fact) -> PamResult<Option<String>> {
        if self.unreadable == Some(fact) {
            return Err(PamResultCode::PAM_SYSTEM_ERR);
        }
        Ok(self.facts.iter().find(|(known, _)| *known == fact).map(|(_, value)| value.clone()))
    }

    fn password(&self) -> PamResult<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.password.clone().map(Zeroizing::new))
    }

    fn set_password(&mut self, password: &[u8]) -> PamResult<()> {
        self.sets = self.sets.checked_sub(1).ok_or(PamResultCode::PAM_BUF_ERR)?;
        self.password = Some(password.to_vec());
        Ok(())
    }

    fn kept_code(&self) -> PamResult<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.kept_code.clone().map(Zeroizing::new))
    }

    fn keep_code(&mut self, code: &[u8]) -> PamResult<()> {
        self.sets = self.sets.checked_sub(1).ok_or(PamResultCode::PAM_BUF_ERR)?;
        self.kept_code = Some(code.to_vec());
        Ok(())
    }

    fn ask(&mut self, echo: Echo, prompt: &Line) -> PamResult<Option<Zeroizing<Vec<u8>>>> {
        self.prompts.push((echo, prompt.as_str().to_owned()));
        self.user = self.renamed_by_prompt.take().or(self.user.take());
        let reply = self.replies.pop_front().expect("a prompt beyond the script");
        reply.map(|typed| typed.map(Zeroizing::new))
    }

    fn show(&mut self, tone: Tone, text: &Line) {
        self.shown.push((tone, text.as_str().to_owned()));
        self.user = self.renamed_by_text.take().or(self.user.take());
    }

    fn mark(&self) -> Option<&str> {
        self.mark.as_deref()
    }

    fn set_mark(&mut self, user: Option<String>) -> PamResult<()> {
        self.stores = self.stores.checked_sub(1).ok_or(PamResultCode::PAM_BUF_ERR)?;
        self.mark = user;
        Ok(())
    }

    fn log(&mut self, priority: Priority, text: &Line) {
        self.logs.push((priority, text.as_str().to_owned()));
    }
}

impl Drop for Pam {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.replies.is_empty(), "a scripted reply was not asked for");
    }
}

/// One question put to the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Start,
    Answer(String),
    FirstPass(String),
    Tail(String),
    Account,
}

/// A daemon; everything it has to say must be asked for.
pub(super) struct Daemon {
    says: RefCell<VecDeque<Result<Next, Fault>>>,
    asked: RefCell<Vec<Asked>>,
    pub(super) logins: RefCell<Vec<Login>>,
}

impl Daemon {
    pub(super) fn new(says: impl IntoIterator<Item = Result<Next, Fault>>) -> Self {
        let says = RefCell::new(says.into_iter().collect());
        Self { says, asked: RefCell::default(), logins: RefCell::default() }
    }

    pub(super) fn questions(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    fn next(&self, login: &Login, asked: Asked) -> Result<Next, Fault> {
        self.asked.borrow_mut().push(asked);
        self.logins.borrow_mut().push(login.clone());
        self.says.borrow_mut().pop_front().expect("a question beyond the script")
    }
}

impl crate::daemon::Daemon for Daemon {
    fn start(&self, login: &Login) -> Result<Next, Fault> {
        self.next(login, Asked::Start)
    }

    fn answer(&self, login: &Login, answer: &Secret, given: Given) -> Result<Next, Fault> {
        let asked = match given {
            Given::Typed => Asked::Answer,
            Given::FirstPass => Asked::FirstPass,
            Given::Tail => Asked::Tail,
        };
        self.next(login, asked(answer.expose_secret().to_owned()))
    }

    fn account(&self, login: &Login) -> Result<Next, Fault> {
        self.next(login, Asked::Account)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.says.borrow().is_empty(), "the daemon was not asked enough");
    }
}

pub(super) fn options(words: &[&CStr]) -> Options {
    Options::parse(words, Path::new("/run/otpd/login.sock")).unwrap()
}

pub(super) fn ask(prompt: &str) -> Next {
    Next::Ask { prompt: prompt.to_owned(), echo: false, digits: Some(6) }
}

pub(super) fn accept(notice: Option<&str>) -> Next {
    Next::Accept { device: "phone".to_owned(), notice: notice.map(str::to_owned), digits: None }
}

pub(super) fn not_required(notice: Option<&str>) -> Next {
    Next::NotRequired { why: "exempt group".to_owned(), notice: notice.map(str::to_owned) }
}

pub(super) fn refuse(say: &str) -> Next {
    Next::Refuse { say: say.to_owned() }
}

pub(super) fn silence() -> Fault {
    Fault::Silence { sent: false, why: "cannot reach otpd".to_owned() }
}
