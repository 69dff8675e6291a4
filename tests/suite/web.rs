//! The account page from end to end: otpd-web, otpd-login and otpd as they are, libpam with the shipped stacks, and
//! browsers: a small one without script here, and Chromium.

#[path = "web/admin.rs"]
mod admin;
#[path = "web/api.rs"]
mod api;
#[path = "web/browser.rs"]
mod browser;
#[path = "web/chromium.rs"]
mod chromium;
#[path = "web/forms.rs"]
mod forms;
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
