//! `[[upstream]]`: one API that is read from.

use super::{Environment, problem::Problems, reader::Section};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use url::Url;

/// Which vendor API it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `vspc`: Service Provider Console, REST v3.
    Vspc,
    /// `vac`: the legacy v2 API.
    Vac,
    /// `enterprise-manager`.
    EnterpriseManager,
}

/// How to sign in.
#[derive(Clone, Debug)]
pub enum Auth {
    /// An API key.
    ApiKey(SecretString),
    /// An account.
    Password {
        /// Its name.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// Callers bring a token or a session of their own.
    Passthrough,
}

impl PartialEq for Auth {
    fn eq(&self, other: &Self) -> bool {
        let same =
            |one: &SecretString, other: &SecretString| one.expose_secret() == other.expose_secret();
        match (self, other) {
            (Self::ApiKey(key), Self::ApiKey(other)) => same(key, other),
            (
                Self::Password { username, password },
                Self::Password {
                    username: other_name,
                    password: other,
                },
            ) => username == other_name && same(password, other),
            (Self::Passthrough, Self::Passthrough) => true,
            _ => false,
        }
    }
}

/// Which certificates to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// The system's.
    #[default]
    System,
    /// These roots, in PEM.
    Roots(Vec<u8>),
    /// The certificate with this SHA-256.
    Pinned([u8; 32]),
    /// Any.
    Insecure,
}

/// How long lists are good for, where somebody says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "a setting is named for the list that it is about; docs/settings.md says more"
)]
pub struct Cache {
    pub jobs: Option<Duration>,
    pub agent_objects: Option<Duration>,
    pub sessions: Option<Duration>,
    pub links: Option<Duration>,
    pub copy_jobs: Option<Duration>,
    pub servers: Option<Duration>,
    pub companies: Option<Duration>,
    pub repositories: Option<Duration>,
    pub agent_jobs: Option<Duration>,
    pub alarms: Option<Duration>,
    pub workloads: Option<Duration>,
    pub licenses: Option<Duration>,
    pub max_stale: Option<Duration>,
    pub failure: Option<Duration>,
}

/// One API that is read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// Its name: part of every global id.
    pub name: String,
    /// The API it speaks.
    pub kind: Kind,
    /// Where it is.
    pub url: Url,
    /// How to sign in.
    pub auth: Auth,
    /// Which certificates to trust.
    pub tls: Tls,
    /// The whole of one read.
    pub timeout: Duration,
    /// Requests in flight at once.
    pub max_concurrency: usize,
    /// How far back sessions are read.
    pub session_window: Duration,
    /// How long lists are good for.
    pub cache: Cache,
    /// The version of a console's API to ask for (`X-Client-Version`); the newest that both know
    /// when left out.
    pub client_version: Option<String>,
}

const DAY: Duration = Duration::from_secs(86_400);

/// Reads one table; `None` when it is too wrong to be one.
pub(super) fn read(
    mut section: Section,
    surroundings: &Environment<'_>,
    problems: &mut Problems,
) -> Option<Upstream> {
    let name = read_name(&mut section, problems);
    let kind = read_kind(&mut section, problems);
    let url = read_url(&mut section, kind, problems);
    let auth = read_auth(&mut section, kind, surroundings, problems);
    let tls = read_tls(&mut section, surroundings, problems);
    let timeout = section.duration(
        "timeout",
        Duration::from_millis(100)..=Duration::from_secs(600),
        problems,
    );
    // Enterprise Manager is the slower one; no vendor publishes a figure
    let usual = if kind == Some(Kind::Vspc) { 8 } else { 4 };
    let max_concurrency = section
        .integer("max_concurrency", 1..=64, problems)
        .and_then(|number| usize::try_from(number).ok());
    let session_window = section.duration(
        "session_window",
        Duration::from_secs(3_600)..=366 * DAY,
        problems,
    );
    let client_version = read_client_version(&mut section, kind, problems);
    let cache = section
        .section("cache")
        .map(|cache| read_cache(cache, problems))
        .unwrap_or_default();
    section.finish(problems);
    Some(Upstream {
        name: name?,
        kind: kind?,
        url: url?,
        auth: auth?,
        tls,
        timeout: timeout.unwrap_or(Duration::from_secs(30)),
        max_concurrency: max_concurrency.unwrap_or(usual),
        session_window: session_window.unwrap_or(30 * DAY),
        cache,
        client_version,
    })
}

