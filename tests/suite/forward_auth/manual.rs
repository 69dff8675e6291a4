//! The lines of otpd-web(8) for nginx, as they stand there, encrypted and as nginx's own user. Only the port, the
//! certificates, the application and where Debian's packages put things are the test's.

use std::fs;
use std::path::Path;
use std::process::Command;

use otpd_tests::Daemon;
use otpd_tests::PASSWORD;
use otpd_tests::manual::examples;

use crate::browser::Browser;
use crate::front::application;
use crate::front::free_port;
use crate::front::inside;
use crate::front::next;
use crate::front::nginx_conf;
use crate::site::Site;

const PAGE: &str = "nas.example.org";
const WIKI: &str = "wiki.example.org";

/// An nginx that was set up by the manual.
struct Followed {
    _site: Site,
    _nginx: Daemon,
    port: u16,
}

impl Followed {
    /// With these lines in web.toml, these commands, and these lines in the http block of nginx.
    fn new(settings: &str, commands: &str, servers: &str) -> Self {
        let mut site = Site::prepared("", |_| settings.to_owned());
        site.bed.user("alice");
        let (port, app) = (free_port(), application());
        let directory = site.bed.path("nginx");
        fs::create_dir(&directory).unwrap();
        commands.lines().for_each(|command| run(&site, &directory, command));
        make_certificates(&directory.join("ssl"));
        let servers = servers
            .replace("listen 443", &format!("listen 127.0.0.1:{port}"))
            .replace("/etc/ssl", &directory.join("ssl").display().to_string())
            .replace("127.0.0.1:8002", &format!("127.0.0.1:{app}"));
        let configuration = nginx_conf(&directory, &servers);
        site.bed.run("chown", &["-R", "www-data:", directory.to_str().unwrap()]).ok();
        let program = site.bed.path("bin/nginx");
        fs::copy(otpd_tests::nginx(), &program).unwrap();
        let mut command = site.bed.command_as("www-data");
        command.arg(program).args(["-e", "stderr", "-p"]).arg(&directory).arg("-c").arg(configuration);
        let nginx = Daemon::start_until(command, &site.bed.runtime(), "getrlimit(RLIMIT_NOFILE)");
        let nginx = nginx.unwrap_or_else(|said| panic!("nginx does not start: {said}"));
        Self { _site: site, _nginx: nginx, port }
    }

    fn browser_at(&self, host: &str) -> Browser {
        Browser::at_host(self.port, host)
    }
}

/// One command of the manual. (adduser would put new files in the place of those that the namespace has.)
fn run(site: &Site, directory: &Path, command: &str) {
    match command.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["cp", ..] => {
            let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging");
            let command = command
                .replace("/usr/share/doc/otpd-web/examples", installed)
                .replace("/etc/nginx", directory.to_str().unwrap());
            site.bed.run("sh", &["-c", &command]).ok();
        }
        ["adduser", user, group] => {
            let path = site.bed.path("etc/group");
            let groups = fs::read_to_string(&path).unwrap();
            let joined = |line: &str| match line.starts_with(&format!("{group}:")) {
                true => format!("{line}{user}\n"),
                false => format!("{line}\n"),
            };
            fs::write(&path, groups.lines().map(joined).collect::<String>()).unwrap();
        }
        ["systemctl", "restart", "nginx"] => {}
        _ => panic!("what does {command:?} do?"),
    }
}

fn make_certificates(directory: &Path) {
    for kind in ["certs", "private"] {
        fs::create_dir_all(directory.join(kind)).unwrap();
    }
    for host in [PAGE, WIKI] {
        let key = directory.join(format!("private/{host}.key"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj"])
            .arg(format!("/CN={host}"))
            .arg("-keyout")
            .arg(key)
            .arg("-out")
            .arg(directory.join(format!("certs/{host}.pem")))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// The nth example below a heading.
fn example(title: &str, number: usize) -> String {
    let examples = examples("otpd-web.8", title);
    examples.get(number).unwrap_or_else(|| panic!("{title:?} has {} examples", examples.len())).clone()
}

#[test]
fn with_nginx_other_software_knows_who_comes_and_nobody_else_comes_through() {
    let settings = example("FOR OTHER SOFTWARE", 0);
    let followed = Followed::new(&settings, &example("With nginx", 0), &example("With nginx", 1));
    let (mut page, mut wiki) = (followed.browser_at(PAGE), followed.browser_at(WIKI));
    wiki.headers.push(("Remote-User".into(), "root".into()));
    wiki.request("GET", "/page?x=1", "");
    assert_eq!(wiki.page.status, 302, "{}", wiki.page.head);
    let way = wiki.page.header("location").unwrap().to_owned();
    assert!(way.starts_with(&format!("https://{PAGE}/")), "{way}");
    page.go(&inside(&way));
    let again = next(&page);
    page.go(&again);
    page.submit("/sign-in", &[("user", "alice"), ("password", PASSWORD)]);
    let back = next(&page);
    assert!(back.starts_with(&format!("https://{WIKI}/")), "{back}");
    wiki.request("GET", &inside(&back), "");
    assert_eq!(wiki.page.header("location"), Some(format!("https://{WIKI}/page?x=1").as_str()));
    wiki.request("GET", "/page?x=1", "");
    let seen = wiki.page.body.to_lowercase();
    assert!(seen.starts_with("get /page?x=1 ") && seen.contains("remote-user: alice"), "{seen}");
    assert!(!seen.contains("root") && !seen.contains("__host-otpd"), "{seen}");
    // A name that no block has is not answered.
    let port = followed.port;
    let stranger = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", "other.example.org"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&stranger.stderr);
    assert!(!stranger.status.success() && said.contains("alert"), "{said}");
}

#[test]
fn behind_nginx_the_page_knows_where_a_browser_is_and_that_it_comes_encrypted() {
    const TITLE: &str = "Behind a reverse proxy";
    let server = format!(
        "server {{\nlisten 443 ssl;\nserver_name {PAGE};\nssl_certificate /etc/ssl/certs/{PAGE}.pem;\n\
         ssl_certificate_key /etc/ssl/private/{PAGE}.key;\n{}\n}}",
        example(TITLE, 1)
    );
    let followed = Followed::new(&example(TITLE, 0), "adduser www-data otpd-web", &server);
    let mut page = followed.browser_at(PAGE);
    // What a browser says of itself is not believed.
    page.headers.push(("X-Forwarded-For".into(), "192.0.2.7".into()));
    page.sign_in("alice", PASSWORD, None).says("· 127.0.0.1").hides("192.0.2.7");
}
