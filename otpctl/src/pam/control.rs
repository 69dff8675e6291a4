//! What libpam does with a module's answer: pam.conf(5)'s control values, as a table from answers to actions.

/// A module's answer: one of libpam's return values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Answer(u8);

impl Answer {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const SERVICE_ERR: Self = Self(3);
    pub(crate) const PERM_DENIED: Self = Self(6);
    pub(crate) const AUTH_ERR: Self = Self(7);
    pub(crate) const AUTHINFO_UNAVAIL: Self = Self(9);
    pub(crate) const USER_UNKNOWN: Self = Self(10);
    pub(crate) const MAXTRIES: Self = Self(11);
    pub(crate) const NEW_AUTHTOK_REQD: Self = Self(12);
    pub(crate) const ACCT_EXPIRED: Self = Self(13);
    pub(crate) const IGNORE: Self = Self(25);
    pub(crate) const ABORT: Self = Self(26);
    pub(crate) const MODULE_UNKNOWN: Self = Self(28);

    /// Every one.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..).map(Self).take(NAMES.len())
    }

    /// As in a control's brackets.
    pub(crate) fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("an unknown answer")
    }

    /// libpam's number for it, if it has one.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| usize::from(*number) < NAMES.len()).map(Self)
    }

    fn named(name: &str) -> Option<Self> {
        Self::all().find(|answer| answer.name() == name)
    }
}

/// What an answer does to the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Counts for nothing.
    Ignore,
    /// Counts as the stack's answer unless one failed.
    Ok,
    /// The same, and ends the stack unless one failed.
    Done,
    /// The stack has failed.
    Bad,
    /// The stack has failed and ends.
    Die,
    /// Forgets what counted so far.
    Reset,
    /// Leaves out so many lines.
    Jump(usize),
}

/// An action for each answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Control(Vec<Action>);

impl Control {
    /// From one word, or the text between brackets; a reason if libpam would not understand it.
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        let inner = word.strip_prefix('[').map(|rest| rest.strip_suffix(']').unwrap_or(rest));
        match (inner, word.to_ascii_lowercase().as_str()) {
            (Some(pairs), _) => Self::from_pairs(pairs),
            (None, "required") => {
                Self::from_pairs("success=ok new_authtok_reqd=ok ignore=ignore default=bad")
            }
            (None, "requisite") => {
                Self::from_pairs("success=ok new_authtok_reqd=ok ignore=ignore default=die")
            }
            (None, "sufficient") => Self::from_pairs("success=done new_authtok_reqd=done default=ignore"),
            (None, "optional") => Self::from_pairs("success=ok new_authtok_reqd=ok default=ignore"),
            (None, _) => Err(format!("{word:?} is no control")),
        }
    }

    fn from_pairs(pairs: &str) -> Result<Self, String> {
        let mut actions = vec![None; NAMES.len()];
        // Spaces around the equals sign are allowed.
        for pair in pairs.replace(" =", "=").replace("= ", "=").split_whitespace() {
            let (name, action) = pair.split_once('=').ok_or_else(|| format!("{pair:?} has no ="))?;
            let action = parse_action(action).ok_or_else(|| format!("{pair:?} has no action"))?;
            if name == "default" {
                actions.iter_mut().filter(|slot| slot.is_none()).for_each(|slot| *slot = Some(action));
            } else {
                let answer = Answer::named(name).ok_or_else(|| format!("{name:?} is no answer"))?;
                if let Some(slot) = actions.get_mut(usize::from(answer.0)) {
                    *slot = Some(action);
                }
            }
        }
        // What is not named fails.
        Ok(Self(actions.into_iter().map(|slot| slot.unwrap_or(Action::Bad)).collect()))
    }

    /// What the answer does.
    pub(crate) fn of(&self, answer: Answer) -> Action {
        self.0.get(usize::from(answer.0)).copied().unwrap_or(Action::Bad)
    }
}

fn parse_action(word: &str) -> Option<Action> {
    Some(match word {
        "ignore" => Action::Ignore,
        "ok" => Action::Ok,
        "done" => Action::Done,
        "bad" => Action::Bad,
        "die" => Action::Die,
        "reset" => Action::Reset,
        // libpam refuses a jump over nothing.
        number => Action::Jump(number.parse().ok().filter(|lines| *lines > 0)?),
    })
}

const NAMES: [&str; 32] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
    "incomplete",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_what_pam_conf_says() {
        let of = |word: &str, answer| Control::parse(word).unwrap().of(answer);
        assert_eq!(of("required", Answer::AUTH_ERR), Action::Bad);
        assert_eq!(of("required", Answer::IGNORE), Action::Ignore);
        assert_eq!(of("Requisite", Answer::AUTH_ERR), Action::Die);
        assert_eq!(of("sufficient", Answer::SUCCESS), Action::Done);
        assert_eq!(of("sufficient", Answer::AUTH_ERR), Action::Ignore);
        assert_eq!(of("optional", Answer::SUCCESS), Action::Ok);
        assert!(Control::parse("obligatory").is_err());
    }

    #[test]
    fn brackets_name_answers_and_the_rest_is_default_or_bad() {
        let control = Control::parse("[success=2 user_unknown = ignore default=die]").unwrap();
        assert_eq!(control.of(Answer::SUCCESS), Action::Jump(2));
        assert_eq!(control.of(Answer::USER_UNKNOWN), Action::Ignore);
        assert_eq!(control.of(Answer::MAXTRIES), Action::Die);
        // The first default that comes counts for what was not named before it, as in libpam.
        let control = Control::parse("[default=bad success=ok]").unwrap();
        assert_eq!((control.of(Answer::SUCCESS), control.of(Answer::IGNORE)), (Action::Ok, Action::Bad));
        assert_eq!(Control::parse("[success=ok]").unwrap().of(Answer::AUTH_ERR), Action::Bad);
        for wrong in
            ["[success]", "[success=good]", "[glory=ok]", "[success=-1]", "[success=0 default=ignore]"]
        {
            assert!(Control::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_libpams() {
        assert_eq!(Answer::from_number(25), Some(Answer::IGNORE));
        assert_eq!((Answer::from_number(32), Answer::from_number(-1)), (None, None));
        assert_eq!(Answer::from_number(28).unwrap().name(), "module_unknown");
    }
}
