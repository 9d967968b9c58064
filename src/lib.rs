#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod app;
mod blocking;
pub mod cli;
pub mod config;
pub mod estate;
pub mod graph;
pub mod http;
pub mod loaders;
pub mod simulator;
mod supervise;
pub mod time;
pub mod uid;
pub mod upstream;
