//! What filters are made of, and the arguments of the connections that take them.

pub mod agent_job_object_filter;
pub mod boolean_filter;
pub mod company_filter;
pub mod conditions;
pub mod duration;
pub mod job_facts;
pub mod job_filter;
pub mod references;
pub mod session_filter;
