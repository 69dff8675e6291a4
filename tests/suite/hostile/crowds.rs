//! Too much, too long, too slow, too many: it is refused or cut off, others are served meanwhile, and memory has an end.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::raw::answers;
use crate::raw::exchange;
use crate::raw::statuses;
use crate::site::Site;

/// KiB of the page's server, by this name in its status.
fn memory(site: &Site, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", site.web_pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn descriptors(site: &Site) -> usize {
    fs::read_dir(format!("/proc/{}/fd", site.web_pid())).unwrap().count()
}

#[test]
fn a_head_is_taken_up_to_its_limits_and_no_further() {
    let site = Site::new();
    let ask = |headers: &str| {
        let host = format!("127.0.0.1:{}", site.port);
        let get = format!("GET /sign-in HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
        statuses(&exchange(site.port, get.as_bytes()))
    };
    let many = |count: usize| (0..count).map(|number| format!("X-{number}: y\r\n")).collect::<String>();
    // With the two that are there.
    assert_eq!(ask(&many(62)), [200]);
    assert_eq!(ask(&many(63)), [431]);
    assert_eq!(ask(&many(1500)), [431]);
    let large = |length: usize| format!("X: {}\r\n", "y".repeat(length));
    assert_eq!(ask(&large(15_000)), [200]);
    assert_eq!(ask(&large(17_000)), [431]);
    assert_eq!(ask(&large(1_000_000)), [431]);
    assert_eq!(ask(&format!("{}: y\r\n", "X".repeat(17_000))), [431]);
    assert_eq!(ask(&format!("Cookie: {}\r\n", "a=b; ".repeat(4_000))), [431]);
}

#[test]
fn a_body_without_end_is_refused_and_not_kept() {
    let site = Site::new();
    let host = format!("127.0.0.1:{}", site.port);
    let before = memory(&site, "VmHWM");
    let head = format!("POST /sign-in HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n");
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    for (length, part) in
        [("Transfer-Encoding: chunked", chunk.as_str()), ("Content-Length: 10000000000", &"x".repeat(8192))]
    {
        let mut streams: Vec<TcpStream> = (0..8)
            .map(|_| {
                let mut stream = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
                stream.write_all(format!("{head}{length}\r\n\r\n").as_bytes()).unwrap();
                // 64 MiB, or as much of it as is taken.
                for _ in 0..8192 {
                    if stream.write_all(part.as_bytes()).is_err() {
                        break;
                    }
                }
                stream
            })
            .collect();
        for stream in &mut streams {
            // What was said before the connection was cut may be lost with it.
            let got = statuses(&answers(stream));
            assert!(matches!(got[..], [413] | []), "{length}: {got:?}");
        }
        assert_eq!(
            statuses(&exchange(site.port, format!("{head}{length}\r\n\r\n{part}{part}{part}").as_bytes())),
            [413]
        );
    }
    let grown = memory(&site, "VmHWM") - before;
    assert!(grown < 8 * 1024, "{grown} KiB more");
}

#[test]
fn a_body_that_drips_is_cut_off_and_others_are_served_meanwhile() {
    let site = Site::with("", "limits = { connections = 8, connections_per_address = 8 }");
    let host = format!("127.0.0.1:{}", site.port);
    let head = format!(
        "POST /sign-in HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: 100\r\n\r\nx"
    );
    let mut slow: Vec<TcpStream> = (0..6)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(site.browser().go("/sign-in").status, 200);
    for stream in &mut slow {
        assert_eq!(statuses(&answers(stream)), [413]);
    }
}

#[test]
fn whoever_does_not_read_the_answers_is_cut_off_and_whoever_reads_slowly_is_not() {
    let site = Site::with("", "limits = { connections = 9, connections_per_address = 9 }");
    let before = memory(&site, "VmHWM");
    let get = format!("GET /assets/none HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", site.port);
    let connect = || TcpStream::connect(("127.0.0.1", site.port)).unwrap();
    let slow = connect();
    let deaf: Vec<TcpStream> = (0..8).map(|_| connect()).collect();
    thread::scope(|scope| {
        for mut stream in deaf {
            // Until no more is taken, and then until the other side ends it.
            let get = format!("{get}\r\n").repeat(100);
            stream.set_write_timeout(Some(Duration::from_secs(50))).unwrap();
            scope.spawn(move || {
                let ended = loop {
                    match stream.write_all(get.as_bytes()) {
                        Ok(()) => {}
                        Err(error) => break error.kind(),
                    }
                };
                let is_cut =
                    matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::TimedOut);
                assert!(is_cut, "{ended}");
            });
        }
        let (mut asking, mut reading) = (slow.try_clone().unwrap(), slow);
        scope.spawn(move || {
            asking.write_all(format!("{get}\r\n").repeat(ASKED - 1).as_bytes()).unwrap();
            asking.write_all(format!("{get}Connection: close\r\n\r\n").as_bytes()).unwrap();
        });
        // For longer than the deaf are waited for, and then the rest.
        for _ in 0..50 {
            pause(500);
            reading.read_exact(&mut [0; 16_384]).unwrap();
        }
        let mut said = Vec::new();
        reading.read_to_end(&mut said).unwrap();
        assert!(said.len() > 8 << 20, "{} would have been on the way at once", said.len());
        assert!(String::from_utf8(said).unwrap().trim_end().ends_with("</html>"));
    });
    assert_eq!(site.browser().go("/sign-in").status, 200);
    let grown = memory(&site, "VmHWM") - before;
    assert!(grown < 8 * 1024, "{grown} KiB more");
}

#[expect(clippy::disallowed_methods, reason = "somebody slow is what is played here, and others come again")]
fn pause(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

/// Answers to this many are more than any buffer on the way takes.
const ASKED: usize = 10_000;

/// Connects that often and holds it until dropped.
struct Crowd(std::process::Child);

impl Crowd {
    fn come(site: &Site, count: usize, addresses: usize) -> Self {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/idle.py");
        let mut idle = site.bed.command("python3");
        idle.args([tool, &site.port.to_string(), &count.to_string(), &addresses.to_string()]);
        let mut idle = idle.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(idle.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), format!("connected {count}"));
        Self(idle)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn ten_thousand_who_say_nothing_keep_nobody_out_and_cost_little() {
    let site = Site::new();
    site.browser().go("/sign-in");
    let (before, few) = (memory(&site, "VmHWM"), descriptors(&site));
    // From one address it is too many at once.
    let crowd = Crowd::come(&site, 10_000, 1);
    let held = descriptors(&site) - few;
    assert!(held <= 64, "{held} descriptors");
    assert_eq!(site.browser().go("/sign-in").status, 200);
    drop(crowd);
    // From two hundred all places are taken, until somebody else wants one; of those who go, a quarter may be there yet.
    let crowd = Crowd::come(&site, 10_000, 200);
    let held = descriptors(&site) - few;
    assert!((200..=340).contains(&held), "{held} descriptors");
    for _ in 0..20 {
        assert_eq!(site.browser().go("/sign-in").status, 200);
    }
    drop(crowd);
    let grown = memory(&site, "VmHWM") - before;
    assert!(grown < 16 * 1024, "{grown} KiB more");
}
