//! `[auth]`: who may ask, and what each may see.

use super::{
    problem::Problems,
    reader::Section,
    upstream::{Upstream, parse_fingerprint},
};
use std::{path::PathBuf, time::Duration};
use url::Url;

/// Who may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Whether somebody who shows nothing may ask, and sees everything. `None`: only if nobody else
    /// is known and the address is a loopback one.
    pub anonymous: Option<bool>,
    /// Those who are known by a key or a certificate.
    pub callers: Vec<Caller>,
    /// What the roles of callers and tokens are good for.
    pub roles: Vec<Role>,
    /// Tokens of an identity provider.
    pub jwt: Option<Jwt>,
}

/// Somebody who is known by a key or a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// For logs and limits.
    pub name: String,
    /// SHA-256 of each of its keys.
    pub keys: Vec<[u8; 32]>,
    /// SHA-256 fingerprints of its certificates.
    pub certificates: Vec<[u8; 32]>,
    /// Names of roles.
    pub roles: Vec<String>,
    /// What it may see beside what its roles allow.
    pub sees: Option<Sees>,
    /// What it may not read.
    pub hide: Hide,
    /// Whether it may be told how an answer came about: paths of upstreams, with ids in them.
    pub debug: bool,
}

/// What a role is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// As tokens and callers name it.
    pub name: String,
    /// What it may see.
    pub sees: Sees,
    /// The claim of a token that names the companies, in place of a list here.
    pub companies_claim: Option<String>,
    /// What it may not read.
    pub hide: Hide,
    /// Whether it may be told how an answer came about: paths of upstreams, with ids in them.
    pub debug: bool,
}

/// A part of the estate: what is left out is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sees {
    /// Upstreams by name.
    pub upstreams: Option<Vec<String>>,
    /// Companies by uid or name.
    pub companies: Option<Vec<String>>,
    /// Backup servers by uid or name.
    pub servers: Option<Vec<String>>,
}

/// Kinds of fields that are kept back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hide {
    /// Messages of failed runs.
    pub failure_messages: bool,
    /// Names and addresses of machines.
    pub host_names: bool,
}

/// Tokens of an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// Who issues them: the `iss` claim, whole.
    pub issuer: String,
    /// For whom: one of these must be in `aud`.
    pub audience: Vec<String>,
    /// Where the keys are.
    pub keys: JwtKeys,
    /// Which signatures are taken.
    pub algorithms: Vec<String>,
    /// How wrong clocks may be.
    pub clock_skew: Duration,
    /// The claim that names the caller.
    pub name_claim: String,
    /// The claim that has its roles.
    pub roles_claim: String,
    /// How old keys may be before they are read anew; they stay in use meanwhile.
    pub refresh: Duration,
    /// How old keys may be and still be used, while their provider can't be read.
    pub keep: Duration,
}

/// Whether a claim is by its definition a list in one text, parted by spaces (RFC 8693, 4.2; `scp`
/// is Microsoft's name for it). In any other a text is one name.
pub fn is_scope(claim: &str) -> bool {
    matches!(claim, "scope" | "scp")
}

/// Where an identity provider's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtKeys {
    /// As the issuer's own discovery document says.
    Discovery,
    /// At this address.
    Url(Url),
    /// In this file.
    File(PathBuf),
}

/// Signatures that can be checked with a public key; with a shared secret whoever checks could also
/// sign.
const ALGORITHMS: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

pub(super) fn read(
    section: Option<Section>,
    upstreams: &[Upstream],
    base: &std::path::Path,
    problems: &mut Problems,
) -> Access {
    let Some(mut section) = section else {
        return Access::default();
    };
    let anonymous = section.boolean("anonymous", problems);
    let roles = read_roles(&mut section, upstreams, problems);
    let callers = read_callers(&mut section, upstreams, &roles, problems);
    let jwt = section
        .section("jwt")
        .and_then(|jwt| read_jwt(jwt, base, problems));
    if jwt.is_some() && roles.is_empty() {
        problems.add(
            section.line(),
            "auth.role",
            "there is none, so no token would see anything: add an [[auth.role]] table",
        );
    }
    if let Some(jwt) = jwt.as_ref().filter(|jwt| is_scope(&jwt.roles_claim)) {
        for role in roles.iter().filter(|role| role.name.contains(' ')) {
            let message = format!(
                "{:?} has a space in it: the claim {:?} is parted by spaces and could never name it",
                role.name, jwt.roles_claim
            );
            problems.add(section.line(), "auth.role.name", message);
        }
    }
    section.finish(problems);
    Access {
        anonymous,
        callers,
        roles,
        jwt,
    }
}

