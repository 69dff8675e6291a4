//! The way of a browser from a site to the sign-in page and back. It is kept nowhere: it goes along in the address, with
//! a mark that only the site's own cookie makes. So nobody can have somebody else's browser arrive with a word that is
//! not theirs, or be led to a path that they did not ask for.

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use otpd_proto::Secret;
use serde::Deserialize;
use serde::Serialize;
use sha2::Sha256;

/// Where somebody wanted to go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Way {
    /// The site.
    pub host: String,
    /// The path there, with the query.
    pub to: String,
    /// By the cookie of the site.
    pub mark: String,
}

impl Way {
    /// To a path of a site, for the browser with this cookie there.
    #[must_use]
    pub fn new(host: &str, path: &str, cookie: &Secret) -> Self {
        let to = if path.len() <= LONGEST { inside(path) } else { "/" };
        Self { host: host.to_owned(), to: to.to_owned(), mark: encoded(mark(host, to, cookie)) }
    }

    /// Whether this browser began it.
    #[must_use]
    pub fn is_of(&self, cookie: &Secret) -> bool {
        let brought = data_encoding::BASE64URL_NOPAD.decode(self.mark.as_bytes()).unwrap_or_default();
        mark(&self.host, &self.to, cookie).is_some_and(|mark| mark.verify_slice(&brought).is_ok())
    }

    /// As the query of an address, or a cookie.
    #[must_use]
    pub fn query(&self) -> String {
        let pairs = [("host", &self.host), ("to", &self.to), ("mark", &self.mark)];
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    /// Reads what [`Way::query`] wrote, or somebody else.
    #[must_use]
    pub fn read(query: &str) -> Option<Self> {
        let mut way = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "host" => way.host = value.into_owned(),
                "to" => way.to = value.into_owned(),
                "mark" => way.mark = value.into_owned(),
                _ => return None,
            }
        }
        Some(way)
    }
}

/// A path, or the first page: `//elsewhere` and `/\elsewhere` lead away.
#[must_use]
pub fn inside(path: &str) -> &str {
    let is_inside = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_inside { path } else { "/" }
}

fn mark(host: &str, to: &str, cookie: &Secret) -> Option<Hmac<Sha256>> {
    let mut mark = Hmac::<Sha256>::new_from_slice(cookie.expose_secret().as_bytes()).ok()?;
    // No host has a NUL.
    for part in ["otpd-web way", "\0", host, "\0", to] {
        mark.update(part.as_bytes());
    }
    Some(mark)
}

fn encoded(mark: Option<Hmac<Sha256>>) -> String {
    mark.map_or_else(String::new, |mark| data_encoding::BASE64URL_NOPAD.encode(&mark.finalize().into_bytes()))
}

/// Of a path that is come back to; what is longer is a form that was sent by GET, not a place.
const LONGEST: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[test]
    fn a_way_is_of_the_browser_that_began_it_to_the_place_that_it_asked_for() {
        let mine = cookie("mine");
        let way = Way::new("wiki.example.org", "/page?a=b&c=%20d", &mine);
        assert_eq!(Way::read(&way.query()).as_ref(), Some(&way));
        assert!(way.is_of(&mine) && !way.is_of(&cookie("another")));
        for other in [
            Way { host: "evil.example".into(), ..way.clone() },
            Way { to: "/other".into(), ..way.clone() },
            Way { mark: String::new(), ..way.clone() },
            Way { mark: way.mark[1..].into(), ..way.clone() },
        ] {
            assert!(!other.is_of(&mine), "{other:?}");
        }
        assert!(!way.query().contains("mine"));
    }

    #[test]
    fn a_path_leads_nowhere_else() {
        let to = |path: &str| Way::new("wiki.example.org", path, &cookie("a")).to;
        for path in
            ["/", "/account", "/account/rename-device?id=2", "/sign-in?user=a%20b", "/a//b?c=https://x"]
        {
            assert_eq!(to(path), path);
        }
        let long = format!("/{}", "a".repeat(LONGEST));
        for path in [
            "",
            "account",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "@evil.example",
            ":80@evil.example/",
            ".evil.example/",
            "/a\r\nSet-Cookie: b",
            "/a\tb",
            "\t//evil.example",
            "/\0",
            "/\u{e4}",
            " /",
            &long,
        ] {
            assert_eq!(to(path), "/", "{path:?}");
        }
        assert_eq!(to(&long[..LONGEST]).len(), LONGEST);
    }
}
