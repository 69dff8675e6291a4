//! A browser as far as a page without script needs one: it keeps cookies, fills in the form that is on the page, and goes
//! where a reply leads.

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// Somebody's browser, at 127.0.0.1.
#[derive(Clone)]
pub(crate) struct Browser {
    door: Door,
    /// By name.
    pub(crate) cookies: BTreeMap<String, String>,
    /// Sent with every request, in place of the usual ones of the same name.
    pub(crate) headers: Vec<(String, String)>,
    /// What is shown.
    pub(crate) page: Page,
}

/// Where the page is.
#[derive(Debug, Clone)]
enum Door {
    Port(u16),
    Socket(PathBuf),
    /// Encrypted, on this port of 127.0.0.1, under this name.
    Tls(u16, String),
}

/// A reply.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    /// Its path with the query.
    pub(crate) path: String,
    /// 200, if all is well.
    pub(crate) status: u16,
    /// The head, as it came.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

impl Browser {
    /// One that has not been there.
    pub(crate) fn new(port: u16) -> Self {
        Self::at(Door::Port(port))
    }

    /// One that comes by a proxy.
    pub(crate) fn at_socket(path: PathBuf) -> Self {
        Self::at(Door::Socket(path))
    }

    /// One that comes encrypted, by a name of the box.
    pub(crate) fn at_host(port: u16, host: &str) -> Self {
        Self::at(Door::Tls(port, host.to_owned()))
    }

    fn at(door: Door) -> Self {
        Self { door, cookies: BTreeMap::new(), headers: Vec::new(), page: Page::default() }
    }

    /// Goes to a page, and where it leads.
    #[track_caller]
    pub(crate) fn go(&mut self, path: &str) -> &Page {
        self.request("GET", path, "");
        self.follow()
    }

    /// Fills in the form with this action that is on the page, as it is there, and sends it.
    #[track_caller]
    pub(crate) fn submit(&mut self, action: &str, fields: &[(&str, &str)]) -> &Page {
        let form = self.page.form(action);
        let body = encoded(&form, fields);
        self.request("POST", action, &body);
        self.follow()
    }

    /// Posts these fields and no others, and stays there.
    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> &Page {
        let body = encoded(&[], fields);
        self.request("POST", path, &body);
        &self.page
    }