fn read_roles(section: &mut Section, upstreams: &[Upstream], problems: &mut Problems) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::new();
    for mut table in section.sections("role", problems) {
        let line = table.line();
        let name = table
            .required_text("name", problems)
            .map(|(name, _)| name)
            .unwrap_or_default();
        let companies_claim = table
            .text("companies_claim", problems)
            .map(|(claim, _)| claim);
        let sees = read_sees(&mut table, upstreams, problems);
        if sees.is_none() && companies_claim.is_none() {
            problems.add(
                line,
                "auth.role",
                format!("{name:?} says nowhere what it may see: {WHAT_TO_SEE}"),
            );
        }
        if companies_claim.is_some() && sees.as_ref().is_some_and(|sees| sees.companies.is_some()) {
            problems.add(
                line,
                "auth.role.companies_claim",
                "companies are either listed here or named by the token, not both",
            );
        }
        if roles.iter().any(|other| other.name == name) {
            problems.add(line, "auth.role.name", format!("{name:?} is used twice"));
        }
        let hide = read_hide(&mut table, problems);
        let debug = table.boolean("debug", problems).unwrap_or_default();
        table.finish(problems);
        roles.push(Role {
            name,
            sees: sees.unwrap_or_default(),
            companies_claim,
            hide,
            debug,
        });
    }
    roles
}

const WHAT_TO_SEE: &str =
    "write companies = [\"…\"], servers = [\"…\"], upstreams = [\"…\"], or everything = true";

fn read_callers(
    section: &mut Section,
    upstreams: &[Upstream],
    known: &[Role],
    problems: &mut Problems,
) -> Vec<Caller> {
    let mut callers: Vec<Caller> = Vec::new();
    for mut table in section.sections("caller", problems) {
        let line = table.line();
        let name = table
            .required_text("name", problems)
            .map(|(name, _)| name)
            .unwrap_or_default();
        for secret in ["key", "keys", "api_key", "password"] {
            table.refuse(
                secret,
                "a key itself does not belong in this file: write key_sha256 = [\"…\"]; `veeam-graph key` makes both",
                problems,
            );
        }
        let keys = read_hashes(
            &mut table,
            "key_sha256",
            "as `veeam-graph key` prints it",
            problems,
        );
        let certificates = read_hashes(
            &mut table,
            "certificate_sha256",
            "as `openssl x509 -noout -fingerprint -sha256` prints it",
            problems,
        );
        if keys.is_empty()
            && certificates.is_empty()
            && !table.has("key_sha256")
            && !table.has("certificate_sha256")
        {
            problems.add(
                line,
                "auth.caller",
                format!("{name:?} could never prove itself: add key_sha256 or certificate_sha256"),
            );
        }
        let roles: Vec<String> = table
            .texts("roles", problems)
            .unwrap_or_default()
            .into_iter()
            .map(|(role, _)| role)
            .collect();
        for role in &roles {
            match known.iter().find(|other| other.name == *role) {
                None => problems.add(
                    line,
                    "auth.caller.roles",
                    format!("there is no [[auth.role]] named {role:?}"),
                ),
                Some(role) if role.companies_claim.is_some() => {
                    problems.add(
                        line,
                        "auth.caller.roles",
                        format!(
                            "{:?} takes its companies from a token; keys have none",
                            role.name
                        ),
                    );
                }
                Some(_) => {}
            }
        }
        let sees = read_sees(&mut table, upstreams, problems);
        if sees.is_none() && roles.is_empty() {
            problems.add(
                line,
                "auth.caller",
                format!("{name:?} says nowhere what it may see: {WHAT_TO_SEE}, or roles = [\"…\"]"),
            );
        }
        if callers.iter().any(|other| other.name == name) {
            problems.add(line, "auth.caller.name", format!("{name:?} is used twice"));
        }
        if callers
            .iter()
            .any(|other| other.keys.iter().any(|key| keys.contains(key)))
        {
            problems.add(
                line,
                "auth.caller.key_sha256",
                "another caller has that key",
            );
        }
        let hide = read_hide(&mut table, problems);
        let debug = table.boolean("debug", problems).unwrap_or_default();
        table.finish(problems);
        callers.push(Caller {
            name,
            keys,
            certificates,
            roles,
            sees,
            hide,
            debug,
        });
    }
    callers
}

fn read_hashes(
    table: &mut Section,
    key: &'static str,
    hint: &str,
    problems: &mut Problems,
) -> Vec<[u8; 32]> {
    let mut hashes = Vec::new();
    for (text, line) in table.words(key, problems).unwrap_or_default() {
        match parse_fingerprint(text.strip_prefix("sha256:").unwrap_or(&text)) {
            Some(hash) => hashes.push(hash),
            // not repeated: somebody may have put the key itself here
            None => problems.add(
                line,
                &table.key(key),
                format!("must be 64 hexadecimal digits, {hint}"),
            ),
        }
    }
    hashes
}

