//! Two places on a network: the owner's, and a stranger's who knows the password. Three hosts in network namespaces.

use otpd_tests::Output;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;

use crate::ssh::Sshd;

/// Network namespaces `server`, `owner` and `stranger`, a wire from each of the others to the server. They are made
/// inside the private system, whose /run holds them, and are gone with it.
fn wire_up(bed: &Testbed) {
    let script = "
        set -e
        for host in server owner stranger; do ip netns add $host; ip -n $host link set lo up; done
        number=1
        for host in owner stranger; do
            ip link add wire netns $host type veth peer name $host netns server
            ip -n server addr add 198.51.100.$number/30 dev $host && ip -n server link set $host up
            ip -n $host addr add 198.51.100.$((number + 1))/30 dev wire && ip -n $host link set wire up
            number=$((number + 4))
        done";
    bed.run("sh", &["-c", script]).ok();
}

fn from(sshd: &Sshd<'_>, host: &str, code: &str) -> Output {
    let address = if host == "owner" { "198.51.100.1" } else { "198.51.100.5" };
    sshd.client_in(host, address, "alice", &[PASSWORD, code])
}

#[test]
fn a_stranger_who_hammers_does_not_stop_the_owner() {
    let mut bed = Testbed::new();
    bed.user("alice");
    wire_up(&bed);
    let phone = bed.bind("alice", "phone");
    let sshd = Sshd::start_in(&bed, "server");
    let first = from(&sshd, "owner", &phone.code(0));
    assert_eq!(first.stdout, "in as alice\n", "{first:?} {}", sshd.log());
    for _ in 0..4 {
        assert_ne!(from(&sshd, "stranger", "99999999").code, 0);
    }
    let locked = from(&sshd, "stranger", &phone.code(1));
    assert!(locked.code != 0 && locked.stderr.contains("Locked until"), "{locked:?}");
    let event = bed.last_event("alice");
    assert_eq!((event["lane"].as_str(), event["address"].as_str()), (Some("unknown"), Some("198.51.100.6")));
    let second = from(&sshd, "owner", &phone.code(1));
    assert_eq!(second.stdout, "in as alice\n", "{second:?}");
    let event = bed.last_event("alice");
    assert_eq!((event["lane"].as_str(), event["address"].as_str()), (Some("known"), Some("198.51.100.2")));
}
