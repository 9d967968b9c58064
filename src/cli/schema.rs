//! `veeam-graph schema`: prints the SDL.

use super::say;
use crate::graph;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// With the directives that a federation composer needs.
    #[arg(long)]
    federation: bool,
}

impl Schema {
    pub fn run(self) -> ExitCode {
        say(graph::sdl(self.federation).trim_end());
        ExitCode::SUCCESS
    }
}
