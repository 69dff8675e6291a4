//! QR codes as a phone sees them: decoded by `zbarimg` from files, from the text of dark and light terminals, and from
//! a real `tmux` of 80 columns and 24 rows.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::sys::stat::Mode;

use crate::screen::DARK;
use crate::screen::LIGHT;
use crate::screen::read_png;
use crate::screen::read_qr;
use crate::screen::write_png;
use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::URI;
use crate::support::begun;
use crate::support::otpctl;
use crate::support::refused;
use crate::support::reply;
use crate::support::status;

fn daemon() -> Daemon {
    Daemon::new(|method, _| match method {
        "Account.Begin" => reply(&begun()),
        "Account.Status" => reply(&status(&serde_json::json!({"protected": false}))),
        _ => refused("code_wrong", "Not that one."),
    })
}

fn drawn(how: &str) -> String {
    let ended = daemon().run(&["bind", "--begin", "--color", "always", "--qr", how]);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.out
}

#[test]
fn explicit_colours_can_be_scanned_on_dark_and_on_light() {
    for theme in [DARK, LIGHT] {
        assert_eq!(read_qr(&drawn("ansi"), theme).as_deref(), Some(URI), "{theme:?}");
    }
}

#[test]
fn plain_blocks_can_be_scanned_on_dark_and_have_no_colours() {
    let ended = daemon().run(&["bind", "--begin", "--qr", "utf8"]);
    assert!(!ended.out.contains('\x1b'));
    assert_eq!(read_qr(&ended.out, DARK).as_deref(), Some(URI));
}

#[test]
fn a_png_can_be_scanned_and_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qr.png");
    let ended = daemon().run(&["bind", "--begin", "--qr", path.to_str().unwrap()]);
    assert!(ended.code == 0 && ended.out.contains("delete it after scanning"), "{ended:?}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(read_png(&path).as_deref(), Some(URI));
}

/// The path is of unit squares, each `M{column} {row}h1v1h-1z`, so it is read back without an SVG renderer.
#[test]
fn an_svg_can_be_scanned_and_has_the_standards_quiet_zone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qr.svg");
    assert_eq!(daemon().run(&["bind", "--begin", "--json", "--qr", path.to_str().unwrap()]).code, 0);
    let svg = std::fs::read_to_string(&path).unwrap();
    let between = |start: &str, end: &str| svg.split_once(start).unwrap().1.split_once(end).unwrap().0;
    let side: usize = between("viewBox=\"0 0 ", " ").parse().unwrap();
    let mut pixels = vec![255; (side * 4).pow(2)];
    for square in between("<path d=\"M", "\"").split('M') {
        let (column, row) = square.strip_suffix("h1v1h-1z").unwrap().split_once(' ').unwrap();
        let (column, row): (usize, usize) = (column.parse().unwrap(), row.parse().unwrap());
        assert!((4..side - 4).contains(&column) && (4..side - 4).contains(&row), "quiet zone");
        for y in 0..4 {
            let start = (row * 4 + y) * side * 4 + column * 4;
            pixels[start..start + 4].fill(0);
        }
    }
    let picture = directory.path().join("svg.png");
    write_png(&picture, &pixels, side * 4, side * 4);
    assert_eq!(read_png(&picture).as_deref(), Some(URI));
}

#[test]
fn auto_draws_what_the_terminal_can_show() {
    for (variables, has_color) in [
        (&[("TERM", "xterm-256color")][..], true),
        (&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], false),
        (&[("TERM", "dumb")], false),
    ] {
        let daemon = daemon();
        let mut command = daemon.otpctl(&["bind", "--begin"]);
        command.envs(variables.iter().copied());
        let (code, seen) = AtTerminal::start(command).finish();
        assert_eq!(
            (code, seen.contains("\x1b[38;5;16m\x1b[48;5;231m")),
            (0, has_color),
            "{variables:?}: {seen}"
        );
        assert!(seen.contains('▀') && seen.contains('\x1b') == has_color, "{variables:?}");
    }
    assert!(!daemon().run(&["bind", "--begin"]).out.contains('▀'), "not into a pipe");
}

/// A server of its own, gone with the test.
struct Tmux {
    directory: tempfile::TempDir,
}

impl Tmux {
    fn run(&self, words: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-S"]).arg(self.directory.path().join("tmux")).args(words);
        command.env("LC_ALL", "C.UTF-8").env("SHELL", "/bin/sh").env_remove("TMUX").env_remove("NO_COLOR");
        let output = command.output().expect("tmux is needed");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command on a fresh screen and gives the screen when `text` has appeared.
    fn show(command: &Command, text: &str) -> String {
        let tmux = Self { directory: tempfile::tempdir().unwrap() };
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line: String = words.map(|word| format!("'{}' ", word.to_str().unwrap())).collect();
        // The shell waits for a key, so that the pipe below misses nothing.
        tmux.run(&["new-session", "-d", "-x", "80", "-y", "24", &format!("read go; clear; exec {line}")]);
        let fifo = tmux.directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        tmux.run(&["pipe-pane", "-O", &format!("exec cat > '{}'", fifo.display())]);
        tmux.run(&["send-keys", "Enter"]);
        read_until(&fifo, text);
        tmux.run(&["capture-pane", "-p", "-e", "-N"])
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let socket = self.directory.path().join("tmux");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}

fn read_until(fifo: &Path, text: &str) {
    let mut pipe = std::fs::File::open(fifo).unwrap();
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains(text) {
        let length = pipe.read(&mut chunk).unwrap();
        assert!(length > 0, "ended before {text:?}: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&chunk[..length]);
    }
}

#[test]
fn a_real_terminal_of_80_by_24_shows_the_code_and_the_question_together() {
    for (how, themes) in [("auto", &[DARK, LIGHT][..]), ("utf8", &[DARK])] {
        let daemon = daemon();
        let mut command = otpctl(&["bind", "--qr", how, "--runtime-dir"]);
        command.arg(daemon.directory());
        let screen = Tmux::show(&command, "Code from the new device:");
        for theme in themes {
            assert_eq!(read_qr(&screen, *theme).as_deref(), Some(URI), "{how} {theme:?}\n{screen}");
        }
        for part in ["Code from the new device:", "JBSW Y3DP EHPK 3PXP", "alice (Phone)", "time-based"] {
            assert!(screen.contains(part), "{part:?} is not on the screen:\n{screen}");
        }
    }
}
