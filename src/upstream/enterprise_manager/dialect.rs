//! JSON in two casings, with or without a byte order mark, and XML, read into one tree: keys in lower case, XML
//! attributes and child elements side by side, repeated elements as an array.
//!
//! XML is refused where leniency would lie: a document type, an unknown entity, an element left open, anything after
//! the root. A cut body is an error, never a shorter list.

use crate::upstream::transport::Reply;
use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// Deeper than any document of the API (query results have 8 levels).
const MAX_DEPTH: usize = 64;

/// One answer: the root element's name, where the dialect has one, and what is in it.
#[derive(Debug)]
pub(super) struct Document {
    root: Option<String>,
    body: Value,
}

impl Document {
    /// Reads an answer by its content type.
    pub fn read(reply: &Reply) -> Result<Self, String> {
        let media_type = reply.media_type();
        let bytes = reply.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&reply.body);
        if media_type.ends_with("json") {
            let LowerCased(body) = serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
            Ok(Self { root: None, body })
        } else if media_type.ends_with("xml") {
            let (root, body) = read_xml(bytes)?;
            Ok(Self { root: Some(root), body })
        } else {
            Err(format!("the answer is {media_type:?}, neither JSON nor XML"))
        }
    }

    /// A text member of the root.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key)?.as_str()
    }

    /// A whole-number member below the root.
    pub fn number(&self, path: &[&str]) -> Option<u64> {
        let value = path.iter().try_fold(&self.body, |value, key| value.get(key))?;
        value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// The one entity that the document is.
    pub fn entity<T: DeserializeOwned>(self) -> Result<T, String> {
        serde_json::from_value(self.body).map_err(|error| format!("not the documented shape: {error}"))
    }

    /// The rows of a collection, in any of the shapes it comes in: `plural: […]`, `plural: {plural: […]}`,
    /// `plural: {singular: …}`, a root element named `roots`, or a bare array. Null is empty; absent is an error.
    pub fn rows<T: DeserializeOwned>(&mut self, roots: &[&str], plural: &str, singular: &str) -> Result<Vec<T>, String> {
        let named = self.root.as_deref().is_some_and(|root| roots.contains(&root));
        let mut value = std::mem::take(&mut self.body);
        if let Some(inner) = value.get_mut(plural) {
            value = inner.take();
        } else if !named && !value.is_array() {
            return Err(format!("no {plural} in the answer"));
        }
        let rows = match into_rows(value, plural, singular) {
            Value::Null => return Ok(Vec::new()),
            Value::Array(rows) => rows,
            one => vec![one],
        };
        rows.into_iter().map(|row| serde_json::from_value(row).map_err(|error| format!("not the documented shape: {error}"))).collect()
    }

    /// Whether the root has this member, and it is not null.
    pub fn has(&self, key: &str) -> bool {
        self.root.as_deref() == Some(key) || self.body.get(key).is_some_and(|value| !value.is_null())
    }

    /// The document below a member of the root.
    pub fn into_member(mut self, key: &str) -> Self {
        let body = self.body.get_mut(key).map(Value::take).unwrap_or_default();
        Self { root: None, body }
    }
}

/// Goes down the wrappers of a list: `{plural: …}` or `{singular: …}`; an empty element is an empty list.
fn into_rows(mut value: Value, plural: &str, singular: &str) -> Value {
    for key in [plural, singular] {
        if let Some(inner) = value.get_mut(key) {
            value = inner.take();
        }
    }
    match value {
        Value::Object(map) if !map.contains_key("uid") => Value::Null,
        Value::String(text) if text.trim().is_empty() => Value::Null,
        other => other,
    }
}

/// JSON with every key in ASCII lower case; of two keys that differ only in case the first stays.
struct LowerCased(Value);

