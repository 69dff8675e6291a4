//! The built module on the real libpam, unprivileged, through `pam_start_confdir`. A scripted otpd stands at the other
//! end, for the faults that the real one cannot be made to show.
//!
//! `verdicts` has what a login can end with, `first_pass` the answers that another module asked for or shall get,
//! `faults` what the daemon can do to it, `application` what the program can, `host` what the module may do to the
//! program it runs in, `memory` what it leaves there. `built` builds the module, so that no stale one is ever tested.

#[cfg(test)]
mod application;
#[cfg(test)]
mod built;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod first_pass;
#[cfg(test)]
mod hook;
#[cfg(test)]
mod host;
#[cfg(test)]
mod libpam;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod otpd;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod verdicts;
