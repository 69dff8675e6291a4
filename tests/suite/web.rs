//! The account page from end to end: otpd-web, otpd-login and otpd as they are, libpam with the shipped stacks, and
//! browsers: a small one without script here, and Chromium.

#[path = "web/admin.rs"]
mod admin;
#[path = "web/api.rs"]
mod api;
#[path = "web/api_admin.rs"]
mod api_admin;
#[path = "web/api_changes.rs"]
mod api_changes;
#[path = "web/browser.rs"]
#[allow(dead_code, reason = "also of the suite of other software, which needs more of it")]
mod browser;
#[path = "web/chromium.rs"]
mod chromium;
#[path = "web/document.rs"]
mod document;
#[path = "web/guard.rs"]
mod guard;
#[path = "web/network.rs"]
mod network;
#[path = "web/password.rs"]
mod password;
#[path = "web/protection.rs"]
mod protection;
#[path = "web/site.rs"]
mod site;
