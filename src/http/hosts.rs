//! Under which names the gateway may be asked, where somebody who shows nothing may ask.
//!
//! A page of a foreign name whose address is changed to this machine's (DNS rebinding) is, to a
//! browser, a page of ours: no check of its origin finds it out. What gives it away is the name
//! that it asks for, in `Host` or `:authority`. A numeric address can't be changed like that. Where
//! everybody must show a key or a token there is no need: such a page has none.

use crate::config::{Config, Server};
use axum::http::{HeaderMap, Uri, header, uri::Authority};
use std::net::IpAddr;

/// What is told to whoever asks for another name.
pub(super) const REFUSAL: &str = "The gateway may not be asked under this host name: where anybody may ask it answers to localhost, the address that it listens on, and the names in server.hosts (demo: --host). Add this one there if it is meant.";

/// The names that are ours.
pub(super) struct Hosts {
    listen: IpAddr,
    names: Vec<String>,
}

impl Hosts {
    /// Where every caller must be known any name will do.
    pub fn new(config: &Config) -> Option<Self> {
        let Server { listen, hosts, .. } = &config.server;
        config.takes_anonymous().then(|| Self {
            listen: listen.ip().to_canonical(),
            names: hosts.clone(),
        })
    }

    /// Whether a request is for us, by every name that is in it. One without any is of no browser.
    pub fn are_named(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut in_headers = headers.get_all(&header::HOST).iter();
        uri.authority().is_none_or(|authority| self.has(authority))
            && in_headers.all(|value| {
                Authority::try_from(value.as_bytes()).is_ok_and(|authority| self.has(&authority))
            })
    }

    fn has(&self, authority: &Authority) -> bool {
        let host = authority.host();
        // the port is the way here: it may be another one in front of a tunnel or a proxy
        let address: Option<IpAddr> = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok();
        match address.map(|address| address.to_canonical()) {
            _ if authority.as_str().contains('@') => false,
            Some(address)
                if address.is_loopback()
                    || self.listen.is_unspecified()
                    || address == self.listen =>
            {
                true
            }
            _ => {
                let host = host.strip_suffix('.').unwrap_or(host);
                host.eq_ignore_ascii_case("localhost")
                    || self
                        .names
                        .iter()
                        .any(|name| name.eq_ignore_ascii_case(host))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ours_or_not() {
        let hosts = |listen: &str, names: &[&str]| Hosts {
            listen: listen.parse().unwrap(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let (here, named, anywhere) = (
            hosts("127.0.0.1", &[]),
            hosts("10.1.2.3", &["graph.example.net", "[fd00::7]"]),
            hosts("0.0.0.0", &[]),
        );
        for (authority, expected) in [
            ("localhost", [true, true, true]),
            ("LocalHost.:4000", [true, true, true]),
            ("127.0.0.1:4000", [true, true, true]),
            ("127.9.9.9", [true, true, true]),
            ("[::1]:4000", [true, true, true]),
            ("[::ffff:127.0.0.1]", [true, true, true]),
            ("10.1.2.3:80", [false, true, true]),
            ("10.1.2.4", [false, false, true]),
            ("[fd00::7]:4000", [false, true, true]),
            ("graph.example.net:4000", [false, true, false]),
            ("GRAPH.example.net.", [false, true, false]),
            ("evil.example", [false, false, false]),
            ("localhost.evil.example", [false, false, false]),
            ("graph.example.net.evil.example", [false, false, false]),
            ("127.0.0.1.nip.io", [false, false, false]),
            ("evil.localhost", [false, false, false]),
            ("localhost@evil.example", [false, false, false]),
            ("evil.example@localhost", [false, false, false]),
            ("2130706433", [false, false, false]),
            ("0x7f.1", [false, false, false]),
        ] {
            let parsed: Authority = authority.parse().unwrap();
            assert_eq!(
                [&here, &named, &anywhere].map(|hosts| hosts.has(&parsed)),
                expected,
                "{authority}"
            );
        }
    }
}
