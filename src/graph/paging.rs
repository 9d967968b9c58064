//! Relay connections: cursors, pages, edges.

pub mod connection;
pub mod page;
