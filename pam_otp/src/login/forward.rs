//! `forward_pass`: one answer holds the password and, behind it, the code, for programs that ask once.
//!
//! The code is judged before anybody has checked the password. Whoever knows no password must not learn here whether a
//! code was right, so what can be seen from outside is the same for every verdict: one prompt, the same for all; no text;
//! no return code of its own for a locked lane; and a password is always handed on, so that the modules after us do the
//! same work, after a refusal on one that is nobody's.
//!
//! With `forward_pass=unchecked` nothing is judged here: a line of ours after the password, with `use_first_pass`, has it
//! judged. Then strangers spend neither codes nor tries.

use otpd_proto::login::Given;
use otpd_proto::login::Login;
use otpd_proto::login::Next;
use pam::constants::PamResultCode;
use zeroize::Zeroizing;

use super::OrEnd;
use super::Phase;
use crate::answer;
use crate::answer::Unsendable;
use crate::daemon::Daemon;
use crate::handle::Priority;
use crate::handle::Transaction;
use crate::options::FirstPass;
use crate::options::ForwardPass;
use crate::outcome::Outcome;

impl<T: Transaction, D: Daemon> Phase<'_, T, D> {
    /// Asks for password and code at once, gives the code to the daemon, and hands the password on.
    pub(super) fn authenticate_both(&mut self, login: Login) -> OrEnd<Outcome> {
        self.silent = true;
        let end = match self.daemon.start(&login) {
            Ok(Next::Ask { digits: Some(longest @ 6..=8), .. }) => {
                return match self.options.forward_pass {
                    ForwardPass::Unchecked => self.split(&login, longest.into()),
                    ForwardPass::Off | ForwardPass::Checked => self.check_both(login, longest.into()),
                };
            }
            Ok(next) => self.end(&login, next)?,
            Err(fault) => self.unanswered(&login, fault),
        };
        if matches!(end, Outcome::NotRequired | Outcome::LetThroughUnchecked) {
            self.hand_on_whole(&login)?;
        }
        Ok(end.in_front_of_a_password())
    }

    fn check_both(&mut self, login: Login, longest: usize) -> OrEnd<Outcome> {
        let whole = self.both(&login, longest)?;
        let judged = self.judge(login, &whole, longest);
        let dummy = nobodys(whole.len().saturating_sub(longest));
        let handed = match &judged {
            Ok(digits) => self.hand_on(whole.get(..whole.len().saturating_sub(*digits)).unwrap_or(&dummy)),
            Err(_) => self.hand_on(&dummy),
        };
        if handed.is_err() {
            self.set_mark(None)?;
        }
        handed?;
        judged.map(|_| Outcome::Passed).map_err(Outcome::in_front_of_a_password)
    }

    /// Cuts off as many digits as the longest code of the account has, or as there are: without the daemon's judgement
    /// nothing tells a shorter code from the last digits of the password.
    fn split(&mut self, login: &Login, longest: usize) -> OrEnd<Outcome> {
        let whole = self.both(login, longest)?;
        match answer::tail(&whole, longest) {
            Ok(tail) => {
                let code = tail.expose_secret().as_bytes();
                let kept = self.pam.keep_code(code);
                kept.map_err(|code| self.unsettable("PAM_OLDAUTHTOK", code))?;
                self.hand_on(whole.strip_suffix(code).unwrap_or_default())?;
                self.debug("password and code split; a later line with use_first_pass has the code judged");
                Ok(Outcome::Split)
            }
            Err(why) => {
                self.hand_on(&nobodys(whole.len().saturating_sub(longest)))?;
                Ok(self.refuse(login, &format!("not sent: {why}")))
            }
        }
    }

    /// How many digits at the end were the code, if it was right.
    fn judge(&mut self, login: Login, whole: &[u8], longest: usize) -> OrEnd<usize> {
        let tail = answer::tail(whole, longest);
        let tail = tail.map_err(|why| self.refuse(&login, &format!("not sent: {why}")))?;
        let judged = self.daemon.answer(&login, &tail, Given::Tail);
        let possible = answer::SHORTEST_CODE..=tail.expose_secret().len();
        match judged.map_err(|fault| self.unjudged(&login, fault))? {
            Next::Accept { device, digits: Some(digits), .. } if possible.contains(&digits.into()) => {
                self.pass(login, &device, None).map(|_| digits.into())
            }
            other => Err(self.end(&login, other)?),
        }
    }

    /// The answer that holds both. If the line says `try_first_pass`, one that ends in no code is asked for anew.
    fn both(&mut self, login: &Login, longest: usize) -> OrEnd<Zeroizing<Vec<u8>>> {
        let token = match self.options.first_pass {
            FirstPass::Ignored => None,
            FirstPass::Tried => self.password(login)?.filter(|token| answer::tail(token, longest).is_ok()),
            FirstPass::Used => match self.password(login)? {
                None => return Err(self.refuse(login, &format!("not sent: {}", Unsendable::NoFirstPass))),
                token => token,
            },
        };
        token.map_or_else(|| self.ask_for_both(login), Ok)
    }

    fn ask_for_both(&mut self, login: &Login) -> OrEnd<Zeroizing<Vec<u8>>> {
        let typed = self.ask(login, PROMPT, false)?;
        typed.ok_or_else(|| self.refuse(login, &format!("not sent: {}", Unsendable::Absent)))
    }

    /// No code is asked for, so what is typed is the password. It is asked for here all the same, unless a module
    /// before us has: the next one may only take what it is given.
    fn hand_on_whole(&mut self, login: &Login) -> OrEnd<()> {
        let given = match self.options.first_pass {
            FirstPass::Ignored => false,
            FirstPass::Tried => self.password(login)?.is_some(),
            FirstPass::Used => true,
        };
        if given {
            return Ok(());
        }
        let whole = self.ask_for_both(login)?;
        self.hand_on(&whole)
    }

    fn hand_on(&mut self, password: &[u8]) -> OrEnd<()> {
        let set = self.pam.set_password(password);
        set.map_err(|code| self.unsettable("PAM_AUTHTOK", code))
    }

    fn unsettable(&mut self, item: &str, code: PamResultCode) -> Outcome {
        self.log(Priority::Error, &format!("cannot set {item} (PAM code {})", code as i32));
        Outcome::Unavailable
    }
}

/// A password that nobody has: it begins with a control character, as the one that sshd gives for users whom it
/// refuses. Of the right length, because a hash takes longer for a longer one; never empty, because that may be one.
fn nobodys(length: usize) -> Vec<u8> {
    b"\x08\n\r\x7fINCORRECT".iter().copied().cycle().take(length.max(1)).collect()
}

/// The daemon's would tell whether the last code was right.
const PROMPT: &str = "Password and one-time code: ";
