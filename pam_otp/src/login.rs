//! A login, step by step: who logs in, what otpd says to do next, what the person typed. The daemon leads; this
//! module only asks what it is told to ask, and every way out that is not named here is a refusal.

use otpd_proto::Secret;
use otpd_proto::login::Given;
use otpd_proto::login::Login;
use otpd_proto::login::Next;
use pam::constants::PamResultCode;
use pam::module::PamResult;
use zeroize::Zeroizing;

use crate::answer;
use crate::daemon::Daemon;
use crate::daemon::Fault;
use crate::handle::Echo;
use crate::handle::Fact;
use crate::handle::Priority;
use crate::handle::Tone;
use crate::handle::Transaction;
use crate::line::Line;
use crate::options::FirstPass;
use crate::options::ForwardPass;
use crate::options::Options;
use crate::options::Unavailable;
use crate::outcome::Outcome;

mod forward;

/// One phase of one login.
pub(crate) struct Phase<'a, T, D> {
    /// The PAM handle.
    pub(crate) pam: &'a mut T,
    /// Who says what to do.
    pub(crate) daemon: &'a D,
    /// The module's line.
    pub(crate) options: &'a Options,
    /// PAM_SILENT: nothing is shown but prompts.
    pub(crate) silent: bool,
    /// The host runs as root, so its daemon cannot be silenced by the user who logs in: a process of that user could
    /// hold every connection that account.sock grants them.
    pub(crate) privileged: bool,
}

/// A phase that ended early.
type OrEnd<T> = Result<T, Outcome>;

