//! A backup's file: a header, and a snapshot of the registry sealed with a subkey of its data key, 64 KiB at a time.
//!
//! ```text
//! "otpd backup 1\n" · 'p' or 'm' · time (8) · salt (32) · wrapped data key (73) · chunk · chunk · …
//! ```
//! What unwraps the data key is made out of a passphrase ('p', Argon2id with the salt) or is the master key ('m'). Every
//! chunk is authenticated with the header, its number, and whether it is the last: a file that was altered, cut off,
//! lengthened, or put together from two is found out.

use std::io::Read;
use std::io::Write;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::aead::Payload;
use otpd_core::time::UnixTime;
use zeroize::Zeroizing;

use crate::keys::KeyError;
use crate::keys::Keys;
use crate::keys::WRAPPED;

/// What a backup begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What its data key is wrapped with.
    pub wrapping: Wrapping,
    /// When it was made.
    pub taken: UnixTime,
    /// Random, for this file alone.
    pub salt: [u8; SALT],
    /// The data key.
    pub wrapped: Vec<u8>,
}

/// What opens a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// A passphrase.
    Passphrase,
    /// The master key of the box that made it.
    MasterKey,
}

/// Why a file is no backup that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It begins differently.
    #[error("this is no backup of otpd")]
    NotABackup,
    /// Written by a newer program.
    #[error("this backup was made by a newer otpd; install that one first")]
    Newer,
    /// It is not what was written.
    #[error("the backup was cut off or altered; use another copy of it")]
    Altered,
    /// A key is not to be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The disk.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl Header {
    /// A header for a new backup.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn new(wrapping: Wrapping, taken: UnixTime) -> Result<Self, KeyError> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|error| KeyError::Random(error.to_string()))?;
        Ok(Self { wrapping, taken, salt, wrapped: Vec::new() })
    }

    /// Reads the header of a backup.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn read(source: &mut impl Read) -> Result<Self, BackupError> {
        let mut bytes = Vec::with_capacity(HEADER);
        source.take(HEADER as u64).read_to_end(&mut bytes)?;
        let rest = match bytes.strip_prefix(MAGIC) {
            Some(rest) => rest,
            None if bytes.len() >= MAGIC.len() && bytes.starts_with(ANY_VERSION) => {
                return Err(BackupError::Newer);
            }
            None => return Err(BackupError::NotABackup),
        };
        let cut = || BackupError::Altered;
        let (kind, rest) = rest.split_first().ok_or_else(cut)?;
        let (taken, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (salt, wrapped) = rest.split_first_chunk().ok_or_else(cut)?;
        let wrapping = match kind {
            b'p' => Wrapping::Passphrase,
            b'm' => Wrapping::MasterKey,
            _ => return Err(BackupError::Altered),
        };
        if wrapped.len() != WRAPPED {
            return Err(BackupError::Altered);
        }
        let taken = UnixTime(i64::from_be_bytes(*taken));
        Ok(Self { wrapping, taken, salt: *salt, wrapped: wrapped.to_owned() })
    }

    /// Writes the header and everything that `source` has.
    ///
    /// # Errors
    /// [`BackupError::Io`] of either side.
    pub fn seal(
        &self,
        keys: &Keys,
        source: &mut impl Read,
        target: &mut impl Write,
    ) -> Result<(), BackupError> {
        let header = self.bytes();
        target.write_all(&header)?;
        let seal = |cipher: &XChaCha20Poly1305, nonce: [u8; 24], payload: Payload<'_, '_>| {
            cipher.encrypt(&nonce.into(), payload)
        };
        self.convert(&header, keys, CHUNK, source, target, seal)
    }

    /// Writes to `target` what was sealed; `source` stands behind the header. Whatever was written is to be believed
    /// only once this has returned.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn open(
        &self,
        keys: &Keys,
        source: &mut impl Read,
        target: &mut impl Write,
    ) -> Result<(), BackupError> {
        let open = |cipher: &XChaCha20Poly1305, nonce: [u8; 24], payload: Payload<'_, '_>| {
            cipher.decrypt(&nonce.into(), payload)
        };
        self.convert(&self.bytes(), keys, CHUNK.saturating_add(TAG), source, target, open)
    }

    fn convert<E>(
        &self,
        header: &[u8],
        keys: &Keys,
        size: usize,
        source: &mut impl Read,
        target: &mut impl Write,
        step: impl Fn(&XChaCha20Poly1305, [u8; 24], Payload<'_, '_>) -> Result<Vec<u8>, E>,
    ) -> Result<(), BackupError> {
        let cipher = keys.of_backup(&self.salt)?;
        let mut chunk = next(source, size)?;
        for number in 0_u64.. {
            // Only the end of the file tells which is the last.
            let following = next(source, size)?;
            let mut nonce = [0; 24];
            nonce[..8].copy_from_slice(&number.to_be_bytes());
            nonce[8] = following.is_empty().into();
            let payload = Payload { msg: &chunk, aad: header };
            let done = step(&cipher, nonce, payload).map_err(|_| BackupError::Altered)?;
            target.write_all(&Zeroizing::new(done))?;
            if following.is_empty() {
                break;
            }
            chunk = following;
        }
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        let kind = match self.wrapping {
            Wrapping::Passphrase => b'p',
            Wrapping::MasterKey => b'm',
        };
        [MAGIC, &[kind], &self.taken.0.to_be_bytes(), &self.salt, &self.wrapped].concat()
    }
}

fn next(source: &mut impl Read, size: usize) -> std::io::Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(size);
    source.take(size as u64).read_to_end(&mut chunk)?;
    Ok(chunk)
}

const MAGIC: &[u8] = b"otpd backup 1\n";
const ANY_VERSION: &[u8] = b"otpd backup ";
const SALT: usize = 32;
const HEADER: usize = MAGIC.len() + 1 + 8 + SALT + WRAPPED;
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

#[cfg(test)]
mod tests;
