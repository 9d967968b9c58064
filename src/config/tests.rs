//! Settings, good and bad, as an operator writes them.

use super::*;
use std::time::Duration;

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    let variables: Vec<_> = variables
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let read_file = |path: &Path| match path.to_str() {
        Some("dir/key") => Ok(b"file-secret\n".to_vec()),
        _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
    };
    let secret_files = RefCell::default();
    let surroundings = Environment {
        variables: &variables,
        read_file: &read_file,
        base: "dir".into(),
        secret_files: &secret_files,
        files: &RefCell::default(),
    };
    Config::parse(text, &surroundings)
}

const GOOD: &str = r#"
[server]
listen = "127.0.0.1:5000"

[[upstream]]
name = "msp"
kind = "vspc"
url  = "https://vspc.example.net:1280"
auth = { api_key_env = "KEY" }
timeout = "10s"

[upstream.cache]
jobs = "90s"

[[upstream]]
name = "em"
kind = "enterprise-manager"
url  = "https://em.example.net:9398"
auth = { username = "op", password_file = "key" }
tls  = { pinned_sha256 = "AA:00000000000000000000000000000000000000000000000000000000000000" }
"#;

#[test]
fn a_good_file_is_read_with_its_secrets_kept_out_of_sight() {
    let config = parse(GOOD, &[("KEY", "env-secret")]).unwrap();
    assert_eq!(config.server.listen.port(), 5000);
    assert_eq!(config.upstreams[0].timeout, Duration::from_secs(10));
    assert_eq!(
        config.upstreams[0].cache.jobs,
        Some(Duration::from_secs(90))
    );
    assert!(matches!(config.upstreams[1].tls, Tls::Pinned(pin) if pin[0] == 0xAA));
    let printed = format!("{config:?}");
    assert!(
        !printed.contains("env-secret") && !printed.contains("file-secret"),
        "{printed}"
    );
}

