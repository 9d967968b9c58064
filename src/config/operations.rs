//! `[operations]`: which documents are run.

use super::{Environment, problem::Problems, reader::Section};
use std::path::PathBuf;

/// Which documents are run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Documents by their ids, as the compilers of Apollo, Relay and GraphQL Code Generator write
    /// them.
    pub files: Vec<PathBuf>,
    /// What becomes of others.
    pub mode: Mode,
}

/// What becomes of documents that are in none of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are run.
    #[default]
    Any,
    /// They are run, and told in the log.
    Log,
    /// They are refused.
    Only,
}

impl Mode {
    const ALL: [Self; 3] = [Mode::Any, Mode::Log, Mode::Only];

    /// As it is set.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Any => "any",
            Mode::Log => "log",
            Mode::Only => "only",
        }
    }
}

pub(super) fn read(
    section: Option<Section>,
    surroundings: &Environment<'_>,
    problems: &mut Problems,
) -> Operations {
    let mut operations = Operations::default();
    let Some(mut section) = section else {
        return operations;
    };
    for (path, line) in section.texts("file", problems).unwrap_or_default() {
        if let Err(error) = surroundings.file_of_others(&path) {
            problems.add(
                line,
                &section.key("file"),
                format!("{path:?} can't be read: {error}"),
            );
        }
        operations.files.push(surroundings.base.join(path));
    }
    if let Some((name, line)) = section.text("mode", problems) {
        match Mode::ALL.into_iter().find(|mode| mode.name() == name) {
            Some(Mode::Any) => {}
            Some(_) if operations.files.is_empty() => {
                problems.add(
                    line,
                    &section.key("mode"),
                    "needs `file`: without one no document is listed".to_owned(),
                );
            }
            Some(mode) => operations.mode = mode,
            None => problems.add(
                line,
                &section.key("mode"),
                format!("{name:?} must be \"any\", \"log\" or \"only\""),
            ),
        }
    }
    section.finish(problems);
    operations
}
