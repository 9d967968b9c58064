//! Each trap in the upstreams, sprung: every test here fails without the handling that it is named
//! for.

mod console;
mod enterprise_manager;
mod vac;

use veeam_graph::simulator::{Fault, FaultKind};

fn fault(path: &str, times: Option<u32>, kind: FaultKind) -> Fault {
    Fault {
        path: path.to_owned(),
        times,
        kind,
    }
}

fn status(status: u16) -> FaultKind {
    FaultKind::Status {
        status,
        retry_after: None,
        retry_after_in_body: None,
        location: None,
    }
}
