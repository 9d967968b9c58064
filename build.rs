//! Lists the explorer's files for `src/http/explorer.rs`: the built GraphiQL if it is there, else the small explorer.
//! Never runs npm: a plain build needs nothing but Rust.

#![allow(clippy::expect_used, clippy::disallowed_methods, reason = "a build script stops by panicking, and its environment is cargo's")]

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let built = Path::new(&root).join("ui/graphiql/dist");
    let is_graphiql = built.join("index.html").is_file();
    let from = if is_graphiql { built.clone() } else { Path::new(&root).join("ui/explorer") };
    // what is watched must be there: for a path that is not, cargo builds everything anew each time
    let watched = if built.exists() { built.clone() } else { Path::new(&root).join("ui/graphiql") };
    println!("cargo:rerun-if-changed={}", watched.display());
    println!("cargo:rerun-if-changed={}", from.display());
    println!("cargo:rerun-if-changed=build.rs");

    let mut files: Vec<_> =
        fs::read_dir(&from).expect("the explorer's files are in the repository").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    let mut list = format!("const IS_GRAPHIQL: bool = {is_graphiql};\nstatic ASSETS: &[Asset] = &[\n");
    for file in files.iter().filter(|file| file.is_file()) {
        println!("cargo:rerun-if-changed={}", file.display());
        let name = file.file_name().and_then(|name| name.to_str()).expect("plain names");
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
        fs::read(file).expect("readable").hash(&mut hasher);
        let tag = format!("{:016x}", hasher.finish());
        list.push_str(&format!(
            "    Asset {{ path: {path:?}, media_type: {media_type:?}, is_compressed: {is_compressed}, body: include_bytes!({:?}), tag: {tag:?} }},\n",
            file.display().to_string()
        ));
    }
    list.push_str("];\n");
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("explorer.rs");
    fs::write(out, list).expect("OUT_DIR is writable");
}
