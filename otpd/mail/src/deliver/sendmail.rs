//! A local program that takes mails, as every MTA has one at `/usr/sbin/sendmail`.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::memfd::MFdFlags;
use nix::sys::memfd::memfd_create;
use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::compose::Mail;
use crate::verdict::Verdict;

/// The program that takes mails.
#[derive(Debug)]
pub struct Sendmail {
    /// Its path.
    pub program: PathBuf,
}

impl Sendmail {
    pub(super) fn in_words(&self) -> String {
        format!("the program {}", self.program.display())
    }

    pub(super) async fn deliver(&self, mail: &Mail, deadline: Duration) -> Verdict {
        let (mut child, said) = match self.start(mail) {
            Ok(started) => started,
            Err(error) => return self.not_started(&error),
        };
        let group = child.id().and_then(|id| i32::try_from(id).ok());
        match timeout(deadline, feed(&mut child, mail)).await {
            Ok(Ok(status)) => self.ended(status, &said),
            Ok(Err(error)) => Verdict::later(&format!("waiting for {}: {error}", self.program.display())),
            Err(_) => {
                // With what it started itself. The child is not reaped yet, so its number is nobody else's.
                let _ = group.map(|group| killpg(Pid::from_raw(group), Signal::SIGKILL));
                let answer =
                    format!("{} did not end within {} s", self.program.display(), deadline.as_secs());
                Verdict::later(&answer).with_advice("see what the program waits for, in its own log")
            }
        }
    }

    /// The recipient stands behind `--`, so that it can be no option, and is not looked for in the mail.
    fn start(&self, mail: &Mail) -> io::Result<(Child, Said)> {
        let said = Said::new()?;
        let child = Command::new(&self.program)
            .args(["-i", "-f", &mail.from.to_string(), "--", &mail.to.to_string()])
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(said.writer()?)
            .spawn()?;
        Ok((child, said))
    }

    fn not_started(&self, error: &io::Error) -> Verdict {
        Verdict::later(&format!("starting {}: {error}", self.program.display())).with_advice(
            "install a program that takes mail (a mail server, or msmtp-mta), name it in sendmail.program, or set \
             transport = \"smtp\"",
        )
    }

    /// What its exit code means (sysexits.h).
    fn ended(&self, status: ExitStatus, said: &Said) -> Verdict {
        let program = self.program.display();
        let words = said.text();
        let Some(code) = status.code() else {
            return Verdict::later(&format!("{program} was ended by {status}: {words}"));
        };
        let answer = match words.trim() {
            "" => format!("{program} ended with exit code {code}"),
            words => format!("{program} ended with exit code {code}: {words}"),
        };
        match code {
            0 => Verdict::delivered(&format!("{program} took it")),
            // EX_DATAERR, EX_NOUSER, EX_NOHOST.
            65 => Verdict::failed(&answer).with_advice("the program refuses the mail itself; it says why"),
            67 | 68 => {
                Verdict::failed(&answer).with_advice("check the address: there is no such user or host")
            }
            // EX_TEMPFAIL: it says itself that it can do it later.
            75 => Verdict::later(&answer),
            // EX_NOPERM, EX_CONFIG, EX_CANTCREAT; what needs its set-user-id bit says the like.
            73 | 77 | 78 => Verdict::later(&answer)
                .with_advice("the program may not do it, or is not configured: see its own log"),
            _ => Verdict::later(&answer).with_advice("see the program's own log"),
        }
    }
}

/// Gives it the mail, with line ends as local programs have them, and waits for its end.
async fn feed(child: &mut Child, mail: &Mail) -> io::Result<ExitStatus> {
    let content: Zeroizing<Vec<u8>> =
        Zeroizing::new(mail.content.iter().copied().filter(|byte| *byte != b'\r').collect());
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading all says why by its exit code.
        let _ = stdin.write_all(&content).await;
    }
    child.wait().await
}

/// What the program writes to standard error. A file in memory, since a pipe would stay open as long as any process that
/// it leaves behind.
struct Said(File);

impl Said {
    fn new() -> io::Result<Self> {
        Ok(Self(File::from(memfd_create(c"stderr", MFdFlags::MFD_CLOEXEC)?)))
    }

    fn writer(&self) -> io::Result<OwnedFd> {
        Ok(self.0.try_clone()?.into())
    }

    /// Its beginning.
    fn text(&self) -> String {
        let mut text = [0_u8; 4096];
        let read = self.0.read_at(&mut text, 0).unwrap_or_default();
        String::from_utf8_lossy(text.get(..read).unwrap_or_default()).into_owned()
    }
}
