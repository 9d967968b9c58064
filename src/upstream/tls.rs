//! Whom the transport trusts: system roots, given roots, one pinned certificate, or (explicitly)
//! anybody.

use super::settings::Trust;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature,
        verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::sync::Arc;

/// Applies `trust` to a client that is being built.
pub fn apply(
    trust: &Trust,
    builder: reqwest::ClientBuilder,
) -> Result<reqwest::ClientBuilder, String> {
    // one provider for the whole process; a second call finds it there
    let _ = CryptoProvider::install_default(aws_lc_rs::default_provider());
    match trust {
        Trust::System => Ok(builder),
        Trust::Roots(pem) => {
            let roots = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|_| "no PEM certificate could be read".to_owned())?;
            if roots.is_empty() {
                return Err("there is no certificate in it".to_owned());
            }
            Ok(builder.tls_certs_only(roots))
        }
        Trust::Pinned(fingerprint) => Ok(builder.tls_backend_preconfigured(pinned(*fingerprint)?)),
        Trust::Insecure => Ok(builder.tls_danger_accept_invalid_certs(true)),
    }
}

fn pinned(fingerprint: [u8; 32]) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedVerifier {
            fingerprint,
            algorithms,
        }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Accepts the one certificate whose SHA-256 matches. Names and dates don't count: a pin is a
/// stronger statement than both, and vendor consoles run for years on expired self-signed
/// certificates. The handshake signature does.
#[derive(Debug)]
struct PinnedVerifier {
    fingerprint: [u8; 32],
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, end_entity);
        if seen.as_ref() == self.fingerprint {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General(
                "the server's certificate is not the pinned one".to_owned(),
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
