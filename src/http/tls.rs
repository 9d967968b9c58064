//! https: certificate and key from files that are read again when they change, so that a renewed
//! certificate is in use within seconds and no connection is dropped for it. With a CA for clients,
//! callers may prove who they are by theirs.

use crate::{config::ServerTls, supervise::supervise};
use aws_lc_rs::digest;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The certificate in use.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.0
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

/// What accepts https. Fails, with a sentence that names the file, where one can't be used.
pub(super) fn acceptor(settings: &ServerTls) -> Result<TlsAcceptor, String> {
    let provider = provider();
    let current = Arc::new(Current(RwLock::new(Arc::new(read_key(
        settings, &provider,
    )?))));
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?;
    let builder = match &settings.client_ca_file {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in read_certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
            }
            // those who show none may still have a key or a token
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                    .allow_unauthenticated();
            builder.with_client_cert_verifier(
                verifier
                    .build()
                    .map_err(|error| format!("{}: {error}", path.display()))?,
            )
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(current.clone());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let (settings, current) = (settings.clone(), Arc::downgrade(&current));
    tokio::spawn(supervise("certificates", move || {
        watch(settings.clone(), provider.clone(), current.clone())
    }));
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// SHA-256 of the certificate that a client proved to have.
pub(super) fn fingerprint<S>(stream: &TlsStream<S>) -> Option<[u8; 32]> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    digest::digest(&digest::SHA256, certificate)
        .as_ref()
        .try_into()
        .ok()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Reads the files again while anybody uses them. A pair that can't be used is told, and the one in
/// use stays.
async fn watch(
    settings: ServerTls,
    provider: Arc<CryptoProvider>,
    current: std::sync::Weak<Current>,
) {
    let mut seen = stamps(&settings);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(current) = current.upgrade() else {
            return;
        };
        look(&settings, &provider, &current, &mut seen);
    }
}

/// One look at the files.
fn look(settings: &ServerTls, provider: &CryptoProvider, current: &Current, seen: &mut Stamps) {
    let now = stamps(settings);
    if now == *seen {
        return;
    }
    // a chain and a key are written one after the other: a pair that does not fit yet is looked at
    // again
    match read_key(settings, provider) {
        Ok(key) => {
            *current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
            *seen = now;
            tracing::info!(certificate = %settings.certificate_file.display(), "a new certificate is in use");
        }
        Err(reason) => tracing::warn!(
            reason,
            "the new certificate can't be used; the one before stays in use"
        ),
    }
}

/// When each file was written, and how long it is.
type Stamps = [Option<(std::time::SystemTime, u64)>; 2];

fn stamps(settings: &ServerTls) -> Stamps {
    [&settings.certificate_file, &settings.key_file].map(|path| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    })
}

fn read_key(settings: &ServerTls, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let chain = read_certificates(&settings.certificate_file)?;
    let path = settings.key_file.display();
    let key = PrivateKeyDer::from_pem_file(&settings.key_file)
        .map_err(|error| format!("{path}: {error}"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| format!("{path}: {error}"))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let told = |error: rustls_pki_types::pem::Error| format!("{}: {error}", path.display());
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(told)?
        .collect::<Result<_, _>>()
        .map_err(told)?;
    if certificates.is_empty() {
        Err(format!("{}: there is no certificate in it", path.display()))
    } else {
        Ok(certificates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    #[test]
    fn a_pair_that_does_not_fit_changes_nothing_until_it_fits() {
        let folder = std::env::temp_dir().join(format!("veeam-graph-look-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let settings = ServerTls {
            certificate_file: folder.join("chain.pem"),
            key_file: folder.join("key.pem"),
            client_ca_file: None,
        };
        let pair = || {
            let key = KeyPair::generate().unwrap();
            (
                CertificateParams::new(vec!["localhost".to_owned()])
                    .unwrap()
                    .self_signed(&key)
                    .unwrap(),
                key,
            )
        };
        let ((first, first_key), (second, second_key)) = (pair(), pair());
        std::fs::write(&settings.certificate_file, first.pem()).unwrap();
        std::fs::write(&settings.key_file, first_key.serialize_pem()).unwrap();
        let current = Current(RwLock::new(Arc::new(
            read_key(&settings, &provider()).unwrap(),
        )));
        let in_use = || current.0.read().unwrap().cert[0].clone();
        let mut seen: Stamps = [None, None];
        for (chain, expected) in [
            ("no certificate at all\n".to_owned(), &first),
            (second.pem(), &first),
        ] {
            std::fs::write(&settings.certificate_file, chain).unwrap();
            look(&settings, &provider(), &current, &mut seen);
            assert_eq!(&in_use(), expected.der());
        }
        std::fs::write(&settings.key_file, second_key.serialize_pem()).unwrap();
        look(&settings, &provider(), &current, &mut seen);
        assert_eq!(&in_use(), second.der());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
