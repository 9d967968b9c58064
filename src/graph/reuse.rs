//! Values that were rendered before, given out again as JSON.

pub mod root_fields;
pub mod rows;
pub mod selection_key;
