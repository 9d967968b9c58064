//! JSON in two casings, with or without a byte order mark, and XML, read into rows: names of members in any case, XML
//! attributes beside child elements. An answer is read once, from its beginning to its end, and nothing of it is kept but
//! the members of rows that were asked for.
//!
//! One row that can't be read costs itself, and is told. What makes the whole of an answer doubtful makes it no answer: a
//! body that is cut, a document type, an unknown entity, anything after the end, and a wrapper that is not known where the
//! list should be: that is no empty list.

mod fields;
mod json;
mod xml;

pub(super) use fields::{Fault, Fields};

use crate::upstream::transport::Reply;

/// Deeper than any document of the API (query results have 8 levels).
const MAX_DEPTH: usize = 64;
/// Twice the sessions of thirty days of the largest estate heard of, which come on one page where queries are refused.
const MAX_ROWS: u64 = 200_000;
const PAGING: &[&str] = &["pagenum", "pagesize", "pagescount"];

/// Which list is wanted of an answer. All names in lower case.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The member of the root that holds the list; none where the root does.
    pub inside: Option<&'static str>,
    /// The forms in which it may come.
    pub lists: &'static [List],
    /// The members of a row, but for its links.
    pub members: &'static [&'static str],
}

/// The names of a list: of XML's root element where the list is the whole answer, of the list, of one row.
#[derive(Debug)]
pub(super) struct List {
    pub root: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
}

/// What an answer has of the list.
#[derive(Debug)]
pub(super) struct Rows<T> {
    pub rows: Vec<T>,
    /// How many rows can't be read.
    pub unreadable: u64,
    /// The first of them by its number, from 1, and why.
    pub first_unreadable: Option<(u64, Fault)>,
    /// Whether the list was there, be it empty.
    pub is_found: bool,
    /// Whether there are references to rows instead of rows.
    pub has_references: bool,
    /// Something that is not known in the place of the list.
    stray: bool,
    /// Something that is not known beside it.
    has_unknown: bool,
    paging: Option<Fields>,
}

impl<T> Rows<T> {
    /// A whole number of the paging information.
    pub fn paging(&self, member: &str) -> Option<u64> {
        self.paging.as_ref()?.number(member)
    }
}

/// Reads the rows of a list in an answer, in whatever dialect that is.
pub(super) fn rows<T>(reply: &Reply, wanted: &Wanted, read: impl Fn(Fields) -> Result<T, Fault>) -> Result<Rows<T>, String> {
    let (dialect, text) = dialect_of(reply)?;
    let found = Rows {
        rows: Vec::new(),
        unreadable: 0,
        first_unreadable: None,
        is_found: false,
        has_references: false,
        stray: false,
        has_unknown: false,
        paging: None,
    };
    let mut reading = Reading { wanted, read, is_lossy: text.is_lossy(), found, number: 0 };
    match dialect {
        Dialect::Json => json::rows(&text, &mut reading)?,
        Dialect::Xml => xml::rows(&text, &mut reading)?,
    }
    let found = reading.found;
    if found.stray || (found.has_unknown && !found.is_found) {
        return Err(format!("something that is not known in the place of {}", wanted.lists[0].plural));
    }
    // a query that nothing matches may leave the list out; nothing else may
    if !found.is_found && !found.has_references && found.paging.is_none() {
        return Err(format!("no {} in the answer", wanted.lists[0].plural));
    }
    Ok(found)
}

/// Reads the one entity that an answer is.
pub(super) fn entity(reply: &Reply, members: &'static [&'static str]) -> Result<Fields, String> {
    let (dialect, text) = dialect_of(reply)?;
    let mut fields = match dialect {
        Dialect::Json => json::entity(&text, members)?,
        Dialect::Xml => xml::entity(&text, members)?,
    };
    if text.is_lossy() {
        fields.doubt();
    }
    Ok(fields)
}

enum Dialect {
    Json,
    Xml,
}

fn dialect_of(reply: &Reply) -> Result<(Dialect, Text<'_>), String> {
    let media_type = reply.media_type();
    let dialect = if media_type.ends_with("json") {
        Dialect::Json
    } else if media_type.ends_with("xml") {
        Dialect::Xml
    } else {
        return Err(format!("the answer is {media_type:?}, neither JSON nor XML"));
    };
    Ok((dialect, Text(String::from_utf8_lossy(reply.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&reply.body)))))
}

