//! An import on its way into the registry: staged durably, nothing of it active; then decided; then applied a few
//! entries at a time. What is decided is completed, whoever asked for it and whatever happens meanwhile.

use crate::device::SealedKey;
use crate::name::DeviceName;
use crate::name::Identity;
use crate::time::Step;
use crate::totp::Parameters;

/// An import's number, never used again; staged keys are sealed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportId(pub i64);

/// A device that is to be bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Number within the import: 1, 2, 3, …
    pub number: u32,
    /// Whose it is to be.
    pub who: Identity,
    /// Its key, sealed for this import and number.
    pub key: SealedKey,
    /// How it makes codes.
    pub parameters: Parameters,
    /// Steps that its clock is ahead of ours.
    pub drift: i8,
    /// The newest step that is known to be used.
    pub last_step: Option<Step>,
    /// What it is to be called; the daemon chooses if absent.
    pub name: Option<DeviceName>,
}

/// How far a decided import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries that are still to be applied.
    pub left: u32,
    /// Entries that had become impossible and were passed over.
    pub skipped: u32,
}
