//! `otpd-web`: the account page. It speaks HTTP to browsers, `web.sock` to `otpd` and `session.sock` to one `otpd-login`
//! per login, and has no authority of its own: every action goes to `otpd` with the browser's ticket, and `otpd` decides.
//! It holds no key and never sees the registry.
//!
//! A request passes [`guard`] first, which knows the [`browser`] and refuses what another site may have sent; then a page
//! in [`pages`], which asks [`daemon`] and fills a template. What a browser must see once more after a redirect stands on
//! a [`shelf`] in memory, for 10 minutes at most.
//!
//! axum on hyper, not hyper alone: routes by method with their 405s, typed forms and queries and the passing of state are
//! what we would else write ourselves, and its further crates stay out of every process that holds a key.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

mod admin;
pub mod api;
pub mod app;
pub mod assets;
pub mod browser;
pub mod clock;
pub mod config;
pub mod cookies;
pub mod daemon;
pub mod forward_auth;
pub mod guard;
pub mod guests;
pub mod hosts;
pub mod listen;
pub mod pages;
pub mod proxies;
pub mod qr;
pub mod said;
pub mod sandbox;
pub mod server;
pub mod shelf;
pub mod sign_in;
pub mod sites;
pub mod state;
pub mod texts;
pub mod tls;
pub mod token;
pub mod unsent;
pub mod way;
