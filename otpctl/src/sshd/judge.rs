//! Whether sshd asks: for everybody, and for those whom a `Match` block matches. A protected account has to be asked
//! through keyboard-interactive; a way in that asks nobody is closed by the account line alone.

use super::config::Config;
use super::config::For;
use crate::pam::judge::Finding;
use crate::pam::judge::Weight;

/// How sshd's logins go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ways {
    /// Somebody can log in without PAM's auth phase: by key, for one.
    pub(crate) keys_let_in: bool,
    /// Nobody at all can be asked for a code.
    pub(crate) never_asks: bool,
    /// Those whom no `Match` block matches cannot be asked.
    pub(crate) misses_most: bool,
    /// Root gets in by other methods than those that ask (`PermitRootLogin prohibit-password`, for one).
    pub(crate) root_is_never_asked: bool,
    pub(crate) findings: Vec<Finding>,
}

/// Judges a configuration in front of a PAM stack; `one_answer` says that the stack takes password and code in one.
pub(crate) fn judge(config: &Config, one_answer: bool) -> Ways {
    let mut ways =
        Ways { never_asks: true, root_is_never_asked: root_is_never_asked(config), ..Ways::default() };
    for audience in config.audiences() {
        let whom =
            config.condition(audience).map(|condition| format!(" (Match {condition})")).unwrap_or_default();
        let mut add =
            |weight, say: String| ways.findings.push(Finding { weight, say: format!("{say}{whom}") });
        // PAM itself cannot differ between blocks.
        let uses_pam = config.is_on("usepam", For::Everybody, false);
        if !uses_pam {
            if audience == For::Everybody {
                add(Weight::Skips, "sshd asks no PAM module, so no code: write UsePAM yes".into());
            }
            continue;
        }
        let asks = config.is_on("kbdinteractiveauthentication", audience, true);
        let lists = lists(config, audience);
        let can_ask =
            (asks && lists.iter().any(|list| list.iter().any(|method| is_interactive(method)))) || one_answer;
        ways.misses_most |= audience == For::Everybody && !can_ask;
        if can_ask {
            ways.never_asks = false;
        } else if lets_keys_alone(config, audience, &lists) {
            add(Weight::Note, "by key alone, so only accounts without protection get in".into());
        } else if asks {
            add(
                Weight::Warn,
                "no one is asked for a code: write AuthenticationMethods keyboard-interactive:pam".into(),
            );
        } else {
            let say = "sshd cannot ask for a code, so nobody protected gets in: write KbdInteractiveAuthentication yes";
            add(Weight::Warn, say.into());
        }
        ways.keys_let_in |= lets_keys_alone(config, audience, &lists);
        if can_ask
            && !one_answer
            && config.is_on("passwordauthentication", audience, true)
            && lists.iter().any(|list| list.iter().all(|method| is(method, "any")))
        {
            let say = "the method password asks once and repeats that for the code, so it refuses who is protected: write \
                       PasswordAuthentication no";
            add(Weight::Note, say.into());
        }
    }
    ways
}

/// Whether root may log in, but nowhere with what PAM asks. Who may not at all loses nothing.
fn root_is_never_asked(config: &Config) -> bool {
    let permitted = |audience| config.value("permitrootlogin", audience).unwrap_or("prohibit-password");
    let is = |word: &str| {
        config.audiences().into_iter().any(|audience| permitted(audience).eq_ignore_ascii_case(word))
    };
    !is("yes") && !permitted(For::Everybody).eq_ignore_ascii_case("no")
}

/// The lists of methods, of which one has to be gone through. Without any, each method is a list of its own.
fn lists(config: &Config, audience: For) -> Vec<Vec<String>> {
    let value = config.value("authenticationmethods", audience).unwrap_or("any");
    value.split_whitespace().map(|list| list.split(',').map(str::to_owned).collect()).collect()
}

fn is(method: &str, name: &str) -> bool {
    method.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name))
}

fn is_interactive(method: &str) -> bool {
    is(method, "any") || is(method, "keyboard-interactive")
}

