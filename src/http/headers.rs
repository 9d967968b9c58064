//! A request's headers, looked over once. Of those that a gateway heeds most are not there; to find
//! that out with a lookup for each costs more than all the rest of a small answer.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// A request's headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Headers<'r> {
    all: &'r HeaderMap,
    /// Bits of the names that are there. Several names have the same: a bit says 'perhaps', none
    /// says 'no'.
    marks: u64,
}

impl<'r> Headers<'r> {
    pub fn new(all: &'r HeaderMap) -> Self {
        Self {
            all,
            marks: all.keys().fold(0, |marks, name| marks | mark(name)),
        }
    }

    pub fn has(self, name: &HeaderName) -> bool {
        self.perhaps(name) && self.all.contains_key(name)
    }

    /// The first of that name.
    pub fn get(self, name: &HeaderName) -> Option<&'r HeaderValue> {
        if self.perhaps(name) {
            self.all.get(name)
        } else {
            None
        }
    }

    /// The first of that name, if it is text.
    pub fn text(self, name: &HeaderName) -> Option<&'r str> {
        self.get(name)?.to_str().ok()
    }

    /// Every one of that name.
    pub fn all(self, name: &HeaderName) -> impl Iterator<Item = &'r HeaderValue> + use<'r> {
        self.perhaps(name)
            .then(|| self.all.get_all(name).into_iter())
            .into_iter()
            .flatten()
    }

    /// The one of that name; none where there are several.
    pub fn one(self, name: &HeaderName) -> Option<&'r HeaderValue> {
        let mut all = self.all(name);
        all.next().filter(|_| all.next().is_none())
    }

    fn perhaps(self, name: &HeaderName) -> bool {
        self.marks & mark(name) != 0
    }
}

fn mark(name: &HeaderName) -> u64 {
    let name = name.as_str().as_bytes();
    let of = |byte: Option<&u8>, factor: usize| byte.map_or(0, |byte| usize::from(*byte) * factor);
    1 << ((name.len() + of(name.first(), 7) + of(name.last(), 3)) % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header;

    #[test]
    fn what_is_there_is_found_and_nothing_else() {
        let map: HeaderMap = [
            (header::HOST, HeaderValue::from_static("a")),
            (header::ACCEPT, HeaderValue::from_static("b")),
            (header::ACCEPT, HeaderValue::from_static("c")),
            (header::COOKIE, HeaderValue::from_bytes(b"\xff").unwrap()),
            (
                HeaderName::from_static("x-api-key"),
                HeaderValue::from_static("d"),
            ),
        ]
        .into_iter()
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        });
        let headers = Headers::new(&map);
        assert_eq!(headers.text(&header::HOST), Some("a"));
        assert_eq!(headers.one(&header::HOST).unwrap(), "a");
        assert_eq!(
            headers.text(&HeaderName::from_static("x-api-key")),
            Some("d")
        );
        assert_eq!(
            (headers.text(&header::ACCEPT), headers.one(&header::ACCEPT)),
            (Some("b"), None)
        );
        assert_eq!(headers.all(&header::ACCEPT).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(
            (headers.has(&header::COOKIE), headers.text(&header::COOKIE)),
            (true, None)
        );
        for name in ["accept-encoding", "x-api-kez", "", "hest", "x"] {
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
                continue;
            };
            assert!(
                !headers.has(&name)
                    && headers.get(&name).is_none()
                    && headers.all(&name).next().is_none(),
                "{name}"
            );
        }
    }
}
