//! Knobs that make the simulated servers misbehave, per path and a number of times.

use serde::Deserialize;
use std::sync::{Mutex, PoisonError};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FaultKind {
    /// The answer comes late.
    Delay {
        /// How late, in milliseconds.
        milliseconds: u64,
    },
    /// This status with a short error body.
    Status {
        /// The HTTP status.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after: Option<u64>,
        /// VSPC's way to say the same: `retryAfter` in the body, in seconds.
        retry_after_in_body: Option<u64>,
        /// `Location`, for redirects.
        location: Option<String>,
    },
    /// The connection breaks in the middle of the body.
    Reset,
    /// 200 with the web UI's page, or a proxy's.
    Html,
    /// The body stops half-way, and the framing says that this is all.
    Truncate,
    /// The body is not what the content type says.
    Garble,
    /// Every open session ends, and this request is refused with 401.
    Expire,
    /// The first page is served again, whatever was asked for; `honest` echoes the offset that was
    /// really used.
    RepeatPage {
        /// Whether `pagingInfo.offset` tells the truth.
        honest: bool,
    },
    /// A page has fewer rows than its total asks for.
    ShortPage,
    /// Errors come beside the data.
    PartialErrors,
    /// Nothing is ever answered.
    Hang,
}

/// One knob.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Fault {
    /// Which requests: a path with its query, `*` for anything at one place.
    pub path: String,
    /// How often; always when left out.
    pub times: Option<u32>,
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    fault: Vec<Fault>,
}

/// The knobs that are set.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// From a file with `[[fault]]` tables.
    pub fn from_toml(text: &str) -> Result<Vec<Fault>, String> {
        toml::from_str::<File>(text)
            .map(|file| file.fault)
            .map_err(|error| error.to_string())
    }

    /// Sets knobs, beside those that are set.
    pub fn add(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(faults);
    }

    /// Turns every knob back.
    pub fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// What goes wrong with this request; a knob with a number is used up by it.
    pub(super) fn take(&self, target: &str) -> Vec<FaultKind> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        faults.retain_mut(|fault| {
            if !matches(&fault.path, target) {
                return true;
            }
            taken.push(fault.kind.clone());
            match &mut fault.times {
                Some(times) => {
                    *times = times.saturating_sub(1);
                    *times > 0
                }
                None => true,
            }
        });
        taken
    }
}

/// `*` stands for any text; everything else for itself.
fn matches(pattern: &str, target: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| target.strip_prefix(first)) else {
        return false;
    };
    let mut rest = rest;
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, target, expected) in [
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/bc", false),
            ("/a*", "/a/b?x=1", true),
            ("*offset=500*", "/jobs?limit=500&offset=500", true),
            ("*/jobs?*", "/a/jobs?limit=1", true),
            ("*/jobs", "/a/jobs/x", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, target), expected, "{pattern} {target}");
        }
    }

    #[test]
    fn a_file_of_faults_is_read() {
        let text = "[[fault]]\npath = \"/api/*\"\nkind = \"status\"\nstatus = 503\ntimes = 2\n\n[[fault]]\npath = \"/x\"\nkind = \"repeat-page\"\nhonest = true\n";
        let faults = Faults::from_toml(text).unwrap();
        assert_eq!(faults.len(), 2);
        assert_eq!(faults[1].kind, FaultKind::RepeatPage { honest: true });
        assert!(Faults::from_toml("[[fault]]\npath = \"/x\"\nkind = \"explode\"\n").is_err());
    }
}
