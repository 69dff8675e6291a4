//! Asks the person at the terminal, and reads secrets from standard input. Codes are shown as they are typed: each
//! works once, and a typing error should be seen. Passphrases are not.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::IsTerminal;
use std::io::Read;
use std::path::Path;

use nix::sys::termios::LocalFlags;
use nix::sys::termios::SetArg;
use nix::sys::termios::tcgetattr;
use nix::sys::termios::tcsetattr;
use otpd_proto::Secret;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::output::Output;

/// Whether somebody can answer.
pub(crate) fn is_possible() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a code until something is typed; `None` if the person ends the input instead.
pub(crate) fn code(output: &Output, question: &str) -> Result<Option<Secret>, Failure> {
    loop {
        output.question(question)?;
        let Some(line) = read_line()? else {
            output.remark("")?;
            return Ok(None);
        };
        let code = squeeze(&line);
        if !code.expose_secret().is_empty() {
            return Ok(Some(code));
        }
    }
}

/// Asks for a line until something is typed; `None` if the person ends the input instead.
pub(crate) fn line(output: &Output, question: &str) -> Result<Option<String>, Failure> {
    loop {
        output.question(question)?;
        let Some(line) = read_line()? else {
            output.remark("")?;
            return Ok(None);
        };
        let line = line.trim();
        if !line.is_empty() {
            return Ok(Some(line.to_owned()));
        }
    }
}

/// Asks for a passphrase, which does not show as it is typed; `None` if the person ends the input instead.
pub(crate) fn passphrase(output: &Output, question: &str) -> Result<Option<Secret>, Failure> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin).map_err(io::Error::from)?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &silent).map_err(io::Error::from)?;
    let line = output.question(question).and_then(|()| read_line());
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).map_err(io::Error::from)?;
    // The end of the line did not show either.
    output.remark("")?;
    Ok(line?.map(|line| whole_line(&line)))
}

/// A passphrase in a file, which is the first line of it; `-` is standard input.
pub(crate) fn passphrase_in(path: &Path) -> Result<Secret, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_LINE.saturating_mul(4)));
    let most = LONGEST_LINE.saturating_mul(4) as u64;
    let read = if path == Path::new("-") {
        io::stdin().lock().take(most).read_until(b'\n', &mut bytes)
    } else {
        File::open(path).and_then(|file| io::BufReader::new(file).take(most).read_until(b'\n', &mut bytes))
    };
    read.map_err(|error| Failure::cannot_read(path, &error))?;
    let line = std::str::from_utf8(&bytes);
    let line = line.map_err(|_| Failure::usage(format!("{}: a passphrase is UTF-8 text", path.display())))?;
    Ok(whole_line(line))
}

/// Asks for a yes; anything else is a no.
pub(crate) fn agrees(output: &Output, question: &str) -> Result<bool, Failure> {
    output.question(&format!("{question} [y/N]"))?;
    let answer = read_line()?;
    Ok(answer.is_some_and(|line| matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
}

/// The secret itself, or the next line of standard input if it is `-`.
pub(crate) fn or_standard_input(
    given: Option<Secret>,
    what: &str,
    output: &Output,
) -> Result<Option<Secret>, Failure> {
    match given {
        Some(given) if given.expose_secret() == "-" => {
            if is_possible() {
                output.question(&format!("{what}:"))?;
            }
            let line = read_line()?.map(|line| squeeze(&line));
            match line.filter(|secret| !secret.expose_secret().is_empty()) {
                Some(secret) => Ok(Some(secret)),
                None => Err(Failure::usage(format!("no {} on standard input", what.to_lowercase()))),
            }
        }
        Some(given) => Ok(Some(squeeze(given.expose_secret()))),
        None => Ok(None),
    }
}

/// Without the spaces and dashes that people read codes and keys in groups with.
fn squeeze(text: &str) -> Secret {
    Secret::new(text.chars().filter(|character| !character.is_whitespace() && *character != '-').collect())
}

/// A line without its end; spaces in it count.
fn whole_line(line: &str) -> Secret {
    Secret::new(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn read_line() -> io::Result<Option<Zeroizing<String>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST_LINE));
    io::stdin().lock().take(LONGEST_LINE as u64).read_until(b'\n', &mut line)?;
    // What is not UTF-8 is no code and no key; the daemon or the key's check says so.
    Ok((!line.is_empty()).then(|| Zeroizing::new(String::from_utf8_lossy(&line).into_owned())))
}

/// Bytes; more than any key.
const LONGEST_LINE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_joined() {
        assert_eq!(squeeze(" 123 456\r\n").expose_secret(), "123456");
        assert_eq!(squeeze("jbsw-y3dp").expose_secret(), "jbswy3dp");
    }

    #[test]
    fn a_secret_that_was_given_is_not_read_again() {
        let output = Output::new(false, crate::cli::Color::Never);
        let given = or_standard_input(Some(Secret::new("12 34".into())), "Code", &output).unwrap();
        assert_eq!(given.unwrap().expose_secret(), "1234");
        assert!(or_standard_input(None, "Code", &output).unwrap().is_none());
    }
}
