//! One login: who may ask for it, what PAM says, and the ticket at its end.

use std::ffi::CStr;
use std::ffi::CString;
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use nix::sys::socket::sockopt;
use otpd_proto::Secret;
use otpd_proto::login::Login;
use otpd_proto::session::Next;
use otpd_proto::session::OpenParameters;
use otpd_proto::session::Reason;
use otpd_proto::session::Style;
use otpd_proto::session::Text;

use crate::channel::Channel;
use crate::channel::Ended;
use crate::channel::Socket;
use crate::conversation;
use crate::conversation::Conversation;
use crate::libpam::Code;
use crate::libpam::Transaction;
use crate::process;
use crate::session::Session;
use crate::slots::NoSlot;
use crate::slots::Places;
use crate::slots::Slots;
use crate::ticket;
use crate::verdict;
use crate::watch;

/// Serves a connection, from its first byte to its last.
///
/// # Errors
/// It is none of `otpd-web` or root, or nothing can be served at all.
pub fn serve(connection: UnixStream) -> anyhow::Result<()> {
    watch::start(&connection).context("starting a thread")?;
    let peer = nix::sys::socket::getsockopt(&connection, sockopt::PeerCredentials).context("the peer")?;
    if peer.uid() != 0 && peer.uid() != process::web_user()?.uid.as_raw() {
        bail!(
            "a caller with uid {} was turned away: logins are for {} and root",
            peer.uid(),
            process::WEB_USER
        );
    }
    let mut session = Session::new(Socket::new(connection).context("the connection")?);
    let step = match session.opened() {
        Ok(open) => {
            let places = Places {
                user: &open.user,
                address: open.address.as_deref().and_then(|address| address.parse().ok()),
                renewal: open.renew.is_some(),
            };
            let slots = Slots::take(&Path::new(otpd_proto::RUNTIME_DIR).join(SLOTS), &places);
            match slots {
                // Given back before the answer: who gets it may come again at once.
                Ok(_held) => sign_in(session, open),
                Err(none) => Some((no_slot(&none), session)),
            }
        }
        Err(Ended::Late) => Some((refuse(Reason::Timeout), session)),
        Err(Ended::Gone | Ended::Misused) => None,
    };
    if let Some((next, session)) = step {
        // Who does not wait for it does not want it.
        let _ = session.end(next);
    }
    Ok(())
}

fn no_slot(why: &NoSlot) -> Next {
    match why {
        NoSlot::Busy => refuse(Reason::Busy),
        NoSlot::Broken(error) => {
            log::error!("{}/{SLOTS}: {error}", otpd_proto::RUNTIME_DIR);
            refuse(Reason::Unavailable)
        }
    }
}

/// Who does not know the password learns nothing by a clock: PAM's modules work longer for a user whom there is, and the
/// delay that libpam adds hides that only from those who ask a few times.
fn still_to_wait(passed: Duration) -> Duration {
    REFUSED_AFTER.saturating_sub(passed)
}

#[expect(clippy::disallowed_methods, reason = "how long PAM has worked")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a refusal has its time, whatever it took to find out")]
fn wait(moment: Duration) {
    thread::sleep(moment);
}

/// What to say at the end, if somebody is still there to hear it.
fn sign_in<C: Channel>(session: Session<C>, open: OpenParameters) -> Option<(Next, Session<C>)> {
    let OpenParameters { user, password, address, agent, renew } = open;
    let remote = Remote::of(address.as_deref());
    let Some(name) = usable(&user, &password) else {
        log::info!("refused; rhost={} the user or the password is none", remote.0);
        return Some((refuse(Reason::Failed), session));
    };
    let service = if renew.is_some() { PASSWORD } else { WITH_CODE };
    let begun = now();
    let mut pam = match Transaction::start(service, &name, Conversation::new(session, password)) {
        Ok(pam) => pam,
        Err((code, conversation)) => {
            log::error!("pam_start: PAM code {}", code.0);
            return Some((refuse(Reason::Unavailable), conversation.finish().1));
        }
    };
    let admitted = admit(&mut pam, &remote);
    let ended = pam.conversation().ended();
    let (mut texts, session) = pam.end().finish();
    let service = service.to_string_lossy();
    let next = match (admitted, ended) {
        (Err(_), Some(Ended::Gone | Ended::Misused)) => return None,
        (Err(_), Some(Ended::Late)) => Next::Refuse { texts, reason: Reason::Timeout },
        (Err(reason), None) => {
            log::info!("refused; user={user:?} service={service} rhost={} reason={reason:?}", remote.0);
            wait(still_to_wait(now().saturating_duration_since(begun)));
            Next::Refuse { texts, reason }
        }
        (Ok(user), _) => {
            let login = remote.login(&user, &service);
            match ticket::get(Path::new(otpd_proto::RUNTIME_DIR), login, agent, renew) {
                Ok(ticket) => {
                    log::info!("signed in; user={user:?} service={service} rhost={}", remote.0);
                    Next::Done { texts, user, ticket: ticket.ticket, expires: ticket.expires }
                }
                Err(none) => {
                    texts.extend(none.say.map(|text| Text { style: Style::Error, text }));
                    Next::Refuse { texts, reason: none.reason }
                }
            }
        }
    };
    Some((next, session))
}

