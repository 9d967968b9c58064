//! The command line. See `veeam_graph::cli`.

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;
use veeam_graph::cli::Cli;

/// Queries are many small allocations: measured, this one takes less time and no more memory for
/// them than the system's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
