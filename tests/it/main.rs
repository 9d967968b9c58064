//! One binary for all integration tests: linking is what takes time.
//!
//! Every test here talks real HTTP on both sides, on ports that the system picks. What an answer
//! must be is computed from the simulator's data by code that shares nothing with the gateway.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests may"
)]

mod access;
mod arguments;
mod bounded;
mod brought;
mod cases;
mod command_line;
mod connections;
mod correlation;
mod costs;
mod dialects;
mod differential;
mod door;
mod enterprise_manager_rows;
mod examples;
mod existence;
mod federation;
mod fifteen;
mod filters;
mod freshness;
mod hostile;
mod hosts;
mod identity_provider;
mod infrastructure;
mod isolation;
mod kinds;
mod lists;
mod management_agents;
mod members;
mod metrics;
mod mock;
mod named;
mod odd_rows;
mod own_tls;
mod paging;
mod partly;
mod persisted;
mod protocol;
mod rates;
mod readme;
mod reload;
mod reuse;
mod rows;
mod schema;
mod seeds;
mod shared_ids;
mod signing_in;
mod socket;
mod startup;
mod storms;
mod tape;
mod tasks;
mod tidy;
mod tls;
mod traps;
mod upstream_bodies;
mod vendor;
mod walk;
mod world;
mod written;
