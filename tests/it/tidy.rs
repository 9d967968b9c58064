//! The rules of the house, kept by reading the sources. Each says what to do.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// The sources of one layer: `src/<layer>.rs` and everything below `src/<layer>/`.
fn layer(name: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources("src")
        .into_iter()
        .filter(|(path, _)| {
            *path == root.join(format!("{name}.rs")) || path.starts_with(root.join(name))
        })
        .collect()
}

/// The code of a file without its tests and comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether code names `crate::<module>`, also within `use crate::{…}`.
fn names_module(code: &str, module: &str) -> bool {
    if code.contains(&format!("crate::{module}::")) || code.contains(&format!("crate::{module};")) {
        return true;
    }
    code.split("use crate::{").skip(1).any(|rest| {
        let mut depth = 1;
        let mut top = String::new();
        for character in rest.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ if depth == 1 => top.push(character),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        top.split(',')
            .any(|item| item.trim() == module || item.trim().starts_with(&format!("{module}::")))
    })
}

fn keeps_away(layer_name: &str, others: &[&str]) {
    for (path, text) in layer(layer_name) {
        for other in others {
            assert!(
                !names_module(&code(&text), other),
                "{} names {other}: data flows http -> graph -> loaders -> estate -> upstream; put what you need on the other side, or pass it in",
                path.display()
            );
        }
    }
}

#[test]
fn data_flows_one_way() {
    keeps_away(
        "upstream",
        &[
            "estate",
            "loaders",
            "graph",
            "http",
            "config",
            "app",
            "cli",
            "simulator",
        ],
    );
    keeps_away(
        "estate",
        &[
            "loaders",
            "graph",
            "http",
            "config",
            "app",
            "cli",
            "simulator",
        ],
    );
    keeps_away(
        "loaders",
        &["graph", "http", "config", "app", "cli", "simulator"],
    );
    keeps_away("graph", &["http", "config", "app", "cli", "simulator"]);
    keeps_away(
        "config",
        &[
            "upstream",
            "estate",
            "loaders",
            "graph",
            "http",
            "app",
            "cli",
            "simulator",
        ],
    );
    keeps_away(
        "simulator",
        &[
            "upstream", "estate", "loaders", "graph", "http", "config", "app", "cli", "uid", "time",
        ],
    );
    keeps_away("app", &["simulator", "cli"]);
}

