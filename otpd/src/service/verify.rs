//! Checking the audit log against its chain, for root: a page a call, so that nothing waits for it.

use otpd_core::chain::Defect;
use otpd_core::chain::Flaw;
use otpd_core::chain::Hole;
use otpd_core::chain::Link;
use otpd_core::chain::Mac;
use otpd_core::chain::NotALink;
use otpd_core::chain::Walk;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;
use otpd_proto::admin as wire;

use super::Failure;
use super::Service;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Checks the next events of the audit log.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn verify_audit(
        &self,
        peer: Peer,
        call: &wire::VerifyAuditParameters,
        now: UnixTime,
    ) -> Result<wire::VerifiedAudit, Failure> {
        self.root(peer, Request::Verify, Kind::Read, now)?;
        let known = call.known.as_deref().map(str::parse::<Link>).transpose().map_err(bad_head)?;
        let walk = call.walk.as_ref().map(walk_of).transpose().map_err(bad_head)?;
        let is_first = walk.is_none();
        let walked = self.registry.walk(walk, known, AT_ONCE)?;
        if let (true, Some(known), Some(anchor)) = (is_first, known, walked.anchor)
            && known.number < anchor.number
        {
            return Err(too_old(known, anchor));
        }
        Ok(wire::VerifiedAudit {
            walk: wire_walk(&walked.passed.walk),
            flaws: walked.passed.flaws.iter().map(wire_flaw).collect(),
            first: walked.anchor.map(|anchor| anchor.number.saturating_add(1)),
            head: walked.head.to_string(),
            more: walked.passed.more,
        })
    }
}

fn bad_head(error: NotALink) -> Failure {
    Failure::refused(Reason::BadHead, format!("This is {error}."))
}

fn too_old(known: Link, anchor: Link) -> Failure {
    let say = format!(
        "Event {} is so old that it was removed: the log begins behind event {}. Take a newer head.",
        known.number, anchor.number
    );
    Failure::refused(Reason::BadHead, say)
}

fn walk_of(walk: &wire::Walk) -> Result<Walk, NotALink> {
    let hole = |hole: &wire::Hole| {
        Ok(Hole { number: hole.number, before: hole.before.parse()?, there: hole.there.parse()? })
    };
    Ok(Walk {
        last: walk.last,
        mac: walk.mac.as_deref().map(str::parse).transpose()?,
        shift: walk.shift,
        holes: walk.holes.iter().map(hole).collect::<Result<_, _>>()?,
    })
}

fn wire_walk(walk: &Walk) -> wire::Walk {
    let hole = |hole: &Hole| wire::Hole {
        number: hole.number,
        before: hole.before.to_string(),
        there: hole.there.to_string(),
    };
    wire::Walk {
        last: walk.last,
        mac: walk.mac.as_ref().map(Mac::to_string),
        shift: walk.shift,
        holes: walk.holes.iter().map(hole).collect(),
    }
}

fn wire_flaw(flaw: &Flaw) -> wire::Flaw {
    let defect = match flaw.defect {
        Defect::Removed => "removed",
        Defect::Changed => "changed",
        Defect::Inserted => "inserted",
        Defect::Unchained => "unchained",
        Defect::Moved(_) => "moved",
        Defect::Cut => "cut",
        Defect::Replaced => "replaced",
        Defect::Alarm => "alarm",
        Defect::Anchor => "anchor",
        Defect::Head => "head",
    };
    wire::Flaw {
        defect: defect.to_owned(),
        number: flaw.number,
        last: flaw.last,
        at: flaw.at.map(|at| at.0),
        say: say(flaw),
    }
}

/// For the person, a whole sentence that names no time.
fn say(flaw: &Flaw) -> String {
    let Flaw { number, last, .. } = *flaw;
    let (events, were) = if number == last {
        (format!("Event {number}"), "was")
    } else {
        (format!("Events {number} to {last}"), "were")
    };
    let what = match flaw.defect {
        Defect::Removed => format!("{events} {were} removed"),
        Defect::Changed => format!("{events} is not what was written there"),
        Defect::Inserted => format!("{events} {were} inserted: otpd did not write this"),
        Defect::Unchained => format!(
            "{events} was written without the master key: by otpctl --offline, or by somebody else, and may be anything"
        ),
        Defect::Moved(whence) => format!("{events} was moved: it was written as event {whence}"),
        Defect::Cut => format!("{events} {were} there and {were} cut off the end"),
        Defect::Replaced => format!("{events} is another one than stood there before: the log was exchanged"),
        Defect::Alarm => format!("{events} says that otpd found the log altered; read what"),
        Defect::Anchor => "The note of where the log begins was altered, so what stood before cannot be \
            known"
            .to_owned(),
        Defect::Head => "The note of how far the log came was altered, so its end may be missing".to_owned(),
    };
    match flaw.unchecked {
        Some(unchecked) => format!("{what}. Event {unchecked}, behind it, cannot be checked."),
        None => format!("{what}."),
    }
}

/// Events: some milliseconds.
const AT_ONCE: u32 = 2000;
