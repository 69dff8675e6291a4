//! Callers that keep to no rule, on both sockets: each is answered or let go, and nobody else notices.

use otpd_proto::ACCOUNT_SOCKET;
use otpd_proto::LOGIN_SOCKET;
use otpd_proto::frame::MAX_MESSAGE;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::login;
use crate::peer::Peer;
use crate::peer::call;
use crate::peer::message;

const INFO: &str = "org.varlink.service.GetInfo";
const INVALID: &str = "org.varlink.service.InvalidParameter";

/// A daemon, and alice, who may call as often as it takes.
fn bed() -> (Testbed, u32) {
    let mut bed = Testbed::with("[limits]\ncalls_per_minute = 60000");
    let alice = bed.user("alice");
    (bed, alice)
}

/// Runs a test on both sockets: as alice on account.sock, as root on login.sock.
fn on_both(test: impl Fn(&dyn Fn() -> Peer)) {
    let (bed, alice) = bed();
    test(&|| Peer::user(&bed, alice, ACCOUNT_SOCKET));
    test(&|| Peer::root(&bed, LOGIN_SOCKET));
    assert!(!bed.daemon().log().contains("internal error"), "{}", bed.daemon().log());
}

/// GetInfo in a message of exactly `length` bytes, its NUL included.
fn info_of(length: usize) -> Vec<u8> {
    let mut bytes = message(&json!({"method": INFO}));
    let spaces = vec![b' '; length.checked_sub(bytes.len()).unwrap()];
    bytes.splice(1..1, spaces);
    bytes
}

#[track_caller]
fn assert_served(peer: &mut Peer) {
    assert_eq!(peer.call(INFO, &json!({}))["parameters"]["vendor"], "otpd");
}

/// Asserts that these bytes end their own connection without a reply, and no other.
#[track_caller]
fn assert_let_go(connect: &dyn Fn() -> Peer, what: &str, bytes: &[u8]) {
    let (mut bystander, mut peer) = (connect(), connect());
    assert_served(&mut bystander);
    peer.send(bytes);
    assert_eq!(peer.reply(), None, "{what}");
    assert_served(&mut bystander);
}

#[test]
fn half_a_message_is_no_message() {
    on_both(|connect| {
        let whole = call(INFO, &json!({}));
        for length in [1, whole.len() / 2, whole.len() - 1] {
            let mut peer = connect();
            peer.send(&whole[..length]);
            peer.end();
            assert_eq!(peer.reply(), None, "{length}");
        }
        let mut peer = connect();
        peer.send(&whole[..10]);
        peer.send(&whole[10..]);
        assert_eq!(peer.reply().unwrap()["parameters"]["vendor"], "otpd");
    });
}

#[test]
fn a_message_may_have_64_kib_and_not_a_byte_more() {
    on_both(|connect| {
        for length in [MAX_MESSAGE - 1, MAX_MESSAGE] {
            let mut peer = connect();
            peer.send(&info_of(length));
            assert_eq!(peer.reply().unwrap()["parameters"]["vendor"], "otpd", "{length}");
            assert_served(&mut peer);
        }
        assert_let_go(connect, "a byte more", &info_of(MAX_MESSAGE + 1));
        assert_let_go(connect, "no end", &vec![b' '; MAX_MESSAGE]);
        assert_let_go(connect, "a megabyte", &vec![b'{'; 1 << 20]);
    });
}

#[test]
fn long_messages_may_follow_each_other_at_once() {
    on_both(|connect| {
        let lengths = [1000, 65_000, 2000, MAX_MESSAGE, MAX_MESSAGE - 3000, 5000, 300];
        let mut peer = connect();
        peer.send(&lengths.map(info_of).concat());
        for length in lengths {
            let reply = peer.reply().unwrap_or_else(|| panic!("closed before the reply to {length} bytes"));
            assert_eq!(reply["parameters"]["vendor"], "otpd");
        }
        assert_served(&mut peer);
    });
}

