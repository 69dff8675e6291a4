//! This machine's logins: its PAM stacks, modules and sshd, judged together.

use std::path::Path;

use crate::pam::judge;
use crate::pam::judge::Judgement;
use crate::pam::line::Phase;
use crate::pam::modules;
use crate::pam::modules::Kind;
use crate::pam::modules::Modules;
use crate::pam::stack::Stacks;
use crate::sshd::config::Config;
use crate::sshd::config::For;
use crate::sshd::judge::Ways;

/// What decides over logins.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) stacks: Stacks,
    pub(crate) modules: Modules,
    sshd: Config,
}

impl Site {
    /// That of this machine.
    pub(crate) fn of_this_machine() -> Self {
        Self::new(
            Stacks::of_this_machine(),
            Modules::of_this_machine(),
            sshd_config(&SSHD_CONFIGS.map(Path::new)),
        )
    }

    pub(crate) fn new(stacks: Stacks, modules: Modules, sshd_config: &Path) -> Self {
        Self { stacks, modules, sshd: Config::read(sshd_config) }
    }

    /// The same with other stacks.
    pub(crate) fn with(&self, stacks: Stacks) -> Self {
        Self { stacks, ..self.clone() }
    }

    /// Whether it is sshd's service, which lets in by key without asking anybody.
    pub(crate) fn is_sshd(&self, service: &str) -> bool {
        service == self.sshd.value("pamservicename", For::Everybody).unwrap_or("sshd")
    }

    /// Judges the stacks of a service.
    pub(crate) fn judge(&self, service: &str) -> Judgement {
        let keys_let_in = self.is_sshd(service) && (!self.has_sshd() || self.ways(service).keys_let_in);
        judge::judge(&self.stacks, &self.modules, service, keys_let_in)
    }

    /// Whether there is an sshd to look at.
    pub(crate) fn has_sshd(&self) -> bool {
        !self.sshd.is_empty()
    }

    /// Judges sshd in front of a service.
    pub(crate) fn ways(&self, service: &str) -> Ways {
        let auth = self.stacks.resolve(service, Phase::Auth);
        let splits = |module: &crate::pam::line::Module| {
            modules::kind(module) == Kind::Splits
                || (modules::kind(module) == Kind::Code && module.has("forward_pass"))
        };
        let one_answer = auth.modules().any(|(_, module)| splits(module));
        crate::sshd::judge::judge(&self.sshd, one_answer)
    }

    /// Whether a service's stacks let in at least one.
    pub(crate) fn lets_anybody_in(&self, service: &str) -> bool {
        judge::lets_anybody_in(&self.stacks, &self.modules, service)
    }

    /// Whether they let in whoever says nothing.
    pub(crate) fn lets_everybody_in(&self, service: &str) -> bool {
        judge::lets_everybody_in(&self.stacks, &self.modules, service)
    }

    /// The services whose stacks let in whoever says nothing.
    pub(crate) fn open(&self) -> Vec<String> {
        let services = self.stacks.services().into_iter();
        services.filter(|service| self.lets_everybody_in(service)).collect()
    }

    /// Whether the service asks for a password.
    pub(crate) fn asks_for_password(&self, service: &str) -> bool {
        let auth = self.stacks.resolve(service, Phase::Auth);
        auth.modules().any(|(_, module)| modules::kind(module) == Kind::Password)
    }
}

/// The first that is there.
fn sshd_config<'a>(paths: &[&'a Path; 2]) -> &'a Path {
    let [administrators, vendors] = *paths;
    if administrators.exists() { administrators } else { vendors }
}

/// The administrator's, and the vendor's where /etc has none.
const SSHD_CONFIGS: [&str; 2] = ["/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_sshd_config_counts_where_the_administrator_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| directory.path().join(name));
        std::fs::write(&second, "UsePAM yes\n").unwrap();
        assert_eq!(sshd_config(&[&first, &second]), second);
        std::fs::write(&first, "UsePAM yes\n").unwrap();
        assert_eq!(sshd_config(&[&first, &second]), first);
    }
}
