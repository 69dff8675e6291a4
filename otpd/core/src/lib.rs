//! What `otpd` knows without asking anybody: one-time codes, devices, the throttle, the policy, and what an account
//! is. Pure: no I/O, no clock, no randomness; time and chance are parameters.
//!
//! Standards: RFC 4226 (HOTP), RFC 6238 (TOTP), the key URI format of authenticator apps, NIST SP 800-63B-4.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

pub mod account;
pub mod address;
pub mod chain;
pub mod check;
pub mod clocks;
pub mod code;
mod crockford;
pub mod device;
pub mod emails;
pub mod event;
pub mod host;
pub mod import;
pub mod key;
pub mod mailed;
pub mod mark;
pub mod name;
pub mod notice;
pub mod otpauth;
pub mod outbox;
pub mod policy;
pub mod recovery;
pub mod registry;
pub mod short_code;
pub mod source;
pub mod staging;
pub mod throttle;
pub mod ticket;
pub mod time;
pub mod totp;
pub mod waiting;
pub mod way_in;

// Linked for their `zeroize` feature alone, which totp-rs does not ask for: its HMAC states are wiped then.
use sha1 as _;
