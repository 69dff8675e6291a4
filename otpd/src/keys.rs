//! Keys at rest. A master key (a systemd credential or a root-made file) wraps one random data key in the registry;
//! device keys are sealed with a subkey of that. XChaCha20-Poly1305 throughout, with what the ciphertext is for as
//! associated data, so that a row copied into another account opens nothing.
//!
//! This keeps backups and replicas unreadable. It does not help against a thief who has the whole disk.

mod passphrase;

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use chacha20poly1305::KeyInit;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::aead::Payload;
use hkdf::Hkdf;
use hmac::Hmac;
use hmac::Mac;
use otpd_core::account::Account;
use otpd_core::account::AccountId;
use otpd_core::address::Address;
use otpd_core::chain::ChainKey;
use otpd_core::check::Opener;
use otpd_core::device::Device;
use otpd_core::device::DeviceId;
use otpd_core::device::SealedKey;
use otpd_core::emails::Email;
use otpd_core::emails::SealedAddress;
use otpd_core::key::Key;
use otpd_core::mark::Mark;
use otpd_core::outbox::MailId;
use otpd_core::recovery::RecoveryCode;
use otpd_core::recovery::Sheet;
use otpd_core::short_code::ShortCode;
use otpd_core::staging::ImportId;
use otpd_core::staging::Staged;
use otpd_core::ticket::Ticket;
use otpd_proto::Secret;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The key that wraps the data key. 256 random bits.
pub struct MasterKey(Zeroizing<[u8; KEY]>);

/// Opens and seals device keys, addresses, mails and backups, marks recovery codes and tickets, and chains the audit log.
pub struct Keys {
    data: Zeroizing<[u8; KEY]>,
    devices: XChaCha20Poly1305,
    mail: XChaCha20Poly1305,
    recovery: Hmac<Sha256>,
    tickets: Hmac<Sha256>,
    log: ChainKey,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The file is not a key.
    #[error("{}: {why}", path.display())]
    NotAKey {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The ciphertext was altered, moved, or sealed with another key.
    #[error(
        "a key of the registry does not open: it was altered, or the master key is not the one it was sealed with"
    )]
    DoesNotOpen,
    /// No key can be made out of the passphrase.
    #[error("making a key out of the passphrase: {0}")]
    Passphrase(String),
    /// The kernel gave no randomness.
    #[error("no randomness: {0}")]
    Random(String),
}