impl<T: Transaction, D: Daemon> Phase<'_, T, D> {
    /// Asks for a code if the daemon says so, and leaves the mark of whom it passed.
    pub(crate) fn authenticate(&mut self) -> Outcome {
        self.try_authenticate().unwrap_or_else(|end| end)
    }

    /// Lets in whom [`Self::authenticate`] passed, and whom the daemon asks for no code; closes the way in that
    /// never calls it, as sshd's public key.
    pub(crate) fn account(&mut self) -> Outcome {
        self.try_account().unwrap_or_else(|end| end)
    }

    fn try_authenticate(&mut self) -> OrEnd<Outcome> {
        self.set_mark(None)?;
        let login = self.login()?;
        if self.options.forward_pass != ForwardPass::Off {
            return self.authenticate_both(login);
        }
        let started = self.daemon.start(&login);
        let mut next = started.map_err(|fault| self.unanswered(&login, fault))?;
        let mut answered = false;
        for _ in 0..MOST_QUESTIONS {
            let Next::Ask { prompt, echo, .. } = next else { break };
            self.debug("otpd asks");
            let (answer, given) = match self.first_pass(&login, answered)? {
                Some(code) => (code, Given::FirstPass),
                None => (self.answer(&login, &prompt, echo)?, Given::Typed),
            };
            let judged = self.daemon.answer(&login, &answer, given);
            next = judged.map_err(|fault| self.unjudged(&login, fault))?;
            answered = true;
        }
        match next {
            Next::Accept { device, notice, .. } if answered => self.pass(login, &device, notice.as_deref()),
            other => self.end(&login, other),
        }
    }

    fn try_account(&mut self) -> OrEnd<Outcome> {
        let login = self.login()?;
        if self.pam.mark() == Some(login.user.as_str()) {
            self.debug("this login has given its code");
            return Ok(Outcome::Passed);
        }
        let told = self.daemon.account(&login);
        let next = told.map_err(|fault| self.unanswered(&login, fault))?;
        self.end(&login, next)
    }

    /// Who logs in, and how. An item that cannot be read ends the phase: without PAM_RHOST, for one, a login from
    /// afar would look local.
    fn login(&mut self) -> OrEnd<Login> {
        let user = self.pam.user();
        let user = user.ok().filter(|user| (1..=LONGEST_USER).contains(&user.len()));
        let Some(user) = user else {
            self.log(Priority::Notice, "refused: the application gave no usable user name");
            return Err(Outcome::Refused);
        };
        let read = self.facts(user);
        read.map_err(|code| {
            self.log(Priority::Error, &format!("cannot read the PAM items (PAM code {})", code as i32));
            Outcome::Unavailable
        })
    }

    fn facts(&mut self, user: String) -> PamResult<Login> {
        let mut fact = |which| Ok(self.pam.fact(which)?.filter(|value| !value.is_empty()).map(cut));
        Ok(Login {
            user,
            service: fact(Fact::Service)?.unwrap_or_default(),
            tty: fact(Fact::Tty)?,
            ruser: fact(Fact::RemoteUser)?,
            rhost: fact(Fact::RemoteHost)?,
            ssh_connection: fact(Fact::SshConnection)?,
            ssh_auth_info: fact(Fact::SshAuthInfo)?,
        })
    }

    /// What a module before us asked for, if the line says that it is the code. It is tried once: a client that asks
    /// once would only repeat it, and each try counts.
    fn first_pass(&mut self, login: &Login, tried: bool) -> OrEnd<Option<Secret>> {
        if self.options.first_pass == FirstPass::Ignored {
            return Ok(None);
        }
        let kept = self.pam.kept_code();
        let kept = kept.map_err(|code| self.unreadable(login, "PAM_OLDAUTHTOK", code))?;
        let token = if kept.is_some() { kept } else { self.password(login)? };
        let token = token.filter(|_| !tried);
        match answer::from_first_pass(token.as_ref().map(|token| token.as_slice())) {
            Ok(code) => Ok(Some(code)),
            Err(why) if self.options.first_pass == FirstPass::Used => {
                Err(self.refuse(login, &format!("not sent: {why}")))
            }
            Err(_) => Ok(None),
        }
    }

    /// Asks once. What cannot be an answer is not asked for again: sshd, sudo and lockers have loops of their own.
    fn answer(&mut self, login: &Login, prompt: &str, echo: bool) -> OrEnd<Secret> {
        let typed = self.ask(login, prompt, echo)?;
        let password = self.password(login)?;
        answer::check(
            typed.as_ref().map(|typed| typed.as_slice()),
            password.as_ref().map(|password| password.as_slice()),
        )
        .map_err(|why| self.refuse(login, &format!("not sent: {why}")))
    }

    /// Shows the prompt, or the line's own.
    fn ask(&mut self, login: &Login, prompt: &str, echo: bool) -> OrEnd<Option<Zeroizing<Vec<u8>>>> {
        let prompt = self.options.prompt.clone().unwrap_or_else(|| Line::new(prompt));
        let typed = self.pam.ask(if echo { Echo::On } else { Echo::Off }, &prompt);
        let typed = typed.map_err(|code| {
            self.refuse(login, &format!("the conversation failed (PAM code {})", code as i32))
        })?;
        self.still(login)?;
        Ok(typed)
    }

    fn password(&mut self, login: &Login) -> OrEnd<Option<Zeroizing<Vec<u8>>>> {
        let password = self.pam.password();
        password.map_err(|code| self.unreadable(login, "PAM_AUTHTOK", code))
    }

    fn unreadable(&mut self, login: &Login, item: &str, code: PamResultCode) -> Outcome {
        self.refuse(login, &format!("cannot read {item} (PAM code {})", code as i32))
    }

    /// A code was accepted: the notice comes before the last look at PAM_USER, since it calls the application.
    fn pass(&mut self, login: Login, device: &str, notice: Option<&str>) -> OrEnd<Outcome> {
        self.show(Tone::Info, notice);
        self.still(&login)?;
        let early = match self.options.forward_pass {
            ForwardPass::Checked => " before the password was checked",
            ForwardPass::Off | ForwardPass::Unchecked => "",
        };
        self.log(Priority::Info, &format!("accepted{early}; device={device} {}", Who(&login)));
        self.set_mark(Some(login.user))?;
        Ok(Outcome::Passed)
    }

    /// Every end but a passed code.
    fn end(&mut self, login: &Login, next: Next) -> OrEnd<Outcome> {
        match next {
            Next::NotRequired { why, notice } => {
                self.show(Tone::Info, notice.as_deref());
                self.still(login)?;
                self.log(Priority::Info, &format!("no code required: {why}; {}", Who(login)));
                Ok(Outcome::NotRequired)
            }
            Next::Refuse { say } => {
                self.show(Tone::Error, Some(&say));
                Ok(self.refuse(login, "otpd refused"))
            }
            Next::Locked { say, .. } => {
                self.show(Tone::Error, Some(&say));
                self.log(Priority::Notice, &format!("locked; {}", Who(login)));
                Ok(Outcome::Locked)
            }
            Next::Ask { .. } | Next::Accept { .. } => {
                self.log(Priority::Error, &format!("refused: {UNKNOWN_ANSWER}; {}", Who(login)));
                Ok(Outcome::Refused)
            }
        }
    }

    /// authd let a module change PAM_USER after the check and logged in somebody else (CVE-2024-9313).
    fn still(&mut self, login: &Login) -> OrEnd<()> {
        if self.pam.user_now().ok().flatten().as_deref() == Some(login.user.as_str()) {
            return Ok(());
        }
        self.log(Priority::Alert, &format!("refused: PAM_USER changed during the login; {}", Who(login)));
        Err(Outcome::Refused)
    }

    fn set_mark(&mut self, user: Option<String>) -> OrEnd<()> {
        let set = self.pam.set_mark(user);
        set.map_err(|code| {
            self.log(
                Priority::Error,
                &format!("cannot store data in the PAM handle (PAM code {})", code as i32),
            );
            Outcome::Unavailable
        })
    }

    /// Nobody said what to do. Only silence, and only here, before anything is known of the account, may let a
    /// local login through.
    fn unanswered(&mut self, login: &Login, fault: Fault) -> Outcome {
        if let Fault::Silence { why, .. } = &fault
            && self.options.unavailable == Unavailable::Ignore
            && login.rhost.is_none()
            && self.privileged
        {
            let text = format!("LET THROUGH WITHOUT A CODE (unavailable=ignore): {why}; {}", Who(login));
            self.log(Priority::Alert, &text);
            return Outcome::LetThroughUnchecked;
        }
        self.unavailable(login, fault, NOT_CHECKED)
    }

    /// Nobody judged the answer. The daemon had asked for it, so nothing lets this login through.
    fn unjudged(&mut self, login: &Login, fault: Fault) -> Outcome {
        let sent = matches!(fault, Fault::Silence { sent: true, .. } | Fault::Unknown);
        self.unavailable(login, fault, if sent { MAYBE_SPENT } else { NOT_CHECKED })
    }

    fn unavailable(&mut self, login: &Login, fault: Fault, say: &str) -> Outcome {
        let mut shown = say.to_owned();
        let (priority, why) = match fault {
            Fault::Silence { why, .. } | Fault::Unaskable(why) => (Priority::Error, why),
            Fault::Untrusted(why) => (Priority::Alert, why),
            Fault::Unknown => (Priority::Error, UNKNOWN_ANSWER.to_owned()),
            Fault::Error { name, say: told } => {
                let why = format!("otpd answered {name}: {}", told.as_deref().unwrap_or("(no text)"));
                shown = told.unwrap_or(shown);
                (Priority::Error, why)
            }
        };
        self.show(Tone::Error, Some(&shown));
        self.log(priority, &format!("cannot check: {why}; {}", Who(login)));
        Outcome::Unavailable
    }

    fn refuse(&mut self, login: &Login, why: &str) -> Outcome {
        self.log(Priority::Notice, &format!("refused: {why}; {}", Who(login)));
        Outcome::Refused
    }

    fn show(&mut self, tone: Tone, text: Option<&str>) {
        let line = Line::new(text.unwrap_or_default());
        if !self.silent && !line.as_str().is_empty() {
            self.pam.show(tone, &line);
        }
    }

    fn log(&mut self, priority: Priority, text: &str) {
        self.pam.log(priority, &Line::new(text));
    }

    fn debug(&mut self, text: &str) {
        if self.options.debug {
            self.log(Priority::Debug, text);
        }
    }
}

