//! https on our side: both protocols behind every gate, certificates of callers, and a certificate
//! that is renewed.

use crate::{
    access::caller,
    world::{PATIENCE, Setup, World},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use reqwest::{Certificate, Client, Identity, Version};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Instant};
use veeam_graph::config::{Access, Caller, Limits, Sees, Server, ServerTls};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer() -> Issuer {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, PEM.
fn issue(
    issuer: &Issuer,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
) -> (rcgen::Certificate, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    (params.signed_by(&key, issuer).unwrap(), key.serialize_pem())
}

struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!(
            "veeam-graph-tls-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn certify(&self, issuer: &Issuer) -> ServerTls {
        let (certificate, key) = issue(issuer, "localhost", ExtendedKeyUsagePurpose::ServerAuth);
        let key_file = self.write("key.pem", &key);
        ServerTls {
            certificate_file: self.write("chain.pem", &certificate.pem()),
            key_file,
            client_ca_file: None,
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A client that trusts one issuer only.
fn trusting(issuer: &Issuer, identity: Option<Identity>, http1_only: bool) -> Client {
    let roots = [Certificate::from_pem(issuer.pem().as_bytes()).unwrap()];
    let mut builder = Client::builder()
        .no_proxy()
        .no_gzip()
        .tls_certs_only(roots)
        .pool_max_idle_per_host(0);
    if let Some(identity) = identity {
        builder = builder.identity(identity);
    }
    if http1_only {
        builder.http1_only().build().unwrap()
    } else {
        builder.build().unwrap()
    }
}

async fn ask(
    client: &Client,
    world: &World,
    headers: &[(&str, &str)],
) -> reqwest::Result<(Version, u16, Value)> {
    let url = format!("https://localhost:{}/graphql", world.gateway.port());
    let mut request = client.post(url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request
        .body(r#"{"query":"{ jobs { totalCount } }"}"#)
        .send()
        .await?;
    Ok((
        response.version(),
        response.status().as_u16(),
        serde_json::from_str(&response.text().await?).unwrap_or_default(),
    ))
}

fn setup(tls: ServerTls, callers: Vec<Caller>) -> Setup {
    let server = Server {
        tls: Some(tls),
        ..Server::at(([127, 0, 0, 1], 0).into())
    };
    let limits = Limits {
        body_bytes: 262_144,
        ..Limits::default()
    };
    Setup {
        server,
        auth: Access {
            callers,
            ..Access::default()
        },
        limits,
        ..Setup::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_pass_the_same_gates() {
    let (files, authority) = (Files::new(), issuer());
    let world = World::start(setup(
        files.certify(&authority),
        vec![caller("portal", &["key"], Sees::default())],
    ))
    .await;
    for (http1_only, version) in [(true, Version::HTTP_11), (false, Version::HTTP_2)] {
        let client = trusting(&authority, None, http1_only);
        let (spoken, status, answer) = ask(&client, &world, &[("x-api-key", "key")]).await.unwrap();
        assert_eq!((spoken, status), (version, 200));
        assert!(answer["data"]["jobs"]["totalCount"].is_number());
        assert_eq!(ask(&client, &world, &[]).await.unwrap().1, 401);
        assert_eq!(
            ask(
                &client,
                &world,
                &[("x-api-key", "key"), ("sec-fetch-site", "cross-site")]
            )
            .await
            .unwrap()
            .1,
            403
        );
        assert_eq!(
            ask(
                &client,
                &world,
                &[("x-api-key", "key"), ("content-encoding", "gzip")]
            )
            .await
            .unwrap()
            .1,
            415
        );
        assert_eq!(
            ask(
                &client,
                &world,
                &[("x-api-key", "key"), ("accept", "text/csv")]
            )
            .await
            .unwrap()
            .1,
            406
        );
        let url = format!("https://localhost:{}", world.gateway.port());
        let large = client
            .post(format!("{url}/graphql"))
            .header("x-api-key", "key")
            .header("content-type", "application/json");
        assert_eq!(
            large
                .body("x".repeat(300_000))
                .send()
                .await
                .unwrap()
                .status(),
            413
        );
        assert_eq!(
            client
                .delete(format!("{url}/graphql"))
                .send()
                .await
                .unwrap()
                .status(),
            405
        );
        for encoding in ["gzip", "br"] {
            let response = client
                .get(format!(
                    "{url}/graphql?query=%7B__schema%7Btypes%7Bname%20description%7D%7D%7D"
                ))
                .header("x-api-key", "key");
            let response = response
                .header("accept-encoding", encoding)
                .send()
                .await
                .unwrap();
            assert_eq!(
                (
                    response.status().as_u16(),
                    response.headers()["content-encoding"].to_str().unwrap()
                ),
                (200, encoding)
            );
        }
    }
    assert!(
        ask(&trusting(&issuer(), None, false), &world, &[])
            .await
            .is_err(),
        "a stranger's word is taken"
    );
    // who speaks no TLS is not kept waiting for ever, and costs nobody else anything
    let plain = world
        .client
        .get(format!("http://{}/health/live", world.gateway))
        .send()
        .await;
    assert!(plain.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_may_prove_who_they_are_by_their_certificate() {
    let (files, authority) = (Files::new(), issuer());
    let (certificate, key) = issue(&authority, "billing", ExtendedKeyUsagePurpose::ClientAuth);
    let fingerprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der())
        .as_ref()
        .try_into()
        .unwrap();
    let tls = ServerTls {
        client_ca_file: Some(files.write("clients.pem", &authority.pem())),
        ..files.certify(&authority)
    };
    let few = Sees {
        companies: Some(Vec::new()),
        ..Sees::default()
    };
    let billing = Caller {
        name: "billing".to_owned(),
        certificates: vec![fingerprint],
        sees: Some(few),
        ..Caller::default()
    };
    let world = World::start(setup(
        tls,
        vec![billing, caller("noc", &["key"], Sees::default())],
    ))
    .await;
    let identity = |certificate: &rcgen::Certificate, key: &str| {
        Identity::from_pem(format!("{}{key}", certificate.pem()).as_bytes()).unwrap()
    };

    let known = trusting(&authority, Some(identity(&certificate, &key)), false);
    assert_eq!(
        ask(&known, &world, &[]).await.unwrap().2["data"],
        json!({"jobs": {"totalCount": 0}})
    );
    // a key beats it: the caller asks in somebody's name on purpose
    assert_ne!(
        ask(&known, &world, &[("x-api-key", "key")])
            .await
            .unwrap()
            .2["data"],
        json!({"jobs": {"totalCount": 0}})
    );
    assert_eq!(
        ask(&known, &world, &[("x-api-key", "wrong")])
            .await
            .unwrap()
            .1,
        401
    );
    // one of the same authority that nobody listed, none at all, and one of another authority
    let (other, other_key) = issue(&authority, "other", ExtendedKeyUsagePurpose::ClientAuth);
    assert_eq!(
        ask(
            &trusting(&authority, Some(identity(&other, &other_key)), false),
            &world,
            &[]
        )
        .await
        .unwrap()
        .1,
        401
    );
    assert_eq!(
        ask(&trusting(&authority, None, false), &world, &[])
            .await
            .unwrap()
            .1,
        401
    );
    let (strange, strange_key) = issue(&issuer(), "billing", ExtendedKeyUsagePurpose::ClientAuth);
    assert!(
        ask(
            &trusting(&authority, Some(identity(&strange, &strange_key)), false),
            &world,
            &[]
        )
        .await
        .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_in_use_without_a_restart() {
    let (files, first, second) = (Files::new(), issuer(), issuer());
    let world = World::start(setup(files.certify(&first), Vec::new())).await;
    let (old, new) = (
        trusting(&first, None, false),
        trusting(&second, None, false),
    );
    assert_eq!(ask(&old, &world, &[]).await.unwrap().1, 200);
    assert!(ask(&new, &world, &[]).await.is_err());
    let keeps = trusting(&first, None, true);
    assert_eq!(ask(&keeps, &world, &[]).await.unwrap().1, 200);

    // what a pair that does not fit changes (nothing) is the unit test's of `http/tls.rs`
    files.certify(&second);
    let began = Instant::now();
    while ask(&new, &world, &[]).await.is_err() {
        assert!(
            began.elapsed() < PATIENCE,
            "the new certificate is not in use"
        );
    }
    // who had a connection keeps it; a new one is made with the new certificate
    assert!(
        ask(&trusting(&first, None, true), &world, &[])
            .await
            .is_err()
    );
}