impl MasterKey {
    /// Reads the key from `path`: exactly 32 bytes, of the user we run as (or root), nobody else's to read.
    ///
    /// # Errors
    /// [`KeyError::File`] or [`KeyError::NotAKey`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let (file, found) = open_regular(path)?;
        let refuse = |why: String| KeyError::NotAKey { path: path.to_owned(), why };
        if found.uid() != 0 && found.uid() != nix::unistd::geteuid().as_raw() {
            return Err(refuse(format!(
                "it belongs to uid {}; run: chown otpd {}",
                found.uid(),
                path.display()
            )));
        }
        if found.mode() & 0o077 != 0 {
            return Err(refuse(format!("others can read it; run: chmod 0400 {}", path.display())));
        }
        Self::read_from(file, &found, path)
    }

    /// Reads the key from a file whose protection is systemd's business: exactly 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::File`] or [`KeyError::NotAKey`].
    pub fn read_credential(path: &Path) -> Result<Self, KeyError> {
        let (file, found) = open_regular(path)?;
        Self::read_from(file, &found, path)
    }

    /// Reads the key from a file that somebody opened: exactly 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::File`] or [`KeyError::NotAKey`].
    pub fn read_open(file: File) -> Result<Self, KeyError> {
        let path = Path::new("the new master key");
        let found = file.metadata().map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        Self::read_from(file, &found, path)
    }

    fn read_from(mut file: File, found: &std::fs::Metadata, path: &Path) -> Result<Self, KeyError> {
        if found.len() != KEY as u64 {
            let why = format!("it has {} bytes, a key has {KEY}", found.len());
            return Err(KeyError::NotAKey { path: path.to_owned(), why });
        }
        let mut key = Zeroizing::new([0; KEY]);
        file.read_exact(key.as_mut_slice())
            .map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        Ok(Self(key))
    }

    /// A new key, which is nowhere yet.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn random() -> Result<Self, KeyError> {
        random_key().map(Self)
    }

    /// Makes a key in a new file of mode 0400, on disk before this returns.
    ///
    /// # Errors
    /// [`KeyError`], also if the file exists.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let key = Self::random()?;
        key.store(path)?;
        Ok(key)
    }

    /// Puts the key into a new file of mode 0400, on disk before this returns.
    ///
    /// # Errors
    /// [`KeyError::File`], also if the file exists.
    pub fn store(&self, path: &Path) -> Result<(), KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o400).open(path).map_err(failed)?;
        file.write_all(self.0.as_slice()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
    }

    /// Wraps a fresh data key and returns it with its keys.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn new_data_key(&self) -> Result<(Vec<u8>, Keys), KeyError> {
        let keys = Keys::from_data_key(random_key()?)?;
        Ok((self.wrap(&keys)?, keys))
    }

    /// Wraps the data key that these keys are of.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn wrap(&self, keys: &Keys) -> Result<Vec<u8>, KeyError> {
        seal(&self.cipher(), DATA_KEY, keys.data.as_slice())
    }

    /// Unwraps the data key of the registry.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`] if it was wrapped with another master key.
    pub fn open_data_key(&self, wrapped: &[u8]) -> Result<Keys, KeyError> {
        let opened = open(&self.cipher(), DATA_KEY, wrapped)?;
        let mut data = Zeroizing::new([0; KEY]);
        if opened.len() != KEY {
            return Err(KeyError::DoesNotOpen);
        }
        data.copy_from_slice(&opened);
        Keys::from_data_key(data)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl Keys {
    /// Keys that open nothing, for work that needs none.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn none() -> Result<Self, KeyError> {
        Self::from_data_key(random_key()?)
    }

    /// Seals the key of one device for its row.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal(&self, account: AccountId, device: DeviceId, key: &Key) -> Result<SealedKey, KeyError> {
        seal(&self.devices, &device_label(account, device), key.expose_bytes()).map(SealedKey)
    }

    /// Seals a key that is staged for an import.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal_staged(&self, import: ImportId, number: u32, key: &Key) -> Result<SealedKey, KeyError> {
        seal(&self.devices, &staged_label(import, number), key.expose_bytes()).map(SealedKey)
    }

    /// Opens a key that is staged for an import.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`].
    pub fn open_staged(&self, import: ImportId, staged: &Staged) -> Result<Key, KeyError> {
        let bytes = open(&self.devices, &staged_label(import, staged.number), &staged.key.0)?;
        Key::new(bytes).map_err(|_| KeyError::DoesNotOpen)
    }

    /// Seals an address for its row.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal_address(
        &self,
        account: AccountId,
        number: u32,
        address: &Address,
    ) -> Result<SealedAddress, KeyError> {
        let whole = address.expose_whole().as_bytes();
        seal(&self.mail, &address_label(account, number), whole).map(SealedAddress)
    }

    /// Opens the address of a secure email.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`].
    pub fn open_address(&self, account: AccountId, email: &Email) -> Result<Address, KeyError> {
        let whole = open(&self.mail, &address_label(account, email.number), &email.address.0)?;
        let whole = std::str::from_utf8(&whole).map_err(|_| KeyError::DoesNotOpen)?;
        Address::parse(whole).map_err(|_| KeyError::DoesNotOpen)
    }

    /// Seals what a mail is about.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal_mail(&self, id: MailId, facts: &[u8]) -> Result<Vec<u8>, KeyError> {
        seal(&self.mail, &mail_label(id), facts)
    }

    /// Opens what a mail is about.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`].
    pub fn open_mail(&self, id: MailId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        open(&self.mail, &mail_label(id), sealed)
    }

    /// What the registry keeps of a recovery code or a short code, by its symbols.
    #[must_use]
    pub fn mark(&self, account: AccountId, symbols: &[u8]) -> Mark {
        let mut mac = self.recovery.clone();
        mac.update(&account.0.to_be_bytes());
        marked(mac, symbols)
    }

    /// What the registry keeps of a ticket of the web, by its text.
    #[must_use]
    pub fn mark_ticket(&self, ticket: &Secret) -> Mark {
        marked(self.tickets.clone(), ticket.expose_secret().as_bytes())
    }

    /// What seals one backup, whose salt nobody else has.
    ///
    /// # Errors
    /// None that happens.
    pub(crate) fn of_backup(&self, salt: &[u8]) -> Result<XChaCha20Poly1305, KeyError> {
        subkey(self.data.as_slice(), Some(salt), b"otpd backup 1").map(|key| cipher(&key))
    }

    /// What chains the audit log.
    #[must_use]
    pub fn log(&self) -> &ChainKey {
        &self.log
    }

    fn from_data_key(data: Zeroizing<[u8; KEY]>) -> Result<Self, KeyError> {
        let devices = subkey(data.as_slice(), None, b"otpd device keys 1").map(|key| cipher(&key))?;
        let mail = subkey(data.as_slice(), None, b"otpd mail 1").map(|key| cipher(&key))?;
        let recovery: Zeroizing<[u8; KEY]> = subkey(data.as_slice(), None, b"otpd recovery codes 1")?;
        let recovery = Hmac::new_from_slice(recovery.as_slice()).map_err(|_| KeyError::DoesNotOpen)?;
        let tickets: Zeroizing<[u8; KEY]> = subkey(data.as_slice(), None, b"otpd tickets 1")?;
        let tickets = Hmac::new_from_slice(tickets.as_slice()).map_err(|_| KeyError::DoesNotOpen)?;
        let log = subkey(data.as_slice(), None, b"otpd audit log 1")?;
        Ok(Self { data, devices, mail, recovery, tickets, log: ChainKey::new(&log) })
    }
}

