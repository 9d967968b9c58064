//! Every setting: read from a TOML file, overlaid from the environment, checked as a whole.
//!
//! All problems are found at once, each with its key, its line and what would be right. Nothing else in the program reads
//! the environment or a settings file, but for a socket that systemd hands over. Secrets come from variables or files and are wrapped before anything can print
//! them.

mod access;
mod limits;
mod problem;
mod reader;
#[cfg(test)]
mod tests;
mod tree;
mod upstream;

pub use access::{Access, Caller, Hide, Jwt, JwtKeys, Role, Sees, is_scope};
pub use limits::Limits;
pub use problem::{Problem, Problems};
pub use upstream::{Auth, Cache, Kind, Tls, Upstream};

use reader::Section;
use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

/// What every environment override begins with.
pub const ENV_PREFIX: &str = "VEEAM_GRAPH__";
/// Where the gateway listens when nobody says: loopback, since anybody who reaches it may ask it.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:4000";

/// Everything that the gateway can be told.
#[derive(Debug)]
pub struct Config {
    /// Our own door.
    pub server: Server,
    /// Who may ask.
    pub auth: Access,
    /// How much may be asked for.
    pub limits: Limits,
    /// What is read from.
    pub upstreams: Vec<Upstream>,
}

/// Our own door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// How long connections are still taken after a stop was asked for, while balancers learn of it.
    pub leave: Duration,
    /// How long open requests may go on after that.
    pub drain: Duration,
    /// How long a connection may be without a request.
    pub idle: Duration,
    /// How long the TLS handshake, the first request of a connection, and the headers of each may take.
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
    /// Origins of pages that may ask by WebSocket and, with CORS, by fetch; our own pages always may.
    pub origins: Vec<String>,
    /// Names, and addresses, under which it may be asked where anybody may, beside the loopback ones and the one that it
    /// listens on.
    pub hosts: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether every list is read at start, before anybody asks; ready once that is done.
    pub warm: bool,
    /// Whether lists in use are read anew before they are old.
    pub background_refresh: bool,
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
            leave: Duration::from_secs(5),
            drain: Duration::from_secs(20),
            // longer than proxies keep theirs: who closes first must not be we, or a request may be on its way just then
            idle: Duration::from_secs(75),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(20),
            min_bytes_per_second: 1_024,
            max_connection_age: Duration::from_secs(3_600),
            tls: None,
            origins: Vec::new(),
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            warm: false,
            background_refresh: true,
        }
    }

    /// What a client must take of its answer within `send_timeout`.
    pub fn least_in_send_timeout(&self) -> u64 {
        (self.min_bytes_per_second as f64 * self.send_timeout.as_secs_f64()) as u64
    }
}

/// Where settings come from, so that tests need neither files nor variables.
pub struct Surroundings<'a> {
    /// Every environment variable.
    pub variables: &'a [(String, String)],
    /// Reads a file that a setting names.
    pub read_file: &'a dyn Fn(&Path) -> std::io::Result<Vec<u8>>,
    /// What relative paths in the file are relative to.
    pub base: PathBuf,
    /// Gathers the files that have secrets in them.
    pub secret_files: &'a RefCell<Vec<PathBuf>>,
}

/// Whether more than its owner and its group may read a file.
#[cfg(unix)]
fn is_readable_by_all(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

/// Whether more than its owner and its group may read a file: not told here.
#[cfg(not(unix))]
fn is_readable_by_all(_: &Path) -> bool {
    false
}

impl Surroundings<'_> {
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        (self.read_file)(&self.base.join(path))
    }

    /// The same for a file that has a secret in it.
    fn secret_file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        self.secret_files.borrow_mut().push(self.base.join(path));
        self.file(path)
    }
}

impl Config {
    /// Reads the file at `path` and the process environment.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Problems::one(None, "", format!("{} can't be read: {error}", path.display())))?;
        // a variable that is not UTF-8 is none of ours
        let variables: Vec<(String, String)> =
            std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect();
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let secret_files = RefCell::default();
        let surroundings =
            Surroundings { variables: &variables, read_file: &|path| std::fs::read(path), base, secret_files: &secret_files };
        let config = Self::parse(&text, &surroundings)?;
        for file in secret_files.take().iter().filter(|file| is_readable_by_all(file)) {
            tracing::warn!(
                file = %file.display(),
                "this file has a secret in it and every user of this machine can read it: take that away, with `chmod o-rwx`"
            );
        }
        Ok(config)
    }

    /// Reads settings from text, in given surroundings.
    pub fn parse(text: &str, surroundings: &Surroundings<'_>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut tree = tree::parse(text)?;
        tree::overlay(&mut tree, surroundings.variables, &mut problems);

        let mut root = Section::new("", tree);
        let server = read_server(root.section("server"), &surroundings.base, &mut problems);
        let mut upstreams: Vec<Upstream> = Vec::new();
        let tables = root.sections("upstream", &mut problems);
        if tables.is_empty() {
            problems.add(None, "upstream", "there is none: add an [[upstream]] table with name, kind, url and auth");
        }
        for table in tables {
            let line = table.line();
            let Some(upstream) = upstream::read(table, surroundings, &mut problems) else { continue };
            if upstreams.iter().any(|other| other.name == upstream.name) {
                problems.add(
                    line,
                    "upstream.name",
                    format!("{:?} is used twice; names are part of every global id and must differ", upstream.name),
                );
            }
            upstreams.push(upstream);
        }
        let auth = access::read(root.section("auth"), &upstreams, &surroundings.base, &mut problems);
        let limits = limits::read(root.section("limits"), &mut problems);
        root.finish(&mut problems);
        check_door(&server, &auth, &mut problems);
        surroundings.secret_files.borrow_mut().extend(server.tls.as_ref().map(|tls| tls.key_file.clone()));
        problems.or(Self { server, auth, limits, upstreams })
    }
}

