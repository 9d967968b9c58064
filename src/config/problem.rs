//! What is wrong with a configuration, all of it.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line in the file; none for a variable, or for what is missing altogether.
    pub line: Option<usize>,
    /// The key, with its tables: `upstream.url`.
    pub key: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Everything that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// A single problem.
    pub fn one(line: Option<usize>, key: &str, message: impl Into<String>) -> Self {
        let mut problems = Self::default();
        problems.add(line, key, message);
        problems
    }

    /// Adds a problem.
    pub fn add(&mut self, line: Option<usize>, key: &str, message: impl Into<String>) {
        self.0.push(Problem {
            line,
            key: key.to_owned(),
            message: message.into(),
        });
    }

    /// `value`, if nothing is wrong.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl Problems {
    /// All of them in one line, for the log.
    pub fn in_one_line(&self) -> String {
        let text = self.to_string();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            if let Some(line) = problem.line {
                write!(f, "line {line}: ")?;
            }
            if !problem.key.is_empty() {
                write!(f, "{}: ", problem.key)?;
            }
            writeln!(f, "{}", problem.message)?;
        }
        Ok(())
    }
}
