//! The types of the schema, a file each: fields, edges, and how a value is made.

pub mod agent_job_object;
pub mod agent_session;
pub mod alarm;
pub mod backup_agent;
pub mod backup_agent_job;
pub mod backup_server;
pub mod company;
pub mod console_agent;
pub mod console_agent_job;
pub mod enterprise_manager;
pub mod fleet_health;
pub mod health;
pub mod health_counts;
pub mod job;
pub mod job_object;
pub mod license_usage;
pub mod linked_job;
pub mod location;
pub mod management_agent;
pub mod origin;
pub mod repository;
pub mod tape_coverage;
pub mod task_session;
pub mod trend_point;
pub mod upstream;
pub mod workload;
