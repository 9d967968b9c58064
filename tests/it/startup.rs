//! What an operator is told at start, and that nothing in the log is taken for what it is not.
#![cfg(unix)]

use crate::world::listen;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use veeam_graph::simulator::{Options, PASSWORD, Scale, Simulator, USER, generate};

/// A folder that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: &str, mode: u32) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Asks under a host name of any bytes; gives the first line of the answer.
async fn ask_under(address: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(
            format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_everybody_can_read_are_named_and_no_log_line_is_two() {
    let (apis, at) = listen().await;
    let simulator = Simulator::new(
        generate::generate(Scale::Small, 1, crate::world::now()),
        Options::default(),
    );
    tokio::spawn(simulator.run(apis, std::future::pending()));
    let (reserved, address) = listen().await;
    drop(reserved);
    let folder = Folder::new("secrets");
    folder.write("open-password", PASSWORD, 0o644);
    folder.write("closed-password", PASSWORD, 0o640);
    let upstream = |name: &str| {
        format!(
            "[[upstream]]\nname = \"{name}\"\nkind = \"enterprise-manager\"\nurl = \"http://{at}\"\nauth = {{ username = \"{USER}\", password_file = \"{name}-password\" }}\n"
        )
    };
    let settings = format!(
        "[server]\nlisten = \"{address}\"\n\n{}\n{}",
        upstream("open"),
        upstream("closed")
    );
    let config = folder.write("settings.toml", &settings, 0o644);
    let mut serve = Command::new(env!("CARGO_BIN_EXE_veeam-graph"))
        .args(["serve", "--config", &config])
        .env_remove("RUST_LOG")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = serve.stderr.take().unwrap();
    let (told, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _ = told.send(line);
        }
    });
    let mut log = Vec::new();
    while !log
        .last()
        .is_some_and(|line: &String| line.contains("serving GraphQL"))
    {
        log.push(lines.recv().await.expect("it ended before it served"));
    }
    let named: Vec<_> = log
        .iter()
        .filter(|line| line.contains("every user of this machine can read it"))
        .collect();
    assert!(
        named.len() == 1 && named[0].contains("open-password"),
        "{log:#?}"
    );

    // what a line is ended with, what turns text round, what clears a terminal: none of it as it
    // is, all of it to be read back
    let host =
        "evil\u{2028}{\"level\":\"INFO\"}\u{2029}\u{85}\u{202e}gpj\u{2066}\u{9b}2J\u{200f}\u{feff}";
    assert!(
        ask_under(&address.to_string(), host).await.contains(" 403"),
        "a host name that is not ours"
    );
    let line = loop {
        let line = lines.recv().await.expect("it ended before it said so");
        if line.contains("server.hosts") {
            break line;
        }
    };
    assert!(line.is_ascii(), "{line}");
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&read["host"], &read["target"]),
        (&host.into(), &"veeam_graph::audit".into()),
        "{line}"
    );
    Command::new("kill")
        .args(["-TERM", &serve.id().to_string()])
        .status()
        .unwrap();
    tokio::task::spawn_blocking(move || serve.wait().unwrap())
        .await
        .unwrap();
}
