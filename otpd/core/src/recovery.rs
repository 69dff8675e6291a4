//! Recovery codes: the way back in for who lost every device. Ten random codes of 80 bits, numbered, each good for one
//! login. The registry keeps only a keyed mark of each (NIST SP 800-63B-4, 3.1.2: look-up secrets).
//!
//! They are neither paced nor locked: a guesser's odds are ten in 2^80 for each try, and whoever could make the owner
//! wait here would close the last way back.

use std::fmt;

use zeroize::Zeroizing;

use crate::crockford;
use crate::mark::Mark;
use crate::time::UnixTime;

/// A recovery code: 16 symbols of Crockford's base32, which has no I, L, O and U. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<[u8; RecoveryCode::SYMBOLS]>);

/// What was typed has no form of a recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recovery code is 16 letters and digits, in groups of four")]
pub struct NotARecoveryCode;

/// One code of a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// As printed on the sheet, from 1 on.
    pub number: u8,
    /// What is known of it.
    pub mark: Mark,
    /// When it was used.
    pub used: Option<UnixTime>,
}

/// The recovery codes of an account, by number. Empty: it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet(pub Vec<Entry>);

/// What a sheet says to a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// It was good, and is used up now.
    Now {
        /// Which.
        number: u8,
    },
    /// It was used before.
    Before {
        /// Which.
        number: u8,
        /// When.
        at: UnixTime,
    },
}

impl RecoveryCode {
    /// Random bytes of one code: 80 bits.
    pub const BYTES: usize = 10;
    /// Characters without the hyphens.
    pub const SYMBOLS: usize = 16;

    /// The code of these random bytes.
    #[must_use]
    pub fn from_random(bytes: &[u8; Self::BYTES]) -> Self {
        Self(crockford::symbols(bytes))
    }

    /// Reads what was typed: in upper or lower case, with hyphens and spaces anywhere; a typed O is a zero, I and L
    /// are ones.
    ///
    /// # Errors
    /// [`NotARecoveryCode`].
    pub fn parse(typed: &str) -> Result<Self, NotARecoveryCode> {
        crockford::read(typed).map(Self).ok_or(NotARecoveryCode)
    }

    /// The symbols, for the mark.
    #[must_use]
    pub fn expose_symbols(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// As it is shown and printed: four groups of four.
    #[must_use]
    pub fn expose_grouped(&self) -> Zeroizing<String> {
        crockford::grouped(self.expose_symbols())
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

impl Sheet {
    /// Codes of a new sheet.
    pub const CODES: u8 = 10;

    /// A new sheet of codes with these marks.
    #[must_use]
    pub fn new(marks: impl IntoIterator<Item = Mark>) -> Self {
        let numbered = (1..=Self::CODES).zip(marks);
        Self(numbered.map(|(number, mark)| Entry { number, mark, used: None }).collect())
    }

    /// The numbers of the codes that are still good.
    pub fn left(&self) -> impl Iterator<Item = u8> {
        self.0.iter().filter(|entry| entry.used.is_none()).map(|entry| entry.number)
    }

    /// Uses up the code with this mark; `None` if no code has it. All marks are compared, each in constant time.
    pub fn spend(&mut self, mark: Mark, now: UnixTime) -> Option<Spent> {
        let mut found = None;
        for entry in &mut self.0 {
            if entry.mark.is(mark) {
                found = Some(entry);
            }
        }
        let entry = found?;
        let number = entry.number;
        match entry.used {
            Some(at) => Some(Spent::Before { number, at }),
            None => {
                entry.used = Some(now);
                Some(Spent::Now { number })
            }
        }
    }

    /// As stored: for each code its number, when it was used (0: not yet) and its mark.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len().saturating_mul(ENTRY));
        for entry in &self.0 {
            bytes.push(entry.number);
            bytes.extend(entry.used.map_or(0, |at| at.0.max(1)).to_be_bytes());
            bytes.extend(entry.mark.0);
        }
        bytes
    }

    /// Reads what [`Sheet::to_bytes`] wrote; `None` if it is nothing such.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut entries = Vec::new();
        let mut rest = bytes;
        while let Some((number, after)) = rest.split_first() {
            let (used, after) = after.split_first_chunk()?;
            let (mark, after) = after.split_first_chunk()?;
            let used = Some(i64::from_be_bytes(*used)).filter(|used| *used != 0).map(UnixTime);
            entries.push(Entry { number: *number, mark: Mark(*mark), used });
            rest = after;
        }
        Some(Self(entries))
    }
}

/// Bytes of a stored code.
const ENTRY: usize = 25;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn sheet() -> Sheet {
        Sheet::new((0..Sheet::CODES).map(|seed| Mark([seed; Mark::LENGTH])))
    }

