//! The accounts of a run: all made from their number, so that every process knows every name, key and code.

use otpd_core::key::Key;
use otpd_core::time::Step;
use otpd_core::totp::Generator;
use otpd_core::totp::Parameters;
use zeroize::Zeroizing;

/// The number of an account, from 0, and of its first device. That of a further device is [`device`].
pub type Number = u32;

/// A device of an account, from 0.
pub fn device(account: Number, device: u32) -> Number {
    account + device * MOST
}

/// The name of the account.
pub fn name(number: Number) -> String {
    format!("u{:06}", number % MOST)
}

/// Its uid, out of the way of real users and of 65534.
pub fn uid(number: Number) -> u32 {
    number % MOST + 200_000
}

/// The key: different for each device, the same in each run.
pub fn key(number: Number) -> Key {
    let words = (0..3).map(|word| splitmix(u64::from(number) * 3 + word));
    let bytes: Vec<u8> = words.flat_map(u64::to_be_bytes).take(Key::MADE).collect();
    Key::new(Zeroizing::new(bytes)).expect("20 bytes are a key")
}

/// The code of a step.
pub fn code(number: Number, step: Step) -> String {
    let generator = Generator::new(&key(number), Parameters::default()).expect("a key of ours");
    generator.code_at(step)
}

/// A code that is none of this account within ten steps around `step`.
pub fn wrong_code(number: Number, step: Step) -> String {
    let near: Vec<String> =
        (-10..=10).filter_map(|offset| step.at(offset)).map(|step| code(number, step)).collect();
    let right: u32 = code(number, step).parse().expect("digits");
    let candidates = (1..).map(|distance| format!("{:06}", (right + distance) % 1_000_000));
    candidates.into_iter().find(|code| !near.contains(code)).expect("not all codes are right")
}

/// Whether the code of `used` is that of another step too, within ten of `now`: such a code is right again.
pub fn is_right_again(number: Number, used: Step, now: Step) -> bool {
    let again = code(number, used);
    (-10..=10).filter_map(|offset| now.at(offset)).any(|step| step != used && code(number, step) == again)
}

/// An account's place in the order of use: neighbours in the order are no neighbours on disk.
pub fn in_order(position: u64, accounts: u32) -> Number {
    // A prime larger than any number of accounts here is coprime to all of them.
    let spread = position % u64::from(accounts) * 7_368_787 % u64::from(accounts);
    u32::try_from(spread).expect("below the number of accounts")
}

/// The most accounts.
pub const MOST: u32 = 1_000_000;

fn splitmix(seed: u64) -> u64 {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_account_has_its_turn_before_any_has_its_second() {
        for accounts in [900, 1000, 90_000] {
            let order: BTreeSet<Number> = (0..u64::from(accounts)).map(|at| in_order(at, accounts)).collect();
            assert_eq!(order.len(), usize::try_from(accounts).unwrap());
        }
    }

    #[test]
    fn digits_may_come_again_for_another_step() {
        let (used, again) = (Step(59_846_120), Step(59_846_124));
        assert_eq!(code(40_181, used), code(40_181, again));
        assert!(is_right_again(40_181, used, Step(59_846_123)));
        assert!(!is_right_again(40_181, used, Step(59_846_113)));
        assert!(!is_right_again(40_182, used, Step(59_846_123)));
    }

    #[test]
    fn a_wrong_code_is_wrong_in_the_whole_neighbourhood() {
        let step = Step(58_000_000);
        let wrong = wrong_code(7, step);
        assert!((-10..=10).all(|offset| code(7, step.at(offset).unwrap()) != wrong));
    }
}
