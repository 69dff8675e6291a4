//! otpd-web in hostile hands: requests as no browser sends them, more of them than there should be, browsers that others
//! have prepared, and in the end otpd-web itself taken over. With otpd, otpd-login and otpd-web as they are.

#[path = "web/browser.rs"]
#[allow(dead_code, reason = "of the suite of the account page, which needs more of it")]
mod browser;
#[path = "hostile/cookies.rs"]
mod cookies;
#[path = "hostile/crowds.rs"]
mod crowds;
#[path = "hostile/elsewhere.rs"]
mod elsewhere;
#[path = "hostile/frames.rs"]
mod frames;
#[path = "forward_auth/front.rs"]
#[allow(dead_code, reason = "of the suite of forward-auth, which needs more of it")]
mod front;
#[path = "hostile/names.rs"]
mod names;
#[path = "hostile/paths.rs"]
mod paths;
#[path = "hostile/raw.rs"]
mod raw;
#[path = "web/site.rs"]
#[allow(dead_code, reason = "of the suite of the account page, which needs more of it")]
mod site;
#[path = "hostile/smuggling.rs"]
mod smuggling;
#[path = "hostile/taken_over.rs"]
mod taken_over;