/// PAM's part: who it is, as PAM has the name at the end.
fn admit<C: Channel>(pam: &mut Transaction<Conversation<C>>, remote: &Remote) -> Result<String, Reason> {
    let set = pam.set_remote_host(&remote.c_string()).and_then(|()| pam.set_terminal(TERMINAL));
    set.map_err(|_| Reason::Unavailable)?;
    pam.authenticate().map_err(verdict::of_authenticate)?;
    match pam.account() {
        Ok(()) => {}
        Err(Code::NEW_AUTHTOK_REQD) => pam.change_expired_password().map_err(verdict::of_renewal)?,
        Err(code) => return Err(verdict::of_account(code)),
    }
    pam.user().ok_or(Reason::Unavailable)
}

/// Where the person is: a numeric address. A login on the web is never a local one, so without an address, or with
/// something else for one, it is what sshd says of such a peer.
struct Remote(String);

impl Remote {
    fn of(address: Option<&str>) -> Self {
        let numeric = address.and_then(|address| address.parse::<IpAddr>().ok());
        Self(numeric.map_or_else(|| "UNKNOWN".to_owned(), |address| address.to_canonical().to_string()))
    }

    fn c_string(&self) -> CString {
        CString::new(self.0.as_str()).unwrap_or_default()
    }

    /// As `pam_otp` in the stack told it.
    fn login(&self, user: &str, service: &str) -> Login {
        Login {
            user: user.to_owned(),
            service: service.to_owned(),
            tty: Some(TERMINAL.to_string_lossy().into_owned()),
            rhost: Some(self.0.clone()),
            ..Login::default()
        }
    }
}

/// The name for PAM, unless it can be none, or the password none that PAM takes: nobody has such a one.
fn usable(user: &str, password: &Secret) -> Option<CString> {
    let named = (1..=LONGEST_NAME).contains(&user.len()) && !user.contains(char::is_control);
    let name = CString::new(user).ok()?;
    (named && conversation::fits(password)).then_some(name)
}

fn refuse(reason: Reason) -> Next {
    Next::Refuse { texts: Vec::new(), reason }
}

const WITH_CODE: &CStr = c"otpd-web";
const PASSWORD: &CStr = c"otpd-web-password";
/// PAM_TTY, as sshd has "ssh": some modules want one.
const TERMINAL: &CStr = c"web";
/// libpam's delay is 2.5 s at most where the stack does not want a longer one, and a password is checked in less than the
/// rest.
const REFUSED_AFTER: Duration = Duration::from_secs(3);
/// LOGIN_NAME_MAX.
const LONGEST_NAME: usize = 256;
/// Below the directory of the sockets, which is root's.
const SLOTS: &str = "login.slots";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_are_those_of_the_interface() {
        assert_eq!(WITH_CODE.to_str(), Ok(otpd_proto::session::SERVICE));
        assert_eq!(PASSWORD.to_str(), Ok(otpd_proto::session::PASSWORD_SERVICE));
    }

    #[test]
    fn a_refusal_comes_at_one_moment_whatever_it_took() {
        for passed in [0, 1_960, 2_440, 2_810, 3_000].map(Duration::from_millis) {
            assert_eq!(passed + still_to_wait(passed), REFUSED_AFTER);
        }
        assert_eq!(still_to_wait(Duration::from_secs(40)), Duration::ZERO);
    }

    #[test]
    fn only_a_numeric_address_is_one() {
        let of = |address| Remote::of(address).0;
        assert_eq!(of(Some("192.0.2.7")), "192.0.2.7");
        assert_eq!(of(Some("2001:DB8::1")), "2001:db8::1");
        assert_eq!(of(Some("::ffff:192.0.2.7")), "192.0.2.7");
        for other in [None, Some(""), Some("localhost"), Some("192.0.2.7:80"), Some("192.0.2.7\0")] {
            assert_eq!(of(other), "UNKNOWN", "{other:?}");
        }
    }

    #[test]
    fn names_and_passwords_have_limits_on_both_sides() {
        let takes = |user: &str, password: &str| usable(user, &Secret::new(password.to_owned())).is_some();
        assert!(takes("alice", "") && takes("alice", "密码") && takes("a b\\c@EXAMPLE.ORG", "x"));
        assert!(takes(&"x".repeat(256), "x") && !takes(&"x".repeat(257), "x"));
        assert!(takes("alice", &"x".repeat(511)) && !takes("alice", &"x".repeat(512)));
        assert!(
            !takes("", "x") && !takes("al\0ice", "x") && !takes("al\nice", "x") && !takes("alice", "x\0")
        );
    }
}
