//! The `otpauth://` URI that authenticator apps scan (the key URI format).

use zeroize::Zeroizing;

use crate::key::Key;
use crate::totp::Moving;
use crate::totp::Parameters;

/// Builds the URI. `issuer` names the box, `account` the user and the device, so that neither two boxes nor two
/// devices of one user overwrite each other in an app. `counter` is that of the first code, for a device that counts.
/// Parameters that are the default are left out: some apps trip over them, none needs them.
#[must_use]
pub fn uri(
    issuer: &str,
    account: &str,
    key: &Key,
    parameters: Parameters,
    counter: u64,
) -> Zeroizing<String> {
    let issuer = escape(&issuer.replace(':', " "));
    let account = escape(&account.replace(':', " "));
    let secret = key.expose_base32();
    let kind = parameters.moving().as_str();
    let parts = ["otpauth://", kind, "/", &issuer, ":", &account, "?secret=", &secret, "&issuer=", &issuer];
    // Room for everything at once: a string that grows leaves a copy of the key behind.
    let room = parts.iter().map(|part| part.len()).sum::<usize>().saturating_add(64);
    let mut uri = Zeroizing::new(String::with_capacity(room));
    parts.iter().for_each(|part| uri.push_str(part));
    let default = Parameters::default();
    if parameters.algorithm() != default.algorithm() {
        uri.push_str("&algorithm=");
        uri.push_str(parameters.algorithm().as_str());
    }
    if parameters.digits() != default.digits() {
        uri.push_str("&digits=");
        uri.push_str(&parameters.digits().to_string());
    }
    match parameters.moving() {
        Moving::Events => {
            uri.push_str("&counter=");
            uri.push_str(&counter.to_string());
        }
        Moving::Time(period) if period != default.period() => {
            uri.push_str("&period=");
            uri.push_str(&period.to_string());
        }
        Moving::Time(_) => {}
    }
    uri
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::totp::Algorithm;

    fn key() -> Key {
        Key::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap()
    }

    #[test]
    fn defaults_are_left_out() {
        assert_eq!(
            uri("nas", "alice (phone)", &key(), Parameters::default(), 0).as_str(),
            "otpauth://totp/nas:alice%20%28phone%29?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=nas"
        );
    }

    #[test]
    fn other_parameters_are_named() {
        let parameters = Parameters::new(Algorithm::Sha256, 8, 60).unwrap();
        assert!(
            uri("n", "a", &key(), parameters, 0).ends_with("&issuer=n&algorithm=SHA256&digits=8&period=60")
        );
    }

    #[test]
    fn a_device_that_counts_has_its_counter_and_no_period() {
        let parameters = Parameters::counting(Algorithm::Sha1, 6).unwrap();
        let uri = uri("n", "a", &key(), parameters, 7);
        assert!(uri.starts_with("otpauth://hotp/n:a?secret=") && uri.ends_with("&issuer=n&counter=7"));
    }

    #[test]
    fn a_colon_cannot_split_the_label_and_nothing_gets_out_of_it() {
        let uri = uri("a:b&secret=x", "c?d#é", &key(), Parameters::default(), 0);
        assert!(
            uri.starts_with("otpauth://totp/a%20b%26secret%3Dx:c%3Fd%23%C3%A9?secret="),
            "{}",
            uri.as_str()
        );
    }
}
