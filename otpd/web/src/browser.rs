//! Who asks: where the browser is, how it came here, what its cookies say, and which language it reads.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use otpd_proto::Secret;

use crate::cookies;
use crate::daemon::Caller;
use crate::daemon::Trouble;
use crate::proxies;
use crate::proxies::Proxies;
use crate::texts::Language;
use crate::token;
use crate::unsent::Unsent;
use crate::way::Way;

/// The other end of a connection, put into each of its requests.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// `None` at a Unix socket: a proxy.
    pub address: Option<IpAddr>,
    /// Whether the connection is encrypted here.
    pub tls: bool,
}

/// The browser that a request is from.
#[derive(Debug, Clone)]
pub struct Browser {
    /// Where it is, as far as is known.
    pub address: Option<IpAddr>,
    /// What it says of itself.
    pub agent: Option<String>,
    /// Whether its connection is encrypted.
    pub secure: bool,
    /// The host that it asked for, with the port.
    pub host: String,
    /// What its pages are written in.
    pub language: Language,
    /// The path with the query.
    pub path: String,
    /// Its ticket.
    pub ticket: Option<Secret>,
    /// Its login between password and code.
    pub login: Option<Secret>,
    /// Where it goes once signed in.
    pub after: Option<Way>,
    /// What it sent when its sign-in had ended.
    pub unsent: Option<Unsent>,
    /// Its visit at a site.
    pub visit: Option<Secret>,
    /// What its ways from a site are marked with.
    pub way: Option<Secret>,
    /// What the tokens of its forms are derived from.
    pub form: Secret,
    /// It had none before.
    pub form_is_new: bool,
}

impl Browser {
    /// Reads a request.
    ///
    /// # Errors
    /// No random bits for a new cookie.
    pub fn of(parts: &Parts, peer: Peer, proxies: &Proxies) -> Result<Self, Trouble> {
        let believed = peer.address.is_none_or(|address| proxies.contain(address));
        let said = |name: &str| header(&parts.headers, name).filter(|_| believed);
        let address = match said("x-forwarded-for") {
            Some(list) => proxies.browser(&list),
            None => peer.address.map(|address| address.to_canonical()),
        };
        let host = said("x-forwarded-host").map(|list| proxies::last(&list).to_owned());
        let host = host.or_else(|| parts.uri.authority().map(ToString::to_string));
        let host = host.or_else(|| header(&parts.headers, "host")).unwrap_or_default();
        let secure =
            peer.tls || said("x-forwarded-proto").is_some_and(|list| proxies::last(&list) == "https");
        let chosen = cookies::find(&parts.headers, cookies::LANGUAGE);
        let chosen = chosen.and_then(|word| Language::from_word(&word));
        let accepted = || header(&parts.headers, "accept-language").map(|list| Language::accepted(&list));
        let form = word(&parts.headers, cookies::FORM);
        let form_is_new = form.is_none();
        let form = match form {
            Some(form) => form,
            None => token::new().map_err(|error| Trouble::Away { why: error.to_string() })?,
        };
        Ok(Self {
            address,
            agent: header(&parts.headers, "user-agent").map(|agent| printable(&agent)),
            secure,
            host: host.to_ascii_lowercase(),
            language: chosen.or_else(accepted).unwrap_or_default(),
            path: parts.uri.path_and_query().map_or_else(|| "/".into(), ToString::to_string),
            ticket: word(&parts.headers, cookies::TICKET),
            login: word(&parts.headers, cookies::LOGIN),
            after: cookies::find(&parts.headers, cookies::AFTER).and_then(|way| Way::read(&way)),
            unsent: cookies::find(&parts.headers, cookies::UNSENT).and_then(|form| Unsent::read(&form)),
            visit: word(&parts.headers, cookies::VISIT),
            way: word(&parts.headers, cookies::WAY),
            form,
            form_is_new,
        })
    }

    /// For calls with its ticket.
    ///
    /// # Errors
    /// It has none.
    pub fn caller(&self) -> Result<Caller, Trouble> {
        let ticket = self.ticket.clone().ok_or_else(signed_out)?;
        Ok(Caller { ticket, address: self.address.map(|address| address.to_string()) })
    }

    /// The origin of its pages.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.host)
    }
}

/// What `otpd` says of a ticket that is over, said of none.
#[must_use]
pub fn signed_out() -> Trouble {
    Trouble::Refused { reason: SIGNED_OUT.into(), say: "Sign in first.".into(), until: None }
}

/// The reason of a ticket that is unknown, over or ended.
pub const SIGNED_OUT: &str = "signed_out";

impl<S: Sync> FromRequestParts<S> for Browser {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        // The guard put it there; without one there is no page.
        parts.extensions.get::<Self>().cloned().ok_or(Trouble::Foreign)
    }
}

/// A header that came once; of lists, all of it.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
    match lines.as_slice() {
        [] => None,
        lines => Some(lines.join(", ")),
    }
}

fn word(headers: &HeaderMap, name: &str) -> Option<Secret> {
    cookies::find(headers, name).filter(|value| token::is_one(value)).map(Secret::new)
}

fn printable(agent: &str) -> String {
    agent.chars().filter(|char| !char.is_control()).take(LONGEST_AGENT).collect()
}

const LONGEST_AGENT: usize = 200;

#[cfg(test)]
mod tests;
