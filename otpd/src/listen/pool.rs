//! A pool of workers on one socket. All workers wait on one epoll; whoever wakes serves what woke it. A connection is
//! with a worker only while a whole message of it is being served, so peers that send half a message or nothing never
//! hold a worker, and each socket has workers of its own.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::Epoll;
use nix::sys::epoll::EpollCreateFlags;
use nix::sys::epoll::EpollEvent;
use nix::sys::epoll::EpollFlags;
use nix::sys::epoll::EpollTimeout;
use nix::sys::eventfd::EfdFlags;
use nix::sys::eventfd::EventFd;

use super::connection::Connection;
use super::connection::Received;
use crate::budget::Budgets;
use crate::clock::monotonic;
use crate::config::Limits;
use crate::dispatch::Outcome;
use crate::dispatch::too_many_calls;
use crate::peer::Door;
use crate::peer::Peer;

/// What serves a message, and the descriptor that came with it.
pub type Serve = Arc<dyn Fn(Peer, &[u8], Option<OwnedFd>) -> Outcome + Send + Sync>;

/// The workers of one socket.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<thread::JoinHandle<()>>,
}

struct Shared {
    door: Door,
    listener: UnixListener,
    epoll: Epoll,
    stop: EventFd,
    limits: Limits,
    serve: Serve,
    table: Mutex<Table>,
}

struct Table {
    connections: HashMap<u64, Arc<Mutex<Connection>>>,
    by_user: HashMap<u32, u16>,
    budgets: Budgets,
    next: u64,
    listening: bool,
    swept: Instant,
}

