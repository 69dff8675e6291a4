//! What becomes of a commit that the disk does not take: on a full one the ballast is given up and all is done once
//! more. A thread makes it anew when there is room. Both say so when it begins and when it is over, not at every login
//! in between.

use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::Thread;
use std::time::Duration;

use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Reason;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;

use super::ballast::Ballast;
use super::ballast::is_full;
use super::writer::Writer;
use crate::clock;

/// The disk under the registry.
pub(crate) struct Disk {
    /// What is given up when it is full.
    pub(crate) ballast: Ballast,
    /// The last of [`News`] that was told.
    told: AtomicU8,
    keeper: OnceLock<Thread>,
}

/// The thread that sees to it that the ballast is there. Dropped, it finishes what it is at.
pub(crate) struct Keeper {
    stopping: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What an administrator must hear of. Each is told once until another one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum News {
    /// Nothing is wrong.
    Calm,
    /// The disk was full; the ballast made room, and the change is done.
    Rescued,
    /// The disk is full and nothing more can be given up.
    Full,
}

impl News {
    /// As the audit log has it.
    pub(crate) fn event(self, now: UnixTime) -> Event {
        let (decision, reason, detail) = match self {
            Self::Calm => (Decision::Accept, Reason::Ok, "the disk has room again"),
            Self::Rescued => (
                Decision::Accept,
                Reason::DiskFull,
                "the disk is full; the last 16 MiB were set free, and when they are used up nobody logs in with a code. \
                 Make room on it now",
            ),
            Self::Full => (
                Decision::Refuse,
                Reason::DiskFull,
                "the disk is full and nothing is left to set free: no login with a code. Make room on it now",
            ),
        };
        let detail = Some(detail.to_owned());
        Event::of_daemon(now, decision, reason, detail)
    }
}

impl Disk {
    /// The one that this registry is on.
    pub(crate) fn of(registry: &Path) -> Self {
        Self {
            ballast: Ballast::beside(registry),
            told: AtomicU8::new(News::Calm as u8),
            keeper: OnceLock::new(),
        }
    }

    /// Writes, and a second time if the disk was full and there was something to give up. The error says why it cannot
    /// be written.
    pub(crate) fn write(
        &self,
        mut once: impl FnMut() -> Result<(), RegistryError>,
    ) -> (Result<(), RegistryError>, Option<News>) {
        let mut news = News::Calm;
        let mut done = self.explained(once());
        if done == Err(RegistryError::Full) && self.ballast.give_up() {
            news = News::Rescued;
            done = self.explained(once());
            if let Some(keeper) = self.keeper.get() {
                keeper.unpark();
            }
        }
        match done {
            Ok(()) => {}
            Err(RegistryError::Full) => news = News::Full,
            Err(_) => return (done, None),
        }
        (done, self.changed(news))
    }

    /// Whether a change of state is to be told. Rescued lasts until the ballast is whole again.
    fn changed(&self, news: News) -> Option<News> {
        let told = self.told.load(Ordering::Relaxed);
        let same = told == news as u8 || (news == News::Calm && told == News::Rescued as u8);
        if same {
            return None;
        }
        self.told.store(news as u8, Ordering::Relaxed);
        Some(news)
    }

    /// Makes the ballast if it is missing and there is room. Returns what is to be told, and when to look again; `None`
    /// is when somebody gave it up.
    fn set_room_aside(&self) -> (Option<News>, Option<Duration>) {
        match self.ballast.make() {
            Ok(true) => {
                let told = self.told.swap(News::Calm as u8, Ordering::Relaxed);
                ((told != News::Calm as u8).then_some(News::Calm), None)
            }
            Ok(false) => (None, Some(SOON)),
            // A quota: not to be used up every few seconds, only to see how much is left of it.
            Err(error) if is_full(&error) => (None, Some(SOON.saturating_mul(3))),
            Err(error) => {
                log::warn!("nothing can be set aside for when the disk is full: {error}");
                (None, Some(LATER))
            }
        }
    }

    /// Tries whether it takes anything.
    pub(crate) fn probe(&self) -> Result<(), RegistryError> {
        match self.ballast.obstacle() {
            None => Ok(()),
            Some(obstacle) if is_full(&obstacle) => Err(RegistryError::Full),
            Some(obstacle) => Err(RegistryError::Disk(obstacle.to_string())),
        }
    }

