//! The other side of otpd-mail: a server at `mail.sock` that gives out mails and hears what became of them.

use std::collections::VecDeque;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use otpd_proto::frame::Inbox;
use otpd_proto::mail;
use otpd_proto::mail::ClaimParameters;
use otpd_proto::mail::DoneParameters;
use otpd_proto::mail::Mailer;
use otpd_proto::message::Call;
use otpd_proto::message::encode_reply;
use serde_json::Value;
use serde_json::json;

/// An outbox without a registry.
pub struct Outbox {
    shared: Arc<Shared>,
    claims: mpsc::Receiver<Mailer>,
    done: mpsc::Receiver<DoneParameters>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    mails: VecDeque<Value>,
    open: Vec<UnixStream>,
    /// How often all connections were broken: who waited then gets nothing any more.
    broken: u32,
}

impl Outbox {
    /// Listens in `directory`.
    ///
    /// # Panics
    /// It cannot.
    #[must_use]
    pub fn open(directory: &Path) -> Self {
        let path = directory.join(otpd_proto::MAIL_SOCKET);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a socket");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).expect("chmod");
        let shared = Arc::new(Shared::default());
        let (claimed, claims) = mpsc::channel();
        let (told, done) = mpsc::channel();
        let serving = Arc::downgrade(&shared);
        thread::spawn(move || {
            for peer in listener.incoming().map_while(Result::ok) {
                let Some(shared) = serving.upgrade() else { return };
                shared.lock().open.push(peer.try_clone().expect("a descriptor"));
                let (claimed, told) = (claimed.clone(), told.clone());
                thread::spawn(move || serve(peer, &shared, &claimed, &told));
            }
        });
        Self { shared, claims, done }
    }

    /// Puts a mail in.
    ///
    /// # Panics
    /// A thread panicked.
    pub fn put(&self, mail: Value) {
        self.shared.lock().mails.push_back(mail);
        self.shared.changed.notify_all();
    }

    /// Who claims next.
    ///
    /// # Panics
    /// Nobody for a minute.
    #[must_use]
    pub fn claim(&self) -> Mailer {
        self.claims.recv_timeout(Duration::from_secs(60)).expect("a claim")
    }

    /// What became of the next mail.
    ///
    /// # Panics
    /// Nothing for a minute.
    #[must_use]
    pub fn done(&self) -> DoneParameters {
        self.done.recv_timeout(Duration::from_secs(60)).expect("a mail that is done")
    }

    /// Breaks all connections, as an otpd that was killed.
    ///
    /// # Panics
    /// A thread panicked.
    pub fn break_connections(&self) {
        let mut state = self.shared.lock();
        state.broken += 1;
        for peer in state.open.drain(..) {
            let _ = peer.shutdown(std::net::Shutdown::Both);
        }
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic here")
    }

    fn claim(&self, parameters: ClaimParameters, claimed: &mpsc::Sender<Mailer>) -> Option<Value> {
        let wait = Duration::from_secs(parameters.wait.unwrap_or_default().into());
        let able = parameters.mailer.problem.is_none();
        let state = self.lock();
        let broken = state.broken;
        // Told only now: who hears of it and breaks the connection must not be earlier.
        let _ = claimed.send(parameters.mailer);
        let nothing = |state: &mut State| (state.mails.is_empty() || !able) && state.broken == broken;
        let mut state = self.changed.wait_timeout_while(state, wait, nothing).expect("no panic here").0;
        if able && state.broken == broken { state.mails.pop_front() } else { None }
    }
}

fn serve(
    mut peer: UnixStream,
    shared: &Shared,
    claimed: &mpsc::Sender<Mailer>,
    told: &mpsc::Sender<DoneParameters>,
) {
    let mut inbox = Inbox::default();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = peer.read(&mut chunk) {
        inbox.push(&chunk[..read]).expect("a message within its limit");
        while let Some(message) = inbox.take() {
            let call: Call<'_> = serde_json::from_slice(&message).expect("a call");
            let parameters = call.parameters.map_or("{}", |raw| raw.get());
            let reply = match call.method.as_ref() {
                mail::CLAIM => {
                    let parameters: ClaimParameters = serde_json::from_str(parameters).expect("a Claim");
                    json!({"message": shared.claim(parameters, claimed)})
                }
                mail::DONE => {
                    let _ = told.send(serde_json::from_str(parameters).expect("a Done"));
                    json!({})
                }
                method => panic!("{method} is no method of org.otpd.Mail"),
            };
            let _ = peer.write_all(&encode_reply(&reply).expect("a reply"));
        }
    }
}
