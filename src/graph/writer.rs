//! Objects written as JSON without the general executor, as far as nothing has to be waited for.

pub mod direct;
pub mod json;
pub mod linked;
pub mod objects;
pub mod plan;