#[test]
fn what_is_no_varlink_is_let_go() {
    let deep = format!("{{\"method\":\"{INFO}\",\"parameters\":{}", "[".repeat(60_000));
    on_both(|connect| {
        let texts: [(&str, &[u8]); 18] = [
            ("garbage", b"\x16\x03\x01\x02\x00\x01\xfc\0"),
            ("HTTP", b"GET / HTTP/1.1\r\nHost: nas\r\n\r\n\0"),
            ("a NUL", b"\0"),
            ("a flood of NULs", &[0; 50_000]),
            ("an open end", b"{\"method\":\"org.varlink.service.GetInfo\"\0"),
            ("two objects", b"{\"method\":\"org.varlink.service.GetInfo\"}{}\0"),
            ("no method", b"{\"parameters\":{}}\0"),
            ("two methods", b"{\"method\":\"a.b.C\",\"method\":\"org.varlink.service.GetInfo\"}\0"),
            ("a number for a method", b"{\"method\":5}\0"),
            ("a word for a flag", b"{\"method\":\"org.varlink.service.GetInfo\",\"oneway\":\"no\"}\0"),
            ("a string", b"\"org.varlink.service.GetInfo\"\0"),
            ("null", b"null\0"),
            ("a list", b"[]\0"),
            ("a list like a call", b"[\"org.varlink.service.GetInfo\",{},false,false,false]\0"),
            ("bytes that are no UTF-8", b"{\"method\":\"org.varlink.service.GetInfo\xff\xfe\"}\0"),
            (
                "such bytes where nobody looks",
                b"{\"method\":\"org.varlink.service.GetInfo\",\"x\":\"\xff\"}\0",
            ),
            (
                "the same in a parameter",
                b"{\"method\":\"org.otpd.Login.Start\",\"parameters\":{\"x\":\"\xc3\x28\"}}\0",
            ),
            ("brackets without end", deep.as_bytes()),
        ];
        for (what, bytes) in texts {
            let mut ended = bytes.to_vec();
            ended.push(0);
            assert_let_go(connect, what, &ended);
        }
    });
}

#[test]
fn deep_json_is_read_or_refused_without_harm() {
    let nested = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let deep: Vec<Vec<u8>> = ["org.otpd.Login.Start", INFO]
        .iter()
        .flat_map(|method| {
            let object = format!("{{\"method\":\"{method}\",\"parameters\":{{\"deep\":{nested}}}}}\0");
            let list = format!("{{\"method\":\"{method}\",\"parameters\":{nested}}}\0");
            let beside = format!("{{\"method\":\"{method}\",\"beside\":{nested}}}\0");
            [object, list, beside].map(String::into_bytes)
        })
        .collect();
    on_both(|connect| {
        let mut bystander = connect();
        for bytes in &deep {
            let mut peer = connect();
            peer.send(bytes);
            peer.end();
            while peer.reply().is_some() {}
            assert_served(&mut bystander);
        }
    });
}

#[test]
fn parameters_of_the_wrong_type_are_refused() {
    let (bed, alice) = bed();
    let mut user = Peer::user(&bed, alice, ACCOUNT_SOCKET);
    for (method, parameters) in [
        ("org.otpd.Account.Status", json!({"user": 5})),
        ("org.otpd.Account.Status", json!("alice")),
        ("org.otpd.Account.Status", json!(true)),
        ("org.otpd.Account.Status", json!(["alice"])),
        ("org.otpd.Account.Devices", json!({"retired": "yes"})),
        ("org.otpd.Account.Devices", json!({"after": -1})),
        ("org.otpd.Account.Devices", json!({"after": 4_294_967_296_u64})),
        ("org.otpd.Account.Begin", json!({"digits": 300})),
        ("org.otpd.Account.Begin", json!({"digits": 6.5})),
        ("org.otpd.Account.Begin", json!({"key": ["A"]})),
        ("org.otpd.Account.Confirm", json!({})),
        ("org.otpd.Account.Confirm", json!({"device": "phone", "code": 123_456})),
        ("org.otpd.Login.Start", json!({})),
        ("org.otpd.Login.Start", json!({"login": "alice"})),
        ("org.otpd.Login.Start", json!({"login": ["alice", "sudo"]})),
        ("org.otpd.Login.Answer", json!({"login": {"user": "alice", "service": "sudo"}})),
    ] {
        assert_eq!(user.error(method, &parameters), INVALID, "{method} {parameters}");
    }
    let mut root = Peer::root(&bed, LOGIN_SOCKET);
    for parameters in
        [json!({"login": {"service": "sudo"}}), json!({"login": {"user": null, "service": "sudo"}})]
    {
        assert_eq!(root.error("org.otpd.Login.Start", &parameters), INVALID, "{parameters}");
    }
    root.send(b"{\"method\":\"org.otpd.Login.Start\",\"parameters\":{\"login\":{\"user\":\"\\ud800\",\"service\":\"a\"}}}\0");
    assert_eq!(root.reply().unwrap()["error"], INVALID);
}