/// A body as text. Bytes that are no UTF-8 cost the rows that they are in.
struct Text<'a>(std::borrow::Cow<'a, str>);

impl Text<'_> {
    fn is_lossy(&self) -> bool {
        matches!(self.0, std::borrow::Cow::Owned(_))
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

/// An answer being read.
struct Reading<'a, T, F> {
    wanted: &'a Wanted,
    read: F,
    /// Whether some bytes were no UTF-8.
    is_lossy: bool,
    found: Rows<T>,
    /// Rows so far.
    number: u64,
}

/// What the member of an answer is to us.
enum Part {
    Inside,
    List(&'static List),
    Paging,
    References,
    Known,
    Unknown,
}

impl<T, F: Fn(Fields) -> Result<T, Fault>> Reading<'_, T, F> {
    /// What a member of the root is.
    fn part_of_root(&self, name: &str) -> Part {
        if self.wanted.inside == Some(name) {
            return Part::Inside;
        }
        match (self.wanted.inside, self.list(name)) {
            (None, Some(list)) => Part::List(list),
            _ if name == "paginginfo" => Part::Paging,
            _ if matches!(name, "refs" | "entityreferences") => Part::References,
            _ if matches!(name, "links" | "resources" | "href" | "type" | "name" | "uid") => Part::Known,
            _ => Part::Unknown,
        }
    }