    #[test]
    fn eighty_random_bits_are_sixteen_symbols_and_read_back() {
        let code = RecoveryCode::from_random(&[0, 68, 50, 20, 199, 66, 84, 182, 53, 207]);
        assert_eq!(*code.expose_grouped(), "0123-4567-89AB-CDEF");
        let code = RecoveryCode::from_random(&[255; 10]);
        assert_eq!(*code.expose_grouped(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
        let typed = RecoveryCode::parse(&code.expose_grouped()).unwrap();
        assert_eq!(typed.expose_symbols(), code.expose_symbols());
    }

    #[test]
    fn case_hyphens_spaces_and_look_alikes_do_not_matter() {
        let symbols = |typed: &str| RecoveryCode::parse(typed).unwrap().expose_symbols().to_vec();
        for typed in
            ["0110-ABCD-EFGH-JKMN", "oilO abcd efgh jkmn", "OIL0ABCDEFGHJKMN", " 0-1-1-0abcdefghjkmn- "]
        {
            assert_eq!(symbols(typed), b"0110ABCDEFGHJKMN", "{typed}");
        }
    }

    #[test]
    fn anything_else_is_no_recovery_code() {
        let long = "0".repeat(17);
        for typed in [
            "",
            "123456",
            "0110-ABCD-EFGH-JKM",
            long.as_str(),
            "0110-ABCD-EFGH-JKMU",
            "0110_ABCD_EFGH_JKMN",
            "０110ABCDEFGHJKMN",
        ] {
            assert!(RecoveryCode::parse(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn a_code_is_spent_once_and_its_second_use_is_told_apart() {
        let mut sheet = sheet();
        let mark = Mark([4; Mark::LENGTH]);
        assert_eq!(sheet.spend(mark, NOW), Some(Spent::Now { number: 5 }));
        assert_eq!(sheet.spend(mark, UnixTime(NOW.0 + 9)), Some(Spent::Before { number: 5, at: NOW }));
        assert_eq!(sheet.left().collect::<Vec<_>>(), [1, 2, 3, 4, 6, 7, 8, 9, 10]);
        assert_eq!(sheet.spend(Mark([99; Mark::LENGTH]), NOW), None);
        assert_eq!(Sheet::default().spend(mark, NOW), None);
    }

    #[test]
    fn a_mark_that_differs_in_one_bit_is_another() {
        for bit in 0..Mark::LENGTH * 8 {
            let mut mark = [4; Mark::LENGTH];
            mark[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(sheet().spend(Mark(mark), NOW), None, "{bit}");
        }
    }

    #[test]
    fn a_sheet_is_stored_and_read_back_and_a_cut_one_is_not() {
        let mut whole = sheet();
        whole.spend(Mark([0; Mark::LENGTH]), NOW);
        let bytes = whole.to_bytes();
        assert_eq!(bytes.len(), ENTRY * usize::from(Sheet::CODES));
        assert_eq!(Sheet::from_bytes(&bytes), Some(whole));
        assert_eq!(Sheet::from_bytes(&[]), Some(Sheet::default()));
        for length in (1..bytes.len()).filter(|length| length % ENTRY != 0) {
            assert_eq!(Sheet::from_bytes(&bytes[..length]), None, "{length}");
        }
    }
}
