//! Reading headers that may be missing, repeated or no text.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// What every reader of headers needs.
pub(super) trait HeaderMapExt {
    /// The first of that name, if it is text.
    fn text(&self, name: &HeaderName) -> Option<&str>;
    /// The one of that name; none where there are several.
    fn one(&self, name: &HeaderName) -> Option<&HeaderValue>;
}

impl HeaderMapExt for HeaderMap {
    fn text(&self, name: &HeaderName) -> Option<&str> {
        self.get(name)?.to_str().ok()
    }

    fn one(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let mut all = self.get_all(name).iter();
        all.next().filter(|_| all.next().is_none())
    }
}