/// Who logs in, in the words that log watchers know from pam_unix.
struct Who<'a>(&'a Login);

impl std::fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or_nothing = |field: &'_ Option<String>| field.clone().unwrap_or_default();
        let Login { user, tty, ruser, rhost, .. } = self.0;
        write!(
            f,
            "tty={} ruser={} rhost={} user={user}",
            or_nothing(tty),
            or_nothing(ruser),
            or_nothing(rhost)
        )
    }
}

/// Cuts a fact at [`LONGEST_FACT`], at a character's end.
fn cut(mut fact: String) -> String {
    let end = (0..=LONGEST_FACT).rev().find(|end| fact.is_char_boundary(*end)).unwrap_or_default();
    if fact.len() > end {
        fact.truncate(end);
    }
    fact
}

/// The daemon leads, but not in circles.
const MOST_QUESTIONS: usize = 3;
/// Bytes. A longer name is refused: cut, it would be somebody else's.
const LONGEST_USER: usize = 256;
/// Bytes.
const LONGEST_FACT: usize = 1024;

const UNKNOWN_ANSWER: &str = "this answer of otpd is not for this pam_otp.so (do their versions differ?)";
const NOT_CHECKED: &str =
    "One-time codes cannot be checked now. Try again; if it stays so, tell the administrator.";
const MAYBE_SPENT: &str = "No answer came in time. The code may be spent: wait for the next one.";

#[cfg(test)]
mod tests;
