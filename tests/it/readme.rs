//! README's 'Give your frontend a key that sees one company', followed to the letter: its commands,
//! its file, its answer.

use crate::world::{PATIENCE, listen};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

const README: &str = include_str!("../../README.md");

/// The fenced blocks of a section, with their languages.
fn blocks(heading: &str) -> Vec<(&'static str, &'static str)> {
    let section = README
        .split(heading)
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    section
        .split("```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

/// A command of the README in a process; `cargo run --` is this build.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(line: &str, folder: &Path, variables: &[(&str, &str)]) -> Command {
    let (set, rest) = line.trim().split_once("cargo run -- ").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_veeam-graph"));
    command
        .args(rest.split(' '))
        .current_dir(folder)
        .stderr(Stdio::null())
        .stdout(Stdio::null());
    command
        .envs(
            set.split_whitespace()
                .map(|pair| pair.split_once('=').unwrap()),
        )
        .envs(variables.iter().copied());
    command
}

/// What curl would send: the address, the headers, the body.
fn curl(line: &str) -> (String, Vec<(String, String)>, String) {
    let quoted: Vec<&str> = line.split('\'').skip(1).step_by(2).collect();
    let (body, headers) = quoted.split_last().unwrap();
    let headers = headers
        .iter()
        .map(|header| header.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    (
        line.split(' ')
            .find(|word| word.starts_with("http"))
            .unwrap()
            .to_owned(),
        headers.collect(),
        (*body).to_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_a_key_that_sees_one_company() {
    let blocks = blocks("## Give your frontend a key that sees one company\n");
    let [simulate, key, file, serve, ask, expected] = &blocks[..] else {
        panic!("the section has {} blocks", blocks.len())
    };
    let folder: PathBuf =
        std::env::temp_dir().join(format!("veeam-graph-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // other ports than the README's, which may be in use
    let ((apis, apis_at), (door, door_at)) = (listen().await, listen().await);
    drop((apis, door));
    let ports = |text: &str| {
        text.replace("127.0.0.1:1280", &apis_at.to_string())
            .replace("127.0.0.1:4000", &door_at.to_string())
    };

    let _simulator = Running(command(&ports(simulate.1), &folder, &[]).spawn().unwrap());
    let printed = String::from_utf8(
        command(key.1, &folder, &[])
            .stdout(Stdio::piped())
            .output()
            .unwrap()
            .stdout,
    )
    .unwrap();
    let made = |name: &str| {
        printed
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim().split(' ').next_back())
            .unwrap()
            .to_owned()
    };
    std::fs::write(
        folder.join("one-company.toml"),
        ports(file.1).replace("THE DIGEST", &made("key_sha256")),
    )
    .unwrap();
    let _gateway = Running(command(serve.1, &folder, &[]).spawn().unwrap());

    let (address, headers, body) = curl(&ports(ask.1).replace("THE KEY", &made("key ")));
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async |key: Option<&str>| {
        let mut request = client.post(&address).body(body.clone());
        for (name, value) in &headers {
            match (name.as_str(), key) {
                ("authorization", Some(key)) => request = request.header("authorization", key),
                _ => request = request.header(name, value),
            }
        }
        request.send().await
    };
    let began = Instant::now();
    let answer: Value = loop {
        match send(None).await {
            Ok(response) => break serde_json::from_str(&response.text().await.unwrap()).unwrap(),
            Err(_) => assert!(began.elapsed() < PATIENCE, "the gateway never came"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(answer.get("errors"), None);
    assert_eq!(
        answer["data"],
        serde_json::from_str::<Value>(expected.1).unwrap()
    );
    assert_eq!(send(Some("Bearer another")).await.unwrap().status(), 401);
    std::fs::remove_dir_all(folder).unwrap();
}
