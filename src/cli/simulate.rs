//! `veeam-graph simulate`: the simulated APIs alone, for trying a configuration, or another client.

use super::{Scale, Versions, bind, complain, fail, say, stop_asked};
use crate::simulator::{self, Faults, Simulator, generate};
use clap::Args;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:1280", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// How large an estate.
    #[arg(long, value_enum, default_value_t)]
    scale: Scale,
    /// Which estate: the same number gives the same one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    versions: Versions,
    /// What should go wrong: a TOML file of `[[fault]]` tables.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
}

impl Simulate {
    pub async fn run(self) -> ExitCode {
        let faults = match &self.faults {
            None => Vec::new(),
            Some(path) => {
                match std::fs::read_to_string(path)
                    .map_err(|error| error.to_string())
                    .and_then(|text| Faults::from_toml(&text))
                {
                    Ok(faults) => faults,
                    Err(error) => {
                        complain(format!(
                            "the faults in {} can't be read: {error}",
                            path.display()
                        ));
                        return ExitCode::from(super::EXIT_CONFIG);
                    }
                }
            }
        };
        let listener = match bind(self.listen) {
            Ok(listener) => listener,
            Err(error) => return fail(error),
        };
        let address = listener.local_addr().unwrap_or(self.listen);
        let simulator = Simulator::new(
            generate::generate(self.scale.into(), self.seed, jiff::Timestamp::now()),
            self.versions.options(),
        );
        simulator.faults.add(faults);
        let (user, password, key) = (simulator::USER, simulator::PASSWORD, simulator::API_KEY);
        say(format!(
            "Simulated Veeam APIs on http://{address}\n  /api/v3   Service Provider Console   user {user}, password {password}, or API key {key}\n  /api      Enterprise Manager         user {user}, password {password}\n  /v2       legacy v2                  user {user}, password {password}"
        ));
        match simulator.run(listener, stop_asked()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(error),
        }
    }
}
