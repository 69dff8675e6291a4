//! otpd-web, otpd-login and nginx around an estate, and people who have really signed in there.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::anyhow;
use anyhow::ensure;
use otpd_tests::Daemon;
use otpd_tests::HASH;
use otpd_tests::PASSWORD;

use super::VISITORS;
use super::browser::Browser;
use crate::accounts;
use crate::accounts::Number;
use crate::cell;
use crate::clock;
use crate::estate::Estate;
use crate::site;
use crate::site::Site;

/// All of it, running.
pub struct Front {
    /// The socket at which otpd-web answers proxies.
    pub socket: PathBuf,
    /// The port of nginx.
    pub port: u16,
    /// The host of the software behind it.
    pub host: String,
    /// What nginx says of a browser when it asks.
    pub as_nginx_asks: String,
    /// People with a visit there.
    pub visitors: Vec<Visitor>,
    otpd: u32,
    web: Daemon,
    nginx: Daemon,
    _logins: Daemon,
}

/// Somebody who has signed in.
pub struct Visitor {
    /// Their name.
    pub user: String,
    /// Their ticket at the host.
    pub ticket: String,
    /// Like it, and nobody's.
    pub wrong_ticket: String,
}

impl Front {
    /// Starts it, and signs everybody in.
    pub fn open(site: &Site, estate: &Estate) -> anyhow::Result<Self> {
        let stacks = site.path("stacks");
        lay_out(site, &stacks)?;
        // Where the programs look for each other by default.
        fs::create_dir(otpd_proto::RUNTIME_DIR)?;
        site::bind(&estate.runtime(), Path::new(otpd_proto::RUNTIME_DIR))?;
        let mut logins = Command::new(site.bring("otpd-login")?);
        logins.arg("--listen");
        let logins = start(logins, "otpd-login: ready")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (host, socket) = (format!("wiki.localhost:{port}"), site.path("web-http/http.sock"));
        let config = site.path("web.toml");
        let text = format!(
            "listen = [{socket:?}]\nstate = {:?}\n[forward_auth]\nlogin = \"http://127.0.0.1:{port}\"\n\
             hosts = [\"http://{host}\"]\n",
            site.path("web-state")
        );
        fs::write(&config, text)?;
        let mut web = Command::new(site.bring("otpd-web")?);
        web.arg("--config").arg(&config);
        let web = start(web, "otpd-web: ready")?;
        let nginx = start(nginx(&site.path("nginx"), &socket, port)?, "getrlimit(RLIMIT_NOFILE)")?;
        let as_nginx_asks = format!(
            "X-Forwarded-Host: {host}\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 127.0.0.1\r\n\
             X-Forwarded-Uri: /\r\nX-Forwarded-Method: GET\r\n"
        );
        eprintln!("signing {VISITORS} people in");
        let visitors = (0..VISITORS).map(|number| sign_in(number, port, &host)).collect::<Result<_, _>>()?;
        let otpd = estate.daemon_pid();
        Ok(Self { socket, port, host, as_nginx_asks, visitors, otpd, web, nginx, _logins: logins })
    }

    /// Processor time of otpd-web, otpd and nginx so far.
    pub fn cpu(&self) -> anyhow::Result<[Duration; 3]> {
        let of = |daemon: &Daemon| cell::cpu_of(daemon.pid().as_raw().unsigned_abs());
        Ok([of(&self.web)?, cell::cpu_of(self.otpd)?, of(&self.nginx)?])
    }
}

fn start(command: Command, ready: &str) -> anyhow::Result<Daemon> {
    let program = command.get_program().to_owned();
    let started = Daemon::start_until(command, Path::new(otpd_proto::RUNTIME_DIR), ready);
    started.map_err(|said| anyhow!("{} does not start: {said}", program.display()))
}

