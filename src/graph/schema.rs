//! What holds for the whole schema: scalars, ids, interfaces, federation, hidden fields.

pub mod federation;
pub mod hidden_fields;
pub mod id;
pub mod interface;
pub mod node;
pub mod scalars;