fn marked(mut mac: Hmac<Sha256>, text: &[u8]) -> Mark {
    mac.update(text);
    let digest = mac.finalize().into_bytes();
    let mut mark = Mark([0; Mark::LENGTH]);
    mark.0.iter_mut().zip(digest).for_each(|(byte, digested)| *byte = digested);
    mark
}

fn subkey<const N: usize>(
    data: &[u8],
    salt: Option<&[u8]>,
    purpose: &[u8],
) -> Result<Zeroizing<[u8; N]>, KeyError> {
    let mut subkey = Zeroizing::new([0; N]);
    let made = Hkdf::<Sha256>::new(salt, data).expand(purpose, subkey.as_mut_slice());
    made.map(|()| subkey).map_err(|_| KeyError::DoesNotOpen)
}

fn cipher(key: &[u8; KEY]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

impl Opener for Keys {
    type Error = KeyError;

    fn open(&self, account: &Account, device: &Device) -> Result<Key, KeyError> {
        let bytes = open(&self.devices, &device_label(account.id, device.id), &device.key.0)?;
        Key::new(bytes).map_err(|_| KeyError::DoesNotOpen)
    }
}

/// Opens a file that is none but itself, and looks at what was opened.
fn open_regular(path: &Path) -> Result<(File, std::fs::Metadata), KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(KeyError::NotAKey { path: path.to_owned(), why: "it is no regular file".into() });
    }
    Ok((file, found))
}

/// Random bytes for a new device's key.
///
/// # Errors
/// [`KeyError::Random`].
pub fn new_device_key() -> Result<Key, KeyError> {
    let mut bytes = Zeroizing::new(vec![0; Key::MADE]);
    getrandom::fill(&mut bytes).map_err(|error| KeyError::Random(error.to_string()))?;
    Key::new(bytes).map_err(|error| KeyError::Random(error.to_string()))
}

