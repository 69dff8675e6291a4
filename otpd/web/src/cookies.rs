//! The cookies, each bound to one host (`__Host-`), sent over encrypted connections or loopback only, and out of reach of
//! scripts. Those of the account page are sent by no other site; those of a visit come along where a link leads.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::header;
use cookie::Cookie;
use cookie::SameSite;
use otpd_proto::Secret;

/// Who is signed in: the ticket.
pub const TICKET: &str = "__Host-otpd";
/// A login between password and code.
pub const LOGIN: &str = "__Host-otpd-login";
/// What the tokens of forms are derived from.
pub const FORM: &str = "__Host-otpd-form";
/// Where somebody goes once signed in.
pub const AFTER: &str = "__Host-otpd-after";
/// At a site: whose visit it is.
pub const VISIT: &str = "__Host-otpd-visit";
/// At a site: what the marks of ways are made with.
pub const WAY: &str = "__Host-otpd-way";
/// A form that came too late.
pub const UNSENT: &str = "__Host-otpd-unsent";
/// The language that was chosen.
pub const LANGUAGE: &str = "__Host-otpd-language";

/// The cookie of this name, if the browser sent it once. Sent twice, one of them may be somebody else's.
#[must_use]
pub fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut found = lines
        .flat_map(|line| Cookie::split_parse(line.to_owned()).filter_map(Result::ok))
        .filter(|cookie| cookie.name() == name);
    match (found.next(), found.next()) {
        (Some(cookie), None) => Some(cookie.value().to_owned()),
        _ => None,
    }
}

/// Sets a secret one, until the browser is closed.
pub fn set(headers: &mut HeaderMap, name: &'static str, value: &Secret) {
    append(headers, built(name, value.expose_secret()).build());
}

/// Sets a secret one that comes along when a link of another site leads here, until the browser is closed.
pub fn set_for_visits(headers: &mut HeaderMap, name: &'static str, value: &Secret) {
    append(headers, built(name, value.expose_secret()).same_site(SameSite::Lax).build());
}

/// Sets one that stays for so long.
pub fn keep(headers: &mut HeaderMap, name: &'static str, value: &str, lasts: Duration) {
    let age = cookie::time::Duration::try_from(lasts).unwrap_or_default();
    append(headers, built(name, value).max_age(age).build());
}

/// Has the browser forget one.
pub fn forget(headers: &mut HeaderMap, name: &'static str) {
    append(headers, built(name, "").max_age(cookie::time::Duration::ZERO).build());
}

fn built<'a>(name: &'a str, value: &'a str) -> cookie::CookieBuilder<'a> {
    Cookie::build((name, value)).path("/").secure(true).http_only(true).same_site(SameSite::Strict)
}

fn append(headers: &mut HeaderMap, cookie: Cookie<'_>) {
    // What we put into cookies are words without a byte that a header cannot have.
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        headers.append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (header::COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    #[test]
    fn every_cookie_is_strict_secure_and_out_of_reach_of_scripts() {
        let mut headers = HeaderMap::new();
        set(&mut headers, TICKET, &Secret::new("word".into()));
        keep(&mut headers, LANGUAGE, "zh", Duration::from_secs(365 * 86_400));
        forget(&mut headers, LOGIN);
        let all: Vec<&str> =
            headers.get_all(header::SET_COOKIE).iter().map(|it| it.to_str().unwrap()).collect();
        assert_eq!(all.len(), 3);
        for cookie in &all {
            assert!(cookie.starts_with("__Host-otpd"), "{cookie}");
            for attribute in ["; HttpOnly", "; Secure", "; SameSite=Strict", "; Path=/"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
        assert!(all[0].contains("=word;") && !all[0].contains("Max-Age"), "{}", all[0]);
        assert!(all[1].contains("Max-Age=31536000"), "{}", all[1]);
        assert!(all[2].contains("Max-Age=0"), "{}", all[2]);
    }

    #[test]
    fn only_a_visit_comes_along_with_a_link() {
        let mut headers = HeaderMap::new();
        set_for_visits(&mut headers, VISIT, &Secret::new("word".into()));
        let cookie = headers[header::SET_COOKIE].to_str().unwrap();
        for attribute in ["__Host-otpd-visit=word; ", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/"]
        {
            assert!(format!("{cookie}; ").contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }

    #[test]
    fn a_cookie_that_came_twice_is_none() {
        assert_eq!(find(&sent(&["a=1; __Host-otpd=x; b=2"]), TICKET).as_deref(), Some("x"));
        assert_eq!(find(&sent(&["a=1", "__Host-otpd=x"]), TICKET).as_deref(), Some("x"));
        assert_eq!(find(&sent(&["__Host-otpd=x; __Host-otpd=y"]), TICKET), None);
        assert_eq!(find(&sent(&["__Host-otpd=x", "__Host-otpd=y"]), TICKET), None);
        assert_eq!(find(&sent(&["otpd=x; __Host-otpd-form=y"]), TICKET), None);
        assert_eq!(find(&sent(&[]), TICKET), None);
    }
}
