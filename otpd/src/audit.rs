//! The audit log's way to syslog (authpriv). The registry has every event durably; this is the copy that a log
//! server sees. One line an event, `key=value`, nothing in it that could break out of its line.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Reason;
use otpd_core::name::Uid;
use otpd_core::throttle::Lane;
use syslog::Facility;
use syslog::LogFormat;
use syslog::Severity;

/// Lines on their way to syslog. The last clone, when dropped, gives those in the queue a little time to leave.
#[derive(Clone)]
pub struct Syslog(Arc<Queue>);

struct Queue {
    lines: Option<SyncSender<(Level, String)>>,
    done: Mutex<Receiver<()>>,
}

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nothing to do.
    Info,
    /// Somebody was refused.
    Notice,
    /// Somebody should look.
    Warning,
}

impl Syslog {
    /// Starts the thread that writes them. A syslog that is missing or hangs holds nobody up: lines are dropped then.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(socket: &Path) -> std::io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        let (tell, done) = sync_channel(1);
        let socket = socket.to_owned();
        thread::Builder::new().name("syslog".into()).stack_size(STACK).spawn(move || {
            write_all(&socket, &lines);
            let _ = tell.send(());
        })?;
        Ok(Self(Arc::new(Queue { lines: Some(queue), done: Mutex::new(done) })))
    }

    /// Sends an event.
    pub fn event(&self, event: &Event) {
        let level = match event.decision {
            _ if matches!(event.reason, Reason::DiskFull | Reason::ClockOff) => Level::Warning,
            Decision::Refuse => Level::Notice,
            Decision::Accept | Decision::NotRequired => Level::Info,
        };
        self.line(level, line(event));
    }

    /// Sends any other line.
    pub fn line(&self, level: Level, text: String) {
        if let Some(queue) = &self.0.lines {
            let _ = queue.try_send((level, text));
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.lines = None;
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = done.recv_timeout(TO_LEAVE);
    }
}

/// The event as one line.
fn line(event: &Event) -> String {
    let mut line = event.kind.as_str().to_owned();
    let uid = event.uid.map(Uid::as_u32).map(|uid| uid.to_string());
    let fields = [
        ("user", Some(event.user.as_str())),
        ("uid", uid.as_deref()),
        ("actor", Some(&event.actor)),
        ("verdict", Some(event.decision.as_str())),
        ("reason", Some(event.reason.as_str())),
        ("service", event.service.as_deref()),
        ("address", event.address.as_deref()),
        ("device", event.device.as_deref()),
        ("lane", event.lane.map(Lane::as_str)),
        ("detail", event.detail.as_deref()),
    ];
    for (key, value) in fields {
        if let Some(value) = value {
            line.push_str(&format!(" {key}={}", quoted(value)));
        }
    }
    line
}

/// A value that stays one word: quoted if it has spaces, control characters and quotes escaped, cut at 256 characters.
fn quoted(value: &str) -> String {
    let escaped: String = value.chars().take(256).flat_map(char::escape_debug).collect();
    let plain =
        !escaped.is_empty() && escaped.chars().all(|c| !c.is_whitespace() && !matches!(c, '"' | '\\' | '='));
    if plain { escaped } else { format!("\"{escaped}\"") }
}

fn write_all(path: &Path, lines: &Receiver<(Level, String)>) {
    let mut socket = None;
    for (level, text) in gathered(lines) {
        let severity = match level {
            Level::Info => Severity::LOG_INFO,
            Level::Notice => Severity::LOG_NOTICE,
            Level::Warning => Severity::LOG_WARNING,
        };
        let mut datagram = Vec::new();
        if Rfc3164.format(&mut datagram, severity, &text).is_err() {
            continue;
        }
        // syslogd may have been restarted since the last line: its socket is another one then.
        for _ in 0..2 {
            let connected = socket.take().or_else(|| connect(path));
            if let Some(open) = connected.filter(|open: &UnixDatagram| open.send(&datagram).is_ok()) {
                socket = Some(open);
                break;
            }
        }
    }
}

/// The lines as they come. After a pause, a moment passes before the first: the lines of a burst leave together, and wake
/// this thread once.
fn gathered<T>(lines: &Receiver<T>) -> impl Iterator<Item = T> {
    std::iter::from_fn(|| {
        if let Ok(line) = lines.try_recv() {
            return Some(line);
        }
        let first = lines.recv().ok()?;
        thread::park_timeout(MOMENT);
        Some(first)
    })
}

fn connect(path: &Path) -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(path).ok()?;
    // A syslogd that reads nothing must cost a line, not this thread.
    socket.set_write_timeout(Some(Duration::from_secs(1))).ok()?;
    Some(socket)
}

/// RFC 3164 as local syslog sockets expect it: local time, no host name. The crate's own writes UTC.
struct Rfc3164;

impl<T: std::fmt::Display> LogFormat<T> for Rfc3164 {
    fn format<W: Write>(&self, out: &mut W, severity: Severity, message: T) -> syslog::Result<()> {
        let priority = (Facility::LOG_AUTHPRIV as u8) | (severity as u8);
        let now = jiff::Timestamp::from_second(crate::clock::now().0).unwrap_or_default();
        let now = now.to_zoned(jiff::tz::TimeZone::system());
        let stamp = now.strftime("%b %e %H:%M:%S");
        write!(out, "<{priority}>{stamp} otpd[{}]: {message}", std::process::id())
            .map_err(syslog::Error::Write)
    }
}

const QUEUE: usize = 1024;
const MOMENT: Duration = Duration::from_millis(3);
const TO_LEAVE: Duration = Duration::from_secs(2);
const STACK: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use otpd_core::event::Kind;
    use otpd_core::event::Reason;
    use otpd_core::time::UnixTime;

    fn event(user: &str) -> Event {
        Event {
            at: UnixTime(0),
            user: user.into(),
            uid: Uid::new(1000),
            actor: "sshd".into(),
            kind: Kind::Login,
            decision: Decision::Refuse,
            reason: Reason::CodeWrong,
            service: Some("sshd".into()),
            address: Some("192.0.2.1".into()),
            device: None,
            lane: Some(Lane::Unknown),
            detail: None,
        }
    }

    #[test]
    fn an_event_is_one_line_of_words() {
        assert_eq!(
            line(&event("alice")),
            "login user=alice uid=1000 actor=sshd verdict=refuse reason=code_wrong service=sshd address=192.0.2.1 \
             lane=unknown"
        );
    }

    #[test]
    fn nothing_breaks_out_of_its_value() {
        let line = line(&event("a\n<13>forged\x1b[2J\" verdict=accept"));
        assert!(line.contains(r#"user="a\n<13>forged\u{1b}[2J\" verdict=accept" uid="#), "{line}");
        assert!(!line.contains(['\n', '\x1b']));
    }

    #[test]
    fn lines_reach_a_syslog_that_was_restarted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let first = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::start(&path).unwrap();
        syslog.event(&event("alice"));
        let mut buffer = [0; 1024];
        let length = first.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(text.starts_with("<85>") && text.contains("]: login user=alice"), "{text}");
        drop(first);
        std::fs::remove_file(&path).unwrap();
        let second = UnixDatagram::bind(&path).unwrap();
        syslog.event(&event("bob"));
        let length = second.recv(&mut buffer).unwrap();
        assert!(String::from_utf8_lossy(&buffer[..length]).contains("user=bob"));
    }
}
