//! Too much, too long, too slow: it is refused or cut off, others are served meanwhile, and memory has an end.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

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
