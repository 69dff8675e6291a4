//! What several targets share: a daemon without sockets, whose registry is in memory.

use std::sync::Mutex;
use std::sync::OnceLock;
use std::time::Duration;

use otpd::dispatch::Outcome;
use otpd::dispatch::dispatch;
use otpd::keys::MasterKey;
use otpd::names::Names;
use otpd::peer::Door;
use otpd::peer::Peer;
use otpd::service::Service;
use otpd::settings::Settings;
use otpd_core::name::Uid;
use otpd_proto::frame::MAX_MESSAGE;
use otpd_proto::service::DESCRIPTIONS;
use serde_json::Value;

use memory::Memory;

// The daemon has it for its own tests alone.
#[path = "../../../otpd/src/registry/memory.rs"]
mod memory;

/// Somebody who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Root's programs, at login.sock.
    Login,
    /// Root, at account.sock.
    Root,
    /// A user at account.sock.
    User,
    /// otpd-mail, at mail.sock.
    Mailer,
    /// otpd-web, at web.sock. No byte stands for it: whoever comes there has a target of their own.
    Web,
}

impl Caller {
    /// The name of the user.
    pub const USER: &str = "bin";

    /// One for each number.
    #[must_use]
    pub fn of(number: u8) -> Self {
        match number % 4 {
            0 => Self::Login,
            1 => Self::Root,
            2 => Self::User,
            _ => Self::Mailer,
        }
    }

    fn peer(self) -> Peer {
        let (door, raw_uid) = match self {
            Self::Login => (Door::Login, 0),
            Self::Root => (Door::Account, 0),
            // Debian's base-passwd; not the one that runs this, who would pass for root.
            Self::User => (Door::Account, 2),
            Self::Mailer => (Door::Mail, MAILER),
            Self::Web => (Door::Web, WEB),
        };
        Peer { door, raw_uid, uid: Uid::new(raw_uid), is_root: raw_uid == 0, signed_in: None }
    }
}

/// One call of a sequence.
pub struct Call<'a> {
    /// By whom.
    pub caller: Caller,
    /// The method's full name.
    pub method: String,
    /// Its parameters, whatever they are.
    pub parameters: &'a [u8],
}

/// Reads calls of an interface: caller, method, parameters and a NUL each.
pub fn calls<'a>(interface: &str, data: &'a [u8]) -> impl Iterator<Item = Call<'a>> {
    let methods = declared(interface, "method ");
    data.split(|byte| *byte == 0).take(8).filter_map(move |part| {
        let (&[caller, method], parameters) = part.split_first_chunk()?;
        let method = methods.get(usize::from(method) % methods.len())?.clone();
        Some(Call { caller: Caller::of(caller), method, parameters })
    })
}

impl Call<'_> {
    /// Sends it.
    pub fn send(&self) -> Option<Value> {
        let head = format!(r#"{{"method":"{}","parameters":"#, self.method);
        send(self.caller, &[head.as_bytes(), self.parameters, b"}"].concat())
    }
}

/// Sends a message, and asserts of the reply what is true of each: one JSON object and a NUL, not too long, and an error
/// only by a name that an interface declares.
pub fn send(caller: Caller, message: &[u8]) -> Option<Value> {
    static DAEMON: Mutex<Option<(Service<Memory>, u32)>> = Mutex::new(None);
    let mut daemon = DAEMON.lock().expect("a panic ends all");
    let (service, calls) = daemon.get_or_insert_with(|| (start(), 0));
    let outcome = dispatch(service, caller.peer(), message, None);
    *calls += 1;
    if *calls >= CALLS {
        // A long log takes long to search.
        *daemon = None;
    }
    match outcome {
        Outcome::Reply(bytes) => Some(read(&bytes)),
        Outcome::Silence | Outcome::Close => None,
    }
}

fn read(bytes: &[u8]) -> Value {
    assert!(bytes.len() <= MAX_MESSAGE);
    let (last, json) = bytes.split_last().expect("a reply");
    assert!(*last == 0 && !json.contains(&0));
    let reply: Value = serde_json::from_slice(json).expect("JSON");
    assert!(reply["parameters"].is_object(), "{reply}");
    if let Some(error) = reply.get("error") {
        let error = error.as_str().expect("a name");
        let (interface, _) = error.rsplit_once('.').expect("an interface");
        assert!(declared(interface, "error ").iter().any(|name| name == error), "{reply}");
    }
    reply
}

/// The full names of the methods or errors of an interface.
fn declared(interface: &str, what: &str) -> Vec<String> {
    let found = DESCRIPTIONS.iter().find(|(name, _)| *name == interface);
    let lines = found.map(|(_, text)| text.lines()).expect("an interface");
    let names = lines.filter_map(|line| line.strip_prefix(what)?.split(['(', ' ']).next());
    names.map(|name| format!("{interface}.{name}")).collect()
}

fn start() -> Service<Memory> {
    static NAMES: OnceLock<(Names, Names)> = OnceLock::new();
    let threads = || (Names::start().expect("threads"), Names::start().expect("threads"));
    let (names, own_names) = NAMES.get_or_init(threads).clone();
    let directory = tempfile::tempdir().expect("a directory");
    let master = MasterKey::create(&directory.path().join("key")).expect("a key");
    let (_, keys) = master.new_data_key().expect("a data key");
    let settings = Settings {
        issuer: "nas".into(),
        keep_events: Duration::from_secs(86_400),
        mailer: Some(MAILER),
        web: Some(WEB),
        idle: Duration::from_secs(3600),
        absolute: Duration::from_secs(86_400),
        ..Settings::default()
    };
    let service = Service::new(Memory::default(), keys, names, own_names, settings).unwrap();
    // Nobody waits for a mail here.
    service.close_office();
    service
}

/// The uid of otpd-mail: Debian's "mail".
const MAILER: u32 = 8;
/// The uid of otpd-web: Debian's "www-data".
const WEB: u32 = 33;
/// Calls that one daemon gets.
const CALLS: u32 = 1000;
