//! Every query in `examples/queries` is run against the demo's estate and compared with the answer
//! beside it.
//!
//! `UPDATE_EXAMPLES=1` rewrites the answers; look at the difference before you commit it.

use crate::world::World;
use serde_json::Value;
use std::path::Path;

#[tokio::test(flavor = "multi_thread")]
async fn every_example_gives_the_answer_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/queries");
    let mut queries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "graphql"))
        .collect();
    queries.sort();
    assert!(queries.len() >= 15);
    for query in queries {
        let world = World::small().await;
        let text = std::fs::read_to_string(&query).unwrap();
        let answer = world.ask(&text).await;
        assert_eq!(answer.get("errors"), None, "{}", query.display());
        let beside = query.with_extension("json");
        if std::env::var_os("UPDATE_EXAMPLES").is_some() {
            std::fs::write(
                &beside,
                format!("{}\n", serde_json::to_string_pretty(&answer).unwrap()),
            )
            .unwrap();
        }
        let expected: Value = serde_json::from_str(
            &std::fs::read_to_string(&beside)
                .unwrap_or_else(|_| panic!("{} is missing", beside.display())),
        )
        .unwrap();
        assert_eq!(answer, expected, "{}", query.display());
    }
}

#[test]
fn the_readmes_first_query_is_the_example() {
    let readme = include_str!("../../README.md");
    let walk = include_str!("../../examples/queries/04-tape-walk.graphql");
    assert!(
        readme.contains(walk.trim()),
        "README.md shows another query than examples/queries/04-tape-walk.graphql"
    );
}