#[test]
fn unknown_fields_are_refused_to_users_and_pass_in_roots_logins() {
    let (bed, alice) = bed();
    let mut user = Peer::user(&bed, alice, ACCOUNT_SOCKET);
    let of_a_newer_module = json!({"login": {"user": "alice", "service": "sudo", "passkey": ["new"]}});
    for (method, parameters, unknown) in [
        ("org.otpd.Account.Status", json!({"usr": "alice"}), "usr"),
        ("org.otpd.Account.Begin", json!({"name": "phone", "secret": "x"}), "secret"),
        ("org.otpd.Account.Off", json!({"force": true}), "force"),
        ("org.otpd.Admin.Doctor", json!({"deep": true}), "deep"),
        ("org.otpd.Admin.Reset", json!({"user": "alice", "force": true}), "force"),
        ("org.otpd.Login.Start", of_a_newer_module.clone(), "passkey"),
    ] {
        let reply = user.call(method, &parameters);
        assert_eq!(reply["error"], INVALID, "{method}: {reply}");
        assert!(reply["parameters"]["parameter"].as_str().unwrap().contains(unknown), "{reply}");
    }
    let mut root = Peer::root(&bed, LOGIN_SOCKET);
    let reply = root.call("org.otpd.Login.Start", &of_a_newer_module);
    assert_eq!(reply["parameters"]["step"]["next"], "not_required", "{reply}");
}

#[test]
fn unknown_methods_and_interfaces_are_errors_of_varlink() {
    on_both(|connect| {
        let mut peer = connect();
        for (method, error) in [
            ("org.otpd.Login.Nothing", "MethodNotFound"),
            ("org.varlink.service.nothing", "MethodNotFound"),
            ("org.otpd.Login.", "MethodNotFound"),
            ("org.otpd.Nothing.Start", "InterfaceNotFound"),
            ("org.otpd.login.Start", "InterfaceNotFound"),
            ("org.otpd.Login.Start.Start", "InterfaceNotFound"),
            (".", "InterfaceNotFound"),
            ("Start", "InvalidParameter"),
            ("", "InvalidParameter"),
        ] {
            assert_eq!(peer.error(method, &json!({})), format!("org.varlink.service.{error}"), "{method:?}");
        }
        let long = "x".repeat(60_000);
        assert_eq!(peer.error(&format!("{long}.Start"), &json!({})), "org.varlink.service.InterfaceNotFound");
    });
}

#[test]
fn leaving_varlink_is_not_granted_and_more_gets_one_reply() {
    on_both(|connect| {
        let mut peer = connect();
        peer.send(&message(&json!({"method": INFO, "upgrade": true})));
        assert_eq!(peer.reply().unwrap()["error"], "org.varlink.service.MethodNotImplemented");
        peer.send(&message(&json!({"method": INFO, "more": true})));
        let reply = peer.reply().unwrap();
        assert_eq!(reply["parameters"]["vendor"], "otpd");
        assert!(reply["continues"].is_null(), "{reply}");
        assert_eq!(peer.error("org.otpd.Login.Nothing", &json!({})), "org.varlink.service.MethodNotFound");
    });
}

#[test]
fn a_oneway_call_has_no_reply() {
    on_both(|connect| {
        let mut peer = connect();
        let oneway = |method: &str| message(&json!({"method": method, "parameters": {}, "oneway": true}));
        let quiet = [INFO, "org.otpd.Login.Nothing", "org.otpd.Nothing.Start", "org.otpd.Login.Start"];
        peer.send(&quiet.map(oneway).concat());
        let reply = peer.call("org.otpd.Last.Call", &json!({}));
        assert_eq!(reply["parameters"]["interface"], "org.otpd.Last", "{reply}");
    });
}

