//! Joins between lists, and between the two vendors' APIs.

pub mod coverage;
pub mod job_repositories;
pub mod last_success;
pub mod link_servers;
pub mod session_matching;
