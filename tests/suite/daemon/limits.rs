//! What one user may take: so many connections and so many calls, and nobody else pays for them.

use otpd_proto::ACCOUNT_SOCKET;
use otpd_tests::Testbed;
use serde_json::json;

use crate::login;
use crate::peer::Peer;
use crate::peer::call;
use crate::peer::message;

const INFO: &str = "org.varlink.service.GetInfo";
const STATUS: &str = "org.otpd.Account.Status";

#[test]
fn a_connection_too_many_is_closed_and_other_users_are_not() {
    let mut bed = Testbed::with("[limits]\nconnections_per_user = 3");
    let (alice, bob) = (bed.user("alice"), bed.user("bob"));
    let connect = |uid| {
        let mut peer = Peer::user(&bed, uid, ACCOUNT_SOCKET);
        peer.send(&call(STATUS, &json!({})));
        let reply = peer.reply();
        (peer, reply)
    };
    let mut held: Vec<Peer> = Vec::new();
    for number in 0..3 {
        let (peer, reply) = connect(alice);
        assert_eq!(reply.unwrap()["parameters"]["user"], "alice", "{number}");
        held.push(peer);
    }
    assert!(connect(alice).1.is_none(), "a fourth connection was served");
    assert_eq!(connect(bob).1.unwrap()["parameters"]["user"], "bob");
    let mut root: Vec<Peer> = (0..5).map(|_| Peer::root(&bed, ACCOUNT_SOCKET)).collect();
    root.iter_mut().for_each(|peer| assert_eq!(peer.call(INFO, &json!({}))["parameters"]["vendor"], "otpd"));
    for peer in &mut held {
        assert_eq!(peer.call(STATUS, &json!({}))["parameters"]["user"], "alice");
    }
    let mut ended = held.pop().unwrap();
    ended.end();
    assert!(ended.reply().is_none());
    assert!(connect(alice).1.is_some(), "a connection that was given back is not to be had");
}

#[test]
fn a_call_too_many_is_answered_unavailable_and_other_users_are_served() {
    let mut bed = Testbed::with("[limits]\ncalls_per_minute = 5");
    let (alice, bob) = (bed.user("alice"), bed.user("bob"));
    let mut peer = Peer::user(&bed, alice, ACCOUNT_SOCKET);
    // In one piece: the budget fills up again with time.
    peer.send(&call(STATUS, &json!({})).repeat(6));
    for _ in 0..5 {
        assert_eq!(peer.reply().unwrap()["parameters"]["user"], "alice");
    }
    let sixth = peer.reply().unwrap();
    assert_eq!(sixth["error"], "org.otpd.Account.Unavailable");
    assert!(sixth["parameters"]["say"].as_str().unwrap().contains("Too many calls"), "{sixth}");
    let mut other = Peer::user(&bed, bob, ACCOUNT_SOCKET);
    assert_eq!(other.call(STATUS, &json!({}))["parameters"]["user"], "bob");
    let mut root = Peer::root(&bed, ACCOUNT_SOCKET);
    root.send(&call(INFO, &json!({})).repeat(50));
    (0..50).for_each(|_| assert_eq!(root.reply().unwrap()["parameters"]["vendor"], "otpd"));
}

#[test]
fn a_login_too_many_is_unavailable_by_an_error_of_its_own_interface() {
    let mut bed = Testbed::with("[limits]\ncalls_per_minute = 2");
    let alice = bed.user("alice");
    let mut peer = Peer::user(&bed, alice, ACCOUNT_SOCKET);
    peer.send(&call("org.otpd.Login.Start", &login("alice")).repeat(3));
    (0..2).for_each(|_| assert_eq!(peer.reply().unwrap()["parameters"]["step"]["next"], "not_required"));
    assert_eq!(peer.reply().unwrap()["error"], "org.otpd.Login.Unavailable");
}

#[test]
fn a_oneway_call_too_many_has_no_reply_either() {
    let mut bed = Testbed::with("[limits]\ncalls_per_minute = 1");
    let alice = bed.user("alice");
    let mut peer = Peer::user(&bed, alice, ACCOUNT_SOCKET);
    let mut calls = call(INFO, &json!({}));
    calls.extend(message(&json!({"method": INFO, "oneway": true})));
    peer.send(&calls);
    peer.end();
    assert_eq!(peer.reply().unwrap()["parameters"]["vendor"], "otpd");
    assert_eq!(peer.reply(), None);
}