impl<'de> Deserialize<'de> for LowerCased {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lower;
        impl<'de> Visitor<'de> for Lower {
            type Value = LowerCased;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_bool<E>(self, value: bool) -> Result<LowerCased, E> {
                Ok(LowerCased(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<LowerCased, E> {
                Ok(LowerCased(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<LowerCased, E> {
                Ok(LowerCased(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<LowerCased, E> {
                Ok(LowerCased(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<LowerCased, E> {
                Ok(LowerCased(value.into()))
            }
            fn visit_string<E>(self, value: String) -> Result<LowerCased, E> {
                Ok(LowerCased(value.into()))
            }
            fn visit_unit<E>(self) -> Result<LowerCased, E> {
                Ok(LowerCased(Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<LowerCased, A::Error> {
                let mut items = Vec::new();
                while let Some(LowerCased(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(LowerCased(items.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LowerCased, A::Error> {
                let mut members = Map::new();
                while let Some((mut key, LowerCased(value))) = map.next_entry::<String, _>()? {
                    key.make_ascii_lowercase();
                    members.entry(key).or_insert(value);
                }
                Ok(LowerCased(members.into()))
            }
        }
        deserializer.deserialize_any(Lower)
    }
}

/// An element that is still open.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

impl Open {
    fn start(start: &BytesStart<'_>) -> Result<Self, String> {
        let name = start.local_name().as_ref().to_ascii_lowercase();
        let mut members = Map::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| format!("not XML: {error}"))?;
            let key = attribute.key;
            if key.as_ref().starts_with("xmlns") {
                continue;
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| format!("not XML: {error}"))?;
            let key = key.local_name().as_ref().to_ascii_lowercase();
            members.entry(key).or_insert_with(|| value.into_owned().into());
        }
        Ok(Self { name, members, text: String::new() })
    }

    fn close(self) -> (String, Value) {
        let is_nil = self.members.get("nil").and_then(Value::as_str) == Some("true");
        let value = if is_nil {
            Value::Null
        } else if self.members.is_empty() {
            self.text.into()
        } else {
            self.members.into()
        };
        (self.name, value)
    }

    fn add(&mut self, name: String, value: Value) {
        match self.members.get_mut(&name) {
            None => drop(self.members.insert(name, value)),
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
}

fn read_xml(bytes: &[u8]) -> Result<(String, Value), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    loop {
        let event = reader.read_event().map_err(|error| format!("not XML: {error}"))?;
        let closed = match event {
            Event::Start(start) => {
                if root.is_some() {
                    return Err("a second root element".to_owned());
                }
                if open.len() >= MAX_DEPTH {
                    return Err(format!("nested deeper than {MAX_DEPTH}"));
                }
                open.push(Open::start(&start)?);
                None
            }
            Event::Empty(start) => {
                if root.is_some() {
                    return Err("a second root element".to_owned());
                }
                Some(Open::start(&start)?)
            }
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                match open.last_mut() {
                    Some(element) => element.text.push_str(&text),
                    None if text.trim().is_empty() => {}
                    None => return Err("text outside the root element".to_owned()),
                }
                None
            }
            Event::CData(data) => {
                open.last_mut().ok_or("text outside the root element")?.text.push_str(&data);
                None
            }
            Event::GeneralRef(reference) => {
                let text = match reference.resolve_char_ref().map_err(|error| format!("not XML: {error}"))? {
                    Some(character) => character.to_string(),
                    None => resolve_predefined_entity(&reference).ok_or("an unknown entity")?.to_owned(),
                };
                open.last_mut().ok_or("text outside the root element")?.text.push_str(&text);
                None
            }
            Event::DocType(_) => return Err("a document type; the API sends none".to_owned()),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => None,
            Event::Eof => break,
        };
        if let Some(element) = closed {
            let (name, value) = element.close();
            match open.last_mut() {
                Some(parent) => parent.add(name, value),
                None => root = Some((name, value)),
            }
        }
    }
    if !open.is_empty() {
        return Err("the document ends before its root element does".to_owned());
    }
    root.ok_or_else(|| "an empty document".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode, header};

    fn document(media_type: &'static str, body: &str) -> Result<Document, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        Document::read(&Reply { status: StatusCode::OK, headers, body: Bytes::copy_from_slice(body.as_bytes()) })
    }

    fn uids(media_type: &'static str, body: &str) -> Result<Vec<String>, String> {
        #[derive(Deserialize)]
        struct Row {
            uid: String,
        }
        let rows: Vec<Row> = document(media_type, body)?.rows(&["things"], "things", "thing")?;
        Ok(rows.into_iter().map(|row| row.uid).collect())
    }

    #[test]
    fn every_shape_of_a_list_gives_the_same_rows() {
        for (media_type, body) in [
            ("application/json", r#"{"Things":[{"UID":"a"},{"UID":"b"}]}"#),
            ("application/json", "\u{feff}{\"things\":[{\"uid\":\"a\"},{\"uid\":\"b\"}]}"),
            ("application/json; charset=utf-8", r#"{"Things":{"Things":[{"UID":"a"},{"UID":"b"}]}}"#),
            ("application/json", r#"{"Things":{"Thing":[{"UID":"a"},{"UID":"b"}]}}"#),
            ("application/json", r#"[{"UID":"a"},{"UID":"b"}]"#),
            ("application/xml", r#"<?xml version="1.0"?><Things xmlns="http://v"><Thing UID="a"/><Thing UID="b"></Thing></Things>"#),
            ("text/xml", "\u{feff}<Things><Thing><UID>a</UID></Thing><Thing><UID>b</UID></Thing></Things>"),
        ] {
            assert_eq!(uids(media_type, body), Ok(vec!["a".to_owned(), "b".to_owned()]), "{body}");
        }
    }

    #[test]
    fn an_empty_list_is_told_from_no_list() {
        for (media_type, body) in [
            ("application/json", r#"{"Things":null}"#),
            ("application/json", r#"{"Things":[]}"#),
            ("application/xml", "<Things/>"),
            ("application/xml", "<Things>\n</Things>"),
        ] {
            assert_eq!(uids(media_type, body), Ok(vec![]), "{body}");
        }
        for (media_type, body) in [("application/json", "{}"), ("application/xml", "<html><body>Log on</body></html>")] {
            assert!(uids(media_type, body).is_err(), "{body}");
        }
    }

    #[test]
    fn half_a_document_or_more_than_one_is_no_document() {
        let whole = r#"<Things><Thing UID="a"/><Thing UID="b"/></Things>"#;
        for cut in 0..whole.len() {
            assert!(uids("application/xml", &whole[..cut]).is_err(), "{}", &whole[..cut]);
        }
        for bad in [
            "<Things/><Things/>",
            "<Things/>tail",
            r#"<!DOCTYPE x [<!ENTITY a "b">]><Things/>"#,
            "<Things><Thing>&unknown;</Thing></Things>",
            &format!("{}{}", "<a>".repeat(80), "</a>".repeat(80)),
        ] {
            assert!(uids("application/xml", bad).is_err(), "{bad}");
        }
        assert!(uids("text/html", whole).is_err());
    }

    #[test]
    fn escapes_are_read_in_text_and_attributes() {
        let read = document("application/xml", r#"<r a="1 &lt; 2"><t>A &amp; B &#64; C</t></r>"#).unwrap();
        assert_eq!((read.text("a"), read.text("t")), (Some("1 < 2"), Some("A & B @ C")));
    }
}
