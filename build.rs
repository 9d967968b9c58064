//! Makes the pages of `src/http/explorer.rs`: GraphiQL, built from its npm packages, or the small
//! explorer.
//!
//! GraphiQL needs Node and the npm registry. Where one of them is missing the explorer is embedded
//! instead, and the demo's first screen says so and why. `VEEAM_GRAPH_UI` decides otherwise:
//! `explorer` never runs npm, `graphiql` fails without it. Everything is made below `OUT_DIR`,
//! never in the source tree.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a build script stops by panicking, and its environment is cargo's"
)]

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What esbuild and the packages need.
const OLDEST_NODE: u32 = 18;
/// An install that takes longer has no usable connection to the registry.
const NPM_DEADLINE: Duration = Duration::from_secs(240);

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    for watched in ["build.rs", "ui/explorer", "examples/queries"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    for source in graphiql_sources(&root) {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    println!("cargo:rerun-if-env-changed=VEEAM_GRAPH_UI");

    let wanted = env::var("VEEAM_GRAPH_UI").unwrap_or_default();
    let graphiql = match wanted.as_str() {
        "explorer" => Err("VEEAM_GRAPH_UI is \"explorer\"".to_owned()),
        "" | "graphiql" => build_graphiql(&root, &out),
        other => {
            panic!("VEEAM_GRAPH_UI is {other:?}; it can be \"explorer\", \"graphiql\", or left out")
        }
    };
    if let (Err(reason), "graphiql") = (&graphiql, wanted.as_str()) {
        panic!("GraphiQL can't be built: {reason}");
    }
    let (pages, reason) = match graphiql {
        Ok(pages) => (pages, None),
        Err(reason) => (collect_explorer(&root, &out), Some(reason)),
    };
    let list = format!(
        "const REASON_AGAINST_GRAPHIQL: Option<&str> = {reason:?};\n{}",
        asset_table(&pages)
    );
    fs::write(out.join("explorer.rs"), list).expect("OUT_DIR is writable");
}

/// The files that GraphiQL is built from.
fn graphiql_sources(root: &Path) -> Vec<PathBuf> {
    let kinds = ["json", "mjs", "js", "jsx", "css", "html"];
    let is_source = |path: &PathBuf| {
        path.extension()
            .and_then(|kind| kind.to_str())
            .is_some_and(|kind| kinds.contains(&kind))
    };
    files(&root.join("ui/graphiql"))
        .into_iter()
        .filter(is_source)
        .collect()
}

/// Builds GraphiQL below `out` and gives the folder with its pages; else why there is none.
fn build_graphiql(root: &Path, out: &Path) -> Result<PathBuf, String> {
    let version = run(
        Command::new("node").arg("--version"),
        Duration::from_secs(20),
    )
    .map_err(|_| "Node is not installed")?;
    let major: u32 = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    if major < OLDEST_NODE {
        return Err(format!(
            "Node {} is older than {OLDEST_NODE}",
            version.trim()
        ));
    }
    // the same layout as in the source tree, for the script's relative paths
    let work = out.join("graphiql");
    copy(&graphiql_sources(root), &work.join("ui/graphiql"));
    copy(&files(&root.join("ui/explorer")), &work.join("ui/explorer"));
    copy(
        &files(&root.join("examples/queries")),
        &work.join("examples/queries"),
    );
    let (source, pages) = (work.join("ui/graphiql"), work.join("pages"));
    let install = [
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        "--fetch-retries=1",
        "--fetch-timeout=30000",
    ];
    run(npm().args(install).current_dir(&source), NPM_DEADLINE)
        .map_err(|why| format!("its npm packages can't be had: {why}"))?;
    run(
        Command::new("node")
            .arg("build.mjs")
            .env("OUT", &pages)
            .current_dir(&source),
        NPM_DEADLINE,
    )
    .map_err(|why| format!("it can't be bundled: {why}"))?;
    // 300 MB that nobody needs any more
    fs::remove_dir_all(source.join("node_modules")).ok();
    Ok(pages)
}

fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

/// Runs a command within a time and gives what it printed; else its last line about what went
/// wrong.
fn run(command: &mut Command, deadline: Duration) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    // both pipes are short: npm and the script print errors only
    let started = Instant::now();
    while child
        .try_wait()
        .map_err(|error| error.to_string())?
        .is_none()
    {
        if started.elapsed() > deadline {
            child.kill().ok();
            child.wait().ok();
            return Err(format!("{name} took longer than {} s", deadline.as_secs()));
        }
        thread::sleep(Duration::from_millis(50));
    }
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(words
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it failed")
        .trim()
        .to_owned())
}

/// The explorer's pages, and the examples for its picker.
fn collect_explorer(root: &Path, out: &Path) -> PathBuf {
    let pages = out.join("explorer");
    copy(&files(&root.join("ui/explorer")), &pages);
    let mut examples = String::from("globalThis.examples = [\n");
    for file in files(&root.join("examples/queries")) {
        if file.extension().is_none_or(|kind| kind != "graphql") {
            continue;
        }
        let query = fs::read_to_string(&file).expect("examples are UTF-8");
        let name = file
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("plain names")
            .to_owned();
        examples.push_str(&format!(
            "  [{}, {}],\n",
            script_text(&name),
            script_text(&query)
        ));
    }
    examples.push_str("];\n");
    fs::write(pages.join("examples.js"), examples).expect("OUT_DIR is writable");
    pages
}

/// A text as a literal of JavaScript.
fn script_text(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
        .replace('<', "\\u003c");
    format!("\"{escaped}\"")
}

/// The table of embedded files, as Rust.
fn asset_table(pages: &Path) -> String {
    let mut table = String::from("static ASSETS: &[Asset] = &[\n");
    for file in files(pages) {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .expect("plain names");
        let (path, is_compressed) = match name.strip_suffix(".gz") {
            Some(path) => (path, true),
            None => (name, false),
        };
        let media_type = match path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("ttf") => "font/ttf",
            _ => "text/plain; charset=utf-8",
        };
        let mut hasher = DefaultHasher::new();
        fs::read(&file).expect("readable").hash(&mut hasher);
        let (tag, body) = (
            format!("{:016x}", hasher.finish()),
            file.display().to_string(),
        );
        table.push_str(&format!(
            "    Asset {{ path: {path:?}, media_type: {media_type:?}, is_compressed: {is_compressed}, \
             body: include_bytes!({body:?}), tag: {tag:?} }},\n"
        ));
    }
    table.push_str("];\n");
    table
}

/// The files of a folder, not of those in it, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

/// Copies files into a folder, which is made anew.
fn copy(files: &[PathBuf], folder: &Path) {
    fs::remove_dir_all(folder).ok();
    fs::create_dir_all(folder).expect("OUT_DIR is writable");
    for file in files {
        fs::copy(file, folder.join(file.file_name().expect("a file")))
            .expect("OUT_DIR is writable");
    }
}