/// The shipped PAM stack of the page, and passwords for whoever signs in.
fn lay_out(site: &Site, stacks: &Path) -> anyhow::Result<()> {
    fs::create_dir(stacks)?;
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/pam/otpd-web"))?;
    let module = site.path("pam_otp.so").display().to_string();
    fs::write(stacks.join("otpd-web"), shipped.replace("pam_otp.so", &module))?;
    fs::write(stacks.join("other"), "auth required pam_deny.so\naccount required pam_deny.so\n")?;
    for part in ["common-account", "common-password"] {
        fs::copy(Path::new("/etc/pam.d").join(part), stacks.join(part))?;
    }
    site::bind(stacks, Path::new("/etc/pam.d"))?;
    let shadow = site.path("etc/shadow");
    let line = |number| format!("{}:{HASH}:20000:0:99999:7:::\n", accounts::name(number));
    fs::write(&shadow, fs::read_to_string("/etc/shadow")? + &(0..VISITORS).map(line).collect::<String>())?;
    fs::set_permissions(&shadow, fs::Permissions::from_mode(0o600))?;
    site::bind(&shadow, Path::new("/etc/shadow"))
}

/// nginx with the configuration that is shipped, the page at 127.0.0.1, and an application that says whom it sees.
fn nginx(directory: &Path, socket: &Path, port: u16) -> anyhow::Result<Command> {
    fs::create_dir_all(directory.join("otpd"))?;
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/nginx"))? {
        let file = file?;
        let text = fs::read_to_string(file.path())?;
        let text = text.replace("/run/otpd-web/http.sock", &socket.display().to_string());
        fs::write(directory.join("otpd").join(file.file_name()), text)?;
    }
    let at = directory.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
        .concat();
    let text = format!(
        "daemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log stderr notice;\nevents {{}}\n\
         http {{\n{temporary}access_log {at}/access.log;\n\
         include otpd/otpd-http.conf;\n\
         server {{ listen 127.0.0.1:{port}; server_name 127.0.0.1;\n\
           include otpd/otpd-sign-in.conf; include otpd/otpd-site.conf; }}\n\
         server {{ listen 127.0.0.1:{port}; server_name wiki.localhost;\n\
           include otpd/otpd-site.conf;\n\
           location / {{ include otpd/otpd-protect.conf; proxy_pass http://unix:{at}/app.sock; }}\n\
           location /open/ {{ proxy_set_header Remote-User \"\"; proxy_pass http://unix:{at}/app.sock; }} }}\n\
         server {{ listen unix:{at}/app.sock; location / {{ return 200 \"$http_remote_user\\n\"; }} }}\n}}\n"
    );
    let path = directory.join("nginx.conf");
    fs::write(&path, text)?;
    let mut command = Command::new(otpd_tests::nginx());
    command.arg("-p").arg(directory).arg("-c").arg(path);
    Ok(command)
}

/// All the way: from the protected page to the sign-in page, with password and code, and back with a ticket.
fn sign_in(number: Number, port: u16, host: &str) -> anyhow::Result<Visitor> {
    let user = accounts::name(number);
    let (mut page, mut wiki) = (Browser::new(port), Browser::new(port));
    wiki.headers.push(("Host".into(), host.to_owned()));
    wiki.request("GET", "/", "");
    ensure!(wiki.page.status == 302, "whoever has no ticket is not sent away: {}", wiki.page.head);
    page.go(&inside(wiki.page.header("location").unwrap_or_default()));
    page.go(&next(&page));
    page.submit("/sign-in", &[("user", &user), ("password", PASSWORD)]);
    page.submit("/sign-in/code", &[("answer", &accounts::code(number, clock::step()))]);
    wiki.request("GET", &inside(&next(&page)), "");
    let ticket = wiki.cookies.get(VISIT).cloned().unwrap_or_default();
    wiki.request("GET", "/", "");
    ensure!(wiki.page.body == format!("{user}\n"), "{user} is not let in: {}", wiki.page.head);
    let wrong_ticket: String = ticket.chars().rev().collect();
    wiki.cookies.insert(VISIT.to_owned(), wrong_ticket.clone());
    wiki.request("GET", "/", "");
    ensure!(wiki.page.status == 302, "a wrong ticket is not sent away: {}", wiki.page.head);
    Ok(Visitor { user, ticket, wrong_ticket })
}

/// Where a page leads by itself.
fn next(browser: &Browser) -> String {
    browser.page.between("content=\"0; url=", "\"").replace("&#38;", "&")
}

/// An address without its origin.
fn inside(address: &str) -> String {
    let path = address.split_once("://").map_or(address, |(_, path)| path);
    path.split_once('/').map_or_else(|| "/".to_owned(), |(_, path)| format!("/{path}"))
}

/// The cookie of a visit's ticket.
pub const VISIT: &str = "__Host-otpd-visit";
