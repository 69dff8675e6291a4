//! Requests that end in one place to one reader and in another to the next: whatever they are, each gets one answer, what
//! was hidden in one is never a request, and nobody else's answer changes. RFC 9112, sections 6 and 7.

use crate::front::Front;
use crate::front::Proxy;
use crate::raw::exchange;
use crate::raw::statuses;
use crate::site::Site;

/// What is hidden: nothing else here is answered with 404.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Which answers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// One, and the connection ends.
    One,
    /// One to this request, and one to the next.
    Each,
}

struct Probe {
    /// In place of HTTP/1.1.
    version: &'static str,
    /// Beside Host and Origin.
    head: String,
    body: String,
    told: Told,
}

fn probe(head: &str, body: &str, told: Told) -> Probe {
    Probe { version: "HTTP/1.1", head: head.to_owned(), body: body.to_owned(), told }
}

fn probes() -> Vec<Probe> {
    let all = HIDDEN.len() + 5;
    let ended = format!("0\r\n\r\n{HIDDEN}");
    let whole = format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", HIDDEN.len());
    let lengths = [
        ("Content-Length: 0, 5", Told::One),
        ("Content-Length: +0", Told::One),
        ("Content-Length: -1", Told::One),
        ("Content-Length: 0x0", Told::One),
        ("Content-Length: 0 0", Told::One),
        ("Content-Length:", Told::One),
        ("Content-Length: 99999999999999999999999", Told::One),
        ("Content-Length : 0", Told::One),
        ("Content-Length: 0\r\n Content-Length: 5", Told::One),
        ("Content-Length: 0", Told::Each),
    ];
    let codings = [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunk",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;a=b",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "X: y\rTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding\0: chunked",
        "TRANSFER-ENCODING: CHUNKED",
        "Transfer-Encoding: chunked",
    ];
    let chunks = [
        whole.clone(),
        format!("5;a=b;c=\"d\"\r\nhello\r\n{ended}"),
        format!("5;a=b\nhello\r\n{ended}"),
        format!("5;{}\r\nhello\r\n{ended}", "a".repeat(20_000)),
        format!("0x5\r\nhello\r\n{ended}"),
        format!("+5\r\nhello\r\n{ended}"),
        format!("-5\r\nhello\r\n{ended}"),
        format!("5\nhello\n0\n\n{HIDDEN}"),
        format!("5\r\nhelloXX\r\n{ended}"),
        format!("fffffffffffffffff5\r\nhello\r\n{ended}"),
        format!("0\r\nContent-Length: 5\r\nX: y\r\n\r\n{HIDDEN}"),
    ];
    let mut all: Vec<Probe> = vec![
        probe(&format!("Content-Length: {all}\r\nTransfer-Encoding: chunked"), &ended, Told::One),
        probe(&format!("Transfer-Encoding: chunked\r\nContent-Length: {all}"), &ended, Told::One),
        probe("Content-Length: 4\r\nTransfer-Encoding: chunked", &whole, Told::One),
        probe("Transfer-Encoding: chunked\r\nContent-Length: 4", &whole, Told::One),
        probe(&format!("Content-Length: 0\r\nContent-Length: {}", HIDDEN.len()), HIDDEN, Told::One),
        probe(&format!("Content-Length: {}\r\nContent-Length: 0", HIDDEN.len()), HIDDEN, Told::One),
        probe(&format!("Content-Length: {}", HIDDEN.len()), HIDDEN, Told::Each),
    ];
    all.extend(lengths.iter().map(|(head, told)| probe(head, "", *told)));
    all.extend(codings.iter().map(|head| probe(head, &ended, Told::One)));
    all.extend(chunks.iter().map(|body| probe("Transfer-Encoding: chunked", body, Told::One)));
    let old = probe("Transfer-Encoding: chunked", &ended, Told::One);
    all.push(Probe { version: "HTTP/1.0", ..old });
    all
}

/// With a request behind it that is as it should be, after which the connection ends.
fn said(probe: &Probe, host: &str) -> Vec<u8> {
    let Probe { version, head, body, .. } = probe;
    format!(
        "POST /sign-in {version}\r\nHost: {host}\r\nOrigin: http://{host}\r\n{head}\r\n\r\n{body}\
         GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn what_may_end_in_two_places_gets_one_answer_and_ends_the_connection() {
    let site = Site::new();
    let host = format!("127.0.0.1:{}", site.port);
    for probe in probes() {
        let replies = exchange(site.port, &said(&probe, &host));
        let got = statuses(&replies);
        let name = format!("{}\n{:.80}", probe.head, probe.body);
        match probe.told {
            Told::Each => assert_eq!(got, [403, 200], "{name}"),
            Told::One => assert!(matches!(got[..], [400 | 403 | 413]), "{name}: {got:?}"),
        }
    }
}

#[test]
fn a_body_that_a_get_brings_is_no_request() {
    let site = Site::new();
    let host = format!("127.0.0.1:{}", site.port);
    let ends = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    for (head, expected) in [
        (format!("Content-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len()), &[200, 200][..]),
        (format!("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"), &[200][..]),
    ] {
        let get = format!("GET /sign-in HTTP/1.1\r\nHost: {host}\r\n{head}{ends}");
        assert_eq!(statuses(&exchange(site.port, get.as_bytes())), expected, "{head}");
    }
    // A line that ends without a carriage return is one line to us and to nginx (RFC 9112, section 2.2).
    let bare = format!("GET /sign-in HTTP/1.1\nHost: {host}\nContent-Length: 5\n\nhello{ends}");
    assert_eq!(statuses(&exchange(site.port, bare.as_bytes())), [200, 200]);
}

#[test]
fn behind_nginx_nothing_that_is_hidden_is_asked_and_nobody_gets_anothers_answer() {
    let front = Front::new(Proxy::Nginx);
    let host = format!("127.0.0.1:{}", front.port);
    let mut asked = 0;
    for probe in probes() {
        let got = statuses(&exchange(front.port, &said(&probe, &host)));
        let name = format!("{}\n{:.80}", probe.head, probe.body);
        // What nginx knows how to read it makes plain, and goes on. What stands behind the last chunk, with no length that
        // says otherwise, is the client's next request to nginx as well: one that it asks, and sees the answer of.
        let is_plain = probe.head.eq_ignore_ascii_case("transfer-encoding: chunked");
        let follows = is_plain && probe.body.ends_with(HIDDEN);
        if follows && got == [403, 421, 200] {
            asked += 1;
        } else {
            assert!(matches!(got[..], [400 | 403 | 413 | 501] | [403, 200]), "{name}: {got:?}");
        }
        if probe.told == Told::Each {
            assert_eq!(got, [403, 200], "{name}");
        }
        // Each on a connection of its own, by whichever connection nginx has kept to otpd-web.
        for _ in 0..3 {
            let get = format!("GET /sign-in HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let replies = exchange(front.port, get.as_bytes());
            assert_eq!(statuses(&replies), [200], "after {name}");
            assert!(replies[0].body.contains("name=\"password\""), "after {name}");
        }
    }
    let log = std::fs::read_to_string(front.site.bed.path("proxy/access.log")).unwrap();
    assert!(log.contains("POST /sign-in"), "{log}");
    assert_eq!(log.matches("GET /smuggled").count(), asked, "{log}");
}