    /// SQLite does not say what the disk said; a try of our own does.
    fn explained(&self, done: Result<(), RegistryError>) -> Result<(), RegistryError> {
        let Err(RegistryError::Disk(_)) = &done else { return done };
        self.probe().and(done)
    }
}

impl Keeper {
    /// Starts the thread.
    pub(crate) fn start(disk: Arc<Disk>, writer: Arc<Writer>) -> std::io::Result<Self> {
        let (stopping, shared) = (Arc::new(AtomicBool::new(false)), Arc::clone(&disk));
        let stop = Arc::clone(&stopping);
        let work = move || keep(&shared, &writer, &stop);
        let thread = thread::Builder::new().name("ballast".into()).stack_size(STACK).spawn(work)?;
        let _ = disk.keeper.set(thread.thread().clone());
        Ok(Self { stopping, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn keep(disk: &Disk, writer: &Writer, stopping: &AtomicBool) {
    while !stopping.load(Ordering::Acquire) {
        let (news, pause) = disk.set_room_aside();
        if let Some(news) = news {
            let _ = writer.record_soon(news.event(clock::now()));
        }
        if pause.is_none() {
            // Given up, it is not made anew at once: whoever needed the room is to have it.
            thread::park();
        }
        if !stopping.load(Ordering::Acquire) {
            thread::park_timeout(pause.unwrap_or(SOON));
        }
    }
}

const SOON: Duration = Duration::from_secs(10);
/// It is not for want of room: a disk that fails.
const LATER: Duration = Duration::from_secs(600);
const STACK: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (tempfile::TempDir, Disk) {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::of(&directory.path().join("registry.db"));
        (directory, disk)
    }

    fn full() -> Result<(), RegistryError> {
        Err(RegistryError::Full)
    }

    #[test]
    fn the_ballast_is_given_up_for_one_more_try_and_told_once() {
        let (_directory, disk) = disk();
        assert_eq!(disk.set_room_aside(), (None, None));
        let mut tries = vec![Ok(()), full()];
        assert_eq!(disk.write(|| tries.pop().unwrap()), (Ok(()), Some(News::Rescued)));
        assert!(!disk.ballast.is_whole() && tries.is_empty());
        assert_eq!(disk.write(|| Ok(())), (Ok(()), None));
        assert_eq!(disk.write(full), (full(), Some(News::Full)));
        assert_eq!(disk.write(full), (full(), None));
        assert_eq!(disk.write(|| Ok(())), (Ok(()), Some(News::Calm)));
    }

    #[test]
    fn that_the_ballast_is_back_is_told_once() {
        let (_directory, disk) = disk();
        disk.set_room_aside();
        let mut tries = vec![Ok(()), full()];
        disk.write(|| tries.pop().unwrap()).0.unwrap();
        assert_eq!(disk.set_room_aside(), (Some(News::Calm), None));
        assert!(disk.ballast.is_whole());
        assert_eq!(disk.set_room_aside(), (None, None));
    }

    #[test]
    fn where_the_second_try_fails_too_it_is_full() {
        let (_directory, disk) = disk();
        disk.set_room_aside();
        let mut tries = 0;
        let tried = disk.write(|| {
            tries += 1;
            full()
        });
        assert_eq!((tried, tries), ((full(), Some(News::Full)), 2));
    }

    #[test]
    fn the_ballast_stays_where_it_is_of_no_use() {
        let (_directory, disk) = disk();
        disk.set_room_aside();
        for error in
            [RegistryError::Conflict, RegistryError::Unavailable("x".into()), RegistryError::Disk("y".into())]
        {
            let mut tries = 0;
            let (done, news) = disk.write(|| {
                tries += 1;
                Err(error.clone())
            });
            assert_eq!((done, news, tries), (Err(error), None, 1));
        }
        assert!(disk.ballast.is_whole());
    }

    #[test]
    fn a_disk_that_takes_nothing_for_another_reason_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::of(&directory.path().join("gone/registry.db"));
        let (done, _) = disk.write(|| Err(RegistryError::Disk("disk I/O error".into())));
        assert_eq!(done, Err(RegistryError::Disk("No such file or directory (os error 2)".into())));
    }
}
