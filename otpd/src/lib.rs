//! The daemon: owns the registry of bound devices and its key, answers on Unix sockets, and reaches nothing else. No
//! HTTP, no TLS, no SMTP, no async runtime, no capability, never root.
//!
//! Data flows one way: `listen` (peer, frame) → `dispatch` → `permit` → `service` → `otpd-core` → `registry`, and back.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

pub mod audit;
pub mod backup;
mod budget;
pub mod clock;
pub mod config;
pub mod dispatch;
pub mod keys;
pub mod listen;
pub mod names;
pub mod offline;
pub mod open;
pub mod peer;
pub mod permit;
pub mod post_bell;
pub mod privileges;
pub mod registry;
mod restore;
pub mod service;
pub mod settings;
pub mod state;
pub mod upkeep;
pub mod watchdog;
