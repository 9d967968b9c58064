//! The command line. See `veeam_graph::cli`.

use clap::Parser;
use std::process::ExitCode;
use veeam_graph::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