/// Random recovery codes for a new sheet.
///
/// # Errors
/// [`KeyError::Random`].
pub fn new_recovery_codes() -> Result<Vec<RecoveryCode>, KeyError> {
    let new_code = |_| {
        let mut bytes = Zeroizing::new([0; RecoveryCode::BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| KeyError::Random(error.to_string()))?;
        Ok(RecoveryCode::from_random(&bytes))
    };
    (0..Sheet::CODES).map(new_code).collect()
}

/// A random short code.
///
/// # Errors
/// [`KeyError::Random`].
pub fn new_short_code() -> Result<ShortCode, KeyError> {
    loop {
        let mut bytes = Zeroizing::new([0; ShortCode::BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| KeyError::Random(error.to_string()))?;
        if let Some(code) = ShortCode::from_random(&bytes) {
            return Ok(code);
        }
    }
}

/// A random ticket of the web, or a word for one.
///
/// # Errors
/// [`KeyError::Random`].
pub fn new_ticket() -> Result<Secret, KeyError> {
    let mut bytes = Zeroizing::new([0; Ticket::BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| KeyError::Random(error.to_string()))?;
    Ok(Secret::new(Ticket::text(&bytes).to_string()))
}

/// What a new mail is known by.
///
/// # Errors
/// [`KeyError::Random`].
pub fn new_mail_id() -> Result<MailId, KeyError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| KeyError::Random(error.to_string()))?;
    Ok(MailId(bytes))
}

fn random_key() -> Result<Zeroizing<[u8; KEY]>, KeyError> {
    let mut key = Zeroizing::new([0; KEY]);
    getrandom::fill(key.as_mut_slice()).map_err(|error| KeyError::Random(error.to_string()))?;
    Ok(key)
}

/// `version, nonce, ciphertext and tag`; the version is authenticated with the label.
fn seal(cipher: &XChaCha20Poly1305, label: &[u8], secret: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|error| KeyError::Random(error.to_string()))?;
    let payload = Payload { msg: secret, aad: label };
    let sealed = cipher.encrypt(&nonce.into(), payload).map_err(|_| KeyError::DoesNotOpen)?;
    Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
}

fn open(cipher: &XChaCha20Poly1305, label: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (version, rest) = sealed.split_first().ok_or(KeyError::DoesNotOpen)?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or(KeyError::DoesNotOpen)?;
    if *version != VERSION {
        return Err(KeyError::DoesNotOpen);
    }
    let payload = Payload { msg: ciphertext, aad: label };
    cipher.decrypt(nonce.into(), payload).map(Zeroizing::new).map_err(|_| KeyError::DoesNotOpen)
}

fn device_label(account: AccountId, device: DeviceId) -> Vec<u8> {
    [b"otpd device key 1".as_slice(), &account.0.to_be_bytes(), &device.0.to_be_bytes()].concat()
}

fn staged_label(import: ImportId, number: u32) -> Vec<u8> {
    [b"otpd import key 1".as_slice(), &import.0.to_be_bytes(), &number.to_be_bytes()].concat()
}

fn address_label(account: AccountId, number: u32) -> Vec<u8> {
    [b"otpd address 1".as_slice(), &account.0.to_be_bytes(), &number.to_be_bytes()].concat()
}

fn mail_label(id: MailId) -> Vec<u8> {
    [b"otpd mail 1".as_slice(), &id.0].concat()
}

const KEY: usize = 32;
const NONCE: usize = 24;
const VERSION: u8 = 1;
/// Bytes of a wrapped data key.
pub(crate) const WRAPPED: usize = 1 + NONCE + KEY + 16;
const DATA_KEY: &[u8] = b"otpd data key 1";

#[cfg(test)]
mod tests;
