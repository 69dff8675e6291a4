use std::io::Write;

use otpd_proto::frame::MAX_MESSAGE;

use super::*;

fn pair() -> (UnixStream, Socket) {
    let (peer, ours) = UnixStream::pair().unwrap();
    (peer, Socket::new(ours).unwrap())
}

#[test]
fn a_message_may_come_in_pieces_and_two_at_once() {
    let (mut peer, mut socket) = pair();
    peer.write_all(b"one\0two\0thr").unwrap();
    assert_eq!(socket.receive(true).unwrap().as_slice(), b"one");
    assert_eq!(socket.receive(false).unwrap().as_slice(), b"two");
    peer.write_all(b"ee\0").unwrap();
    assert_eq!(socket.receive(false).unwrap().as_slice(), b"three");
}

#[test]
fn a_peer_that_is_gone_is_not_waited_for() {
    let (mut peer, mut socket) = pair();
    peer.write_all(b"half").unwrap();
    drop(peer);
    assert_eq!(socket.receive(true).unwrap_err(), Ended::Gone);
    assert_eq!(socket.send(b"x\0"), Err(Ended::Gone));
}

#[test]
fn a_silent_peer_is_late_and_half_a_message_moves_nothing() {
    let (mut peer, mut socket) = pair();
    socket.opened_by = socket.opened_by.checked_sub(FOR_THE_FIRST_CALL).unwrap();
    peer.write_all(b"half").unwrap();
    assert_eq!(socket.receive(true).unwrap_err(), Ended::Late);
    peer.write_all(b"\0").unwrap();
    assert_eq!(socket.receive(false).unwrap().as_slice(), b"half");
}

#[test]
fn a_message_of_the_limit_passes_and_a_longer_one_ends_it() {
    let (mut peer, mut socket) = pair();
    let mut long = vec![b' '; MAX_MESSAGE];
    long.push(0);
    let whole = long.clone();
    let sender = std::thread::spawn(move || {
        let _ = peer.write_all(&whole[1..]);
        let _ = peer.write_all(&whole);
        peer
    });
    assert_eq!(socket.receive(true).unwrap().len(), MAX_MESSAGE - 1);
    assert_eq!(socket.receive(false).unwrap_err(), Ended::Misused);
    drop(socket);
    sender.join().unwrap();
}

#[test]
fn a_peer_that_does_not_read_is_let_go() {
    let (_peer, mut socket) = pair();
    let message = vec![b' '; MAX_MESSAGE];
    assert!((0..1000).any(|_| socket.send(&message).is_err()));
}