    /// The token of the forms on the page.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        let at = self.page.body.find("name=\"form\" value=\"").expect("a form") + 19;
        self.page.body[at..].split('"').next().unwrap().to_owned()
    }

    /// Signs in with a password, and a code if there is one.
    #[track_caller]
    pub(crate) fn sign_in(&mut self, user: &str, password: &str, code: Option<&str>) -> &Page {
        self.go("/sign-in");
        self.submit("/sign-in", &[("user", user), ("password", password)]);
        if let Some(code) = code {
            assert_eq!(self.page.path, "/sign-in/code", "{}", self.page.text());
            self.submit("/sign-in/code", &[("answer", code)]);
        }
        &self.page
    }

    #[track_caller]
    fn follow(&mut self) -> &Page {
        for _ in 0..8 {
            let Some(to) = self.page.header("location").map(str::to_owned) else { return &self.page };
            self.request("GET", &to, "");
        }
        panic!("{} leads in a circle", self.page.path)
    }

    /// One request, on a connection of its own.
    #[track_caller]
    pub(crate) fn request(&mut self, method: &str, path: &str, body: &str) {
        let host = match &self.door {
            Door::Port(port) => format!("127.0.0.1:{port}"),
            Door::Socket(_) => "proxied.local".to_owned(),
            Door::Tls(_, host) => host.clone(),
        };
        let scheme = if matches!(self.door, Door::Tls(..)) { "https" } else { "http" };
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers: Vec<(String, String)> = self.headers.clone();
        let mut usual =
            vec![("Host", host.clone()), ("User-Agent", "Test/1".to_owned()), ("Cookie", cookies.join("; "))];
        if method != "GET" {
            usual.push(("Origin", format!("{scheme}://{host}")));
            usual.push(("Sec-Fetch-Site", "same-origin".into()));
            usual.push(("Content-Type", "application/x-www-form-urlencoded".into()));
        }
        for (name, value) in usual {
            if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) && !value.is_empty() {
                headers.push((name.to_owned(), value));
            }
        }
        let lines: String = headers
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(n, v)| format!("{n}: {v}\r\n"))
            .collect();
        let length =
            if method != "GET" { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
        let request = format!("{method} {path} HTTP/1.1\r\n{lines}{length}Connection: close\r\n\r\n{body}");
        let reply = match &self.door {
            Door::Port(_) => exchange(TcpStream::connect(&host).expect("the page listens"), &request),
            Door::Socket(path) => exchange(UnixStream::connect(path).expect("the page listens"), &request),
            Door::Tls(port, host) => exchange_encrypted(*port, host, &request),
        };
        self.page = Page::parse(path, &reply);
        let lines = self.page.head.lines().filter_map(|line| line.split_once(": "));
        for (_, cookie) in lines.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let (pair, attributes) = cookie.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a value");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Page {
    fn parse(path: &str, reply: &str) -> Self {
        let (head, body) =
            reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply at {path}: {reply:?}"));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        Self { path: path.to_owned(), status, head: head.replace("\r\n", "\n"), body: body.to_owned() }
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// What a person reads: no tags, no entities.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let body = self.body.split_once("<main").map_or(self.body.as_str(), |(_, main)| main);
        for part in body.split('<') {
            text.push_str(part.split_once('>').map_or(part, |(_, text)| text));
        }
        let entities = [("&#39;", "'"), ("&#34;", "\""), ("&#38;", "&"), ("&#60;", "<"), ("&#62;", ">")];
        let text = entities.iter().fold(text, |text, (entity, char)| text.replace(entity, char));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Asserts that a person reads this.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(
            self.text().contains(text),
            "{text:?} is not on {} ({}): {}",
            self.path,
            self.status,
            self.text()
        );
        self
    }

    /// Asserts that nobody reads this.
    #[track_caller]
    pub(crate) fn hides(&self, text: &str) -> &Self {
        assert!(!self.text().contains(text), "{text:?} is on {}: {}", self.path, self.text());
        self
    }

    /// Names and values of the inputs of a form.
    #[track_caller]
    pub(crate) fn form(&self, action: &str) -> Vec<(String, String)> {
        let start = format!("<form method=\"post\" action=\"{action}\"");
        let forms =
            self.body.split("<form ").map(|form| format!("<form {form}").replace(" class=\"after\"", ""));
        let form = forms.into_iter().find(|form| form.starts_with(&start));
        let form = form.unwrap_or_else(|| panic!("no form {action} on {}: {}", self.path, self.text()));
        let form = form.split("</form>").next().unwrap();
        let attribute = |input: &str, name: &str| -> Option<String> {
            let at = input.find(&format!(" {name}=\""))? + name.len() + 3;
            Some(input[at..].split('"').next().unwrap_or_default().to_owned())
        };
        let inputs =
            form.split("<input ").skip(1).map(|input| format!(" {}", input.split('>').next().unwrap()));
        inputs
            .filter(|input| !input.contains("type=\"checkbox\""))
            .map(|input| (attribute(&input, "name").unwrap(), attribute(&input, "value").unwrap_or_default()))
            .collect()
    }

    /// Whether a form has a field.
    #[track_caller]
    pub(crate) fn asks(&self, action: &str, field: &str) -> bool {
        self.form(action).iter().any(|(name, _)| name == field)
    }

    /// What stands between two marks of the source.
    #[track_caller]
    pub(crate) fn between(&self, before: &str, after: &str) -> String {
        let found = self.body.split_once(before).and_then(|(_, rest)| rest.split_once(after));
        found.unwrap_or_else(|| panic!("no {before} on {}: {}", self.path, self.body)).0.to_owned()
    }
}

/// Sends a request, and reads until the connection ends.
fn exchange(mut stream: impl Read + Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("a reply");
    String::from_utf8(reply).expect("UTF-8")
}

/// The same, encrypted. Whose certificate it is does not matter here.
fn exchange_encrypted(port: u16, host: &str, request: &str) -> String {
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{port}"), "-servername", host])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl starts");
    let mut stdin = client.stdin.take().expect("piped");
    stdin.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    client.stdout.take().expect("piped").read_to_string(&mut reply).expect("UTF-8");
    client.wait().expect("our child");
    reply
}

/// The form's own values, with those that were filled in.
fn encoded(form: &[(String, String)], fields: &[(&str, &str)]) -> String {
    let mut all: Vec<(&str, &str)> =
        form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.retain(|(name, _)| !fields.iter().any(|(filled, _)| filled == name));
    all.extend(fields);
    let pairs = all.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
