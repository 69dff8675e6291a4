//! The built `otpctl` against a scripted daemon: what it asks, prints, and exits with. The real daemon's behaviour is
//! tested elsewhere.

#![forbid(unsafe_code)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, which is what it is for")]

#[cfg(test)]
mod adopt;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod bind;
#[cfg(test)]
mod clock_reset;
#[cfg(test)]
mod codes;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod email;
#[cfg(test)]
mod export;
#[cfg(test)]
mod help;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod import;
#[cfg(test)]
mod json;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod qr;
#[cfg(test)]
mod resync;
#[cfg(test)]
mod screen;
#[cfg(test)]
mod sign_ins;
#[cfg(test)]
mod support;
#[cfg(test)]
mod text;
#[cfg(test)]
mod verify;