fn read_client_version(
    section: &mut Section,
    kind: Option<Kind>,
    problems: &mut Problems,
) -> Option<String> {
    let (version, line) = section.text("client_version", problems)?;
    let is_version = version.split('.').count() >= 2
        && version.split('.').all(|part| part.parse::<u8>().is_ok());
    if !is_version || kind.is_some_and(|kind| kind != Kind::Vspc) {
        let why = "must be a version of the API of Service Provider Console, for example \"3.6.2\"; only vspc is told one";
        problems.add(
            line,
            &section.key("client_version"),
            format!("{version:?} {why}"),
        );
        return None;
    }
    Some(version)
}

fn read_name(section: &mut Section, problems: &mut Problems) -> Option<String> {
    let (name, line) = section.required_text("name", problems)?;
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if name.len() > 40 || !name.chars().all(is_plain) {
        problems.add(
            line,
            &section.key("name"),
            format!("{name:?} must be 1 to 40 letters, digits, - or _: it becomes part of every global id"),
        );
        return None;
    }
    Some(name)
}

fn read_kind(section: &mut Section, problems: &mut Problems) -> Option<Kind> {
    let (kind, line) = section.required_text("kind", problems)?;
    match kind.as_str() {
        "vspc" => Some(Kind::Vspc),
        "vac" => Some(Kind::Vac),
        "enterprise-manager" => Some(Kind::EnterpriseManager),
        _ => {
            problems.add(
                line,
                &section.key("kind"),
                format!("{kind:?} must be one of \"vspc\", \"vac\", \"enterprise-manager\""),
            );
            None
        }
    }
}

fn read_url(section: &mut Section, kind: Option<Kind>, problems: &mut Problems) -> Option<Url> {
    let (text, line) = section.required_text("url", problems)?;
    let url = Url::parse(&text).ok().filter(|url| {
        matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if url.is_none() {
        // not repeated: it may hold a password
        problems.add(
            line,
            &section.key("url"),
            "must be https://host:port (or http://), without user, query or fragment, for example \"https://vspc.example.net:1280\"",
        );
    }
    if let Some(url) = &url
        && let Some(path) = path_of_api(url, kind)
    {
        let why = format!("must end before {path:?}: the gateway adds the paths of the API itself");
        problems.add(line, &section.key("url"), why);
        return None;
    }
    url
}

/// The path that an API has anyway, where an address ends with it.
fn path_of_api(url: &Url, kind: Option<Kind>) -> Option<&'static str> {
    let paths: &[&'static str] = match kind? {
        Kind::Vspc => &["/api/v3/token", "/api/v3/about", "/api/v3", "/api"],
        Kind::Vac => &["/v2/backupagents", "/v2", "/token"],
        Kind::EnterpriseManager => &["/api/sessionmngr", "/api/query", "/api"],
    };
    let path = url.path().trim_end_matches('/').to_ascii_lowercase();
    paths.iter().find(|end| path.ends_with(**end)).copied()
}

fn read_auth(
    section: &mut Section,
    kind: Option<Kind>,
    surroundings: &Environment<'_>,
    problems: &mut Problems,
) -> Option<Auth> {
    let key = section.key("auth");
    let Some(mut auth) = section.section("auth") else {
        if !section.has("auth") {
            problems.add(
                section.line(),
                &key,
                "is missing: write { api_key_env = \"VARIABLE\" } or { username = \"…\", password_env = \"VARIABLE\" }",
            );
        }
        return None;
    };
    let line = auth.line();
    for literal in ["password", "api_key"] {
        auth.refuse(literal, "a secret does not belong in this file: name a variable (…_env) or a file (…_file) that has it", problems);
    }
    let is_of_callers = auth.boolean("passthrough", problems) == Some(true);
    let username = auth.text("username", problems).map(|(text, _)| text);
    let password = read_secret(
        &mut auth,
        "password_env",
        "password_file",
        surroundings,
        problems,
    );
    let api_key = read_secret(
        &mut auth,
        "api_key_env",
        "api_key_file",
        surroundings,
        problems,
    );
    auth.finish(problems);
    if is_of_callers {
        if username.is_some() || !matches!((&password, &api_key), (Secret::Absent, Secret::Absent))
        {
            problems.add(line, &key, "with passthrough = true callers bring their own credentials: the gateway needs none");
        }
        return Some(Auth::Passthrough);
    }
    match (api_key, username, password) {
        (Secret::Absent, Some(username), Secret::Read(password)) => {
            Some(Auth::Password { username, password })
        }
        (Secret::Read(_) | Secret::Bad, None, Secret::Absent)
            if kind.is_some_and(|kind| kind != Kind::Vspc) =>
        {
            problems.add(
                line,
                &key,
                "only vspc takes API keys: write { username = \"…\", password_env = \"VARIABLE\" }",
            );
            None
        }
        (Secret::Read(api_key), None, Secret::Absent) => Some(Auth::ApiKey(api_key)),
        (Secret::Bad, _, _) | (_, _, Secret::Bad) => None,
        _ => {
            problems.add(line, &key, "must be either { api_key_env = … } or { username = …, password_env = … } (or …_file)");
            None
        }
    }
}

enum Secret {
    Absent,
    Bad,
    Read(SecretString),
}

fn read_secret(
    auth: &mut Section,
    variable: &'static str,
    file: &'static str,
    surroundings: &Environment<'_>,
    problems: &mut Problems,
) -> Secret {
    let named = auth.text(variable, problems);
    let filed = auth.text(file, problems);
    let (secret, line, key, what) = match (named, filed) {
        (None, None) => return Secret::Absent,
        (Some((name, line)), None) => (
            surroundings.variable(&name).map(str::to_owned),
            line,
            variable,
            format!("the variable {name} is not set, or empty"),
        ),
        (None, Some((path, line))) => {
            let text = surroundings
                .secret_file(&path)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            (
                text,
                line,
                file,
                format!("the file {path:?} can't be read, or is empty"),
            )
        }
        (Some((_, line)), Some(_)) => (
            None,
            line,
            variable,
            format!("only one of {variable} and {file} can be"),
        ),
    };
    // an editor's newline at the end is no part of a secret
    let secret = secret
        .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
        .filter(|text| !text.is_empty());
    match secret {
        Some(secret) => Secret::Read(secret.into()),
        None => {
            problems.add(line, &auth.key(key), what);
            Secret::Bad
        }
    }
}

fn read_tls(section: &mut Section, surroundings: &Environment<'_>, problems: &mut Problems) -> Tls {
    let key = section.key("tls");
    let Some(mut tls) = section.section("tls") else {
        return Tls::System;
    };
    let line = tls.line();
    let given = ["ca_file", "pinned_sha256", "insecure"]
        .into_iter()
        .filter(|key| tls.has(key))
        .count();
    if given > 1 {
        problems.add(
            line,
            &key,
            "only one of ca_file, pinned_sha256 and insecure can be",
        );
    }
    let mut trust = Tls::System;
    if let Some((path, line)) = tls.text("ca_file", problems) {
        match surroundings.file(&path) {
            Ok(pem) => trust = Tls::Roots(pem),
            Err(error) => problems.add(
                line,
                &tls.key("ca_file"),
                format!("{path:?} can't be read: {error}"),
            ),
        }
    }
    if let Some((text, line)) = tls.text("pinned_sha256", problems) {
        match parse_fingerprint(&text) {
            Some(fingerprint) => trust = Tls::Pinned(fingerprint),
            None => problems.add(
                line,
                &tls.key("pinned_sha256"),
                "must be 64 hexadecimal digits, with or without colons, as `openssl x509 -noout -fingerprint -sha256` prints them",
            ),
        }
    }
    if tls.boolean("insecure", problems) == Some(true) {
        trust = Tls::Insecure;
    }
    tls.finish(problems);
    trust
}

pub(super) fn parse_fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: String = text.chars().filter(|character| *character != ':').collect();
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut fingerprint = [0; 32];
    for (byte, pair) in fingerprint.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(fingerprint)
}

