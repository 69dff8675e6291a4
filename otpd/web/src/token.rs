//! Random words for cookies, and what is derived from them.

use data_encoding::BASE64URL_NOPAD;
use otpd_proto::Secret;
use sha2::Digest;
use sha2::Sha256;

/// What stands for a secret where it is looked up: finding it tells nothing of it, however long it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a cookie's value.
    #[must_use]
    pub fn of(secret: &Secret) -> Self {
        Self(digest("otpd-web shelf", secret))
    }
}

/// 256 random bits.
///
/// # Errors
/// The kernel gives none.
pub fn new() -> Result<Secret, getrandom::Error> {
    let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(Secret::new(BASE64URL_NOPAD.encode(bytes.as_slice())))
}

/// Whether it can be one of ours; anything else is not worth looking up.
#[must_use]
pub fn is_one(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The token of every form in this browser. It is derived from a cookie that no page and no other site can read, so
/// nothing has to be kept, and a form stays good over a restart.
#[must_use]
pub fn of_forms(cookie: &Secret) -> String {
    BASE64URL_NOPAD.encode(&digest("otpd-web form", cookie))
}

/// Whether a form brought that token. Takes as long for any token of its length.
#[must_use]
pub fn is_of_forms(cookie: &Secret, brought: &str) -> bool {
    let wanted = of_forms(cookie);
    let differing = wanted.bytes().zip(brought.bytes()).fold(0, |differing, (a, b)| differing | (a ^ b));
    wanted.len() == brought.len() && differing == 0
}

fn digest(purpose: &str, secret: &Secret) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(purpose);
    hash.update([0]);
    hash.update(secret.expose_secret());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_look_like_tokens() {
        let (a, b) = (new().unwrap(), new().unwrap());
        assert_ne!(a.expose_secret(), b.expose_secret());
        assert!(is_one(a.expose_secret()));
        for text in ["", "a", &"a".repeat(42), &"a".repeat(44), &format!("{};", "a".repeat(42))] {
            assert!(!is_one(text), "{text}");
        }
    }

    #[test]
    fn a_form_is_of_the_browser_whose_cookie_made_its_token() {
        let (mine, other) = (new().unwrap(), new().unwrap());
        let token = of_forms(&mine);
        assert!(is_of_forms(&mine, &token));
        assert!(!token.contains(mine.expose_secret()));
        for wrong in [of_forms(&other), String::new(), token[1..].to_owned(), format!("{token}a")] {
            assert!(!is_of_forms(&mine, &wrong), "{wrong}");
        }
    }
}
