//! The gate of every page: which host is asked for, whether a post comes from a page of ours, what browsers may do with
//! the reply. No page can forget it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::api;
use crate::api::problem::Problem;
use crate::app::App;
use crate::browser::Browser;
use crate::browser::Peer;
use crate::cookies;
use crate::daemon::Trouble;
use crate::guests::Guest;
use crate::pages;
use crate::token;

/// Lets a request through to its page, and sends the reply, or a page that says what is wrong.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get().copied().unwrap_or(Peer { address: None, tls: false });
    let browser = match Browser::of(&parts, peer, app.proxies()) {
        Ok(browser) => browser,
        Err(trouble) => return secured(pages::trouble::bare(&trouble), peer.tls),
    };
    let mut response = match admit(&app, &browser, &parts.method, &parts.headers, body).await {
        Ok(body) => {
            if let Some(guest) = parts.extensions.get::<Arc<Guest>>() {
                guest.is_served();
            }
            let mut request = Request::from_parts(parts, body);
            request.extensions_mut().insert(browser.clone());
            next.run(request).await
        }
        Err(trouble) => told(&app, &browser, &trouble),
    };
    if let Some(trouble) = response.extensions_mut().remove::<Trouble>() {
        let mut page = told(&app, &browser, &trouble);
        keep_cookies(&response, &mut page);
        response = page;
    }
    // Not with what may be kept: an asset would bring it to others, or take the place of the page's.
    let has = |name| response.headers().contains_key(name);
    if browser.form_is_new && !has(header::SET_COOKIE) && !has(header::CACHE_CONTROL) {
        cookies::set(response.headers_mut(), cookies::FORM, &browser.form);
    }
    secured(response, browser.secure)
}

/// What went wrong may have come after a cookie was replaced.
fn keep_cookies(from: &Response, page: &mut Response) {
    for cookie in from.headers().get_all(header::SET_COOKIE) {
        page.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
}

/// To a person, or to a program.
fn told(app: &App, browser: &Browser, trouble: &Trouble) -> Response {
    if api::has(&browser.path) {
        Problem::of(trouble, browser.language).into_response()
    } else {
        pages::trouble::page(app, browser, trouble)
    }
}

async fn admit(
    app: &App,
    browser: &Browser,
    method: &Method,
    headers: &HeaderMap,
    body: Body,
) -> Result<Body, Trouble> {
    if !app.hosts().know(&browser.host) {
        return Err(Trouble::UnknownHost);
    }
    if browser.path.len() > LONGEST_PATH {
        return Err(Trouble::TooMuch);
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(Body::empty());
    }
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !comes_from_us(&browser.origin(), said("origin"), said("sec-fetch-site")) {
        return Err(Trouble::Foreign);
    }
    let whole = tokio::time::timeout(BODY_WITHIN, to_bytes(body, LONGEST_BODY)).await;
    let Ok(Ok(whole)) = whole else { return Err(Trouble::TooMuch) };
    let tokens: Vec<Cow<'_, str>> = if api::has(&browser.path) {
        headers.get_all(api::TOKEN).iter().filter_map(|token| token.to_str().ok()).map(Cow::from).collect()
    } else {
        form_urlencoded::parse(&whole).filter(|(name, _)| name == FIELD).map(|(_, token)| token).collect()
    };
    match tokens.as_slice() {
        [token] if token::is_of_forms(&browser.form, token) => Ok(Body::from(whole)),
        _ => Err(Trouble::Foreign),
    }
}

/// Browsers say where a post comes from, in one header or two. Neither may be another place, and one must be there.
fn comes_from_us(ours: &str, origin: Option<&str>, site: Option<&str>) -> bool {
    let origin = origin.map(|origin| origin.eq_ignore_ascii_case(ours));
    let site = site.map(|site| site == "same-origin");
    origin != Some(false) && site != Some(false) && (origin.is_some() || site.is_some())
}

/// Adds what every reply has.
fn secured(mut response: Response, encrypted: bool) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS.iter() {
        // A page may be stricter in what it tells others of its address.
        if *name != header::REFERRER_POLICY || !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if encrypted {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// Nothing but our own style, script and pictures, and no other site around or behind it. Referrer-Policy is not
/// `no-referrer`: with that, browsers say `Origin: null` of our own forms too (Fetch, "append a request Origin header").
static HEADERS: LazyLock<[(HeaderName, HeaderValue); 7]> = LazyLock::new(|| {
    let header = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    [
        header(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'",
        ),
        header(header::REFERRER_POLICY, "same-origin"),
        header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        header(header::X_FRAME_OPTIONS, "DENY"),
        header(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        header(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        header(
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        ),
    ]
});

/// The field of every form that brings its token.
pub const FIELD: &str = "form";

/// Escaped once more in a message to otpd, it has to fit into one.
const LONGEST_PATH: usize = 8 * 1024;
const LONGEST_BODY: usize = 16 * 1024;
const BODY_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_comes_from_a_page_of_ours_or_not_at_all() {
        let ours = "https://nas.local:8480";
        for (origin, site, taken) in [
            (Some("https://nas.local:8480"), Some("same-origin"), true),
            (Some("https://NAS.local:8480"), None, true),
            (None, Some("same-origin"), true),
            (None, None, false),
            (Some("null"), Some("same-origin"), false),
            (Some("https://evil.example"), Some("same-origin"), false),
            (Some("https://nas.local:8480"), Some("same-site"), false),
            (Some("https://nas.local:8480"), Some("cross-site"), false),
            (Some("http://nas.local:8480"), None, false),
            (Some("https://nas.local"), None, false),
            (Some("https://nas.local:8480.evil.example"), None, false),
            (None, Some("none"), false),
        ] {
            assert_eq!(comes_from_us(ours, origin, site), taken, "{origin:?} {site:?}");
        }
    }

    #[test]
    fn every_reply_is_shut_in_and_kept_nowhere() {
        let plain = secured(Response::new(Body::empty()), false);
        assert_eq!(plain.headers()[header::CACHE_CONTROL], "no-store");
        assert!(!plain.headers().contains_key(header::STRICT_TRANSPORT_SECURITY));
        let policy = plain.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
        assert!(
            secured(Response::new(Body::empty()), true).headers().contains_key("strict-transport-security")
        );
    }
}
