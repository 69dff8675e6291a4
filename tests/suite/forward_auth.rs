//! Other software behind reverse proxies as Debian has them, with the configurations that are shipped: whoever is signed
//! in is known there by name, and nobody else comes through.

#[path = "web/browser.rs"]
#[allow(dead_code, reason = "of the suite of the account page, which needs more of it")]
mod browser;
#[path = "forward_auth/front.rs"]
mod front;
#[path = "forward_auth/manual.rs"]
mod manual;
#[path = "forward_auth/refusals.rs"]
mod refusals;
#[path = "web/site.rs"]
#[allow(dead_code, reason = "of the suite of the account page, which needs more of it")]
mod site;
#[path = "forward_auth/visits.rs"]
mod visits;
