//! How each vendor API is spoken: one transport, one sign-in, one pager; per API a folder with a
//! file per resource.
//!
//! A resource's file opens with method and path, then the wire shape, then the read, then a test
//! against the vendor's own sample. Wire types derive only `Deserialize`: nothing here can be
//! turned into an answer, so the simulator can't borrow a shape from the client and a wrong member
//! name can't cancel itself out. Unknown members are ignored, unknown enum words are kept as they
//! came.

mod adaptive_limit;
pub mod enterprise_manager;
pub mod error;
pub mod forwarded_credential;
pub mod meter;
pub mod metrics;
pub mod pager;
pub mod settings;
pub mod shared_text;
mod upstream_message;

pub mod vac;
pub mod vspc;

mod breaker;
mod client;
mod clock_difference;
mod json_rows;
mod large_body;
mod lenient;
mod oauth;
mod pause;
mod queued;
mod retry_after;
mod sign_in;
mod slots;
mod tls;
mod transport;

pub use error::{Error, ErrorKind};