/// A door that is open to everybody must be meant to be.
fn check_door(server: &Server, auth: &Access, problems: &mut Problems) {
    let is_known = !auth.callers.is_empty() || auth.jwt.is_some();
    if !is_known && auth.anonymous != Some(true) && !server.listen.ip().is_loopback() {
        problems.add(
            None,
            "auth",
            format!("{} can be reached from elsewhere, and nobody who asks would be known: add an [[auth.caller]] (`veeam-graph key` makes its key) or [auth.jwt]; or say [auth] anonymous = true, and whoever reaches it may ask everything", server.listen),
        );
    }
    if !is_known && auth.anonymous == Some(false) {
        problems.add(
            None,
            "auth.anonymous",
            "is false and nobody else is known, so nobody could ask: add an [[auth.caller]] or [auth.jwt]",
        );
    }
    let with_certificates = auth.callers.iter().any(|caller| !caller.certificates.is_empty());
    if with_certificates && server.tls.as_ref().is_none_or(|tls| tls.client_ca_file.is_none()) {
        problems.add(None, "server.tls.client_ca_file", "is missing: certificates of callers are only asked for with it");
    }
}

impl Config {
    /// Takes a socket that is elsewhere than was set; the door is checked again.
    pub fn listen_at(&mut self, address: SocketAddr) -> Result<(), Problems> {
        self.server.listen = address;
        let mut problems = Problems::default();
        check_door(&self.server, &self.auth, &mut problems);
        problems.or(())
    }

    /// Whether somebody who shows nothing may ask.
    pub fn takes_anonymous(&self) -> bool {
        let is_known = !self.auth.callers.is_empty() || self.auth.jwt.is_some();
        self.auth.anonymous.unwrap_or(!is_known && self.server.listen.ip().is_loopback())
    }
}

fn read_server(section: Option<Section>, base: &Path, problems: &mut Problems) -> Server {
    let mut server = Server::at(SocketAddr::from(([127, 0, 0, 1], 4000)));
    let Some(mut section) = section else { return server };
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
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
    for (key, setting, bounds) in [
        ("leave", &mut server.leave, Duration::ZERO..=Duration::from_secs(600)),
        ("drain", &mut server.drain, Duration::ZERO..=Duration::from_secs(600)),
        ("idle", &mut server.idle, second..=hour),
        ("header_timeout", &mut server.header_timeout, second..=hour),
        ("body_timeout", &mut server.body_timeout, second..=hour),
        ("send_timeout", &mut server.send_timeout, second..=hour),
        ("max_connection_age", &mut server.max_connection_age, second..=30 * 24 * hour),
    ] {
        *setting = section.duration(key, bounds, problems).unwrap_or(*setting);
    }
    if let Some(bytes) = section.integer("min_bytes_per_second", 0..=1 << 30, problems) {
        server.min_bytes_per_second = bytes.try_into().unwrap_or(server.min_bytes_per_second);
    }
    for (key, setting) in [("warm", &mut server.warm), ("background_refresh", &mut server.background_refresh)] {
        *setting = section.boolean(key, problems).unwrap_or(*setting);
    }
    if let Some(mut tls) = section.section("tls") {
        let mut path = |key, is_required: bool| {
            let text = if is_required { tls.required_text(key, problems) } else { tls.text(key, problems) };
            text.map(|(path, _)| base.join(path))
        };
        let (certificate_file, key_file) = (path("certificate_file", true), path("key_file", true));
        let client_ca_file = path("client_ca_file", false);
        tls.finish(problems);
        if let (Some(certificate_file), Some(key_file)) = (certificate_file, key_file) {
            server.tls = Some(ServerTls { certificate_file, key_file, client_ca_file });
        }
    }
    for (origin, line) in section.words("origins", problems).unwrap_or_default() {
        match url::Url::parse(&origin) {
            Ok(url) if url.origin().ascii_serialization() == origin => server.origins.push(origin),
            _ => problems.add(
                line,
                "server.origins",
                format!("{origin:?} must be scheme://host or scheme://host:port, as browsers write it"),
            ),
        }
    }
    for (host, line) in section.words("hosts", problems).unwrap_or_default() {
        match read_host(&host) {
            Some(host) => server.hosts.push(host),
            None => {
                let message =
                    format!("{host:?} must be a host name or an address alone, without scheme, port or path: \"graph.example.net\"");
                problems.add(line, "server.hosts", message);
            }
        }
    }
    for (address, line) in section.words("trusted_proxies", problems).unwrap_or_default() {
        match address.parse::<IpAddr>() {
            Ok(address) => server.trusted_proxies.push(address.to_canonical()),
            Err(_) => problems.add(line, "server.trusted_proxies", format!("{address:?} is no IP address")),
        }
    }
    section.finish(problems);
    server
}

/// A host as browsers write it in `Host`: lower case, names of other alphabets in their ASCII form.
fn read_host(text: &str) -> Option<String> {
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Some(match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
    }
    let url = url::Url::parse(&format!("http://{text}/")).ok().filter(|_| !text.contains([':', '/', '@', '?', '#', '*', '\\']))?;
    match url.host()? {
        url::Host::Domain(name) => Some(name.strip_suffix('.').unwrap_or(name).to_owned()).filter(|name| !name.is_empty()),
        // `1` or `0x7f.1`: some address, but who would mean that
        _ => None,
    }
}
