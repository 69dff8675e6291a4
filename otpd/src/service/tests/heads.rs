//! The audit log's head on its way to syslog, hour by hour.

use std::os::unix::net::UnixDatagram;

use super::*;
use crate::audit::Level;
use crate::audit::Syslog;
use crate::clock;
use crate::upkeep::Heads;

/// The heads that were sent before the line `end`.
fn heads(socket: &UnixDatagram) -> Vec<String> {
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let line = || {
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let lines = std::iter::repeat_with(line).take_while(|line| !line.ends_with(": end"));
    lines.map(|line| line.split_once("]: audit head=").unwrap().1.to_owned()).collect()
}

#[test]
fn the_head_goes_to_syslog_once_an_hour_if_the_log_went_on() {
    let directory = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(directory.path().join("log")).unwrap();
    let syslog = Syslog::start(&directory.path().join("log")).unwrap();
    let (service, begun) = (plain(), clock::monotonic());
    let mut sent = Heads::new(syslog.clone(), begun);
    let mut expected = Vec::new();
    for (second, goes_on, is_sent) in [
        (0, true, true),
        (1, true, false),
        (3599, true, false),
        (3600, false, true),
        (7199, true, false),
        (7200, false, true),
        (10_800, false, false),
        (10_801, true, true),
        (14_400, true, false),
        (14_401, false, true),
    ] {
        if goes_on {
            service.record_daemon(NOW, Reason::Ok, "something");
        }
        sent.announce(&service, begun + Duration::from_secs(second));
        if is_sent {
            expected.push(service.head().to_string());
        }
    }
    syslog.line(Level::Info, "end".into());
    assert_eq!(heads(&socket), expected);
}