fn read_cache(mut section: Section, problems: &mut Problems) -> Cache {
    let mut read = |key| section.duration(key, Duration::ZERO..=7 * DAY, problems);
    let cache = Cache {
        jobs: read("jobs"),
        agent_objects: read("agent_objects"),
        sessions: read("sessions"),
        links: read("links"),
        copy_jobs: read("copy_jobs"),
        servers: read("servers"),
        companies: read("companies"),
        repositories: read("repositories"),
        agent_jobs: read("agent_jobs"),
        alarms: read("alarms"),
        workloads: read("workloads"),
        licenses: read("licenses"),
        max_stale: read("max_stale"),
        failure: read("failure"),
    };
    section.finish(problems);
    cache
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_ends_in_the_path_of_the_api_is_known() {
        for (kind, address, expected) in [
            (Kind::Vspc, "https://vspc:1280/api/v3/", Some("/api/v3")),
            (Kind::Vspc, "https://vspc:1280/API", Some("/api")),
            (Kind::Vspc, "https://proxy/msp", None),
            (Kind::Vspc, "https://vspc:1280", None),
            (Kind::Vac, "https://vac:1281/v2", Some("/v2")),
            (Kind::EnterpriseManager, "https://em:9398/api", Some("/api")),
            (Kind::EnterpriseManager, "https://em:9398/", None),
        ] {
            assert_eq!(
                path_of_api(&Url::parse(address).unwrap(), Some(kind)),
                expected,
                "{address}"
            );
        }
    }
}
