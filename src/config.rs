//! Every setting: read from a TOML file, overlaid from the environment, checked as a whole.
//!
//! All problems are found at once, each with its key, its line and what would be right. Nothing else in the program reads
//! the environment or a settings file. Secrets come from variables or files and are wrapped before anything can print
//! them.

mod access;
mod limits;
mod problem;
mod reader;
mod tree;
mod upstream;

pub use access::{Access, Caller, Hide, Jwt, JwtKeys, Role, Sees};
pub use limits::Limits;
pub use problem::{Problem, Problems};
pub use upstream::{Auth, Cache, Kind, Tls, Upstream};

use reader::Section;
use std::{
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
    /// How long open requests may go on after a stop was asked for.
    pub drain: Duration,
    /// How long a connection may be without a request, or without the whole of one's headers.
    pub idle: Duration,
    /// Certificate and key, for https.
    pub tls: Option<ServerTls>,
    /// Origins of pages that may ask by WebSocket and, with CORS, by fetch; our own pages always may.
    pub origins: Vec<String>,
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
            drain: Duration::from_secs(20),
            // longer than proxies keep theirs: who closes first must not be we, or a request may be on its way just then
            idle: Duration::from_secs(75),
            tls: None,
            origins: Vec::new(),
            trusted_proxies: Vec::new(),
            warm: false,
            background_refresh: true,
        }
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
}

impl Surroundings<'_> {
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        (self.read_file)(&self.base.join(path))
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
        Self::parse(&text, &Surroundings { variables: &variables, read_file: &|path| std::fs::read(path), base })
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
    if let Some(drain) = section.duration("drain", Duration::ZERO..=Duration::from_secs(600), problems) {
        server.drain = drain;
    }
    if let Some(idle) = section.duration("idle", Duration::from_secs(1)..=Duration::from_secs(3_600), problems) {
        server.idle = idle;
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
    for (origin, line) in section.texts("origins", problems).unwrap_or_default() {
        match url::Url::parse(&origin) {
            Ok(url) if url.origin().ascii_serialization() == origin => server.origins.push(origin),
            _ => problems.add(
                line,
                "server.origins",
                format!("{origin:?} must be scheme://host or scheme://host:port, as browsers write it"),
            ),
        }
    }
    for (address, line) in section.texts("trusted_proxies", problems).unwrap_or_default() {
        match address.parse() {
            Ok(address) => server.trusted_proxies.push(address),
            Err(_) => problems.add(line, "server.trusted_proxies", format!("{address:?} is no IP address")),
        }
    }
    section.finish(problems);
    server
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
        let variables: Vec<_> = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let read_file = |path: &Path| match path.to_str() {
            Some("dir/key") => Ok(b"file-secret\n".to_vec()),
            _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        };
        Config::parse(text, &Surroundings { variables: &variables, read_file: &read_file, base: "dir".into() })
    }

    const GOOD: &str = r#"
[server]
listen = "127.0.0.1:5000"

[[upstream]]
name = "msp"
kind = "vspc"
url  = "https://vspc.example.net:1280"
auth = { api_key_env = "KEY" }
timeout = "10s"

[upstream.cache]
jobs = "90s"

[[upstream]]
name = "em"
kind = "enterprise-manager"
url  = "https://em.example.net:9398"
auth = { username = "op", password_file = "key" }
tls  = { pinned_sha256 = "AA:00000000000000000000000000000000000000000000000000000000000000" }
"#;

    #[test]
    fn a_good_file_is_read_with_its_secrets_kept_out_of_sight() {
        let config = parse(GOOD, &[("KEY", "env-secret")]).unwrap();
        assert_eq!(config.server.listen.port(), 5000);
        assert_eq!(config.upstreams[0].timeout, Duration::from_secs(10));
        assert_eq!(config.upstreams[0].cache.jobs, Some(Duration::from_secs(90)));
        assert!(matches!(config.upstreams[1].tls, Tls::Pinned(pin) if pin[0] == 0xAA));
        let printed = format!("{config:?}");
        assert!(!printed.contains("env-secret") && !printed.contains("file-secret"), "{printed}");
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_key_and_line() {
        let text = r#"
[server]
listen = "localhost"
colour = "blue"

[[upstream]]
name = "a b"
kind = "vbr"
url  = "ftp://x"
auth = { password = "hunter2", username = "op" }
timeout = "soon"

[[upstream]]
kind = "enterprise-manager"
url  = "https://em.example.net:9398"
auth = { api_key_env = "MISSING" }
tls  = { insecure = true, ca_file = "nowhere.pem" }
"#;
        let told = parse(text, &[]).unwrap_err().to_string();
        for expected in [
            "line 3: server.listen:",
            "line 4: server.colour:",
            "line 7: upstream.name:",
            "line 8: upstream.kind:",
            "line 9: upstream.url:",
            "line 10: upstream.auth.password:",
            "line 11: upstream.timeout:",
            "line 13: upstream.name: is missing",
            "line 16: upstream.auth.api_key_env:",
            "line 17: upstream.tls:",
        ] {
            assert!(told.contains(expected), "{expected} is not in:\n{told}");
        }
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[test]
    fn the_environment_overrides_every_key() {
        let variables = [
            ("KEY", "k"),
            ("VEEAM_GRAPH__SERVER__LISTEN", "127.0.0.1:6000"),
            ("VEEAM_GRAPH__UPSTREAM__MSP__URL", "http://other.example:1280"),
            ("VEEAM_GRAPH__UPSTREAM__MSP__MAX_CONCURRENCY", "3"),
            ("VEEAM_GRAPH__UPSTREAM__EM__CACHE__SESSIONS", "5m"),
        ];
        let config = parse(GOOD, &variables).unwrap();
        assert_eq!(config.server.listen.port(), 6000);
        assert_eq!(config.upstreams[0].url.host_str(), Some("other.example"));
        assert_eq!(config.upstreams[0].max_concurrency, 3);
        assert_eq!(config.upstreams[1].cache.sessions, Some(Duration::from_secs(300)));
        let told = parse(GOOD, &[("KEY", "k"), ("VEEAM_GRAPH__UPSTREAM__NOBODY__URL", "x"), ("VEEAM_GRAPH__SERVER__SIZE", "1")])
            .unwrap_err()
            .to_string();
        assert!(told.contains("VEEAM_GRAPH__UPSTREAM__NOBODY__URL") && told.contains("VEEAM_GRAPH__SERVER__SIZE"), "{told}");
    }

    #[test]
    fn text_that_is_no_toml_says_where() {
        let told = parse("[server]\nlisten = \n", &[]).unwrap_err().to_string();
        assert!(told.contains("line 2"), "{told}");
    }
}
