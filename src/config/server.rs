//! `[server]`: our own door.

use super::{DEFAULT_LISTEN, problem::Problems, reader::Section};
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

/// Our own door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// Where `/metrics` is, if not there: anybody who reaches it may read them.
    pub metrics_listen: Option<SocketAddr>,
    /// How long connections are still taken after a stop was asked for, while balancers learn of
    /// it.
    pub leave: Duration,
    /// How long open requests may go on after that.
    pub drain: Duration,
    /// How long a connection may be without a request.
    pub idle: Duration,
    /// How long the TLS handshake, the first request of a connection, and the headers of each may
    /// take.
    pub header_timeout: Duration,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// How long a client may take less of its answer than `min_bytes_per_second`.
    pub send_timeout: Duration,
    /// What a client must take of its answer.
    pub min_bytes_per_second: u64,
    /// How old a connection may be that takes new requests.
    pub max_connection_age: Duration,
    /// Certificate and key, for https.
    pub tls: Option<ServerTls>,
    /// Origins of pages that may ask by WebSocket and, with CORS, by fetch; our own pages always
    /// may.
    pub origins: Vec<String>,
    /// What such pages may send and read.
    pub cors: Cors,
    /// Names, and addresses, under which it may be asked where anybody may, beside the loopback
    /// ones and the one that it listens on.
    pub hosts: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether a federation's router finds what it asks for: `_service`, `_entities`.
    pub federation: bool,
    /// Whether every list is read at start, before anybody asks; ready once that is done.
    pub warm: bool,
    /// Whether lists in use are read anew before they are old.
    pub background_refresh: bool,
}

/// What pages of listed origins may send and read, beside what every client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// More headers that they may send.
    pub headers: Vec<String>,
    /// More headers of answers that they may read.
    pub exposed_headers: Vec<String>,
    /// How long browsers may remember what is allowed.
    pub max_age: Duration,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            headers: Vec::new(),
            exposed_headers: Vec::new(),
            max_age: Duration::from_secs(3_600),
        }
    }
}

/// Certificate and key; read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The chain, PEM.
    pub certificate_file: PathBuf,
    /// Its private key, PEM.
    pub key_file: PathBuf,
    /// With it, clients may show certificates that end here, PEM.
    pub client_ca_file: Option<PathBuf>,
}

impl Server {
    /// An address and the usual settings.
    pub fn at(listen: SocketAddr) -> Self {
        Self {
            listen,
            metrics_listen: None,
            leave: Duration::from_secs(5),
            drain: Duration::from_secs(20),
            // longer than proxies keep theirs: who closes first must not be we, or a request may be
            // on its way just then
            idle: Duration::from_secs(75),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(20),
            min_bytes_per_second: 1_024,
            max_connection_age: Duration::from_secs(3_600),
            tls: None,
            origins: Vec::new(),
            cors: Cors::default(),
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            federation: true,
            warm: false,
            background_refresh: true,
        }
    }

    /// Puts back what can't change while the gateway runs; names what was different.
    pub fn keep_until_restart(&mut self, running: &Self) -> Vec<&'static str> {
        let mut different = Vec::new();
        macro_rules! keep {
            ($($setting:ident),* $(,)?) => {$(
                if self.$setting != running.$setting {
                    different.push(concat!("server.", stringify!($setting)));
                    self.$setting.clone_from(&running.$setting);
                }
            )*};
        }
        keep!(
            listen,
            metrics_listen,
            tls,
            federation,
            warm,
            background_refresh
        );
        different
    }

    /// What a client must take of its answer within `send_timeout`.
    pub fn least_in_send_timeout(&self) -> u64 {
        (self.min_bytes_per_second as f64 * self.send_timeout.as_secs_f64()) as u64
    }
}

