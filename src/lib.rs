#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod estate;
pub mod graph;
pub mod loaders;
pub mod time;
pub mod uid;
pub mod upstream;
