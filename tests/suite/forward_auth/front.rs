//! A reverse proxy before otpd-web and an application, and a browser that knows several hosts.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;

use otpd_tests::Daemon;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;

use crate::browser::Browser;
use crate::site::Site;

/// Which proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proxy {
    /// Debian's.
    Nginx,
    /// Debian's.
    Caddy,
}

/// A running proxy, with `127.0.0.1` for the page, below `/notes/` an application, and others at `wiki.localhost` and
/// `photos.localhost`.
pub(crate) struct Front {
    /// What it stands before.
    pub(crate) site: Site,
    /// The proxy.
    pub(crate) proxy: Daemon,
    /// Its port.
    pub(crate) port: u16,
}

/// Somebody's browser, with the cookies of each host.
pub(crate) struct Person {
    /// At the page.
    pub(crate) page: Browser,
    /// At `wiki.localhost`.
    pub(crate) wiki: Browser,
}

impl Front {
    /// With alice, who has no device.
    pub(crate) fn new(proxy: Proxy) -> Self {
        let port = free_port();
        let socket = |system: &Path| system.join("web-http/http.sock");
        let mut site = Site::prepared("", |system| {
            format!(
                "listen = [\"127.0.0.1:0\", {:?}]\n[forward_auth]\nlogin = \"http://127.0.0.1:{port}\"\n\
                 hosts = [\"http://wiki.localhost:{port}\", \"http://photos.localhost:{port}\"]",
                socket(system)
            )
        });
        site.bed.user("alice");
        let app = application();
        let directory = site.bed.path("proxy");
        fs::create_dir(&directory).unwrap();
        let socket = socket(&site.bed.path("")).display().to_string();
        let (command, ready) = match proxy {
            Proxy::Nginx => (nginx(&site.bed, &directory, &socket, (port, app)), "getrlimit(RLIMIT_NOFILE)"),
            Proxy::Caddy => {
                (caddy(&site.bed, &directory, &socket, (port, app)), "serving initial configuration")
            }
        };
        let started = Daemon::start_until(command, &site.bed.runtime(), ready);
        let proxy = started.unwrap_or_else(|said| panic!("{proxy:?} does not start: {said}"));
        Self { site, proxy, port }
    }

    /// A browser that has not been here.
    pub(crate) fn person(&self) -> Person {
        Person { page: Browser::new(self.port), wiki: self.browser_at("wiki.localhost") }
    }

    /// A browser at a host.
    pub(crate) fn browser_at(&self, host: &str) -> Browser {
        let mut browser = Browser::new(self.port);
        browser.headers.push(("Host".into(), format!("{host}:{}", self.port)));
        browser
    }

    /// Somebody who is signed in at the wiki.
    #[track_caller]
    pub(crate) fn visitor(&self) -> Person {
        let mut person = self.person();
        person.sign_in_for("/page?x=1&y=%20z");
        person.wiki.request("GET", "/page?x=1&y=%20z", "");
        assert_eq!(person.wiki.page.status, 200, "{}", person.wiki.page.head);
        person
    }
}

impl Person {
    /// Asks for a page of the wiki, and comes to the sign-in page: the way there.
    #[track_caller]
    pub(crate) fn turned_away(&mut self, path: &str) -> String {
        self.wiki.request("GET", path, "");
        let page = &self.wiki.page;
        assert_eq!(page.status, 302, "{} {}", page.head, page.body);
        inside(page.header("location").unwrap())
    }