    /// The list of this name.
    fn list(&self, name: &str) -> Option<&'static List> {
        self.wanted.lists.iter().find(|list| list.plural == name)
    }

    /// The list begins. It comes once.
    fn begin(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.found.is_found, true) { Err("the list comes twice".to_owned()) } else { Ok(()) }
    }

    /// Whether another row is read at all.
    fn is_full(&self) -> bool {
        self.number >= MAX_ROWS
    }

    /// One row, or what is there in its place.
    fn row(&mut self, fields: Result<Fields, &'static str>) {
        self.number += 1;
        let row = fields.map_err(|reason| Fault { member: "", reason: reason.to_owned() }).and_then(|mut fields| {
            if self.is_lossy {
                fields.doubt();
            }
            (self.read)(fields)
        });
        match row {
            Ok(row) => self.found.rows.push(row),
            Err(fault) => {
                self.found.unreadable += 1;
                self.found.first_unreadable.get_or_insert((self.number, fault));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode, header};
    use serde::Deserialize;

    const THINGS: Wanted =
        Wanted { inside: None, lists: &[List { root: "things", plural: "things", singular: "thing" }], members: &["uid", "name"] };
    const QUERY: Wanted = Wanted { inside: Some("entities"), ..THINGS };

    fn reply(media_type: &'static str, body: &[u8]) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        Reply { status: StatusCode::OK, headers, body: Bytes::copy_from_slice(body) }
    }

    fn read(media_type: &'static str, body: impl AsRef<[u8]>, wanted: &Wanted) -> Result<Rows<String>, String> {
        rows(&reply(media_type, body.as_ref()), wanted, |mut fields| {
            let name: Option<String> = fields.take("name", Option::deserialize)?;
            let uid: String = fields.take("uid", String::deserialize)?;
            Ok(uid + &name.unwrap_or_default())
        })
    }

    fn uids(media_type: &'static str, body: &str) -> Result<Vec<String>, String> {
        let read = read(media_type, body, &THINGS)?;
        assert_eq!(read.unreadable, 0, "{body}");
        Ok(read.rows)
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
            ("text/xml", "\u{feff}<Things><Thing><UID>a</UID></Thing><Thing><UID xml:space=\"preserve\">b</UID></Thing></Things>"),
            ("text/xml", "<r><Things><Thing><UID>a</UID></Thing><Thing><UID><![CDATA[b]]></UID></Thing></Things></r>"),
        ] {
            assert_eq!(uids(media_type, body), Ok(vec!["a".to_owned(), "b".to_owned()]), "{body}");
        }
        for (media_type, body) in [
            ("application/json", r#"{"Things":{"UID":"a","Other":{"x":[1]}}}"#),
            ("application/json", r#"{"Things":{"Thing":{"UID":"a","uid":"second"}}}"#),
            ("application/xml", r#"<Things><Thing UID="a"><Deep><er/></Deep></Thing></Things>"#),
        ] {
            assert_eq!(uids(media_type, body), Ok(vec!["a".to_owned()]), "{body}");
        }
    }

    #[test]
    fn an_empty_list_is_told_from_no_list() {
        for (media_type, body) in [
            ("application/json", r#"{"Things":null}"#),
            ("application/json", r#"{"Things":[]}"#),
            ("application/json", r#"{"Things":{"Thing":null}}"#),
            ("application/xml", "<Things/>"),
            ("application/xml", "<Things>\n</Things>"),
        ] {
            assert_eq!(uids(media_type, body), Ok(vec![]), "{body}");
        }
        for (media_type, body) in [
            ("application/json", "{}"),
            ("application/json", "null"),
            ("application/json", r#"{"ThingsX":[{"UID":"a"}]}"#),
            ("application/json", r#"{"Things":{"ThingsX":[{"UID":"a"}]}}"#),
            ("application/json", r#"{"Things":[],"things":[{"UID":"a"}]}"#),
            ("application/json", r#"{"Things":7}"#),
            ("application/xml", "<html><body>Log on</body></html>"),
            ("application/xml", "<Things>sorry</Things>"),
        ] {
            assert!(uids(media_type, body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_query_without_a_match_is_told_from_one_in_words_that_are_not_known() {
        const PAGING: &str = r#""PagingInfo":{"PageNum":1,"PageSize":"1000","PagesCount":1}"#;
        for list in
            [r#""Entities":null,"#, r#""Entities":{},"#, r#""Refs":null,"Entities":{"Things":null},"#, r#""Entities":{"Things":{}},"#, ""]
        {
            let read = read("application/json", format!("{{{list}{PAGING}}}"), &QUERY).unwrap();
            assert!(read.rows.is_empty() && !read.has_references, "{list}");
            assert_eq!(["pagenum", "pagesize", "pagescount"].map(|name| read.paging(name)), [Some(1), Some(1_000), Some(1)]);
        }
        for list in [
            r#""Entities":{"ThingsX":[{"UID":"a"}]},"#,
            r#""Entities":[{"UID":"a"}],"#,
            r#""Entities":"sorry","#,
            r#""EntitiesX":{"Things":[{"UID":"a"}]},"#,
            r#""Entities":{"Things":{"Rows":[{"UID":"a"}]}},"#,
            r#""Entities":{"Things":[]},"entities":{"Things":[{"UID":"a"}]},"#,
        ] {
            assert!(read("application/json", format!("{{{list}{PAGING}}}"), &QUERY).is_err(), "{list}");
        }
        let paging = r#"<PagingInfo PageNum="1" PageSize="1000" PagesCount="1"><Links/></PagingInfo>"#;
        for list in ["", "<Entities/>", "<Entities><Things/></Entities>"] {
            let read = read("application/xml", format!("<QueryResult>{list}{paging}</QueryResult>"), &QUERY).unwrap();
            assert!(read.rows.is_empty(), "{list}");
            assert_eq!(["pagenum", "pagesize", "pagescount"].map(|name| read.paging(name)), [Some(1), Some(1_000), Some(1)]);
        }
        for list in [
            "<EntitiesX><Things><Thing UID=\"a\"/></Things></EntitiesX>",
            "<Entities><ThingsX><Thing UID=\"a\"/></ThingsX></Entities>",
            "<Entities>sorry</Entities>",
        ] {
            assert!(read("application/xml", format!("<QueryResult>{list}{paging}</QueryResult>"), &QUERY).is_err(), "{list}");
        }
        let references = read("application/json", format!("{{\"Refs\":[{{\"UID\":\"a\"}}],{PAGING}}}"), &QUERY).unwrap();
        assert!(references.has_references);
        assert!(read("application/json", "{}", &QUERY).is_err());
    }

    #[test]
    fn one_row_that_can_not_be_read_costs_itself() {
        for (media_type, body, member) in [
            ("application/json", r#"{"Things":[{"UID":"a"},{"UID":7},{"UID":"b"}]}"#.as_bytes(), "uid"),
            ("application/json", br#"{"Things":[{"UID":"a"},{"Name":"x"},{"UID":"b"}]}"#, "uid"),
            ("application/json", br#"{"Things":[{"UID":"a"},{"UID":"x","Name":["x"]},{"UID":"b"}]}"#, "name"),
            ("application/json", br#"{"Things":[{"UID":"a"},null,{"UID":"b"}]}"#, ""),
            ("application/json", br#"{"Things":[{"UID":"a"},"x",{"UID":"b"}]}"#, ""),
            ("application/json", b"{\"Things\":[{\"UID\":\"a\"},{\"UID\":\"x\",\"Name\":\"M\xFCller\"},{\"UID\":\"b\"}]}", "name"),
            ("application/xml", b"<Things><Thing UID='a'/><Thing UID='x' Name='M\xFCller'/><Thing UID='b'/></Things>", "name"),
            ("application/xml", b"<Things><Thing UID='a'/><Thing><UID><x/></UID></Thing><Thing UID='b'/></Things>", "uid"),
            ("application/xml", b"<Things><Thing UID='a'/><ThingX UID='x'/><Thing UID='b'/></Things>", ""),
        ] {
            let read = read(media_type, body, &THINGS).unwrap();
            let text = String::from_utf8_lossy(body);
            assert_eq!((read.rows, read.unreadable), (vec!["a".to_owned(), "b".to_owned()], 1), "{text}");
            let (number, fault) = read.first_unreadable.unwrap();
            assert_eq!((number, fault.member), (2, member), "{text}");
        }
    }

    #[test]
    fn half_a_document_or_more_than_one_is_no_document() {
        for (media_type, whole) in [
            ("application/xml", r#"<Things><Thing UID="a"/><Thing UID="b"/></Things>"#),
            ("application/json", r#"{"Things":[{"UID":"a"},{"UID":"b"}]}"#),
        ] {
            for cut in 0..whole.len() {
                assert!(uids(media_type, &whole[..cut]).is_err(), "{}", &whole[..cut]);
            }
            assert!(uids(media_type, &format!("{whole}{whole}")).is_err());
            assert!(uids(media_type, &format!("{whole}tail")).is_err());
        }
        for bad in [
            r#"<!DOCTYPE x [<!ENTITY a "b">]><Things/>"#,
            "<Things><Thing>&unknown;</Thing></Things>",
            &format!("{}{}", "<a>".repeat(80), "</a>".repeat(80)),
        ] {
            assert!(uids("application/xml", bad).is_err(), "{bad}");
        }
        // a list whose only row is none, however deep
        let deep = read("application/json", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), &THINGS);
        assert!(deep.is_ok_and(|read| read.rows.is_empty() && read.unreadable == 1));
        assert!(uids("text/html", "<Things/>").is_err());
    }

    #[test]
    fn escapes_are_read_in_text_and_attributes() {
        let read = entity(&reply("application/xml", br#"<r a="1 &lt; 2"><t>A &amp; B &#64; C</t></r>"#), &["a", "t"]);
        let mut read = read.unwrap();
        let mut text = |name| read.take(name, Option::<String>::deserialize).unwrap();
        assert_eq!((text("a").as_deref(), text("t").as_deref()), (Some("1 < 2"), Some("A & B @ C")));
    }

    #[test]
    fn links_are_read_in_every_dialect() {
        let shapes = [
            ("application/json", r#"{"Links":[{"Rel":"Up","Href":"h"},{"Rel":"Down"}]}"#),
            ("application/json", r#"{"links":{"link":[{"rel":"Up","href":"h"},{"rel":"Down"}]}}"#),
            ("application/xml", r#"<r><Links><Link Rel="Up" Href="h"/><Link><Rel>Down</Rel></Link></Links></r>"#),
        ];
        for (media_type, body) in shapes {
            let mut links = entity(&reply(media_type, body.as_bytes()), &["uid"]).unwrap().links().unwrap();
            assert_eq!(links.len(), 2, "{body}");
            assert_eq!(links[0].take("href", Option::<String>::deserialize).unwrap().as_deref(), Some("h"));
            assert_eq!(links[1].take("rel", Option::<String>::deserialize).unwrap().as_deref(), Some("Down"));
        }
        for (media_type, body) in [("application/json", r#"{"Links":null}"#), ("application/json", "{}"), ("text/xml", "<r><Links/></r>")] {
            assert!(entity(&reply(media_type, body.as_bytes()), &["uid"]).unwrap().links().unwrap().is_empty(), "{body}");
        }
        let odd = entity(&reply("application/json", br#"{"Links":7}"#), &["uid"]).unwrap().links();
        assert_eq!(odd.unwrap_err().member, "links");
    }
}
