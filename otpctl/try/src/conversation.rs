//! The person at the other end: shows what a module says, and reads what is typed, without showing it where the module
//! wants that.

use std::io::Read;
use std::io::Write;

use nix::sys::termios::LocalFlags;
use nix::sys::termios::SetArg;
use nix::sys::termios::tcgetattr;
use nix::sys::termios::tcsetattr;
use zeroize::Zeroizing;

/// Shows a text and, if it `asks`, reads a line; none at the end of the input.
pub(crate) fn answer(text: &str, is_hidden: bool, asks: bool) -> Option<Zeroizing<Vec<u8>>> {
    // What a module says may hold what a terminal obeys.
    let text: String =
        text.chars().filter(|character| !character.is_control() || *character == '\n').collect();
    let mut stderr = std::io::stderr();
    if !asks {
        let _ = writeln!(stderr, "{text}");
        return None;
    }
    let stdin = std::io::stdin();
    let before = if is_hidden { tcgetattr(&stdin).ok() } else { None };
    if let Some(before) = &before {
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        // Before the prompt: what is typed at once behind it must neither show nor be lost.
        let _ = tcsetattr(&stdin, SetArg::TCSAFLUSH, &silent);
    }
    let _ = write!(stderr, "{text}");
    let line = read_line();
    if let Some(before) = &before {
        let _ = tcsetattr(&stdin, SetArg::TCSADRAIN, before);
        let _ = writeln!(stderr);
    }
    line
}

/// Byte by byte, so that nothing of the next answer is taken.
fn read_line() -> Option<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0]);
    let mut stdin = std::io::stdin().lock();
    while line.len() < LONGEST {
        match stdin.read(&mut *byte) {
            Ok(1) if *byte == [b'\n'] => return Some(line),
            Ok(1) => line.extend_from_slice(&*byte),
            _ => return if line.is_empty() { None } else { Some(line) },
        }
    }
    Some(line)
}

/// libpam's PAM_MAX_RESP_SIZE.
const LONGEST: usize = 512;