#[test]
fn calls_sent_at_once_are_answered_in_order() {
    on_both(|connect| {
        let mut peer = connect();
        let calls: Vec<u8> =
            (0..200).flat_map(|n| call(&format!("org.otpd.N{n}.Call"), &json!({}))).collect();
        peer.send(&calls);
        peer.end();
        for n in 0..200 {
            let reply = peer.reply().unwrap();
            assert_eq!(reply["parameters"]["interface"], format!("org.otpd.N{n}"));
        }
        assert_eq!(peer.reply(), None);
    });
}

#[test]
fn a_caller_that_never_reads_is_let_go() {
    let (bed, _) = bed();
    let describe =
        call("org.varlink.service.GetInterfaceDescription", &json!({"interface": "org.otpd.Login"}));
    for socket in [ACCOUNT_SOCKET, LOGIN_SOCKET] {
        let mut bystander = Peer::root(&bed, socket);
        let mut deaf = Peer::root(&bed, socket);
        // Far more replies than a socket holds. What the daemon no longer takes is lost.
        deaf.send(&describe.repeat(5000));
        assert_served(&mut bystander);
        let mut replies = 0;
        while deaf.reply().is_some() {
            replies += 1;
        }
        assert!((1..5000).contains(&replies), "{replies}");
        assert_served(&mut bystander);
    }
}

/// The prompt for a login of this user.
fn prompt(peer: &mut Peer, user: &str) -> String {
    let reply = peer.call("org.otpd.Login.Start", &login(user));
    reply["parameters"]["step"]["prompt"].as_str().unwrap_or_else(|| panic!("{user:?}: {reply}")).to_owned()
}

#[test]
fn a_hostile_name_never_breaks_the_prompt() {
    let (bed, _) = bed();
    let mut root = Peer::root(&bed, LOGIN_SOCKET);
    let long = "x".repeat(50_000);
    for user in ["", "a\nPassword: ", "\u{1b}[2J", "a\0b", "\u{202e}eve", "a\tb", "a:b", "\u{7f}", &long] {
        let prompt = prompt(&mut root, user);
        let printable = prompt.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        assert!(printable && prompt.len() <= 200 && prompt.ends_with(": "), "{user:?}: {prompt:?}");
    }
}

#[test]
fn nobody_can_make_the_audit_log_unreadable_with_long_words() {
    let (bed, alice) = bed();
    let long = "x".repeat(9000);
    let own = json!({
        "login": {"user": "alice", "service": long, "tty": long, "ruser": long, "rhost": long, "ssh_auth_info": long},
        "answer": "no code",
    });
    let mut user = Peer::user(&bed, alice, ACCOUNT_SOCKET);
    for _ in 0..10 {
        user.call("org.otpd.Login.Answer", &own);
    }
    let mut root = Peer::root(&bed, ACCOUNT_SOCKET);
    let audit: Value = root.call("org.otpd.Admin.Audit", &json!({"tail": 200}));
    assert!(!audit["parameters"]["events"].as_array().unwrap().is_empty(), "{audit}");
}

#[test]
fn a_full_page_of_the_audit_log_fits_into_a_message() {
    let (bed, _) = bed();
    bed.bind("alice", "phone");
    let mut root = Peer::root(&bed, LOGIN_SOCKET);
    let address = "2001:db8:1234:5678:9abc:def0:1234:5678";
    let remote = json!({
        "login": {"user": "alice", "service": "cockpit", "rhost": address, "ssh_auth_info": "keyboard-interactive/pam"},
        "answer": "no code",
    });
    root.send(&call("org.otpd.Login.Answer", &remote).repeat(250));
    (0..250).for_each(|_| assert_eq!(root.reply().unwrap()["parameters"]["step"]["next"], "refuse"));
    let mut root = Peer::root(&bed, ACCOUNT_SOCKET);
    let page = root.call("org.otpd.Admin.Audit", &json!({}));
    assert_eq!(page["parameters"]["more"], true, "{page}");
    assert!(!page["parameters"]["events"].as_array().unwrap().is_empty());
}
