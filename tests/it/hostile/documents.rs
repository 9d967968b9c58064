//! The documents: every kind of hurt that was heard of in several sizes, and real queries broken at
//! random.

use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn query(text: impl Into<String>) -> Vec<u8> {
    json!({"query": text.into()}).to_string().into_bytes()
}

pub fn with(text: &str, variables: Value) -> Vec<u8> {
    json!({"query": text, "variables": variables})
        .to_string()
        .into_bytes()
}

/// Every kind of hurt that was heard of, in several sizes.
pub fn named() -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut add = |name: String, body: Vec<u8>| {
        assert!(
            all.insert(name.clone(), body).is_none(),
            "{name} is there twice"
        )
    };
    for n in [1, 5, 10, 15, 20, 24, 30, 40, 60, 100, 300, 600, 900] {
        let chain = |spread: &str| {
            let links: String = (0..n)
                .map(|at| {
                    format!(
                        " fragment F{at} on Query {{ {} }}",
                        spread.replace('@', &format!("F{}", at + 1))
                    )
                })
                .collect();
            format!("{links} fragment F{n} on Query {{ __typename }}")
        };
        add(
            format!("fragments, each spread twice, {n}"),
            query(format!("{{ ...F0 }}{}", chain("...@ ...@"))),
        );
        add(
            format!("fragments, each spread ten times, {n}"),
            query(format!("{{ ...F0 }}{}", chain(&"...@ ".repeat(10)))),
        );
        add(
            format!("fragments of an operation that does not run, {n}"),
            json!({"query": format!("query A {{ __typename }} query B {{ ...F0 }}{}", chain("...@ ...@")), "operationName": "A"})
                .to_string()
                .into_bytes(),
        );
        add(
            format!("fragments that nobody spreads, {n}"),
            query(format!("{{ __typename }}{}", chain("...@ ...@"))),
        );
        add(
            format!("fragments through inline fragments, {n}"),
            query(format!(
                "{{ ...F0 }}{}",
                chain("... on Query { ...@ } ... { ...@ }")
            )),
        );
        add(
            format!("fragments in a circle, {n}"),
            query(format!(
                "{{ ...F0 }}{}",
                chain("...@").replace(
                    &format!("fragment F{n} on Query {{ __typename }}"),
                    &format!("fragment F{n} on Query {{ ...F0 }}")
                )
            )),
        );
        add(
            format!("fragments in a circle below fields, {n}"),
            query(format!(
                "{{ jobs {{ nodes {{ ...A }} }} }} fragment A on Job {{ {} ...A {} }}",
                "backupServer { jobs { nodes { ".repeat(n),
                "} } }".repeat(n)
            )),
        );
    }
    for n in [10, 50, 64, 65, 100, 500, 1_000, 5_000, 20_000, 50_000] {
        let nested = |open: &str, middle: &str, close: &str| {
            format!("{}{middle}{}", open.repeat(n), close.repeat(n))
        };
        add(
            format!("lists within lists, {n}"),
            query(format!(
                "{{ nodes(ids: {}) {{ id }} }}",
                nested("[", "1", "]")
            )),
        );
        add(
            format!("objects within objects, {n}"),
            query(format!(
                "{{ jobs(filter: {}) {{ totalCount }} }}",
                nested("{a:", "1", "}")
            )),
        );
        add(
            format!("selections within selections, {n}"),
            query(format!(
                "{{ {} }}",
                nested("backupServer { ", "__typename", " }")
            )),
        );
        add(
            format!("inline fragments within each other, {n}"),
            query(format!("{{ {} }}", nested("... { ", "__typename", " }"))),
        );
        add(
            format!("a variable of lists of lists, {n}"),
            query(format!(
                "query A($a: {}) {{ __typename }}",
                nested("[", "Int", "]")
            )),
        );
        add(
            format!("lists in a default value, {n}"),
            query(format!(
                "query A($a: Int = {}) {{ __typename }}",
                nested("[", "1", "]")
            )),
        );
        add(
            format!("lists within a variable, {n}"),
            format!(
                "{{\"query\":\"query A($ids: [ID!]!) {{ nodes(ids: $ids) {{ id }} }}\",\"variables\":{{\"ids\":{}}}}}",
                nested("[", "1", "]")
            )
            .into_bytes(),
        );
        add(
            format!("objects within extensions, {n}"),
            format!(
                "{{\"query\":\"{{ __typename }}\",\"extensions\":{{\"a\":{}}}}}",
                nested("{\"a\":", "1", "}")
            )
            .into_bytes(),
        );
        add(format!("braces that open, {n}"), query("{".repeat(n)));
        add(format!("braces that close, {n}"), query("}".repeat(n)));
        add(
            format!("dots, {n}"),
            query(format!("{{ {} }}", "...".repeat(n))),
        );
        add(
            format!("an unended string, {n}"),
            query(format!("{{ a(b: \"{}", "\\\\".repeat(n))),
        );
        add(
            format!("an unended block, {n}"),
            query(format!("{{ a(b: \"\"\"{}", "\"".repeat(n))),
        );
        add(
            format!("aliases, {n}"),
            query(format!(
                "{{ {} }}",
                (0..n)
                    .map(|at| format!("a{at}: __typename "))
                    .collect::<String>()
            )),
        );
        add(
            format!("aliases of one list, {n}"),
            query(format!(
                "{{ {} }}",
                (0..n)
                    .map(|at| format!("a{at}: backupServers {{ totalCount }} "))
                    .collect::<String>()
            )),
        );
        add(
            format!("aliases of one row, {n}"),
            query(format!(
                "{{ jobs {{ nodes {{ {} }} }} }}",
                (0..n)
                    .map(|at| format!("a{at}: tape {{ reason }} "))
                    .collect::<String>()
            )),
        );
        add(
            format!("one field many times, {n}"),
            query(format!("{{ {} }}", "__typename ".repeat(n))),
        );
        add(
            format!("one field, other arguments, {n}"),
            query(format!(
                "{{ {} }}",
                (0..n)
                    .map(|at| format!("jobs(first: {at}) {{ totalCount }} "))
                    .collect::<String>()
            )),
        );
        add(
            format!("unknown directives, {n}"),
            query(format!("{{ __typename {} }}", "@aa ".repeat(n))),
        );
        add(
            format!("skips, {n}"),
            query(format!(
                "{{ __typename {} }}",
                "@skip(if: false) ".repeat(n)
            )),
        );
        add(
            format!("directives on a fragment, {n}"),
            query(format!(
                "{{ ... {} {{ __typename }} }}",
                "@include(if: true) ".repeat(n)
            )),
        );
        add(
            format!("directives on an operation, {n}"),
            query(format!("query A {} {{ __typename }}", "@aa ".repeat(n))),
        );
        add(
            format!("unknown fields, {n}"),
            query(format!(
                "{{ {} }}",
                (0..n).map(|at| format!("nope{at} ")).collect::<String>()
            )),
        );
        add(
            format!("unknown arguments, {n}"),
            query(format!(
                "{{ jobs({}) {{ totalCount }} }}",
                (0..n).map(|at| format!("a{at}: 1 ")).collect::<String>()
            )),
        );
        add(
            format!("operations, {n}"),
            query(
                (0..n)
                    .map(|at| format!("query A{at} {{ __typename }} "))
                    .collect::<String>(),
            ),
        );
        add(
            format!("operations of one name, {n}"),
            json!({"query": "query A { __typename } ".repeat(n), "operationName": "A"})
                .to_string()
                .into_bytes(),
        );
        add(
            format!("fragments of one name, {n}"),
            query(format!(
                "{{ ...A }} {}",
                "fragment A on Query { __typename } ".repeat(n)
            )),
        );
        add(
            format!("variables, {n}"),
            query(format!(
                "query A({}) {{ __typename }}",
                (0..n).map(|at| format!("$a{at}: Int ")).collect::<String>()
            )),
        );
        add(
            format!("variables that are not asked for, {n}"),
            with(
                "{ __typename }",
                (0..n)
                    .map(|at| (format!("a{at}"), json!(at)))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
            ),
        );
        add(
            format!("a comment, {n}"),
            query(format!("{{ __typename }} #{}", "x".repeat(n * 20))),
        );
        add(
            format!("comments, {n}"),
            query(format!("{{ __typename }} {}", "#\n".repeat(n))),
        );
        add(
            format!("commas, {n}"),
            query(format!("{{ __typename {} }}", ",".repeat(n * 10))),
        );
        add(
            format!("a long name, {n}"),
            query(format!("{{ {} }}", "a".repeat(n * 10))),
        );
        add(
            format!("a long operation name, {n}"),
            json!({"query": "query A { __typename }", "operationName": "A".repeat(n)})
                .to_string()
                .into_bytes(),
        );
        add(
            format!("a long string, {n}"),
            query(format!(
                "{{ backupServer(name: \"{}\") {{ name }} }}",
                "é".repeat(n)
            )),
        );
        add(
            format!("escapes in a string, {n}"),
            query(format!(
                "{{ backupServer(name: \"{}\") {{ name }} }}",
                "\\u0041".repeat(n)
            )),
        );
        add(
            format!("ids, {n}"),
            query(format!(
                "{{ nodes(ids: [{}]) {{ id }} }}",
                "\"x\" ".repeat(n)
            )),
        );
        add(
            format!("healths in a filter, {n}"),
            query(format!(
                "{{ jobs(filter: {{ health: [{}] }}) {{ totalCount }} }}",
                "FAILED ".repeat(n)
            )),
        );
        add(
            format!("orders, {n}"),
            query(format!(
                "{{ jobs(orderBy: [{}]) {{ totalCount }} }}",
                "{ field: NAME } ".repeat(n)
            )),
        );
        add(
            format!("a batch, {n}"),
            format!("[{}]", vec![r#"{"query":"{ __typename }"}"#; n].join(",")).into_bytes(),
        );
        add(
            format!("an integer of many digits, {n}"),
            query(format!(
                "{{ jobs(first: {}) {{ totalCount }} }}",
                "9".repeat(n)
            )),
        );
        add(
            format!("a float of many digits, {n}"),
            query(format!(
                "{{ jobs(first: 1.{}) {{ totalCount }} }}",
                "9".repeat(n)
            )),
        );
        add(
            format!("the whole schema, {n} times"),
            query(format!(
                "{{ {} }}",
                (0..n)
                    .map(|at| format!("a{at}: __schema {{ types {{ name fields {{ name type {{ name fields {{ name }} }} }} }} }} "))
                    .collect::<String>()
            )),
        );
        add(
            format!("types, {n}"),
            query(format!(
                "{{ {} }}",
                (0..n)
                    .map(|at| format!("a{at}: __type(name: \"Job\") {{ fields {{ name }} }} "))
                    .collect::<String>()
            )),
        );
    }
    for depth in 1..12 {
        let list = "jobs(first: 500) { nodes { backupServer { ".repeat(depth);
        add(
            format!("rows of rows of rows, {depth}"),
            query(format!("{{ {list} __typename {} }}", "} } }".repeat(depth))),
        );
        let fields = "fields { type { ".repeat(depth);
        add(
            format!("types of fields of types, {depth}"),
            query(format!(
                "{{ __schema {{ types {{ {fields} name {} }} }} }}",
                "} }".repeat(depth)
            )),
        );
        add(
            format!("type of type, {depth}"),
            query(format!(
                "{{ __schema {{ types {{ fields {{ type {{ {} name {} }} }} }} }} }}",
                "ofType { ".repeat(depth * 4),
                "}".repeat(depth * 4)
            )),
        );
        let hidden = "jobs(first: 500) { ...C } } fragment";
        add(
            format!("rows of rows behind fragments, {depth}"),
            query(format!(
                "{{ {hidden} C on JobConnection {{ nodes {{ {} __typename {} }} }}",
                "backupServer { jobs(first: 500) { nodes { ".repeat(depth),
                "} } }".repeat(depth)
            )),
        );
    }
    for (at, first) in [
        "501",
        "-1",
        "0",
        "2147483647",
        "2147483648",
        "-2147483649",
        "9223372036854775808",
        "1e400",
        "1.5",
        "null",
        "\"5\"",
        "[5]",
        "{a: 5}",
        "true",
        "FIVE",
        "$n",
    ]
    .iter()
    .enumerate()
    {
        add(
            format!("first, {at}"),
            query(format!("{{ jobs(first: {first}) {{ totalCount }} }}")),
        );
        add(
            format!("first as a default, {at}"),
            query(format!(
                "query A($n: Int = {first}) {{ jobs(first: $n) {{ totalCount }} }}"
            )),
        );
    }
    let uid = "11112222-3333-4444-5555-666677778888";
    let spellings = [
        uid.to_uppercase(),
        format!("{{{uid}}}"),
        format!("urn:uuid:{uid}"),
        uid.replace('-', ""),
        uid.replace('1', "１"),
        "../../users".to_owned(),
        "%2e%2e%2f".to_owned(),
        "?x=1".to_owned(),
        "\\r\\nX: y".to_owned(),
        String::new(),
        " ".repeat(36),
        "\\u0000".to_owned(),
        format!("{uid}/objects"),
        format!("{uid}#"),
        "é".repeat(18),
    ];
    for (at, spelling) in spellings.iter().enumerate() {
        add(
            format!("an id spelt otherwise, {at}"),
            query(format!("{{ job(uid: \"{spelling}\") {{ name }} }}")),
        );
        add(
            format!("a global id spelt otherwise, {at}"),
            query(format!("{{ node(id: \"{spelling}\") {{ id }} }}")),
        );
        add(
            format!("a cursor spelt otherwise, {at}"),
            query(format!(
                "{{ jobs(after: \"{spelling}\") {{ totalCount }} }}"
            )),
        );
        add(
            format!("an agent's id spelt otherwise, {at}"),
            query(format!(
                "{{ backupAgentJob(agentUid: \"{spelling}\", uid: \"{spelling}\") {{ name }} }}"
            )),
        );
    }
    for (at, odd) in [
        "<script>alert(1)</script>",
        "\\u001b[31m",
        "\\u202e",
        "' OR 1=1 --",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "\\uD800",
        "\\u{110000}",
        "\u{feff}",
        "\u{0}",
    ]
    .iter()
    .enumerate()
    {
        add(
            format!("an odd name, {at}"),
            query(format!("{{ backupServer(name: \"{odd}\") {{ name }} }}")),
        );
        add(format!("an odd field, {at}"), query(format!("{{ {odd} }}")));
    }
    for (at, body) in [
        &b""[..],
        b"null",
        b"true",
        b"1",
        b"\"{ __typename }\"",
        b"[]",
        b"[[]]",
        b"{}",
        b"{\"query\":null}",
        b"{\"query\":[]}",
        b"{\"query\":\"\"}",
        b"{\"query\":\"{ __typename }\",\"query\":\"{ jobs }\"}",
        b"{\"query\":\"{ __typename }\",\"variables\":\"x\"}",
        b"{\"query\":\"{ __typename }\"} x",
        b"\xEF\xBB\xBF{\"query\":\"{ __typename }\"}",
        b"\xff\xfe{",
        b"{\"query\":\"\xff\"}",
        b"{\"query\":\"{ __typename }\",\"extensions\":{\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"x\"}}}",
        b"query=%7B__typename%7D",
        b"{\"a\":NaN}",
        b"{\"query\":\"mutation { a }\"}",
        b"{\"query\":\"subscription { a }\"}",
        b"{\"query\":\"type A { a: Int }\"}",
        b"{\"query\":\"{ __typename } type A { a: Int }\"}",
        b"{\"query\":\"fragment A on Query { __typename }\"}",
        b"{\"query\":\"fragment on on on { on }\"}",
        b"{\"query\":\"{ ...on }\"}",
        b"{\"query\":\"{ jobs { ...A } } fragment A on Query { __typename }\"}",
        b"{\"query\":\"{ __typename @include }\"}",
        b"{\"query\":\"query ($a: Job) { __typename }\"}",
    ]
    .iter()
    .enumerate()
    {
        add(format!("a body, {at}"), body.to_vec());
    }
    all
}

/// Made up: real queries with their words and signs dropped, doubled, swapped and joined to
/// others'.
pub fn generated(count: u64) -> impl Iterator<Item = (String, Vec<u8>)> {
    let seeds: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/queries"))
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()).filter(|path| path.extension().is_some_and(|kind| kind == "graphql")))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .chain(["query A($n: Int = 5, $u: UUID) { a: jobs(first: $n, filter: { health: [FAILED], nameContains: \"\\u0041\" }, orderBy: [{ field: NAME, direction: DESC }]) @include(if: true) { ...F } } fragment F on JobConnection { nodes { ... on AgentJob { objects(first: 3) { totalCount } } tape { status } } }".to_owned()])
        .collect();
    let mut state = 0x5eed_u64;
    let mut roll = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    (0..count).map(move |number| {
        let mut words: Vec<String> = Vec::new();
        for character in seeds[roll(seeds.len())].chars() {
            match words.last_mut() {
                Some(word)
                    if character.is_alphanumeric() && word.chars().all(char::is_alphanumeric) =>
                {
                    word.push(character)
                }
                _ => words.push(character.to_string()),
            }
        }
        for _ in 0..1 + roll(6) {
            let at = roll(words.len());
            match roll(7) {
                0 => drop(words.remove(at)),
                1 => words.insert(at, words[at].clone()),
                2 => {
                    let with = roll(words.len());
                    words.swap(at, with);
                }
                3 => {
                    words[at] = [
                        "{", "}", "(", ")", "[", "]", "...", "$", "!", "\"", "\"\"\"", "#", "@",
                        ":", "=", "|", "&", "null", "on", "first", "\\", "\u{0}", "𝕏", "-1", "1e9",
                        "__schema",
                    ][roll(26)]
                    .to_owned()
                }
                4 => {
                    // a piece again and again
                    let piece: Vec<String> =
                        words.iter().skip(at).take(1 + roll(12)).cloned().collect();
                    let times = 1 + roll(60);
                    let again: Vec<String> = std::iter::repeat_n(piece, times).flatten().collect();
                    words.splice(at..at, again);
                }
                5 => words.truncate(at.max(1)),
                _ => {
                    let other = &seeds[roll(seeds.len())];
                    words.push(other.clone());
                }
            }
            if words.is_empty() {
                words.push("{".to_owned());
            }
        }
        (format!("made up, {number}"), query(words.concat()))
    })
}
