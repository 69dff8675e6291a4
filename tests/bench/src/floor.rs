//! The floor's server: answers one byte with one byte, at once or after one fdatasync for all who wait.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::poll::poll;

/// What a caller wants to be answered after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// A commit.
    Commit,
}

/// What a commit appends for one login.
pub const RECORD: [u8; 64] = [b'.'; 64];

/// One round trip, on a connection of its own as a PAM module has it.
pub fn call(server: &Path, after: After) -> io::Result<()> {
    let mut stream = UnixStream::connect(server)?;
    stream.write_all(&[if after == After::Commit { COMMIT } else { ECHO }])?;
    stream.read_exact(&mut [0])
}

/// Serves until standard input is closed.
pub fn serve(socket: &Path, log: &Path) -> anyhow::Result<()> {
    let listener = UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    let mut log = File::create(log)?;
    let stdin = io::stdin();
    println!("ready");
    let mut clients: Vec<UnixStream> = Vec::new();
    loop {
        let mut watched: Vec<PollFd<'_>> = [stdin.as_fd(), listener.as_fd()]
            .into_iter()
            .chain(clients.iter().map(AsFd::as_fd))
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        poll(&mut watched, PollTimeout::NONE)?;
        if watched[0].any() == Some(true) {
            return Ok(());
        }
        while let Ok((client, _)) = listener.accept() {
            client.set_nonblocking(true)?;
            clients.push(client);
        }
        let mut waiting = Vec::new();
        clients.retain_mut(|client| read_one(client, &mut waiting));
        if !waiting.is_empty() {
            log.write_all(&RECORD.repeat(waiting.len()))?;
            log.sync_data()?;
            // A caller that went away needs no answer.
            waiting.iter_mut().for_each(|client| drop(client.write(&[COMMIT])));
        }
    }
}

/// Reads what a client wants and answers if that needs no commit; returns whether it still has to say so.
fn read_one(client: &mut UnixStream, waiting: &mut Vec<UnixStream>) -> bool {
    let mut wanted = [0];
    match client.read(&mut wanted) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
        Ok(1) if wanted == [COMMIT] => {
            waiting.extend(client.try_clone());
            false
        }
        Ok(1) => {
            let _ = client.write(&wanted);
            false
        }
        _ => false,
    }
}

const ECHO: u8 = b'e';
const COMMIT: u8 = b'c';
