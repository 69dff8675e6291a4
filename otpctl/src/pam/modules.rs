//! What is known of modules: which are passwords, which always say the same, which files there are.

use std::path::Path;
use std::path::PathBuf;

use super::control::Answer;
use super::line::Module;
use super::line::Phase;

/// What a module is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ours, and it judges a code (or, in the account phase, knows that one was judged).
    Code,
    /// Ours, and it only puts the code aside (`forward_pass=unchecked`).
    Splits,
    /// Asks for a password.
    Password,
    /// Lets in whoever is root already.
    Root,
    /// Asks nobody: who, when or where it is.
    Condition,
    Other,
}

/// What the module is in a phase.
pub(crate) fn kind(module: &Module) -> Kind {
    let name = module.name();
    match name.strip_suffix(".so").unwrap_or(name) {
        "pam_otp" if module.has("forward_pass=unchecked") => Kind::Splits,
        "pam_otp" => Kind::Code,
        "pam_rootok" => Kind::Root,
        name if PASSWORDS.contains(&name) => Kind::Password,
        name if CONDITIONS.contains(&name) => Kind::Condition,
        _ => Kind::Other,
    }
}

/// The answers that the module can give, if it is there; `None` where that can be any.
pub(crate) fn answers(module: &Module, phase: Phase) -> Option<Vec<Answer>> {
    let name = module.name();
    Some(match (name.strip_suffix(".so").unwrap_or(name), phase) {
        // In the order of "Return values" in pam_otp(8).
        ("pam_otp", Phase::Auth) if kind(module) == Kind::Splits => {
            vec![
                Answer::IGNORE,
                Answer::AUTH_ERR,
                Answer::AUTHINFO_UNAVAIL,
                Answer::SERVICE_ERR,
                Answer::ABORT,
            ]
        }
        ("pam_otp", Phase::Auth) => vec![
            Answer::SUCCESS,
            Answer::IGNORE,
            Answer::AUTH_ERR,
            Answer::MAXTRIES,
            Answer::AUTHINFO_UNAVAIL,
            Answer::SERVICE_ERR,
            Answer::ABORT,
        ],
        ("pam_otp", Phase::Account) => vec![
            Answer::SUCCESS,
            Answer::IGNORE,
            Answer::PERM_DENIED,
            Answer::AUTHINFO_UNAVAIL,
            Answer::SERVICE_ERR,
            Answer::ABORT,
        ],
        ("pam_otp", _) => vec![Answer::IGNORE],
        ("pam_permit", _) => vec![Answer::SUCCESS],
        ("pam_deny", Phase::Account) => vec![Answer::ACCT_EXPIRED],
        ("pam_deny", _) => vec![Answer::AUTH_ERR],
        ("pam_faillock", Phase::Auth) if module.has("authfail") => vec![Answer::IGNORE, Answer::AUTH_ERR],
        ("pam_faildelay", _) => vec![Answer::SUCCESS, Answer::IGNORE],
        _ => return None,
    })
}

/// Where module files are.
#[derive(Debug, Clone)]
pub(crate) struct Modules(Vec<PathBuf>);

impl Modules {
    /// The directories of this machine that have modules.
    pub(crate) fn of_this_machine() -> Self {
        let mut found: Vec<PathBuf> =
            ["/lib64/security", "/usr/lib64/security", "/lib/security", "/usr/lib/security"]
                .map(PathBuf::from)
                .into();
        let triplets =
            ["/usr/lib", "/lib"].into_iter().filter_map(|base| std::fs::read_dir(base).ok()).flatten();
        found.extend(triplets.filter_map(Result::ok).map(|entry| entry.path().join("security")));
        found.retain(|directory| {
            directory.join("pam_unix.so").exists() || directory.join("pam_permit.so").exists()
        });
        Self(found)
    }

    /// Every module that is named is there.
    #[cfg(test)]
    pub(crate) fn complete() -> Self {
        Self(Vec::new())
    }

    /// Whether libpam would find it. Where no module is found at all, nothing can be said.
    pub(crate) fn has(&self, module: &Module) -> bool {
        self.0.is_empty() || self.find(module).is_some()
    }

    /// Its file.
    pub(crate) fn find(&self, module: &Module) -> Option<PathBuf> {
        let path = Path::new(&module.path);
        if path.is_absolute() && !module.path.contains("$ISA") {
            return path.exists().then(|| path.to_owned());
        }
        self.0.iter().map(|directory| directory.join(module.name())).find(|path| path.exists())
    }
}

const PASSWORDS: [&str; 17] = [
    "pam_unix",
    "pam_sss",
    "pam_ldap",
    "pam_krb5",
    "pam_winbind",
    "pam_systemd_home",
    "pam_pwdfile",
    "pam_userdb",
    "pam_tcb",
    "pam_mysql",
    "pam_pgsql",
    "pam_radius_auth",
    "pam_tacplus",
    "pam_himmelblau",
    "pam_authd",
    "pam_lsass",
    "pam_unix2",
];

const CONDITIONS: [&str; 8] = [
    "pam_succeed_if",
    "pam_access",
    "pam_listfile",
    "pam_localuser",
    "pam_usertype",
    "pam_time",
    "pam_wheel",
    "pam_group",
];