    /// Goes that way, signs in, and comes back: the address with the word.
    #[track_caller]
    pub(crate) fn sent_back(&mut self, way: &str) -> String {
        self.page.go(way);
        let again = next(&self.page);
        self.page.go(&again);
        if self.page.page.path == "/sign-in" {
            self.page.submit("/sign-in", &[("user", "alice"), ("password", PASSWORD)]);
        }
        let address = next(&self.page);
        assert!(address.starts_with("http://wiki.localhost:"), "{address}");
        assert_eq!(self.page.page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(self.page.page.header("cache-control"), Some("no-store"));
        inside(&address)
    }

    /// All of it, back to the page that was asked for.
    #[track_caller]
    pub(crate) fn sign_in_for(&mut self, path: &str) {
        let way = self.turned_away(path);
        let arrival = self.sent_back(&way);
        self.wiki.request("GET", &arrival, "");
        let page = &self.wiki.page;
        assert_eq!(
            (page.status, page.header("referrer-policy")),
            (302, Some("no-referrer")),
            "{}",
            page.body
        );
        let to = page.header("location").unwrap();
        assert!(to.starts_with("http://wiki.localhost:") && to.ends_with(path), "{to}");
    }
}

/// Where a page leads by itself.
#[track_caller]
pub(crate) fn next(browser: &Browser) -> String {
    browser.page.between("content=\"0; url=", "\"").replace("&#38;", "&")
}

/// Without the origin.
pub(crate) fn inside(address: &str) -> String {
    let path = address.split_once("://").unwrap().1;
    path[path.find('/').unwrap()..].to_owned()
}

fn nginx(bed: &Testbed, directory: &Path, socket: &str, (port, app): (u16, u16)) -> std::process::Command {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/nginx");
    fs::create_dir(directory.join("otpd")).unwrap();
    for file in fs::read_dir(shipped).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(file.path()).unwrap().replace("/run/otpd-web/http.sock", socket);
        fs::write(directory.join("otpd").join(file.file_name()), text).unwrap();
    }
    // The example, on loopback, without certificates.
    let example = fs::read_to_string(directory.join("otpd/example.conf")).unwrap();
    let lines = example.lines().filter(|line| !line.contains("ssl_"));
    let example = lines.collect::<Vec<_>>().join("\n");
    let example = example
        .replace("listen 443 ssl", &format!("listen 127.0.0.1:{port}"))
        .replace("server_name nas.example.org;", "server_name 127.0.0.1;")
        .replace("server_name wiki.example.org;", "server_name wiki.localhost photos.localhost;")
        .replace("127.0.0.1:8001", &format!("127.0.0.1:{app}"))
        .replace("127.0.0.1:8002", &format!("127.0.0.1:{app}"));
    let mut command = bed.command(otpd_tests::nginx());
    command.arg("-p").arg(directory).arg("-c").arg(nginx_conf(directory, &example));
    command
}

/// Writes the whole of nginx's configuration, with these lines in its http block.
pub(crate) fn nginx_conf(directory: &Path, lines: &str) -> PathBuf {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};\n", directory.join(kind).display()))
        .concat();
    let log = directory.join("access.log");
    let whole = format!(
        "daemon off;\nmaster_process off;\npid {}/nginx.pid;\nerror_log stderr notice;\nevents {{}}\n\
         http {{\n{temporary}access_log {};\n{lines}\n}}\n",
        directory.display(),
        log.display()
    );
    let path = directory.join("nginx.conf");
    fs::write(&path, whole).unwrap();
    path
}

fn caddy(bed: &Testbed, directory: &Path, socket: &str, (port, app): (u16, u16)) -> std::process::Command {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/caddy/Caddyfile");
    let text = fs::read_to_string(shipped)
        .unwrap()
        .replace("/run/otpd-web/http.sock", socket)
        .replace("\nnas.example.org {", &format!("\nhttp://127.0.0.1:{port} {{"))
        .replace(
            "\nwiki.example.org {",
            &format!("\nhttp://wiki.localhost:{port}, http://photos.localhost:{port} {{"),
        )
        .replace("127.0.0.1:8001", &format!("127.0.0.1:{app}"))
        .replace("127.0.0.1:8002", &format!("127.0.0.1:{app}"));
    let path = directory.join("Caddyfile");
    fs::write(&path, format!("{{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}}\n{text}"))
        .unwrap();
    let mut command = bed.command(otpd_tests::caddy());
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(path);
    command.env("HOME", directory).env("XDG_DATA_HOME", directory).env("XDG_CONFIG_HOME", directory);
    command
}

/// An application that says what it was asked.
pub(crate) fn application() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let body = head.join("\n");
                let length = body.len();
                let reply =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
                // A proxy that went away has its reasons.
                let _ = (&stream).write_all(reply.as_bytes());
            });
        }
    });
    port
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
