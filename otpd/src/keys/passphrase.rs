//! A key out of a passphrase: Argon2id (RFC 9106) with its second recommended setting, which a small box can afford.

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Params;
use argon2::Version;
use otpd_proto::Secret;
use zeroize::Zeroizing;

use super::KEY;
use super::KeyError;
use super::MasterKey;

impl MasterKey {
    /// The key that wraps the data key in a backup. Takes some tenths of a second and 64 MiB, on purpose.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn from_passphrase(passphrase: &Secret, salt: &[u8]) -> Result<Self, KeyError> {
        let failed = |error: argon2::Error| KeyError::Passphrase(error.to_string());
        let parameters = Params::new(MEMORY, PASSES, LANES, Some(KEY)).map_err(failed)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
        let mut key = Zeroizing::new([0; KEY]);
        argon
            .hash_password_into(passphrase.expose_secret().as_bytes(), salt, key.as_mut_slice())
            .map_err(failed)?;
        Ok(Self(key))
    }
}

/// In KiB. These three are part of the backup's format.
const MEMORY: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_passphrase_and_every_salt_has_a_key_of_its_own() {
        let key = |passphrase: &str, salt: &[u8]| {
            MasterKey::from_passphrase(&Secret::new(passphrase.into()), salt).unwrap().0
        };
        let one = key("correct horse", &[1; 32]);
        assert_eq!(*key("correct horse", &[1; 32]), *one);
        assert_ne!(*key("correct horse", &[2; 32]), *one);
        assert_ne!(*key("correct horsf", &[1; 32]), *one);
        assert!(MasterKey::from_passphrase(&Secret::new("x".into()), &[1; 3]).is_err());
    }
}