pub(super) fn read(section: Option<Section>, base: &Path, problems: &mut Problems) -> Server {
    let mut server = Server::at(SocketAddr::from(([127, 0, 0, 1], 4000)));
    let Some(mut section) = section else {
        return server;
    };
    if let Some((text, line)) = section.text("listen", problems) {
        match text.parse() {
            Ok(listen) => server.listen = listen,
            Err(_) => problems.add(
                line,
                "server.listen",
                format!("{text:?} is no address: write host:port with a numeric host, for example {DEFAULT_LISTEN:?}"),
            ),
        }
    }
    if let Some((text, line)) = section.text("metrics_listen", problems) {
        match text.parse::<SocketAddr>() {
            Ok(listen) if listen == server.listen && listen.port() != 0 => problems.add(
                line,
                "server.metrics_listen",
                "is server.listen: leave it out to have /metrics there",
            ),
            Ok(listen) => server.metrics_listen = Some(listen),
            Err(_) => problems.add(
                line,
                "server.metrics_listen",
                format!("{text:?} is no address: write host:port with a numeric host, for example \"127.0.0.1:9464\""),
            ),
        }
    }
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
    for (key, setting, bounds) in [
        (
            "leave",
            &mut server.leave,
            Duration::ZERO..=Duration::from_secs(600),
        ),
        (
            "drain",
            &mut server.drain,
            Duration::ZERO..=Duration::from_secs(600),
        ),
        ("idle", &mut server.idle, second..=hour),
        ("header_timeout", &mut server.header_timeout, second..=hour),
        ("body_timeout", &mut server.body_timeout, second..=hour),
        ("send_timeout", &mut server.send_timeout, second..=hour),
        (
            "max_connection_age",
            &mut server.max_connection_age,
            second..=30 * 24 * hour,
        ),
    ] {
        *setting = section.duration(key, bounds, problems).unwrap_or(*setting);
    }
    if let Some(bytes) = section.integer("min_bytes_per_second", 0..=1 << 30, problems) {
        server.min_bytes_per_second = bytes.try_into().unwrap_or(server.min_bytes_per_second);
    }
    for (key, setting) in [
        ("federation", &mut server.federation),
        ("warm", &mut server.warm),
        ("background_refresh", &mut server.background_refresh),
    ] {
        *setting = section.boolean(key, problems).unwrap_or(*setting);
    }
    if let Some(mut tls) = section.section("tls") {
        let mut path = |key, is_required: bool| {
            let text = if is_required {
                tls.required_text(key, problems)
            } else {
                tls.text(key, problems)
            };
            text.map(|(path, _)| base.join(path))
        };
        let (certificate_file, key_file) = (path("certificate_file", true), path("key_file", true));
        let client_ca_file = path("client_ca_file", false);
        tls.finish(problems);
        if let (Some(certificate_file), Some(key_file)) = (certificate_file, key_file) {
            server.tls = Some(ServerTls {
                certificate_file,
                key_file,
                client_ca_file,
            });
        }
    }
    for (origin, line) in section.words("origins", problems).unwrap_or_default() {
        match url::Url::parse(&origin) {
            Ok(url) if url.origin().ascii_serialization() == origin => server.origins.push(origin),
            _ => problems.add(
                line,
                "server.origins",
                format!(
                    "{origin:?} must be scheme://host or scheme://host:port, as browsers write it"
                ),
            ),
        }
    }
    if let Some(mut cors) = section.section("cors") {
        for (key, names) in [
            ("headers", &mut server.cors.headers),
            ("exposed_headers", &mut server.cors.exposed_headers),
        ] {
            for (name, line) in cors.words(key, problems).unwrap_or_default() {
                match http::HeaderName::try_from(name.as_str()) {
                    Ok(name) => names.push(name.as_str().to_owned()),
                    Err(_) => problems.add(
                        line,
                        &cors.key(key),
                        format!("{name:?} is no name of a header: \"x-tenant\" is one"),
                    ),
                }
            }
        }
        server.cors.max_age = cors
            .duration("max_age", Duration::ZERO..=24 * hour, problems)
            .unwrap_or(server.cors.max_age);
        cors.finish(problems);
    }
    for (host, line) in section.words("hosts", problems).unwrap_or_default() {
        match read_host(&host) {
            Some(host) => server.hosts.push(host),
            None => {
                let message = format!(
                    "{host:?} must be a host name or an address alone, without scheme, port or path: \"graph.example.net\""
                );
                problems.add(line, "server.hosts", message);
            }
        }
    }
    for (address, line) in section
        .words("trusted_proxies", problems)
        .unwrap_or_default()
    {
        match address.parse::<IpAddr>() {
            Ok(address) => server.trusted_proxies.push(address.to_canonical()),
            Err(_) => problems.add(
                line,
                "server.trusted_proxies",
                format!("{address:?} is no IP address"),
            ),
        }
    }
    section.finish(problems);
    server
}

/// A host as browsers write it in `Host`: lower case, names of other alphabets in their ASCII form.
fn read_host(text: &str) -> Option<String> {
    if let Ok(address) = text
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
    {
        return Some(match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
    }
    let url = url::Url::parse(&format!("http://{text}/"))
        .ok()
        .filter(|_| !text.contains([':', '/', '@', '?', '#', '*', '\\']))?;
    match url.host()? {
        url::Host::Domain(name) => {
            Some(name.strip_suffix('.').unwrap_or(name).to_owned()).filter(|name| !name.is_empty())
        }
        // `1` or `0x7f.1`: some address, but who would mean that
        _ => None,
    }
}
