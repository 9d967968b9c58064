//! `schema.graphql` is the contract: true, complete, described.

use veeam_graph::graph;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");

#[test]
fn the_schema_file_is_what_the_code_serves() {
    let printed = graph::sdl(false);
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(FILE, &printed).unwrap();
    }
    let committed = std::fs::read_to_string(FILE).unwrap();
    assert!(
        committed == printed,
        "schema.graphql is not what the code serves: run UPDATE_SCHEMA=1 cargo test schema, look at the difference, and tell clients in CHANGELOG.md"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_field_argument_and_value_is_described() {
    let world = crate::world::World::small().await;
    let data = world
        .data("{ __schema { types { name kind description fields { name description args { name description } } inputFields { name description } enumValues { name description } } } }")
        .await;
    let mut missing = Vec::new();
    // the specification's
    let foreign = ["Boolean", "Int", "Float", "String", "ID"];
    for kind in crate::world::array(&data["__schema"]["types"]) {
        let name = kind["name"].as_str().unwrap();
        if name.starts_with("__") || foreign.contains(&name) {
            continue;
        }
        let mut check = |what: String, value: &serde_json::Value| {
            if value["description"]
                .as_str()
                .is_none_or(|text| text.trim().is_empty())
            {
                missing.push(what);
            }
        };
        check(name.to_owned(), kind);
        for members in ["fields", "inputFields", "enumValues"] {
            for member in kind[members].as_array().into_iter().flatten() {
                let path = format!("{name}.{}", member["name"].as_str().unwrap());
                check(path.clone(), member);
                for argument in member["args"].as_array().into_iter().flatten() {
                    check(
                        format!("{path}({})", argument["name"].as_str().unwrap()),
                        argument,
                    );
                }
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_connection_argument_states_its_bound() {
    let printed = graph::sdl(false);
    let mut description = "";
    for line in printed.lines().map(str::trim) {
        if line.starts_with("first: Int") {
            assert!(description.contains("0 to 500"), "{description}");
        }
        if !line.is_empty() && !line.starts_with("\"\"\"") {
            description = line;
        }
    }
}

#[test]
fn the_federated_form_can_be_composed_beside_another_relay_subgraph() {
    let printed = graph::sdl(true);
    assert!(
        printed.contains("@link") && printed.contains("type PageInfo @shareable"),
        "{}",
        &printed[..400]
    );
    for field in ["node(", "nodes("] {
        let at = printed.find(&format!("  {field}")).unwrap();
        let declaration = &printed[at..at + printed[at..].find("\n  \"\"\"").unwrap_or(400)];
        assert!(
            declaration.contains("@shareable") && declaration.contains("@inaccessible"),
            "{declaration}"
        );
    }
}
