//! What can be done to an account, one word a page: which method of `otpd` does it, and where that leads.

use otpd_proto::Secret;
use otpd_proto::account as wire;

use super::draft;
use super::draft::Draft;
use crate::app::App;
use crate::browser::Browser;
use crate::daemon::Caller;
use crate::daemon::Trouble;

/// A change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Begin: what is to come, and the password.
    TurnOn,
    /// Another device.
    AddDevice,
    /// A device in place of another.
    ReplaceDevice,
    /// Another name.
    RenameDevice,
    /// One device less.
    RemoveDevice,
    /// Set a device right by two codes.
    ResyncDevice,
    /// Ten new recovery codes.
    NewCodes,
    /// A code to an address.
    AddEmail,
    /// That code.
    ConfirmEmail,
    /// One address less.
    RemoveEmail,
    /// Forget wrong codes.
    Unlock,
    /// No codes any more.
    TurnOff,
    /// End a sign-in.
    EndSignIn,
    /// End all others.
    EndOthers,
}

/// What was posted for it.
pub struct Given {
    /// Of what.
    pub id: String,
    /// The one thing that is asked.
    pub value: String,
    /// The second of two codes.
    pub second: Option<Secret>,
    /// The proof.
    pub code: Option<Secret>,
    /// This is a step on the way to protection.
    pub turning_on: bool,
}

impl Act {
    const ALL: [(Self, &'static str); 14] = [
        (Self::TurnOn, "turn-on"),
        (Self::AddDevice, "add-device"),
        (Self::ReplaceDevice, "replace-device"),
        (Self::RenameDevice, "rename-device"),
        (Self::RemoveDevice, "remove-device"),
        (Self::ResyncDevice, "resync-device"),
        (Self::NewCodes, "new-codes"),
        (Self::AddEmail, "add-email"),
        (Self::ConfirmEmail, "confirm-email"),
        (Self::RemoveEmail, "remove-email"),
        (Self::Unlock, "unlock"),
        (Self::TurnOff, "turn-off"),
        (Self::EndSignIn, "end-sign-in"),
        (Self::EndOthers, "end-others"),
    ];

    /// By the word in its path.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == word).map(|(act, _)| act)
    }

    /// The word in its path.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(act, _)| *act == self).map_or("", |(_, word)| word)
    }

    /// Where a code proves it, if the account is protected.
    #[must_use]
    pub fn wants_code(self) -> bool {
        !matches!(
            self,
            Self::TurnOn | Self::ResyncDevice | Self::ConfirmEmail | Self::EndSignIn | Self::EndOthers
        )
    }

    /// Where the one thing that it asks is a code: that is not shown again.
    #[must_use]
    pub fn asks_for_a_code(self) -> bool {
        matches!(self, Self::ResyncDevice | Self::ConfirmEmail)
    }

    /// Does it, and says where to go then.
    ///
    /// # Errors
    /// [`Trouble`]: a refusal is shown above the form.
    pub async fn run(
        self,
        app: &App,
        browser: &Browser,
        caller: &Caller,
        user: &str,
        given: Given,
    ) -> Result<String, Trouble> {
        let Given { id, value, second, code, turning_on } = given;
        let daemon = app.daemon();
        let done = |word: &str| Ok(format!("/account?done={word}"));
        match self {
            Self::TurnOn => Ok("/account/add-device".into()),
            Self::AddDevice | Self::ReplaceDevice => {
                let replaces = (self == Self::ReplaceDevice).then_some(id);
                let begin = wire::BeginParameters {
                    name: some(value),
                    replaces: replaces.clone(),
                    code,
                    ..Default::default()
                };
                let begun: wire::Begun = daemon.call_as(caller, wire::BEGIN, begin).await?;
                let wire::Begun { device, name, key, uri, expires } = begun;
                let user = user.to_owned();
                draft::keep(
                    app,
                    browser,
                    Draft::Device { user, id: device, name, key, uri, expires, replaces },
                );
                Ok("/account/scan".into())
            }
            Self::RenameDevice => {
                let rename = wire::RenameParameters { user: None, device: id, name: value, code };
                let _: wire::Renamed = daemon.call_as(caller, wire::RENAME, rename).await?;
                done("device_renamed")
            }
            Self::RemoveDevice => {
                let unbind = wire::UnbindParameters { user: None, device: id, code };
                let unbound: wire::Unbound = daemon.call_as(caller, wire::UNBIND, unbind).await?;
                done(if unbound.remaining == 0 { "turned_off" } else { "device_removed" })
            }
            Self::ResyncDevice => {
                let (first, second) = (Secret::new(value), second.unwrap_or_default());
                let resync = wire::ResyncParameters { user: None, device: id, first, second };
                let _: wire::Resynced = daemon.call_as(caller, wire::RESYNC, resync).await?;
                done("device_resynced")
            }
            Self::NewCodes => {
                let proof = wire::ProofParameters { user: None, code };
                let made: wire::RecoveryCodes = daemon.call_as(caller, wire::NEW_CODES, proof).await?;
                draft::keep(app, browser, Draft::codes(user, made.codes, false));
                Ok("/account/codes".into())
            }
            Self::AddEmail => {
                let language = Some(browser.language.word().to_owned());
                let add = wire::AddEmailParameters { user: None, address: value, language, code };
                let _: wire::EmailAdded = daemon.call_as(caller, wire::ADD_EMAIL, add).await?;
                Ok(format!("/account/confirm-email{}", if turning_on { "?on=1" } else { "" }))
            }
            Self::ConfirmEmail => {
                let confirm = wire::ConfirmEmailParameters { user: None, code: Secret::new(value) };
                let _: wire::EmailConfirmed = daemon.call_as(caller, wire::CONFIRM_EMAIL, confirm).await?;
                if turning_on { Ok("/account/add-device".into()) } else { done("email_confirmed") }
            }
            Self::RemoveEmail => {
                let remove = wire::RemoveEmailParameters { user: None, email: id, code };
                let _: wire::EmailRemoved = daemon.call_as(caller, wire::REMOVE_EMAIL, remove).await?;
                done("email_removed")
            }
            Self::Unlock => {
                let proof = wire::ProofParameters { user: None, code };
                let _: wire::Unlocked = daemon.call_as(caller, wire::UNLOCK, proof).await?;
                done("unlocked")
            }
            Self::TurnOff => {
                let proof = wire::ProofParameters { user: None, code };
                let _: wire::TurnedOff = daemon.call_as(caller, wire::OFF, proof).await?;
                done("turned_off")
            }
            Self::EndSignIn | Self::EndOthers => {
                let id = match self {
                    Self::EndSignIn => Some(id.parse().map_err(|_| Trouble::NotFound)?),
                    _ => None,
                };
                let end = wire::EndSignInsParameters { user: None, id, code };
                let _: wire::SignInsEnded = daemon.call_as(caller, wire::END_SIGN_INS, end).await?;
                done("sign_ins_ended")
            }
        }
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_is_found_by_its_word() {
        for (act, word) in Act::ALL {
            assert_eq!((Act::from_word(word), act.word()), (Some(act), word));
        }
        assert_eq!(Act::from_word("rename"), None);
        assert_eq!(Act::from_word(""), None);
    }
}
