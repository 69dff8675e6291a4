//! Encryption, reverse proxies, and what the process is allowed.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use otpd_tests::Daemon;
use otpd_tests::PASSWORD;

use serde_json::Value;

use crate::browser::Browser;
use crate::site::Site;

const ENCRYPTED: &str = "[tls]\nloopback = true\n";

/// What curl gets, if it trusts this certificate.
fn curl(site: &Site, certificate: &Path, url: &str) -> Result<String, String> {
    let name = url.split('/').nth(2).unwrap();
    let got = Command::new("curl")
        .args(["-si", "--max-time", "20", "--cacert"])
        .arg(certificate)
        .args(["--resolve", &format!("{name}:{}:127.0.0.1", site.port)])
        .arg(url.replace(name, &format!("{name}:{}", site.port)))
        .output()
        .expect("curl is installed");
    let said = String::from_utf8_lossy(&got.stdout).into_owned();
    if got.status.success() { Ok(said) } else { Err(got.status.to_string()) }
}

/// A certificate with its key, for localhost, where the configuration names it.
fn make_certificate(site: &Path) {
    let (certificate, key) = (site.join("tls/chain.pem"), site.join("tls/key.pem"));
    fs::create_dir_all(site.join("tls")).unwrap();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{made:?}");
    std::os::unix::fs::chown(&key, None, Some(60_996)).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(&certificate, fs::Permissions::from_mode(0o644)).unwrap();
}

fn fingerprint(log: &str) -> String {
    log.lines()
        .filter_map(|line| line.split("fingerprint ").nth(1))
        .next_back()
        .expect("a fingerprint")
        .to_owned()
}

#[test]
fn a_box_without_a_certificate_makes_one_and_keeps_it() {
    let mut site = Site::with("", ENCRYPTED);
    let own = site.bed.path("web-state/certificate.pem");
    let page = curl(&site, &own, "https://localhost/sign-in").unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("strict-transport-security: max-age="),
        "{page}"
    );
    assert!(
        curl(&site, Path::new("/etc/ssl/certs/ca-certificates.crt"), "https://localhost/sign-in").is_err()
    );
    assert!(curl(&site, &own, "http://localhost/sign-in").is_err(), "nothing is answered in the clear");
    let first = fingerprint(&site.web.log());
    let shown = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&own)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains(&first), "{first}: {shown:?}");
    site.bed.user("alice");
    let status = |site: &Site| site.bed.run_as("alice", "otpctl", &["status", "--json"]).json();
    assert_eq!(status(&site)["page_fingerprint"], first.as_str());
    site.restart_with(ENCRYPTED);
    assert_eq!(fingerprint(&site.web.log()), first);
    assert_eq!(status(&site)["page_fingerprint"], first.as_str());
    site.restart_with("");
    assert_eq!(status(&site)["page_fingerprint"], Value::Null);
}

/// On an address that is not loopback, in a network of its own that nothing leads to.
#[test]
fn on_the_lan_everything_is_encrypted_without_being_told_to() {
    let site = Site::new();
    let settings = site.bed.path("lan.toml");
    let state = site.bed.path("web-state");
    fs::write(&settings, format!("listen = [\"192.0.2.7:8480\"]\nstate = {state:?}\n")).unwrap();
    let lan = "ip link set lo up; ip address add 192.0.2.7/32 dev lo; exec \"$@\"";
    let mut command = site.bed.command("unshare");
    command.args(["--net", "sh", "-ec", lan, "sh"]).arg(site.bed.path("bin/otpd-web"));
    command.arg("--config").arg(&settings);
    let web = Daemon::start_until(command, &site.bed.runtime(), "otpd-web: ready").unwrap();
    let get = |scheme: &str| {
        Command::new("nsenter")
            .args([
                "--net",
                "--target",
                &web.pid().to_string(),
                "curl",
                "-si",
                "--max-time",
                "20",
                "--cacert",
            ])
            .arg(state.join("certificate.pem"))
            .arg(format!("{scheme}://192.0.2.7:8480/sign-in"))
            .output()
            .expect("util-linux and curl are installed")
    };
    let page = get("https");
    let said = String::from_utf8_lossy(&page.stdout);
    assert!(
        said.starts_with("HTTP/1.1 200") && said.contains("strict-transport-security: max-age="),
        "{page:?}"
    );
    assert!(said.contains("__Host-") && said.contains("; Secure"), "{said}");
    assert!(!get("http").status.success(), "nothing is answered in the clear");
}

#[test]
fn a_new_certificate_is_taken_on_a_hangup_and_a_broken_one_is_not() {
    let bed_settings = |bed: &Path| {
        format!(
            "[tls]\nloopback = true\ncertificate = {:?}\nkey = {:?}\n",
            bed.join("tls/chain.pem"),
            bed.join("tls/key.pem")
        )
    };
    let mut site = Site::prepared("", |bed| {
        make_certificate(bed);
        bed_settings(bed)
    });
    let chain = site.bed.path("tls/chain.pem");
    curl(&site, &chain, "https://localhost/sign-in").unwrap();
    let old = fs::read(&chain).unwrap();
    fs::write(&chain, "rubbish").unwrap();
    site.web.signal(Signal::SIGHUP);
    assert!(site.web.wait_for("the certificate stays as it was"));
    fs::write(&chain, &old).unwrap();
    curl(&site, &chain, "https://localhost/sign-in").unwrap();
    make_certificate(&site.bed.path(""));
    assert!(curl(&site, &chain, "https://localhost/sign-in").is_err(), "not before it is told");
    site.web.signal(Signal::SIGHUP);
    assert!(site.web.wait_for("certificate reloaded"));
    curl(&site, &chain, "https://localhost/sign-in").unwrap();
}

#[test]
fn a_proxy_says_where_the_browser_is_and_nobody_else() {
    let mut site = Site::prepared("", |bed| {
        format!(
            "listen = [\"127.0.0.1:0\", {:?}]\nhosts = [\"nas.example.org\"]\n",
            bed.join("web/http.sock")
        )
    });
    site.bed.user("alice");
    let said = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "nas.example.org"),
    ];
    let said = said.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut behind = Browser::at_socket(site.bed.path("web/http.sock"));
    behind.headers.extend(said.clone());
    behind.headers.push(("Origin".into(), "https://nas.example.org".into()));
    behind.sign_in("alice", PASSWORD, None).says("Account security").says("203.0.113.9");
    assert!(behind.page.header("strict-transport-security").is_some());
    let mut liar = site.browser();
    liar.headers.extend(said);
    liar.sign_in("alice", PASSWORD, None).says("127.0.0.1");
    assert!(liar.page.header("strict-transport-security").is_none());
    let others = fs::metadata(site.bed.path("web/http.sock")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&others.permissions()) & 0o777, 0o660);
}

#[test]
fn the_process_has_nothing_that_it_does_not_need() {
    let site = Site::new();
    let status = fs::read_to_string(format!("/proc/{}/status", site.web_pid())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(field("Uid"), "60996 60996 60996 60996");
    assert_eq!(field("Gid"), "60996 60996 60996 60996");
    assert_eq!(field("Groups"), "");
    for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!((field("NoNewPrivs").as_str(), field("Seccomp").as_str()), ("1", "2"));
}
