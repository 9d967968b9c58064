//! Whom we trust: given roots, one pinned certificate, or nobody who signed himself.

use crate::world::{World, listen, now, upstream};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use std::{net::SocketAddr, sync::Arc};
use veeam_graph::{
    config::{Auth, Kind, Tls},
    simulator::{API_KEY, Options, Scale, Simulator, generate},
};

/// A console behind TLS: passes every connection on to a simulator in clear text.
async fn console(certificate: rcgen::Certificate, key: &KeyPair) -> (Arc<Simulator>, SocketAddr) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let simulator = Simulator::new(
        generate::generate(Scale::Small, 1, now()),
        Options::default(),
    );
    let (apis, behind) = listen().await;
    tokio::spawn(simulator.clone().run(apis, std::future::pending()));
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (listener, at) = listen().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut inside) = acceptor.accept(stream).await else {
                    return;
                };
                let mut outside = tokio::net::TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
            });
        }
    });
    (simulator, at)
}

async fn state(simulator: &Arc<Simulator>, at: SocketAddr, tls: Tls) -> String {
    let mut msp = upstream("msp", Kind::Vspc, at, Auth::ApiKey(API_KEY.into()));
    msp.url = format!("https://localhost:{}", at.port()).parse().unwrap();
    msp.tls = tls;
    let world = World::over(simulator.clone(), vec![msp]).await;
    let data = world.data("{ upstreams { state lastErrorCode } }").await;
    data["upstreams"][0].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_trusted_is_spoken_to() {
    let issuer_key = KeyPair::generate().unwrap();
    let mut issuer = CertificateParams::new(Vec::<String>::new()).unwrap();
    issuer.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(issuer, issuer_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let fingerprint: [u8; 32] =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der())
            .as_ref()
            .try_into()
            .unwrap();
    let (simulator, at) = console(certificate, &key).await;

    let up = r#"{"state":"UP","lastErrorCode":null}"#;
    let down = r#"{"state":"DOWN","lastErrorCode":"UPSTREAM_UNAVAILABLE"}"#;
    let same = |shown: String, expected: &str| {
        let (shown, expected): (serde_json::Value, serde_json::Value) = (
            serde_json::from_str(&shown).unwrap(),
            serde_json::from_str(expected).unwrap(),
        );
        assert_eq!(shown, expected);
    };
    same(
        state(&simulator, at, Tls::Roots(issuer.pem().into_bytes())).await,
        up,
    );
    same(state(&simulator, at, Tls::Pinned(fingerprint)).await, up);
    same(state(&simulator, at, Tls::Insecure).await, up);

    let stranger_key = KeyPair::generate().unwrap();
    let stranger = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&stranger_key)
        .unwrap();
    same(
        state(&simulator, at, Tls::Roots(stranger.pem().into_bytes())).await,
        down,
    );
    same(state(&simulator, at, Tls::Pinned([7; 32])).await, down);
    same(state(&simulator, at, Tls::System).await, down);
}
