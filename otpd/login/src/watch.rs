//! The end that no module can put off: a thread that watches the connection and the clock, and nothing else.
//!
//! A timer with a signal would not do: modules run in this process, and any of them may block or take a signal.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::time::Instant;

use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;

use crate::process;

/// Ends this process when the peer has closed `connection`, or after ten minutes.
///
/// # Errors
/// There can be no thread: then nothing may run.
pub(crate) fn start(connection: &UnixStream) -> std::io::Result<()> {
    let connection = connection.try_clone()?;
    std::thread::Builder::new().name("watch".into()).spawn(move || {
        let late = wait(&connection, LONGEST);
        if late {
            log::error!("ended after {} seconds, in the middle of a login", LONGEST.as_secs());
        }
        process::exit_now();
    })?;
    Ok(())
}

/// Whether it was the time that ended it.
#[expect(clippy::disallowed_methods, reason = "the monotonic end of the process")]
fn wait(connection: &UnixStream, longest: Duration) -> bool {
    let start = Instant::now();
    loop {
        let left = longest.saturating_sub(start.elapsed());
        if left.is_zero() {
            return true;
        }
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        // No event is asked for: the kernel tells of a hang-up all the same, and of nothing else.
        if let Ok(1..) = nix::poll::poll(&mut [PollFd::new(connection.as_fd(), PollFlags::empty())], timeout)
        {
            return false;
        }
    }
}

/// From connecting to the end of everything.
const LONGEST: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::Shutdown;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const NEVER: Duration = Duration::from_secs(3600);

    #[test]
    fn a_peer_that_closes_ends_the_wait() {
        let (peer, ours) = UnixStream::pair().unwrap();
        drop(peer);
        assert!(!wait(&ours, NEVER));
        let (peer, ours) = UnixStream::pair().unwrap();
        let waiter = std::thread::spawn(move || wait(&ours, NEVER));
        drop(peer);
        assert!(!waiter.join().unwrap());
    }

    #[test]
    fn a_peer_that_stays_is_cut_off_by_time_whatever_it_sends() {
        let (mut peer, ours) = UnixStream::pair().unwrap();
        assert!(wait(&ours, SHORT));
        peer.write_all(b"something").unwrap();
        assert!(wait(&ours, SHORT));
    }

    #[test]
    fn who_has_sent_all_may_still_wait_for_the_answer() {
        let (peer, ours) = UnixStream::pair().unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        assert!(wait(&ours, SHORT));
    }
}
