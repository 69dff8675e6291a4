//! Encryption: the certificate of the configuration, or one that this box makes for itself at its first start.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use anyhow::Context;
use anyhow::bail;
use otpd_daemon::trusted;
use rcgen::CertificateParams;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use sha2::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::config::TlsSection;

/// The certificate in use, which a reload replaces.
#[derive(Debug)]
pub struct Certificate(RwLock<Arc<ServerConfig>>);

/// A certificate with its key.
pub struct Pair {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Certificate {
    /// Serves with this one.
    ///
    /// # Errors
    /// Key and certificate do not belong together.
    pub fn new(pair: Pair) -> anyhow::Result<Self> {
        Ok(Self(RwLock::new(pair.into_config()?)))
    }

    /// From now on with this one; connections that are open keep theirs.
    ///
    /// # Errors
    /// As [`Certificate::new`]; the old one stays.
    pub fn replace(&self, pair: Pair) -> anyhow::Result<()> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pair.into_config()?;
        Ok(())
    }

    /// For a new connection.
    #[must_use]
    pub fn now(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Pair {
    /// The one that the configuration names.
    ///
    /// # Errors
    /// A file is missing, others could read the key or write either, or it is no PEM.
    pub fn read(section: &TlsSection) -> anyhow::Result<Self> {
        let chain = trusted::read(&section.certificate).context("tls.certificate")?;
        let key = Zeroizing::new(trusted::read_secret(&section.key).context("tls.key")?);
        Self::parse(&chain, &key)
            .with_context(|| format!("{} and {}", section.certificate.display(), section.key.display()))
    }

    /// The one that this box made for itself, now if there is none, or one that is soon over.
    ///
    /// # Errors
    /// The directory cannot be written, or what is there is damaged.
    pub fn own(state: &Path, names: &[String], now: i64) -> anyhow::Result<Self> {
        let (certificate, key) = (state.join("certificate.pem"), state.join("key.pem"));
        if !key.exists()
            || made(&certificate).is_none_or(|at| now.saturating_sub(at) > DAY.saturating_mul(KEPT))
        {
            make(&certificate, &key, names, now).with_context(|| {
                format!(
                    "making a certificate in {}; set tls.certificate and tls.key to use another",
                    state.display()
                )
            })?;
            log::info!("made a certificate for {}", names.join(", "));
        }
        Self::read(&TlsSection { certificate, key, loopback: false })
    }

    /// SHA-256 of the certificate, as browsers show it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.chain.first().map_or(&[][..], |certificate| certificate));
        digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    fn parse(chain: &str, key: &str) -> anyhow::Result<Self> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .context("the certificate is no PEM")?;
        if chain.is_empty() {
            bail!("there is no certificate in it (PEM: -----BEGIN CERTIFICATE-----)");
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).context("there is no key in it (PEM)")?;
        Ok(Self { chain, key })
    }

    fn into_config(self) -> anyhow::Result<Arc<ServerConfig>> {
        // Named, because rustls panics when it has to choose a provider and there are two.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(self.chain, self.key)
            .context("certificate and key")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// When it was written, Unix seconds.
fn made(certificate: &Path) -> Option<i64> {
    std::fs::metadata(certificate).ok().map(|found| found.mtime())
}

fn make(certificate: &Path, key: &Path, names: &[String], now: i64) -> anyhow::Result<()> {
    let pair = KeyPair::generate()?;
    let mut params = CertificateParams::new(names.to_vec())?;
    let ((y, m, d), end) =
        (day(now.saturating_sub(DAY))?, day(now.saturating_add(DAY.saturating_mul(GOOD)))?);
    params.not_before = rcgen::date_time_ymd(y, m, d);
    params.not_after = rcgen::date_time_ymd(end.0, end.1, end.2);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, names.first().map_or("otpd-web", String::as_str));
    let signed = params.self_signed(&pair)?;
    write_new(key, 0o600, &Zeroizing::new(pair.serialize_pem()))?;
    write_new(certificate, 0o644, &signed.pem())
}

fn day(at: i64) -> anyhow::Result<(i32, u8, u8)> {
    let date = jiff::Timestamp::from_second(at)?.to_zoned(jiff::tz::TimeZone::UTC).date();
    Ok((date.year().into(), u8::try_from(date.month())?, u8::try_from(date.day())?))
}

fn write_new(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    let name = path.display();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(path).with_context(|| format!("writing {name}"))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(|| format!("writing {name}"))
}

const DAY: i64 = 86_400;
/// Days that it is good. With more than 825, browsers on Apple's systems refuse it without a way around.
const GOOD: i64 = 820;
/// Days after which a start makes another one.
const KEPT: i64 = 700;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn names() -> Vec<String> {
        vec!["nas".into(), "nas.local".into()]
    }

    #[test]
    fn a_box_makes_its_certificate_once() {
        let state = tempfile::tempdir().unwrap();
        let first = Pair::own(state.path(), &names(), clock::now()).unwrap();
        let print = first.fingerprint();
        assert_eq!(print.len(), 32 * 3 - 1);
        assert_eq!(Pair::own(state.path(), &names(), clock::now()).unwrap().fingerprint(), print);
        assert!(Certificate::new(first).is_ok());
        std::fs::remove_file(state.path().join("key.pem")).unwrap();
        assert_ne!(Pair::own(state.path(), &names(), clock::now()).unwrap().fingerprint(), print);
    }

    #[test]
    fn a_certificate_of_our_own_is_made_anew_before_it_is_over() {
        let state = tempfile::tempdir().unwrap();
        let now = clock::now();
        let at = |days: i64| now + days * DAY;
        let print = |days| Pair::own(state.path(), &names(), at(days)).unwrap().fingerprint();
        let first = print(0);
        assert_eq!(print(KEPT), first);
        let second = print(KEPT + 1);
        assert_ne!(second, first);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_and_the_old_one_stays() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let certificate = Certificate::new(Pair::own(one.path(), &names(), clock::now()).unwrap()).unwrap();
        let before = certificate.now();
        let mut mixed = Pair::own(one.path(), &names(), clock::now()).unwrap();
        mixed.key = Pair::own(other.path(), &names(), clock::now()).unwrap().key;
        assert!(certificate.replace(mixed).is_err());
        assert!(Arc::ptr_eq(&before, &certificate.now()));
        certificate.replace(Pair::own(other.path(), &names(), clock::now()).unwrap()).unwrap();
        assert!(!Arc::ptr_eq(&before, &certificate.now()));
    }

    #[test]
    fn a_key_that_everybody_can_read_and_files_without_pem_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let state = tempfile::tempdir().unwrap();
        Pair::own(state.path(), &names(), clock::now()).unwrap();
        let section = TlsSection {
            certificate: state.path().join("certificate.pem"),
            key: state.path().join("key.pem"),
            loopback: false,
        };
        let mode =
            |mode| std::fs::set_permissions(&section.key, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert!(format!("{:#}", Pair::read(&section).err().unwrap()).contains("chmod 0600"));
        mode(0o600);
        assert!(Pair::read(&section).is_ok());
        for path in [&section.key, &section.certificate] {
            let whole = std::fs::read(path).unwrap();
            std::fs::write(path, "rubbish").unwrap();
            assert!(Pair::read(&section).is_err(), "{}", path.display());
            std::fs::write(path, whole).unwrap();
        }
    }
}