#[test]
fn each_library_stays_in_its_layer() {
    for (layer_name, foreign) in [
        ("graph", &["reqwest::", "moka::", "axum::", "hyper::"][..]),
        ("loaders", &["reqwest::", "moka::", "axum::"][..]),
        ("estate", &["reqwest::", "axum::", "async_graphql"][..]),
        ("upstream", &["axum::", "async_graphql"][..]),
        ("http", &["reqwest::"][..]),
    ] {
        for (path, text) in layer(layer_name) {
            // an identity provider is no upstream: nothing of the estate is read from it
            let reads_keys = path.ends_with("http/auth/keys.rs");
            for library in foreign
                .iter()
                .filter(|library| !(reads_keys && **library == "reqwest::"))
            {
                assert!(
                    !code(&text).contains(library),
                    "{} uses {library}: keep it in the layer that it is for",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn wire_types_can_only_be_read() {
    for (path, text) in layer("upstream") {
        let is_written = |line: &str| {
            line.trim_start().starts_with("#[derive(")
                && (line.contains("(Serialize") || line.contains(" Serialize"))
        };
        assert!(
            !code(&text).lines().any(is_written),
            "{} derives Serialize: wire types are only ever read, or the simulator could be built from them",
            path.display()
        );
    }
}

/// The gateway reads: what is not GET opens or closes a session of its own.
#[test]
fn upstream_everything_but_get_signs_in_or_out() {
    let mut written = 0;
    for (path, text) in layer("upstream") {
        let code = code(&text);
        for call in [
            ".post(",
            ".put(",
            ".patch(",
            ".delete(",
            ".request(",
            ".execute(",
            "Method::",
        ] {
            let is_the_place = path.ends_with("upstream/transport.rs");
            assert!(
                is_the_place || !code.contains(call),
                "{}: {call}: requests are sent by transport.rs alone",
                path.display()
            );
        }
        written += [
            "Method::POST",
            "Method::PUT",
            "Method::PATCH",
            "Method::DELETE",
        ]
        .map(|method| code.matches(method).count())
        .iter()
        .sum::<usize>();
        let signs_in =
            path.ends_with("upstream/oauth.rs") || path.ends_with("upstream/enterprise_manager.rs");
        for call in [".post_to_sign_in(", ".delete_to_sign_off("] {
            assert!(
                signs_in || !code.contains(call),
                "{}: {call} is for sessions of our own",
                path.display()
            );
        }
    }
    assert_eq!(written, 2, "one that opens a session, one that closes it");
}

#[test]
fn every_file_says_what_it_is_for_and_none_is_too_long() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//!") || first.starts_with("#!["),
            "{} does not begin with what it is for",
            path.display()
        );
        let lines = text.lines().count();
        let limit = if path.components().any(|part| part.as_os_str() == "tests") {
            800
        } else {
            600
        };
        assert!(
            lines <= limit,
            "{} has {lines} lines: two names would be clearer than one",
            path.display()
        );
    }
    assert!(
        sources("src")
            .iter()
            .all(|(path, _)| !path.ends_with("mod.rs")),
        "modules are foo.rs beside foo/, not foo/mod.rs"
    );
}

#[test]
fn upstream_files_open_with_method_and_path() {
    for folder in [
        "src/upstream/vspc",
        "src/upstream/vac",
        "src/upstream/enterprise_manager",
    ] {
        for (path, text) in sources(folder) {
            // what a vendor's resources share is no resource
            let is_shared = path.components().any(|part| part.as_os_str() == "dialect");
            if is_shared || path.ends_with("dialect.rs") || path.ends_with("pages.rs") {
                continue;
            }
            assert!(
                text.starts_with("//! `GET "),
                "{} does not open with its method and path",
                path.display()
            );
        }
    }
}

#[test]
fn nullable_fields_keep_their_failure_to_themselves() {
    for (path, text) in layer("graph") {
        let code = code(&text);
        assert!(
            !code
                .lines()
                .any(|line| line.contains("-> Result<Option<") && !line.contains("Failure>")),
            "{}: write Option<Result<T>>: the library nulls the whole parent of a field that is Result<Option<T>>",
            path.display()
        );
    }
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/assumptions.md")).unwrap();
    let names: Vec<_> = document
        .split('`')
        .filter(|word| word.contains("::") && !word.contains(' '))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let (module, test) = name.rsplit_once("::").unwrap();
        let file = root
            .join("tests/it")
            .join(format!("{}.rs", module.replace("::", "/")));
        let text = fs::read_to_string(&file)
            .unwrap_or_else(|_| panic!("{name}: there is no {}", file.display()));
        assert!(
            text.contains(&format!("fn {test}(")),
            "docs/assumptions.md names {name}, which is no test"
        );
    }
}

/// Names that meant something to nobody but their authors, each replaced by the field's term.
#[test]
fn names_are_the_fields_standard_terms() {
    let retired = [
        "Asker",
        "Question",
        "Saying",
        "Kept",
        "Packed",
        "Coding",
        "Patient",
        "Entrance",
        "Fitting",
        "Unfit",
        "Doorkeeper",
        "Shown",
        "Door",
        "Passed",
        "Told",
        "Noted",
        "Sources",
        "Recollection",
        "Sight",
        "Owned",
        "Clearance",
        "Composed",
        "Line",
        "Opening",
        "Surroundings",
        "Answered",
        "Rooted",
        "Shelf",
        "aside",
        "patience",
        "upkeep",
        "foresee",
        "foreseen",
        "told_in_public",
        "for_once",
        "asker",
        "doorkeeper",
        "recollection",
        "clearance",
        "sight",
    ];
    for (path, text) in sources("src") {
        // the simulator is a server of its own, with its own words
        if path.to_string_lossy().contains("simulator") {
            continue;
        }
        let code = text.replace("Cow::Owned", "");
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            for word in line.split(|c: char| !c.is_alphanumeric() && c != '_') {
                assert!(
                    !retired.contains(&word) || line.contains('"'),
                    "{}:{}: `{word}` is not a name that readers know",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}