/// Whether a list has no method that runs PAM's auth phase, and its methods are allowed.
fn lets_keys_alone(config: &Config, audience: For, lists: &[Vec<String>]) -> bool {
    let allowed = [
        ("publickey", config.is_on("pubkeyauthentication", audience, true)),
        ("hostbased", config.is_on("hostbasedauthentication", audience, false)),
        ("gssapi-with-mic", config.is_on("gssapiauthentication", audience, false)),
    ];
    let may = |method: &str| {
        allowed.iter().any(|(name, allowed)| *allowed && (is(method, name) || is(method, "any")))
    };
    lists.iter().any(|list| list.iter().all(|method| may(method)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(text: &str) -> Ways {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        judge(&Config::read(file.path()), false)
    }

    fn said(text: &str, weight: Weight) -> Vec<String> {
        let found = ways(text).findings.into_iter().filter(|finding| finding.weight == weight);
        found.map(|finding| finding.say).collect()
    }

    #[test]
    fn the_configuration_of_the_manual_is_sound() {
        let text = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\nAuthenticationMethods keyboard-interactive:pam\n";
        let found = ways(text);
        assert!(!found.never_asks && !found.keys_let_in && found.findings.is_empty(), "{found:?}");
        let both = text.replace("keyboard", "publickey,keyboard");
        assert!(!ways(&both).keys_let_in, "a key is not enough");
    }

    #[test]
    fn without_methods_a_key_is_enough() {
        let found = ways("UsePAM yes\nKbdInteractiveAuthentication yes\n");
        assert!(found.keys_let_in && !found.never_asks, "{found:?}");
        assert!(!ways("UsePAM yes\nPubkeyAuthentication no\n").keys_let_in);
        assert!(ways("UsePAM yes\nPubkeyAuthentication no\nGSSAPIAuthentication yes\n").keys_let_in);
        assert!(ways("UsePAM yes\nAuthenticationMethods publickey keyboard-interactive\n").keys_let_in);
    }

    /// google-authenticator-libpam#97, and Debian's own sshd_config.
    #[test]
    fn ga_97_an_sshd_that_cannot_ask_is_found() {
        for text in [
            "UsePAM yes\nChallengeResponseAuthentication no\nPasswordAuthentication yes\nPubkeyAuthentication no\n",
            "KbdInteractiveAuthentication no\nUsePAM yes\nPubkeyAuthentication no\n",
        ] {
            assert!(ways(text).never_asks, "{text}");
            assert!(said(text, Weight::Warn)[0].contains("KbdInteractiveAuthentication yes"), "{text}");
        }
        let password_only = "UsePAM yes\nAuthenticationMethods password\n";
        assert!(ways(password_only).never_asks);
        assert!(said(password_only, Weight::Warn)[0].contains("AuthenticationMethods"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), password_only).unwrap();
        assert!(!judge(&Config::read(file.path()), true).never_asks, "password and code in one answer");
    }

    #[test]
    fn without_pam_no_code_is_asked_for() {
        let found = ways("UsePAM no\n");
        assert!(found.never_asks);
        assert!(said("", Weight::Skips)[0].contains("UsePAM yes"), "it is sshd's default");
    }

    #[test]
    fn a_block_is_judged_for_itself_and_named() {
        let text = "UsePAM yes\nKbdInteractiveAuthentication yes\nAuthenticationMethods keyboard-interactive:pam\n\
                    Match User backup\n AuthenticationMethods publickey\nMatch Address 192.0.2.0/24\n KbdInteractiveAuthentication no\n";
        let found = ways(text);
        assert!(found.keys_let_in && !found.never_asks);
        assert!(said(text, Weight::Note)[0].ends_with("(Match User backup)"), "{found:?}");
        assert!(said(text, Weight::Warn)[0].ends_with("(Match Address 192.0.2.0/24)"), "{found:?}");
    }

    #[test]
    fn who_is_matched_by_no_block_and_cannot_be_asked_is_missed() {
        let block = "Match Address 192.0.2.0/24\n KbdInteractiveAuthentication yes\n";
        let text = format!("UsePAM yes\nKbdInteractiveAuthentication no\n{block}");
        assert!(ways(&text).misses_most && !ways(&text).never_asks);
        let by_key =
            format!("UsePAM yes\nAuthenticationMethods publickey\n{block} AuthenticationMethods any\n");
        assert!(ways(&by_key).misses_most && !ways(&by_key).never_asks);
        assert!(!ways(&format!("UsePAM yes\n{block}")).misses_most);
    }

    #[test]
    fn root_is_never_asked_where_only_keys_let_root_in() {
        let root = |permit: &str| ways(&format!("UsePAM yes\n{permit}\n")).root_is_never_asked;
        assert!(
            root("") && root("PermitRootLogin prohibit-password") && root("PermitRootLogin without-password")
        );
        assert!(!root("PermitRootLogin yes") && !root("PermitRootLogin no"));
        assert!(!root("PermitRootLogin no\nMatch Address 192.0.2.0/24\n PermitRootLogin yes"));
    }
}