#[test]
fn every_problem_is_told_at_once_with_its_key_and_line() {
    let text = r#"
[server]
listen = "localhost"
colour = "blue"

[[upstream]]
name = "a b"
kind = "vbr"
url  = "ftp://x"
auth = { password = "hunter2", username = "op" }
timeout = "soon"

[[upstream]]
kind = "enterprise-manager"
url  = "https://em.example.net:9398"
auth = { api_key_env = "MISSING" }
tls  = { insecure = true, ca_file = "nowhere.pem" }
"#;
    let told = parse(text, &[]).unwrap_err().to_string();
    for expected in [
        "line 3: server.listen:",
        "line 4: server.colour:",
        "line 7: upstream.name:",
        "line 8: upstream.kind:",
        "line 9: upstream.url:",
        "line 10: upstream.auth.password:",
        "line 11: upstream.timeout:",
        "line 13: upstream.name: is missing",
        "line 16: upstream.auth.api_key_env:",
        "line 17: upstream.tls:",
    ] {
        assert!(told.contains(expected), "{expected} is not in:\n{told}");
    }
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn the_environment_overrides_every_key() {
    let variables = [
        ("KEY", "k"),
        ("VEEAM_GRAPH__SERVER__LISTEN", "127.0.0.1:6000"),
        (
            "VEEAM_GRAPH__UPSTREAM__MSP__URL",
            "http://other.example:1280",
        ),
        ("VEEAM_GRAPH__UPSTREAM__MSP__MAX_CONCURRENCY", "3"),
        ("VEEAM_GRAPH__UPSTREAM__EM__CACHE__SESSIONS", "5m"),
    ];
    let config = parse(GOOD, &variables).unwrap();
    assert_eq!(config.server.listen.port(), 6000);
    assert_eq!(config.upstreams[0].url.host_str(), Some("other.example"));
    assert_eq!(config.upstreams[0].max_concurrency, 3);
    assert_eq!(
        config.upstreams[1].cache.sessions,
        Some(Duration::from_secs(300))
    );
    let told = parse(
        GOOD,
        &[
            ("KEY", "k"),
            ("VEEAM_GRAPH__UPSTREAM__NOBODY__URL", "x"),
            ("VEEAM_GRAPH__SERVER__SIZE", "1"),
        ],
    )
    .unwrap_err()
    .to_string();
    assert!(
        told.contains("VEEAM_GRAPH__UPSTREAM__NOBODY__URL")
            && told.contains("VEEAM_GRAPH__SERVER__SIZE"),
        "{told}"
    );
}

#[test]
fn a_text_is_one_name_also_in_a_variable() {
    let text = format!("{GOOD}\n[[auth.role]]\nname = \"tenant\"\ncompanies = \"Acme, Inc.\"\n");
    let companies = |text: &str, variables: &[(&str, &str)]| {
        let config = parse(text, &[&[("KEY", "k")], variables].concat())
            .map_err(|problems| problems.to_string());
        config.map(|config| config.auth.roles[0].sees.companies.clone().unwrap())
    };
    const KEY: &str = "VEEAM_GRAPH__AUTH__ROLE__TENANT__COMPANIES";
    assert_eq!(companies(&text, &[]).unwrap(), ["Acme, Inc."]);
    assert_eq!(
        companies(&text, &[(KEY, "Porto, Lda.")]).unwrap(),
        ["Porto, Lda."]
    );
    assert_eq!(
        companies(&text, &[(KEY, r#"["Porto, Lda.", "Acme 17"]"#)]).unwrap(),
        ["Porto, Lda.", "Acme 17"]
    );
    for bad in [r#"["Porto"#, "[1]", r#"["Porto", " "]"#, ""] {
        assert!(
            companies(&text, &[(KEY, bad)]).unwrap_err().contains(KEY),
            "{bad}"
        );
    }
    // no comma can be in a host
    let hosts = parse(
        GOOD,
        &[
            ("KEY", "k"),
            (
                "VEEAM_GRAPH__SERVER__HOSTS",
                "Graph.Example.net., fd00::7,127.0.0.1",
            ),
        ],
    )
    .unwrap()
    .server
    .hosts;
    assert_eq!(hosts, ["graph.example.net", "[fd00::7]", "127.0.0.1"]);
    for bad in [
        "https://graph.example.net",
        "graph.example.net:4000",
        "*",
        "*.example.net",
        "a b",
        "user@host",
        "1",
        "a/b",
        ".",
    ] {
        let told = parse(GOOD, &[("KEY", "k"), ("VEEAM_GRAPH__SERVER__HOSTS", bad)])
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("VEEAM_GRAPH__SERVER__HOSTS") || told.contains("server.hosts"),
            "{bad}: {told}"
        );
    }
}

#[test]
fn text_that_is_no_toml_says_where() {
    let told = parse("[server]\nlisten = \n", &[]).unwrap_err().to_string();
    assert!(told.contains("line 2"), "{told}");
}

#[test]
fn what_pages_may_send_and_which_documents_are_run_are_settings() {
    let text = format!(
        "{GOOD}\n[server.cors]\nheaders = [\"X-Tenant\"]\nexposed_headers = \"server-timing\"\nmax_age = \"5m\"\n\n[operations]\nfile = \"key\"\nmode = \"only\"\n\n[limits]\nbatch = 10\n"
    );
    let config = parse(
        &text,
        &[("KEY", "k"), ("VEEAM_GRAPH__SERVER__FEDERATION", "false")],
    )
    .unwrap();
    let cors = Cors {
        headers: vec!["x-tenant".into()],
        exposed_headers: vec!["server-timing".into()],
        max_age: Duration::from_secs(300),
    };
    assert_eq!(
        (
            config.server.cors,
            config.server.federation,
            config.limits.batch
        ),
        (cors, false, 10)
    );
    assert_eq!(
        config.operations,
        Operations {
            files: vec!["dir/key".into()],
            mode: Mode::Only
        }
    );
    for (wrong, key) in [
        ("[server.cors]\nheaders = [\"a b\"]", "server.cors.headers"),
        ("[server.cors]\nmax_age = \"2d\"", "server.cors.max_age"),
        ("[server.cors]\norigins = []", "server.cors.origins"),
        ("[operations]\nmode = \"only\"", "operations.mode"),
        (
            "[operations]\nfile = \"key\"\nmode = \"some\"",
            "operations.mode",
        ),
        ("[operations]\nfile = \"nowhere.json\"", "operations.file"),
    ] {
        let told = parse(&format!("{GOOD}\n{wrong}\n"), &[("KEY", "k")])
            .unwrap_err()
            .to_string();
        assert!(told.contains(key), "{wrong}: {told}");
    }
}
