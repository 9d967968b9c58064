//! The log: to standard error, text for a terminal, JSON lines otherwise. `RUST_LOG` sets what is
//! logged.
//!
//! What is logged may have come from anywhere: names of machines, words of an upstream. Nothing of
//! it ends a line, moves a cursor or turns text round: such characters are written as `\uXXXX`,
//! which JSON reads back as what they were.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
};
use tracing_subscriber::EnvFilter;

/// Starts the log; `usual` is what is logged where `RUST_LOG` does not say.
pub(super) fn start(usual: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Lines(io::stderr()));
    // a second start, in tests, finds the log running
    let _ = if io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}

/// Writes lines: each is given as a whole, with its end.
struct Lines<W>(W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) if is_plain(text) => self.0.write_all(line)?,
            _ => self
                .0
                .write_all(escaped(&String::from_utf8_lossy(line)).as_bytes())?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn is_plain(line: &str) -> bool {
    !line.strip_suffix('\n').unwrap_or(line).contains(is_unsafe)
}

/// Characters that a reader of the log, a person or a program, could take for the end of a line or
/// an order.
fn is_unsafe(character: char) -> bool {
    let separates = matches!(character, '\u{2028}' | '\u{2029}');
    let turns = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // can't be seen, and so tells apart what looks the same
    let hides = matches!(character, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
    character.is_control() || separates || turns || hides
}

fn escaped(line: &str) -> String {
    let (text, end) = line
        .strip_suffix('\n')
        .map_or((line, ""), |text| (text, "\n"));
    let mut safe = String::with_capacity(text.len() + 64);
    for (at, character) in text.char_indices() {
        // the formatter's own colours; it has escaped everybody else's
        if is_unsafe(character) && !(character == '\u{1b}' && is_colour(&text[at + 1..])) {
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe + end
}

/// Whether this is what follows the escape character of a colour: `[`, numbers, `m`.
fn is_colour(rest: &str) -> bool {
    let numbers = rest.strip_prefix('[').map(|rest| {
        rest.trim_start_matches(|character: char| character.is_ascii_digit() || character == ';')
    });
    numbers.is_some_and(|rest| rest.starts_with('m'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(line: &str) -> String {
        let mut lines = Lines(Vec::new());
        lines.write_all(line.as_bytes()).unwrap();
        String::from_utf8(lines.0).unwrap()
    }

    #[test]
    fn no_character_of_a_line_ends_it_or_moves_the_cursor() {
        assert_eq!(
            logged("{\"a\":\"é ✓ \u{1f600}\"}\n"),
            "{\"a\":\"é ✓ \u{1f600}\"}\n"
        );
        assert_eq!(
            logged("\u{1b}[2m12:00\u{1b}[0m a\n"),
            "\u{1b}[2m12:00\u{1b}[0m a\n"
        );
        assert_eq!(
            logged("a\nb\r\u{1b}[2Jc\u{1b}]0;x\u{7}\n"),
            "a\\u000ab\\u000d\\u001b[2Jc\\u001b]0;x\\u0007\n"
        );
        // every character that Unicode says ends a line or turns text round
        let ends = "\u{a}\u{b}\u{c}\u{d}\u{85}\u{2028}\u{2029}";
        let turns = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        for character in ends
            .chars()
            .chain(turns.chars())
            .chain(('\0'..'\u{a0}').filter(|character| character.is_control()))
        {
            assert_eq!(
                logged(&format!("x{character}y\n")),
                format!("x\\u{:04x}y\n", u32::from(character))
            );
        }
        // JSON stays JSON, and says the same
        let text = "one\u{2028}two\u{202e}three\u{9b}";
        let line = logged(&format!("{}\n", serde_json::json!({ "reason": text })));
        assert!(line.trim_end().is_ascii(), "{line}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&line).unwrap()["reason"],
            text
        );
    }
}