impl Pool {
    /// Starts the workers.
    ///
    /// # Errors
    /// The kernel has no epoll or no thread to give.
    pub fn start(door: Door, listener: UnixListener, limits: &Limits, serve: Serve) -> std::io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        epoll.add(&listener, EpollEvent::new(ONCE, LISTENER))?;
        epoll.add(&stop, EpollEvent::new(EpollFlags::EPOLLIN, STOP))?;
        let table = Table {
            connections: HashMap::new(),
            by_user: HashMap::new(),
            budgets: Budgets::new(limits.calls_per_minute),
            next: FIRST,
            listening: true,
            swept: monotonic(),
        };
        let table = Mutex::new(table);
        let shared = Arc::new(Shared { door, listener, epoll, stop, limits: limits.clone(), serve, table });
        let (name, count) = match door {
            Door::Login => ("login", limits.login_workers),
            Door::Account | Door::Offline => ("account", limits.account_workers),
            // Each of them may wait half a minute for a mail to come.
            Door::Mail => ("mail", MAIL_WORKERS),
            Door::Web => ("web", WEB_WORKERS),
        };
        let work = |_| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(name.into()).stack_size(STACK).spawn(move || shared.work())
        };
        let workers = (0..count).map(work).collect::<Result<_, _>>()?;
        Ok(Self { shared, workers })
    }

    /// Stops accepting, lets every call under way finish, and waits for that.
    pub fn stop(self) {
        // An eventfd that cannot be written is full: told already.
        let _ = self.shared.stop.write(1);
        for worker in self.workers {
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let patience = if self.sweep() { SWEEP_MILLISECONDS.into() } else { EpollTimeout::NONE };
            let mut events = [EpollEvent::empty()];
            match self.epoll.wait(&mut events, patience) {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(errno) => {
                    log::error!("epoll: {errno}");
                    return;
                }
            }
            let [event] = events;
            match event.data() {
                STOP => return,
                LISTENER => self.accept(),
                token => self.resume(token),
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one connection, wakes another worker for the next one, and serves it: its message is usually there.
    fn accept(&self) {
        let accepted = self.listener.accept();
        let admitted = match accepted {
            Ok((socket, _)) => Peer::of(self.door, &socket)
                .ok()
                .and_then(|peer| self.admit(Connection::new(socket, peer, monotonic()))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
            Err(error) => {
                // No descriptor left, most likely: the next sweep listens again, instead of failing here in a circle.
                log::error!("accept: {error}");
                self.table().listening = false;
                return;
            }
        };
        self.listen_again();
        if let Some((token, connection)) = admitted {
            self.serve(token, &connection, true);
        }
    }

    /// Enters a connection into the table, unless its user has as many as they may.
    fn admit(&self, connection: Connection) -> Option<(u64, Arc<Mutex<Connection>>)> {
        let peer = connection.peer();
        let mut table = self.table();
        if !peer.is_root && peer.door != Door::Web {
            let held = table.by_user.entry(peer.raw_uid).or_insert(0);
            if *held >= self.limits.connections_per_user {
                return None;
            }
            *held = held.saturating_add(1);
        }
        let token = table.next;
        table.next = table.next.wrapping_add(1).max(FIRST);
        let connection = Arc::new(Mutex::new(connection));
        table.connections.insert(token, Arc::clone(&connection));
        Some((token, connection))
    }

    /// Waits for the next connection, unless there are as many as there may be: then the rest wait in the backlog.
    fn listen_again(&self) {
        let mut table = self.table();
        table.listening = table.connections.len() < usize::from(self.limits.connections);
        if table.listening {
            self.rearm(&self.listener, LISTENER);
        }
    }

    fn resume(&self, token: u64) {
        let connection = self.table().connections.get(&token).cloned();
        if let Some(connection) = connection {
            self.serve(token, &connection, false);
        }
    }

    /// Serves every whole message of a connection, then leaves it to epoll again.
    fn serve(&self, token: u64, connection: &Mutex<Connection>, new: bool) {
        let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = loop {
            let (message, descriptor) = match connection.receive() {
                Received::Message(message, descriptor) => (message, descriptor),
                Received::Waiting => break true,
                Received::Over => break false,
            };
            let peer = connection.peer();
            // They ask as often as there are mails and browsers; whoever is signed in has a budget with the service.
            let unbounded = peer.is_root || matches!(peer.door, Door::Mail | Door::Web);
            let within = unbounded || self.table().budgets.take(peer.raw_uid, monotonic());
            let outcome =
                if within { (self.serve)(peer, &message, descriptor) } else { too_many_calls(&message) };
            match outcome {
                Outcome::Reply(reply) if connection.send(&reply, monotonic()) && within => {}
                Outcome::Silence => {}
                Outcome::Reply(_) | Outcome::Close => break false,
            }
        };
        let watched = match (keep, new) {
            (false, _) => false,
            (true, true) => self.epoll.add(&*connection, EpollEvent::new(ONCE, token)).is_ok(),
            (true, false) => self.rearm(&*connection, token),
        };
        if !watched {
            self.forget(token, connection.peer());
        }
    }

    fn rearm(&self, socket: impl std::os::fd::AsFd, token: u64) -> bool {
        self.epoll.modify(socket, &mut EpollEvent::new(ONCE, token)).is_ok()
    }

    /// Drops a connection; whoever waits in the backlog gets its place.
    fn forget(&self, token: u64, peer: Peer) {
        let mut table = self.table();
        table.drop_one(token, peer);
        if !table.listening {
            table.listening = self.rearm(&self.listener, LISTENER);
        }
    }

    /// Once a second: lets go of peers that did not send a whole message in time. Returns whether there may be such in a
    /// second's time: with nobody connected nothing wakes up.
    fn sweep(&self) -> bool {
        let Ok(mut table) = self.table.try_lock() else { return true };
        if table.listening && table.connections.is_empty() {
            return false;
        }
        let now = monotonic();
        if now.saturating_duration_since(table.swept) < Duration::from_secs(1) {
            return true;
        }
        table.swept = now;
        // One that is locked is being served.
        let late = |connection: &Mutex<Connection>| {
            connection
                .try_lock()
                .ok()
                .filter(|connection| connection.is_late(now))
                .map(|connection| connection.peer())
        };
        let late: Vec<(u64, Peer)> = table
            .connections
            .iter()
            .filter_map(|(token, connection)| Some((*token, late(connection)?)))
            .collect();
        for (token, peer) in late {
            table.drop_one(token, peer);
        }
        if !table.listening && table.connections.len() < usize::from(self.limits.connections) {
            table.listening = self.rearm(&self.listener, LISTENER);
        }
        true
    }
}

impl Table {
    fn drop_one(&mut self, token: u64, peer: Peer) {
        if self.connections.remove(&token).is_none() || peer.is_root || peer.door == Door::Web {
            return;
        }
        if let Some(held) = self.by_user.get_mut(&peer.raw_uid) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.by_user.remove(&peer.raw_uid);
            }
        }
    }
}

const LISTENER: u64 = 0;
const STOP: u64 = 1;
const FIRST: u64 = 2;
const ONCE: EpollFlags = EpollFlags::EPOLLIN.union(EpollFlags::EPOLLONESHOT);
const MAIL_WORKERS: u16 = 8;
/// Few, so that however many browsers ask, logins have the processors.
const WEB_WORKERS: u16 = 4;
const SWEEP_MILLISECONDS: u16 = 1000;
const STACK: usize = 1024 * 1024;
