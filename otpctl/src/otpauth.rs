//! Reads an `otpauth://` URI back, to tell a person in words what an app will take from it
//! (<https://github.com/google/google-authenticator/wiki/Key-Uri-Format>).

/// What an app shows and computes with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Who issues the codes.
    pub(crate) issuer: String,
    /// Whose they are.
    pub(crate) account: String,
    /// In words.
    pub(crate) settings: String,
}

/// The entry behind `uri`, or `None` if it is not of this form.
pub(crate) fn read(uri: &str) -> Option<Entry> {
    let (kind, rest) = uri.strip_prefix("otpauth://")?.split_once('/')?;
    let (label, query) = rest.split_once('?').unwrap_or((rest, ""));
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| decode(value))
    };
    let label = decode(label);
    let (prefix, account) = label.split_once(':').unwrap_or(("", &label));
    let issuer = value("issuer").unwrap_or_else(|| prefix.to_owned());
    let digits = value("digits").unwrap_or_else(|| "6".to_owned());
    let algorithm = value("algorithm").filter(|name| name != "SHA1").map(|name| format!(", {name}"));
    let moving = if kind.eq_ignore_ascii_case("hotp") {
        format!("counter-based, {digits} digits")
    } else {
        let period = value("period").unwrap_or_else(|| "30".to_owned());
        format!("time-based, {digits} digits, {period} s")
    };
    let settings = format!("{moving}{}", algorithm.unwrap_or_default());
    Some(Entry { issuer, account: account.trim().to_owned(), settings })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_said_in_words() {
        let entry = read("otpauth://totp/nas:alice%20%28Phone%29?secret=X&issuer=nas").unwrap();
        assert_eq!((entry.issuer.as_str(), entry.account.as_str()), ("nas", "alice (Phone)"));
        assert_eq!(entry.settings, "time-based, 6 digits, 30 s");
    }

    #[test]
    fn unusual_settings_are_said_too() {
        let entry = read("otpauth://totp/nas%3Aal?secret=X&algorithm=SHA256&digits=8&period=60").unwrap();
        assert_eq!((entry.issuer.as_str(), entry.account.as_str()), ("nas", "al"));
        assert_eq!(entry.settings, "time-based, 8 digits, 60 s, SHA256");
    }

    #[test]
    fn what_is_no_such_uri_is_not_guessed_at() {
        assert_eq!(read("https://example.org/"), None);
        assert_eq!(read("otpauth://totp"), None);
        assert_eq!(read("otpauth://totp/%zz%4").unwrap().account, "%zz%4");
    }
}
