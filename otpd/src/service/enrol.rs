//! Enrol codes: the way in for who must have a device and has none.

use std::sync::Arc;

use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;
use otpd_core::waiting::Waiting;
use otpd_proto::Secret;
use otpd_proto::admin as wire;

use super::Failure;
use super::Service;
use super::proof::Asked;
use crate::keys::new_short_code;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Makes an enrol code; one of before is void.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn enrol_code(
        &self,
        peer: Peer,
        call: &wire::ResetParameters,
        now: UnixTime,
    ) -> Result<wire::EnrolCode, Failure> {
        let parties = self.parties(peer, Some(&call.user))?;
        let (deciding, keys) = (parties.clone(), Arc::clone(&self.keys));
        let asked =
            Asked { request: Request::EnrolCode, kind: Kind::EnrolCode, code: call.code.as_ref(), now };
        self.change_permitted(&parties, &asked, move |account, _, _| {
            let user = &deciding.who().name;
            if account.is_protected() {
                let say = format!("{user} has a device. If every device is lost: otpctl reset {user}");
                return Err(Failure::refused(Reason::HasDevice, say));
            }
            if !deciding.standing(account.grace_since, now).is_demanded(now) {
                let say = format!("{user} needs no code to log in: {user} runs otpctl bind");
                return Err(Failure::refused(Reason::Optional, say));
            }
            let code = new_short_code()?;
            let enrolment = Waiting::begin(keys.mark(account.id, code.expose_symbols()), now);
            account.enrolment = Some(enrolment);
            Ok(wire::EnrolCode {
                enrol_code: Secret::new(code.expose_grouped().to_string()),
                expires: enrolment.expires.0,
            })
        })
    }
}
