//! A system with the page in it: otpd, otpd-login and otpd-web.

use std::fs;
use std::path::Path;

use otpd_tests::Daemon;
use otpd_tests::PASSWORD;
use otpd_tests::SmtpServer;
use otpd_tests::Testbed;

use crate::browser::Browser;

/// A running page.
pub(crate) struct Site {
    /// The system.
    pub(crate) bed: Testbed,
    /// What starts an otpd-login for each login.
    pub(crate) logins: Daemon,
    /// The page's server.
    pub(crate) web: Daemon,
    /// Of the page, on 127.0.0.1.
    pub(crate) port: u16,
}

impl Site {
    /// With otpd as by default.
    pub(crate) fn new() -> Self {
        Self::with("", "")
    }

    /// With these settings of otpd and of otpd-web.
    pub(crate) fn with(otpd: &str, web: &str) -> Self {
        Self::prepared(otpd, |_| web.to_owned())
    }

    /// On which mails go out, with alice signed in.
    pub(crate) fn with_mail() -> (Self, SmtpServer, Browser) {
        let mut site = Self::new();
        site.bed.user("alice");
        let server = SmtpServer::start("plain");
        site.bed.start_mail(server.port(), "");
        let mut browser = site.browser();
        browser.sign_in("alice", PASSWORD, None);
        while browser.go("/account/turn-on").text().contains("cannot send mail") {
            std::thread::yield_now();
        }
        (site, server, browser)
    }

    /// With settings of otpd-web that depend on where the system's own directory is.
    pub(crate) fn prepared(otpd: &str, web: impl FnOnce(&Path) -> String) -> Self {
        let bed = Testbed::with(otpd);
        for stack in ["otpd-web", "otpd-web-password"] {
            let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/pam").join(stack);
            bed.stack(stack, &fs::read_to_string(shipped).unwrap().replace("pam_otp.so", "@otp"));
        }
        for part in ["common-auth", "common-account", "common-password"] {
            fs::copy(Path::new("/etc/pam.d").join(part), bed.path("etc/pam.d").join(part)).unwrap();
        }
        let mut command = bed.command(bed.path("bin/otpd-login"));
        command.arg("--listen");
        let logins = Daemon::start_until(command, &bed.runtime(), "otpd-login: ready");
        let logins = logins.unwrap_or_else(|said| panic!("otpd-login does not start: {said}"));
        let (web, port) = start(&bed, &web(&bed.path("")));
        Self { bed, logins, web, port }
    }

    /// A browser that has not been here.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.port)
    }

    /// Stops the page and starts it again.
    pub(crate) fn restart(&mut self) {
        self.restart_with("");
    }

    /// The same with these settings.
    pub(crate) fn restart_with(&mut self, settings: &str) {
        self.web.signal(nix::sys::signal::Signal::SIGTERM);
        assert!(self.web.wait().success(), "{}", self.web.log());
        (self.web, self.port) = start(&self.bed, settings);
    }

    /// Of the page's server: the child of what entered the system's namespace.
    pub(crate) fn web_pid(&self) -> i32 {
        self.web.pid().as_raw()
    }
}

/// Starts otpd-web with these settings, at a port that the kernel chooses unless they name one.
fn start(bed: &Testbed, settings: &str) -> (Daemon, u16) {
    let listen = if settings.contains("listen") { "" } else { "listen = [\"127.0.0.1:0\"]\n" };
    // Before a section, if there is one.
    let state = format!("state = {:?}\n", bed.path("web-state"));
    fs::write(bed.path("web.toml"), format!("{listen}{state}{settings}\n")).unwrap();
    let mut command = bed.command(bed.path("bin/otpd-web"));
    command.arg("--config").arg(bed.path("web.toml"));
    let web = Daemon::start_until(command, &bed.runtime(), "otpd-web: ready");
    let web = web.unwrap_or_else(|said| panic!("otpd-web does not start: {said}"));
    let log = web.log();
    let ready = log.lines().find(|line| line.contains("otpd-web: ready")).unwrap();
    let ready = ready.split(',').next().unwrap();
    let port = ready.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
    (web, port)
}
