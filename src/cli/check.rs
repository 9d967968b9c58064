//! `veeam-graph check`: is the configuration right, and do the upstreams let us in?

use super::{fail, load, say};
use crate::{
    app,
    config::Config,
    estate::{Estate, State, Status},
    graph::error,
    http,
    time::Clock,
    upstream::settings::Kind,
};
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Read every list too, and tell of each failure what was asked, what came, and in which words.
    #[arg(long, short)]
    verbose: bool,
}

impl Check {
    pub async fn run(self) -> ExitCode {
        let config = match load(&self.config) {
            Ok(config) => config,
            Err(code) => return code,
        };
        let estate = match app::estate(&config, Clock::System) {
            Ok(estate) => estate,
            Err(error) => {
                fail(error);
                return ExitCode::from(super::EXIT_CONFIG);
            }
        };
        estate.probe().await;
        let rows: Vec<[String; 5]> = config
            .upstreams
            .iter()
            .zip(estate.statuses())
            .map(|(upstream, status)| {
                let [state, version, remark] = describe(status);
                [
                    upstream.name.clone(),
                    kind(status.kind).to_owned(),
                    state,
                    version,
                    format!("{}{remark}", upstream.url),
                ]
            })
            .collect();
        say(table(["NAME", "KIND", "STATE", "VERSION", "URL"], &rows));
        let all_up = estate
            .statuses()
            .iter()
            .all(|status| status.seen().state == State::Up);
        let all_known = names_are_known(&config, &estate).await;
        let all_read = !self.verbose || lists_are_read(&estate).await;
        estate.close().await;
        if all_up && all_known && all_read {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Reads every list and tells what could not be read. That this version has no such list is told,
/// and no failure.
async fn lists_are_read(estate: &Estate) -> bool {
    let mut all_read = true;
    for failure in estate.warm().await {
        let (code, _) = error::public(failure.kind);
        let lacks = if failure.is_absent {
            ", which this version seems not to have"
        } else {
            ""
        };
        say(format!(
            "upstream {:?}: {code}: a list{lacks}: {}",
            &*failure.upstream,
            failure.explained()
        ));
        all_read &= failure.is_absent;
    }
    all_read
}

/// Tells of names in what callers may see that are nobody's: such a caller sees nothing, and
/// nothing says why.
async fn names_are_known(config: &Config, estate: &Estate) -> bool {
    let mut all_known = true;
    for caller in &config.auth.callers {
        let (unknown, failures) = estate
            .unknown_names(&http::principal(caller, &config.auth.roles))
            .await;
        for name in unknown {
            all_known = false;
            say(format!(
                "caller {:?}: no company or server, or more than one, is named {name:?}; write its uid",
                caller.name
            ));
        }
        if !failures.is_empty() {
            all_known = false;
            say(format!(
                "caller {:?}: what it may see can't be told while a console can't be read",
                caller.name
            ));
        }
    }
    all_known
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Vspc => "vspc",
        Kind::Vac => "vac",
        Kind::EnterpriseManager => "enterprise-manager",
    }
}

/// State, version, and what went wrong, which the person at the console may read in full.
fn describe(status: &Status) -> [String; 3] {
    let seen = status.seen();
    let api = status
        .api_version()
        .map(|version| format!(" (API {version})"))
        .unwrap_or_default();
    let version = format!("{}{api}", seen.version.unwrap_or_else(|| "-".to_owned()));
    match seen.state {
        State::Up => {
            let lacks = status.lacks();
            let remark = if lacks.is_empty() {
                String::new()
            } else {
                format!("\n    it lacks: {}", lacks.join("; "))
            };
            ["ok".to_owned(), version, remark]
        }
        State::Down(kind) => {
            let (code, sentence) = error::public(kind);
            let detail = seen
                .detail
                .map(|detail| format!(": {detail}"))
                .unwrap_or_default();
            [
                "FAILED".to_owned(),
                version,
                format!("\n    {code}: it {sentence}{detail}"),
            ]
        }
        State::Unknown => ["not asked".to_owned(), version, String::new()],
    }
}

fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].len())
            .chain([head[column].len()])
            .max()
            .unwrap_or(0)
    };
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            // the last column may be of many lines
            if column + 1 == N {
                line.push_str(cell);
            } else {
                line.push_str(&format!("{cell:<width$}  ", width = width(column)));
            }
        }
        line
    };
    let mut lines = vec![line(head)];
    lines.extend(
        rows.iter()
            .map(|row| line(row.each_ref().map(String::as_str))),
    );
    lines.join("\n")
}
