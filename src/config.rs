//! Every setting: read from a TOML file, overlaid from the environment, checked as a whole.
//!
//! All problems are found at once, each with its key, its line and what would be right. Nothing
//! else in the program reads the environment or a settings file, but for a socket that systemd
//! hands over. Secrets come from variables or files and are wrapped before anything can print them.

mod access;
mod limits;
mod operations;
mod problem;
mod reader;
mod server;
#[cfg(test)]
mod tests;
mod tree;
mod upstream;
mod watched_files;

pub use access::{Access, Caller, Hide, Jwt, JwtKeys, Role, Sees, is_scope};
pub use limits::Limits;
pub use operations::{Mode, Operations};
pub use problem::{Problem, Problems};
pub use server::{Cors, Server, ServerTls};
pub use upstream::{Auth, Cache, Kind, Tls, Upstream};
pub use watched_files::WatchedFiles;

use reader::Section;
use std::{
    cell::RefCell,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// What every environment override begins with.
pub const ENV_PREFIX: &str = "VEEAM_GRAPH__";
/// Where the gateway listens when nobody says: loopback, since anybody who reaches it may ask it.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:4000";

/// Everything that the gateway can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Our own door.
    pub server: Server,
    /// Who may ask.
    pub auth: Access,
    /// How much may be asked for.
    pub limits: Limits,
    /// Which documents are run.
    pub operations: Operations,
    /// What is read from.
    pub upstreams: Vec<Upstream>,
}

/// Where settings come from, so that tests need neither files nor variables.
pub struct Environment<'a> {
    /// Every environment variable.
    pub variables: &'a [(String, String)],
    /// Reads a file that a setting names.
    pub read_file: &'a dyn Fn(&Path) -> std::io::Result<Vec<u8>>,
    /// What relative paths in the file are relative to.
    pub base: PathBuf,
    /// Gathers the files that have secrets in them.
    pub secret_files: &'a RefCell<Vec<PathBuf>>,
    /// Gathers what was read from.
    pub files: &'a RefCell<WatchedFiles>,
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

impl Environment<'_> {
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let path = self.base.join(path);
        let content = (self.read_file)(&path);
        self.files.borrow_mut().note(&path, &content);
        content
    }

    /// The same for a file that is looked at by whoever uses it: a change of it is no change of the
    /// configuration.
    fn file_of_others(&self, path: &str) -> std::io::Result<Vec<u8>> {
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
        Self::load_with_files(path).0
    }

    /// The same, with the files that were read, right or wrong.
    pub fn load_with_files(path: &Path) -> (Result<Self, Problems>, WatchedFiles) {
        let files = RefCell::default();
        let outcome = Self::load_noting(path, &files);
        (outcome, files.take())
    }

    fn load_noting(path: &Path, files: &RefCell<WatchedFiles>) -> Result<Self, Problems> {
        let content = std::fs::read(path);
        files.borrow_mut().note(path, &content);
        let told = |reason: &dyn std::fmt::Display| {
            Problems::one(
                None,
                "",
                format!("{} can't be read: {reason}", path.display()),
            )
        };
        let content = content.map_err(|error| told(&error))?;
        let text = String::from_utf8(content).map_err(|error| told(&error))?;
        // a variable that is not UTF-8 is none of ours
        let variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let secret_files = RefCell::default();
        let surroundings = Environment {
            variables: &variables,
            read_file: &|path| std::fs::read(path),
            base,
            secret_files: &secret_files,
            files,
        };
        let config = Self::parse(&text, &surroundings)?;
        for file in secret_files
            .take()
            .iter()
            .filter(|file| is_readable_by_all(file))
        {
            tracing::warn!(
                file = %file.display(),
                "this file has a secret in it and every user of this machine can read it: take that away, with `chmod o-rwx`"
            );
        }
        Ok(config)
    }

    /// Reads settings from text, in given surroundings.
    pub fn parse(text: &str, surroundings: &Environment<'_>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut tree = tree::parse(text)?;
        tree::overlay(&mut tree, surroundings.variables, &mut problems);

        let mut root = Section::new("", tree);
        let server = server::read(root.section("server"), &surroundings.base, &mut problems);
        let mut upstreams: Vec<Upstream> = Vec::new();
        let tables = root.sections("upstream", &mut problems);
        if tables.is_empty() {
            problems.add(
                None,
                "upstream",
                "there is none: add an [[upstream]] table with name, kind, url and auth",
            );
        }
        for table in tables {
            let line = table.line();
            let Some(upstream) = upstream::read(table, surroundings, &mut problems) else {
                continue;
            };
            if upstreams.iter().any(|other| other.name == upstream.name) {
                problems.add(
                    line,
                    "upstream.name",
                    format!(
                        "{:?} is used twice; names are part of every global id and must differ",
                        upstream.name
                    ),
                );
            }
            upstreams.push(upstream);
        }
        let auth = access::read(
            root.section("auth"),
            &upstreams,
            &surroundings.base,
            &mut problems,
        );
        let limits = limits::read(root.section("limits"), &mut problems);
        let operations = operations::read(root.section("operations"), surroundings, &mut problems);
        root.finish(&mut problems);
        check_door(&server, &auth, &mut problems);
        surroundings
            .secret_files
            .borrow_mut()
            .extend(server.tls.as_ref().map(|tls| tls.key_file.clone()));
        problems.or(Self {
            server,
            auth,
            limits,
            operations,
            upstreams,
        })
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
    let with_certificates = auth
        .callers
        .iter()
        .any(|caller| !caller.certificates.is_empty());
    if with_certificates
        && server
            .tls
            .as_ref()
            .is_none_or(|tls| tls.client_ca_file.is_none())
    {
        problems.add(
            None,
            "server.tls.client_ca_file",
            "is missing: certificates of callers are only asked for with it",
        );
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
        self.auth
            .anonymous
            .unwrap_or(!is_known && self.server.listen.ip().is_loopback())
    }
}
