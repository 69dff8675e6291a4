//! Which clock is off, by the codes that were accepted. A phone that is wrong differs from the others; if they all
//! differ from this box by the same, it is this box that is wrong.

use crate::account::AccountId;
use crate::device::DeviceId;
use crate::name::DeviceName;
use crate::name::Identity;

/// How far a device was from this box's clock at its last accepted code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Whose device.
    pub who: Identity,
    /// The account.
    pub account: AccountId,
    /// The device's number.
    pub device: DeviceId,
    /// Its name.
    pub name: DeviceName,
    /// Seconds that it was ahead of this box, in whole steps.
    pub offset: i64,
}

/// What the readings say of this box's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThisBox {
    /// Too few agree on anything.
    #[default]
    Unknown,
    /// Most agree with it.
    Right,
    /// Most agree with each other and not with it.
    Off {
        /// Seconds that it is behind them; below 0 if it is ahead.
        behind: i64,
        /// How many say so.
        devices: usize,
    },
}

impl ThisBox {
    /// Seconds that a device is off by itself: ahead, or below 0 behind. `None` if it is not, or nobody can tell.
    #[must_use]
    pub fn deviation(self, offset: i64) -> Option<i64> {
        let right = match self {
            Self::Unknown => return None,
            Self::Right => 0,
            Self::Off { behind, .. } => behind,
        };
        let deviation = offset.saturating_sub(right);
        (deviation.unsigned_abs() > TOLERANCE).then_some(deviation)
    }

    /// Whether this is news after `before`: this box is found to be off, by another amount, or not any more.
    #[must_use]
    pub fn is_news_after(self, before: Self) -> bool {
        match (self, before) {
            (Self::Off { behind, .. }, Self::Off { behind: before, .. }) => {
                behind.saturating_sub(before).unsigned_abs() > TOLERANCE
            }
            (Self::Off { .. }, _) | (_, Self::Off { .. }) => true,
            _ => false,
        }
    }
}

/// Lets the clocks vote: each device is one, and this box is one, or two if it follows a time source. The side that has
/// more than half of the votes is right.
#[must_use]
pub fn judge(offsets: &[i64], is_synchronised: bool) -> ThisBox {
    let own = if is_synchronised { 2 } else { 1 };
    let votes = offsets.len().saturating_add(own);
    let near = |centre: i64| offsets.iter().filter(move |offset| is_near(**offset, centre));
    let is_majority = |count: usize| count.saturating_mul(2) > votes;
    if offsets.is_empty() {
        return ThisBox::Unknown;
    }
    if is_majority(near(0).count().saturating_add(own)) {
        return ThisBox::Right;
    }
    let away = offsets.iter().filter(|offset| !is_near(**offset, 0));
    match away.max_by_key(|offset| near(**offset).count()) {
        Some(centre) if is_majority(near(*centre).count()) => {
            let mut agreeing: Vec<i64> = near(*centre).copied().collect();
            agreeing.sort_unstable();
            let behind = agreeing.get(agreeing.len() / 2).copied().unwrap_or(*centre);
            ThisBox::Off { behind, devices: agreeing.len() }
        }
        _ => ThisBox::Unknown,
    }
}

fn is_near(offset: i64, centre: i64) -> bool {
    offset.saturating_sub(centre).unsigned_abs() <= TOLERANCE
}

/// Seconds. A code tells its step only, and is typed some time after it is read.
const TOLERANCE: u64 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn off(behind: i64, devices: usize) -> ThisBox {
        ThisBox::Off { behind, devices }
    }

    #[test]
    fn all_off_by_the_same_is_this_box() {
        assert_eq!(judge(&[60, 60], false), off(60, 2));
        assert_eq!(judge(&[90, 60, 90, 90], false), off(90, 4));
        assert_eq!(judge(&[-120, -120, -90], false), off(-120, 3));
        assert_eq!(judge(&[300; 1000], true), off(300, 1000));
    }

    #[test]
    fn one_off_is_that_phone() {
        let readings = [0, 0, -30, 300];
        assert_eq!(judge(&readings, false), ThisBox::Right);
        assert_eq!(ThisBox::Right.deviation(300), Some(300));
        assert_eq!(ThisBox::Right.deviation(-30), None);
        // Also where the box is wrong as well.
        let wrong = judge(&[90, 90, 60, 0], false);
        assert_eq!(wrong, off(90, 3));
        assert_eq!((wrong.deviation(90), wrong.deviation(0)), (None, Some(-90)));
    }

    #[test]
    fn two_clocks_that_disagree_say_nothing_unless_one_is_vouched_for() {
        assert_eq!(judge(&[90], false), ThisBox::Unknown);
        assert_eq!(judge(&[90], true), ThisBox::Right);
        assert_eq!(judge(&[0], false), ThisBox::Right);
        assert_eq!(judge(&[90, -60], false), ThisBox::Unknown);
        assert_eq!(judge(&[90, -60], true), ThisBox::Unknown);
        assert_eq!(judge(&[90, 90], true), ThisBox::Unknown);
        assert_eq!(judge(&[90, 90, 90], true), off(90, 3));
        assert_eq!(judge(&[], true), ThisBox::Unknown);
        assert_eq!(ThisBox::Unknown.deviation(300), None);
    }

    #[test]
    fn half_of_the_votes_is_not_most() {
        // Two and the box against three; two and the box against four.
        assert_eq!(judge(&[0, 0, 90, 90, 90], false), ThisBox::Unknown);
        assert_eq!(judge(&[0, 0, 90, 90, 90, 90], false), off(90, 4));
        assert_eq!(judge(&[0, 0, 90, 90], false), ThisBox::Right);
    }

    #[test]
    fn a_step_is_near_and_two_are_not() {
        assert_eq!(judge(&[30, 30, 30], false), ThisBox::Right);
        assert_eq!(judge(&[31, 31, 31], false), off(31, 3));
        assert_eq!(judge(&[-30, -30], false), ThisBox::Right);
        assert_eq!((ThisBox::Right.deviation(30), ThisBox::Right.deviation(31)), (None, Some(31)));
    }

    #[test]
    fn offsets_that_no_clock_has_do_no_harm() {
        assert_eq!(judge(&[i64::MAX, i64::MAX], false), off(i64::MAX, 2));
        assert_eq!(judge(&[i64::MIN, i64::MAX], false), ThisBox::Unknown);
        assert_eq!(off(i64::MAX, 2).deviation(i64::MIN), Some(i64::MIN));
    }

    #[test]
    fn news_is_that_this_box_is_off_by_another_amount_or_not_any_more() {
        assert!(off(90, 3).is_news_after(off(-90, 3)) && off(91, 3).is_news_after(off(60, 3)));
        assert!(!off(90, 3).is_news_after(off(60, 9)), "only a step more exact");
        for calm in [ThisBox::Right, ThisBox::Unknown] {
            assert!(off(90, 3).is_news_after(calm) && calm.is_news_after(off(90, 3)));
            assert!(!calm.is_news_after(ThisBox::Unknown) && !calm.is_news_after(ThisBox::Right));
        }
    }
}
