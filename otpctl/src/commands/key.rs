//! `key rotate`: another master key.

use std::fs::File;
use std::os::fd::AsFd;

use otpd_proto::admin;
use otpd_proto::admin::KeyRotated;
use serde_json::json;

use super::Session;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;

/// Replaces the master key, or names the one that is to.
pub(crate) fn rotate(session: &Session, typed: &cli::KeyRotate) -> Result<Exit, Failure> {
    let rotated: KeyRotated = match &typed.to {
        None => session.calls.call(admin::ROTATE_KEY, &json!({}))?,
        Some(path) => {
            let file = File::open(path).map_err(|error| Failure::cannot_read(path, &error))?;
            session.calls.call_with(admin::ROTATE_KEY, &json!({}), file.as_fd())?
        }
    };
    session.output.result(&rotated, || match &rotated.key {
        Some(key) => vec![
            format!("The master key is new: {key}").into(),
            "Copies of the registry from before, and backups made without the key, need the old one.".into(),
        ],
        None => vec![
            "Both keys open the registry now. Put the new one where otpd gets its master key, and restart otpd:".into(),
            "from then on the old one opens it no more. otpctl audit says when that is so.".into(),
        ],
    })?;
    Ok(Exit::Ok)
}
