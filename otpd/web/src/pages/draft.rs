//! What must be seen again until it is done with: the key of a device that is being bound, recovery codes that are not
//! saved yet. Kept under the form cookie, so that a reload, a typo or another language does not lose them.

use axum::response::Response;
use otpd_proto::Secret;

use crate::app::App;
use crate::browser::Browser;
use crate::clock;

/// One of them a browser.
pub enum Draft {
    /// A device that waits to be proven.
    Device {
        /// Whose.
        user: String,
        /// Its number.
        id: u32,
        /// Its name.
        name: String,
        /// Base32.
        key: Secret,
        /// `otpauth://`
        uri: Secret,
        /// Unix seconds.
        expires: i64,
        /// The name of the device that it takes over from.
        replaces: Option<String>,
    },
    /// An enrol code that an administrator reads out.
    EnrolCode {
        /// Who made it.
        by: String,
        /// For whom.
        user: String,
        /// Two groups of four.
        code: Secret,
        /// Unix seconds.
        expires: i64,
    },
    /// Recovery codes.
    Codes {
        /// Whose.
        user: String,
        /// Numbered from 1 on.
        codes: Vec<Secret>,
        /// When they were made, Unix seconds.
        at: i64,
        /// The number of the one to be typed back.
        asked: usize,
        /// Protection was turned on with them.
        first: bool,
    },
}

impl Draft {
    /// New recovery codes. Which one is to be typed back is as good as random, and the same after a reload.
    #[must_use]
    pub fn codes(user: &str, codes: Vec<Secret>, first: bool) -> Self {
        let at = clock::now();
        let count = i64::try_from(codes.len()).unwrap_or(1).max(1);
        let asked = usize::try_from(at.rem_euclid(count)).unwrap_or(0).saturating_add(1);
        Self::Codes { user: user.to_owned(), codes, at, asked, first }
    }
}

/// Puts it where this browser finds it.
pub fn keep(app: &App, browser: &Browser, draft: Draft) {
    app.drafts().put(&browser.form, draft, clock::monotonic());
}

/// Forgets it.
pub fn forget(app: &App, browser: &Browser) {
    drop(app.drafts().take(&browser.form, clock::monotonic()));
}

/// Looks at it.
pub fn look<R>(app: &App, browser: &Browser, look: impl FnOnce(&Draft) -> R) -> Option<R> {
    app.drafts().with(&browser.form, clock::monotonic(), |draft| look(draft))
}

/// Groups of four, as people read them.
#[must_use]
pub fn grouped(key: &str) -> String {
    let groups: Vec<String> =
        key.chars().collect::<Vec<_>>().chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

/// A page for somebody who has nothing of the kind any more.
#[must_use]
pub fn gone() -> Response {
    super::go("/account?done=gone")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_groups_of_four() {
        assert_eq!(grouped("GEZDGNBVGY3TQOJQ"), "GEZD GNBV GY3T QOJQ");
        assert_eq!(grouped("ABCDE"), "ABCD E");
        assert_eq!(grouped(""), "");
    }

    #[test]
    fn the_code_to_be_typed_back_is_one_of_them() {
        for count in [1, 10] {
            let Draft::Codes { asked, .. } = Draft::codes("a", vec![Secret::default(); count], true) else {
                panic!("these are codes")
            };
            assert!((1..=count).contains(&asked));
        }
    }
}
