//! What a document says before it runs: whether it is valid, and which lists it will read.

pub mod read_ahead;
pub mod validation;
