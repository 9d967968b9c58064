//! Answers in each dialect, whole and odd, and what becomes of them.

use super::*;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

const THINGS: Wanted = Wanted {
    inside: None,
    lists: &[List {
        root: "things",
        plural: "things",
        singular: "thing",
    }],
    members: &["uid", "name"],
};
const QUERY: Wanted = Wanted {
    inside: Some("entities"),
    ..THINGS
};

fn reply(media_type: &'static str, body: &[u8]) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    Reply {
        status: StatusCode::OK,
        headers,
        body: Bytes::copy_from_slice(body),
    }
}

fn read(
    media_type: &'static str,
    body: impl AsRef<[u8]>,
    wanted: &Wanted,
) -> Result<Rows<String>, String> {
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
        (
            "application/json",
            r#"{"Things":[{"UID":"a"},{"UID":"b"}]}"#,
        ),
        (
            "application/json",
            "\u{feff}{\"things\":[{\"uid\":\"a\"},{\"uid\":\"b\"}]}",
        ),
        (
            "application/json; charset=utf-8",
            r#"{"Things":{"Things":[{"UID":"a"},{"UID":"b"}]}}"#,
        ),
        (
            "application/json",
            r#"{"Things":{"Thing":[{"UID":"a"},{"UID":"b"}]}}"#,
        ),
        ("application/json", r#"[{"UID":"a"},{"UID":"b"}]"#),
        (
            "application/xml",
            r#"<?xml version="1.0"?><Things xmlns="http://v"><Thing UID="a"/><Thing UID="b"></Thing></Things>"#,
        ),
        (
            "text/xml",
            "\u{feff}<Things><Thing><UID>a</UID></Thing><Thing><UID xml:space=\"preserve\">b</UID></Thing></Things>",
        ),
        (
            "text/xml",
            "<r><Things><Thing><UID>a</UID></Thing><Thing><UID><![CDATA[b]]></UID></Thing></Things></r>",
        ),
    ] {
        assert_eq!(
            uids(media_type, body),
            Ok(vec!["a".to_owned(), "b".to_owned()]),
            "{body}"
        );
    }
    for (media_type, body) in [
        (
            "application/json",
            r#"{"Things":{"UID":"a","Other":{"x":[1]}}}"#,
        ),
        (
            "application/json",
            r#"{"Things":{"Thing":{"UID":"a","uid":"second"}}}"#,
        ),
        (
            "application/xml",
            r#"<Things><Thing UID="a"><Deep><er/></Deep></Thing></Things>"#,
        ),
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
        (
            "application/json",
            r#"{"Things":{"ThingsX":[{"UID":"a"}]}}"#,
        ),
        (
            "application/json",
            r#"{"Things":[],"things":[{"UID":"a"}]}"#,
        ),
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
    for list in [
        r#""Entities":null,"#,
        r#""Entities":{},"#,
        r#""Refs":null,"Entities":{"Things":null},"#,
        r#""Entities":{"Things":{}},"#,
        "",
    ] {
        let read = read("application/json", format!("{{{list}{PAGING}}}"), &QUERY).unwrap();
        assert!(read.rows.is_empty() && !read.has_references, "{list}");
        assert_eq!(
            ["pagenum", "pagesize", "pagescount"].map(|name| read.paging(name)),
            [Some(1), Some(1_000), Some(1)]
        );
    }
    for list in [
        r#""Entities":{"ThingsX":[{"UID":"a"}]},"#,
        r#""Entities":[{"UID":"a"}],"#,
        r#""Entities":"sorry","#,
        r#""EntitiesX":{"Things":[{"UID":"a"}]},"#,
        r#""Entities":{"Things":{"Rows":[{"UID":"a"}]}},"#,
        r#""Entities":{"Things":[]},"entities":{"Things":[{"UID":"a"}]},"#,
    ] {
        assert!(
            read("application/json", format!("{{{list}{PAGING}}}"), &QUERY).is_err(),
            "{list}"
        );
    }
    let paging = r#"<PagingInfo PageNum="1" PageSize="1000" PagesCount="1"><Links/></PagingInfo>"#;
    for list in ["", "<Entities/>", "<Entities><Things/></Entities>"] {
        let read = read(
            "application/xml",
            format!("<QueryResult>{list}{paging}</QueryResult>"),
            &QUERY,
        )
        .unwrap();
        assert!(read.rows.is_empty(), "{list}");
        assert_eq!(
            ["pagenum", "pagesize", "pagescount"].map(|name| read.paging(name)),
            [Some(1), Some(1_000), Some(1)]
        );
    }
    for list in [
        "<EntitiesX><Things><Thing UID=\"a\"/></Things></EntitiesX>",
        "<Entities><ThingsX><Thing UID=\"a\"/></ThingsX></Entities>",
        "<Entities>sorry</Entities>",
    ] {
        assert!(
            read(
                "application/xml",
                format!("<QueryResult>{list}{paging}</QueryResult>"),
                &QUERY
            )
            .is_err(),
            "{list}"
        );
    }
    let references = read(
        "application/json",
        format!("{{\"Refs\":[{{\"UID\":\"a\"}}],{PAGING}}}"),
        &QUERY,
    )
    .unwrap();
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
        (
            "application/xml",
            r#"<Things><Thing UID="a"/><Thing UID="b"/></Things>"#,
        ),
        (
            "application/json",
            r#"{"Things":[{"UID":"a"},{"UID":"b"}]}"#,
        ),
    ] {
        for cut in 0..whole.len() {
            assert!(
                uids(media_type, &whole[..cut]).is_err(),
                "{}",
                &whole[..cut]
            );
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
    let deep = read(
        "application/json",
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        &THINGS,
    );
    assert!(deep.is_ok_and(|read| read.rows.is_empty() && read.unreadable == 1));
    assert!(uids("text/html", "<Things/>").is_err());
}

#[test]
fn escapes_are_read_in_text_and_attributes() {
    let read = entity(
        &reply(
            "application/xml",
            br#"<r a="1 &lt; 2"><t>A &amp; B &#64; C</t></r>"#,
        ),
        &["a", "t"],
    );
    let mut read = read.unwrap();
    let mut text = |name| read.take(name, Option::<String>::deserialize).unwrap();
    assert_eq!(
        (text("a").as_deref(), text("t").as_deref()),
        (Some("1 < 2"), Some("A & B @ C"))
    );
}

#[test]
fn links_are_read_in_every_dialect() {
    let shapes = [
        (
            "application/json",
            r#"{"Links":[{"Rel":"Up","Href":"h"},{"Rel":"Down"}]}"#,
        ),
        (
            "application/json",
            r#"{"links":{"link":[{"rel":"Up","href":"h"},{"rel":"Down"}]}}"#,
        ),
        (
            "application/xml",
            r#"<r><Links><Link Rel="Up" Href="h"/><Link><Rel>Down</Rel></Link></Links></r>"#,
        ),
    ];
    for (media_type, body) in shapes {
        let mut links = entity(&reply(media_type, body.as_bytes()), &["uid"])
            .unwrap()
            .links()
            .unwrap();
        assert_eq!(links.len(), 2, "{body}");
        assert_eq!(
            links[0]
                .take("href", Option::<String>::deserialize)
                .unwrap()
                .as_deref(),
            Some("h")
        );
        assert_eq!(
            links[1]
                .take("rel", Option::<String>::deserialize)
                .unwrap()
                .as_deref(),
            Some("Down")
        );
    }
    for (media_type, body) in [
        ("application/json", r#"{"Links":null}"#),
        ("application/json", "{}"),
        ("text/xml", "<r><Links/></r>"),
    ] {
        assert!(
            entity(&reply(media_type, body.as_bytes()), &["uid"])
                .unwrap()
                .links()
                .unwrap()
                .is_empty(),
            "{body}"
        );
    }
    let odd = entity(&reply("application/json", br#"{"Links":7}"#), &["uid"])
        .unwrap()
        .links();
    assert_eq!(odd.unwrap_err().member, "links");
}
