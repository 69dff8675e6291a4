//! What was typed at a login, told apart by its form.

use otpd_core::code::Code;
use otpd_core::recovery::RecoveryCode;
use otpd_core::short_code::ShortCode;
use otpd_proto::login::Given;

use super::scene::Origin;

/// What was typed at the prompt.
#[derive(Clone)]
pub(super) enum Typed {
    /// A code of a device.
    Code(Code),
    /// A recovery code.
    RecoveryCode(RecoveryCode),
    /// An enrol code or a mailed code.
    ShortCode(ShortCode),
    /// The word that has a code mailed.
    Mail,
    /// The word for help.
    Help,
}

impl Typed {
    /// Tells by the form what it is, or what to say.
    pub(super) fn read(typed: &str, given: Given, from: Origin) -> Result<Self, &'static str> {
        let parse = if given == Given::Tail { Code::parse_tail } else { Code::parse };
        if let Ok(code) = parse(typed) {
            return Ok(Self::Code(code));
        }
        let other = RecoveryCode::parse(typed).ok().map(Self::RecoveryCode);
        let other = other.or_else(|| ShortCode::parse(typed).map(Self::ShortCode));
        let other = other.or_else(|| Self::word(typed));
        match (other, from) {
            (Some(other), Origin::Local | Origin::Remote(_)) if given == Given::Typed => Ok(other),
            // Any process of the user could try here, and lock screens are no place to be locked out of. What was not
            // typed at our prompt may be a password that has the form by chance.
            (Some(_), _) => Err("A recovery code is not taken here, but at an SSH, sudo or console login."),
            (None, _) => Err(
                "That is no code. A code is 6 to 8 digits, a recovery code 16 letters and digits. Type ? for help.",
            ),
        }
    }

    fn word(typed: &str) -> Option<Self> {
        match typed.trim_ascii().to_ascii_lowercase().as_str() {
            "mail" => Some(Self::Mail),
            "?" | "help" => Some(Self::Help),
            _ => None,
        }
    }
}
