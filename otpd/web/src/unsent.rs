//! A form that came after its sign-in had ended. The browser keeps it for as long as a login may take, and the same user
//! finds it as it was typed. Passwords and codes are never in it.

use form_urlencoded::Serializer;

use crate::pages::act::Act;

/// What was to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// The form.
    pub act: Act,
    /// Whose.
    pub user: String,
    /// Of what.
    pub id: String,
    /// Not empty: a step on the way to protection.
    pub on: String,
    /// What was typed; nothing, where that is a code.
    pub value: String,
}

impl Unsent {
    /// Out of the cookie.
    #[must_use]
    pub fn read(cookie: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut fields = form_urlencoded::parse(cookie.as_bytes());
            fields.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
        };
        Some(Self {
            act: Act::from_word(&field("act")?)?,
            user: field("user")?,
            id: field("id")?,
            on: field("on")?,
            value: field("value")?,
        })
    }

    /// The cookie, or none: what is longer than a form of ours takes was not typed there.
    #[must_use]
    pub fn cookie(&self) -> Option<String> {
        let fields = [("user", &self.user), ("id", &self.id), ("on", &self.on), ("value", &self.value)];
        let fits = !self.user.is_empty() && fields.iter().all(|(_, value)| value.len() <= LONGEST);
        let mut cookie = Serializer::new(String::new());
        cookie.append_pair("act", self.act.word()).extend_pairs(fields);
        fits.then(|| cookie.finish())
    }

    /// Where the form is.
    #[must_use]
    pub fn path(&self) -> String {
        let mut query = Serializer::new(String::new());
        let given = [("id", &self.id), ("on", &self.on)].into_iter().filter(|(_, value)| !value.is_empty());
        let query = query.extend_pairs(given).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/account/{}{mark}{query}", self.act.word())
    }
}

/// An address, or a name in letters of four bytes.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn unsent(value: &str) -> Unsent {
        let (user, id) = ("alice".to_owned(), "1".to_owned());
        Unsent { act: Act::RenameDevice, user, id, on: String::new(), value: value.to_owned() }
    }

    #[test]
    fn a_form_comes_back_as_it_was_typed() {
        for value in ["tablet", "", "a&b=c;d, \"e\"\r\n", "工作手机"] {
            let cookie = unsent(value).cookie().unwrap();
            assert!(!cookie.contains([';', ',', '"', ' ', '\r', '\n']), "{cookie}");
            assert_eq!(Unsent::read(&cookie), Some(unsent(value)));
        }
    }

    #[test]
    fn what_no_form_of_ours_sends_is_not_kept() {
        assert_eq!(unsent(&"x".repeat(LONGEST + 1)).cookie(), None);
        assert!(unsent(&"x".repeat(LONGEST)).cookie().is_some());
        assert_eq!(Unsent { user: String::new(), ..unsent("tablet") }.cookie(), None);
        for cookie in ["", "act=rename-device", "act=nonsense&user=a&id=1&on=&value="] {
            assert_eq!(Unsent::read(cookie), None, "{cookie}");
        }
    }

    #[test]
    fn it_leads_to_a_page_of_ours_whatever_it_says() {
        assert_eq!(unsent("tablet").path(), "/account/rename-device?id=1");
        let odd = Unsent { id: "//evil.example/?x".into(), on: "1".into(), ..unsent("") };
        assert_eq!(odd.path(), "/account/rename-device?id=%2F%2Fevil.example%2F%3Fx&on=1");
    }
}
