//! `otpd-mail`: takes mails out of the registry's outbox through `mail.sock`, writes them in the language of their user, and
//! hands them to a server or a local program. The only process of the project that dials out; it holds no key and never
//! sees the registry.
//!
//! `otpd` keeps the outbox, decides when a mail is tried again, and forgets it only when told what became of it: killed
//! at any instant, this process loses no mail, and at most sends one twice.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

pub mod address;
pub mod catalogue;
pub mod clock;
pub mod compose;
pub mod config;
pub mod deliver;
pub mod mailer;
pub mod setup;
pub mod verdict;
