//! Reads that Service Provider Console puts in a queue: 202, and where to look for the result.
//!
//! The action is looked at by GET until it ended, then its result is the answer. Of `Location` the
//! path counts, never the host: nothing is sent anywhere but to the upstream that was asked.

use super::{
    error::{Error, ErrorKind},
    transport::{Get, MAX_RETRIES, Reply, Transport},
    upstream_message,
};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// After this an action is looked at for the first time; each later look waits twice as long.
const FIRST_LOOK: Duration = Duration::from_millis(250);
/// No look waits longer.
const LAST_LOOK: Duration = Duration::from_secs(4);

/// How an action stands.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    Runs,
    Succeeded,
    /// With its own word.
    Ended(String),
}

/// The path of the action that a 202 names, below the configured base. `None` where it names none
/// of this API's.
pub(super) fn path(base: &Url, headers: &HeaderMap) -> Option<String> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    // dots are resolved here, so that what remains is a plain path
    let url = base.join(location.trim()).ok()?;
    let path = url.path().trim_end_matches('/');
    let path = path
        .strip_prefix(base.path().trim_end_matches('/'))
        .unwrap_or(path);
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    let rest = path.strip_prefix("/api/v3/asyncActions/")?;
    (!rest.is_empty() && !rest.contains('/') && path.bytes().all(is_plain)).then(|| path.to_owned())
}

/// How an action stands, by what is told of it. `None` for what is no action.
fn read(body: &[u8]) -> Option<Action> {
    #[derive(Deserialize)]
    struct Envelope {
        data: Info,
    }
    #[derive(Deserialize)]
    struct Info {
        status: String,
    }
    let envelope: Envelope =
        serde_json::from_slice(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)).ok()?;
    let status = envelope.data.status;
    Some(match status.to_ascii_lowercase().as_str() {
        "succeed" | "succeeded" | "success" => Action::Succeeded,
        "failed" | "fail" | "canceled" | "cancelled" => Action::Ended(status),
        _ => Action::Runs,
    })
}

impl Transport {
    /// What a read that was queued comes to.
    pub async fn result(
        &self,
        get: &Get<'_>,
        queued: &Reply,
        deadline: Instant,
    ) -> Result<Reply, Error> {
        let Some(action) = path(&self.base, &queued.headers) else {
            return Err(self
                .error(
                    ErrorKind::Invalid,
                    "queued (202), expected a Location of this API",
                )
                .with_status(202));
        };
        let mut wait = FIRST_LOOK;
        loop {
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LAST_LOOK);
            match self
                .attempt_get(
                    &Get {
                        path: &action,
                        query: &[],
                        ..get.clone()
                    },
                    deadline,
                )
                .await
            {
                Ok(reply) => match read(&reply.body) {
                    Some(Action::Succeeded) => break,
                    Some(Action::Runs) => {}
                    Some(Action::Ended(word)) => {
                        let detail = format!(
                            "the read was queued (202), and its action ended with {:?}",
                            upstream_message::printable(&word)
                        );
                        return Err(self.error(ErrorKind::Unavailable, detail).with_status(202));
                    }
                    None => {
                        let said = upstream_message::said(&reply.body, &[]);
                        return Err(self
                            .error(ErrorKind::Invalid, "expected the state of a queued action")
                            .at(&action, None)
                            .with_words(said));
                    }
                },
                // the deadline ends this
                Err(error) if error.kind.is_retryable() => {}
                Err(error) => return Err(error.at(&action, None)),
            }
        }
        let path = format!("{action}/result");
        let mut left = MAX_RETRIES;
        loop {
            let outcome = self
                .attempt_get(
                    &Get {
                        path: &path,
                        query: &[],
                        ..get.clone()
                    },
                    deadline,
                )
                .await;
            match outcome {
                Ok(reply) if reply.status != StatusCode::ACCEPTED => return Ok(reply),
                Err(error) if left == 0 || !error.kind.is_retryable() => {
                    return Err(error.at(&path, None));
                }
                Ok(_) if left == 0 => {
                    return Err(self
                        .error(
                            ErrorKind::Unavailable,
                            "expected the result of an action that succeeded",
                        )
                        .at(&path, None));
                }
                _ => {}
            }
            left -= 1;
            tokio::time::sleep(FIRST_LOOK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn of_a_location_the_path_counts() {
        let id = "97431954-0000-4000-8000-d0cb0fbccaf7";
        let expected = format!("/api/v3/asyncActions/{id}");
        for (base, location, is_one) in [
            (
                "https://vspc:1280",
                format!("/api/v3/asyncActions/{id}"),
                true,
            ),
            (
                "https://vspc:1280",
                format!("http://evil.example/api/v3/asyncActions/{id}/"),
                true,
            ),
            (
                "https://proxy/msp",
                format!("https://vspc:1280/api/v3/asyncActions/{id}"),
                true,
            ),
            (
                "https://proxy/msp",
                format!("/msp/api/v3/asyncActions/{id}?x=1"),
                true,
            ),
            (
                "https://vspc:1280",
                format!("/api/v3/asyncActions/../../admin/{id}"),
                false,
            ),
            (
                "https://vspc:1280",
                "/api/v3/organizations".to_owned(),
                false,
            ),
            (
                "https://vspc:1280",
                format!("/api/v3/asyncActions/{id}/result"),
                false,
            ),
            (
                "https://vspc:1280",
                "/api/v3/asyncActions/%2e%2e".to_owned(),
                false,
            ),
            ("https://vspc:1280", "file:///etc/passwd".to_owned(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, HeaderValue::from_str(&location).unwrap());
            assert_eq!(
                path(&Url::parse(base).unwrap(), &headers),
                is_one.then(|| expected.clone()),
                "{location}"
            );
        }
    }

    #[test]
    fn an_action_runs_until_it_says_otherwise() {
        let of =
            |status: &str| read(format!("{{\"data\":{{\"status\":\"{status}\"}}}}").as_bytes());
        assert_eq!(of("running"), Some(Action::Runs));
        assert_eq!(of("Succeed"), Some(Action::Succeeded));
        assert_eq!(of("canceled"), Some(Action::Ended("canceled".into())));
        assert_eq!(read(b"<html>"), None);
    }
}
