//! The users file of pam_oath.

use std::fs::File;
use std::path::Path;

use otpd_core::import::LONGEST_LINE;
use otpd_core::import::oath;
use otpd_core::time::UnixTime;

use super::lines::Lines;
use super::transfer::Place;
use super::transfer::Transfer;
use crate::failure::Failure;

/// Reads a users file; root named it, so it may be a symbolic link.
pub(super) fn read(transfer: &mut Transfer<'_>, path: &Path, now: UnixTime) -> Result<(), Failure> {
    let failed = |error| Failure::cannot_read(path, &error);
    let file = File::open(path).map_err(failed)?;
    let whole = file.metadata().map_err(failed)?;
    if whole.is_dir() {
        return Err(Failure::cannot_read(path, &std::io::ErrorKind::IsADirectory.into()));
    }
    transfer.expect(whole.len());
    let mut lines = Lines::of(file);
    while let Some((number, line)) = lines.next().map_err(failed)? {
        let place = Place::line(path, number);
        let is_last = line.len() > LONGEST_LINE;
        match oath::read(line, now) {
            Ok(None) => {}
            Ok(Some((user, token))) => transfer.add(place, user, &token)?,
            Err(error) => transfer.object(place, &error.to_string()),
        }
        transfer.reach(lines.bytes());
        if is_last {
            break;
        }
    }
    Ok(())
}
