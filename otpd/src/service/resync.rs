//! Setting a device right by two codes in a row: its clock is far off, or it was pressed often without a login.

use std::sync::Arc;

use otpd_core::check;
use otpd_core::check::Resync;
use otpd_core::code::Code;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::registry::Registry;
use otpd_core::throttle::Lane;
use otpd_core::time::UnixTime;
use otpd_proto::account::ResyncParameters;
use otpd_proto::account::Resynced;

use super::Failure;
use super::Service;
use super::account::no_such_device;
use super::account::wire_device;
use super::proof::Asked;
use super::proof::closed;
use super::proof::locked;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Sets a device right.
    ///
    /// # Errors
    /// [`Failure`]; codes that are not two in a row are counted like a wrong one.
    pub fn resync(&self, peer: Peer, call: &ResyncParameters, now: UnixTime) -> Result<Resynced, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let codes = [&call.first, &call.second].map(|code| Code::parse(code.expose_secret()));
        let [Ok(first), Ok(second)] = codes else {
            let failure =
                Failure::refused(Reason::CodeMalformed, "That is no code: a code is 6 to 8 digits.");
            return self.refuse(&parties, now, Kind::Resync, failure);
        };
        let (named, keys) = (call.device.clone(), Arc::clone(&self.keys));
        let asked = Asked { request: Request::Resync, kind: Kind::Resync, code: None, now };
        self.change_permitted(&parties, &asked, move |account, event, _| {
            let device = account.find(&named).filter(|device| device.is_active());
            let id = device.ok_or_else(|| no_such_device(&named))?.id;
            event.device = account.device_mut(id).map(|device| device.name.to_string());
            let done = check::resync(account, id, [&first, &second], Lane::Own, now, &*keys)?;
            let failures = account.lane(Lane::Own).failures;
            let moved = match done {
                Resync::Done { moved } => moved,
                Resync::Wrong => return Err(not_in_a_row()),
                Resync::Wait(until) => return Err(locked(until, failures)),
                Resync::Closed => return Err(closed(failures)),
            };
            event.detail = Some(format!("by {moved}"));
            let device = account.device_mut(id).ok_or_else(|| no_such_device(&named))?;
            Ok(Resynced { device: wire_device(device), moved })
        })
    }
}

fn not_in_a_row() -> Failure {
    let say = "These are not two new codes in a row. Take the next two that the device shows, one after the other. If they \
               are refused too, it is too far off: bind it anew.";
    Failure::refused(Reason::CodeWrong, say)
}