fn read_sees(table: &mut Section, upstreams: &[Upstream], problems: &mut Problems) -> Option<Sees> {
    let line = table.line();
    let everything = table.boolean("everything", problems) == Some(true);
    let plain = |texts: Vec<(String, Option<usize>)>| {
        texts.into_iter().map(|(text, _)| text).collect::<Vec<_>>()
    };
    let upstreams_of = table.words("upstreams", problems).map(plain);
    let mut names = |key| table.texts(key, problems).map(plain);
    let sees = Sees {
        upstreams: upstreams_of,
        companies: names("companies"),
        servers: names("servers"),
    };
    for name in sees.upstreams.iter().flatten() {
        if !upstreams.iter().any(|upstream| upstream.name == *name) {
            problems.add(
                line,
                &table.key("upstreams"),
                format!("there is no upstream named {name:?}"),
            );
        }
    }
    let is_limited = sees != Sees::default();
    if everything && is_limited {
        problems.add(
            line,
            &table.key("everything"),
            "can't be said together with companies, servers or upstreams",
        );
    }
    (everything || is_limited).then_some(sees)
}

fn read_hide(table: &mut Section, problems: &mut Problems) -> Hide {
    let mut hide = Hide::default();
    for (text, line) in table.words("hide", problems).unwrap_or_default() {
        match text.as_str() {
            "failure_messages" => hide.failure_messages = true,
            "host_names" => hide.host_names = true,
            _ => problems.add(
                line,
                &table.key("hide"),
                format!("{text:?} must be \"failure_messages\" or \"host_names\""),
            ),
        }
    }
    hide
}

fn read_jwt(mut section: Section, base: &std::path::Path, problems: &mut Problems) -> Option<Jwt> {
    let line = section.line();
    let issuer = section.required_text("issuer", problems);
    let audience: Vec<String> = section
        .texts("audience", problems)
        .unwrap_or_default()
        .into_iter()
        .map(|(text, _)| text)
        .collect();
    if audience.is_empty() {
        problems.add(
            line,
            "auth.jwt.audience",
            "is missing: without it a token that was meant for another service would be taken",
        );
    }
    let url = section.text("jwks_url", problems);
    let file = section.text("jwks_file", problems);
    let keys = match (url, file) {
        (Some((_, line)), Some(_)) => {
            problems.add(
                line,
                "auth.jwt.jwks_url",
                "only one of jwks_url and jwks_file can be",
            );
            None
        }
        (Some((url, line)), None) => {
            let url = Url::parse(&url)
                .ok()
                .filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
            if url.is_none() {
                problems.add(line, "auth.jwt.jwks_url", "must be https://host/path");
            }
            url.map(JwtKeys::Url)
        }
        (None, Some((path, _))) => Some(JwtKeys::File(base.join(path))),
        (None, None) => {
            if let Some((issuer, line)) = &issuer
                && !Url::parse(issuer)
                    .is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
            {
                problems.add(*line, "auth.jwt.issuer", "must be an https:// address to find its keys, or else give jwks_url or jwks_file");
            }
            Some(JwtKeys::Discovery)
        }
    };
    let mut algorithms = Vec::new();
    for (algorithm, line) in section.words("algorithms", problems).unwrap_or_default() {
        if ALGORITHMS.contains(&algorithm.as_str()) {
            algorithms.push(algorithm);
        } else {
            problems.add(
                line,
                "auth.jwt.algorithms",
                format!("{algorithm:?} must be one of {}", ALGORITHMS.join(", ")),
            );
        }
    }
    if algorithms.is_empty() {
        algorithms = ["RS256", "PS256", "ES256", "EdDSA"]
            .map(str::to_owned)
            .to_vec();
    }
    let clock_skew = section.duration(
        "clock_skew",
        Duration::ZERO..=Duration::from_secs(600),
        problems,
    );
    let name_claim = section.text("name_claim", problems).map(|(claim, _)| claim);
    let roles_claim = section
        .text("roles_claim", problems)
        .map(|(claim, _)| claim);
    let mut age = |key, longest: u64, usual: u64| {
        let bounds = Duration::from_secs(10)..=Duration::from_secs(longest);
        section
            .duration(key, bounds, problems)
            .unwrap_or(Duration::from_secs(usual))
    };
    let (refresh, keep) = (
        age("refresh", 86_400, 3_600),
        age("keep", 7 * 86_400, 86_400),
    );
    if keep < refresh {
        problems.add(
            line,
            "auth.jwt.keep",
            "is shorter than auth.jwt.refresh: keys would be gone before they are read anew",
        );
    }
    section.finish(problems);
    Some(Jwt {
        issuer: issuer?.0,
        audience,
        keys: keys?,
        algorithms,
        clock_skew: clock_skew.unwrap_or(Duration::from_secs(60)),
        name_claim: name_claim.unwrap_or_else(|| "sub".to_owned()),
        roles_claim: roles_claim.unwrap_or_else(|| "roles".to_owned()),
        refresh,
        keep,
    })
}
