//! What can be told of a query without parsing it, and protects the parser.

use super::{Refusal, over};
use crate::config::Limits;

/// One pass over the bytes: length, tokens, brackets within each other. Brackets in strings and
/// comments don't count. Tells how many tokens there are.
pub fn check(document: &str, limits: &Limits) -> Result<usize, Refusal> {
    let most = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    if document.len() > limits.document_bytes {
        return Err(over(
            "document_bytes",
            "bytes",
            most(document.len()),
            most(limits.document_bytes),
        ));
    }
    let bytes = document.as_bytes();
    let (mut at, mut tokens, mut depth) = (0, 0usize, 0usize);
    while let Some(byte) = bytes.get(at) {
        at = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += bytes[at..]
                    .iter()
                    .position(|byte| matches!(byte, b'\n' | b'\r'))
                    .unwrap_or(bytes.len() - at);
                continue;
            }
            b'"' => end_of_text(bytes, at),
            b'{' | b'[' | b'(' => {
                depth += 1;
                at + 1
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                at + 1
            }
            byte if is_word(*byte) => {
                let length = bytes[at..]
                    .iter()
                    .position(|byte| !is_word(*byte))
                    .unwrap_or(bytes.len() - at);
                if length > limits.word_bytes {
                    return Err(over(
                        "word_bytes",
                        "a name or number of bytes",
                        most(length),
                        most(limits.word_bytes),
                    ));
                }
                at + length
            }
            _ => at + 1,
        };
        tokens += 1;
        if tokens > limits.tokens {
            return Err(over(
                "tokens",
                "words and signs",
                most(tokens),
                most(limits.tokens),
            ));
        }
        if depth > limits.nesting {
            return Err(over(
                "nesting",
                "brackets within each other",
                most(depth),
                most(limits.nesting),
            ));
        }
    }
    Ok(tokens)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'.') || byte >= 0x80
}

/// Behind a string that begins here; the document's end where it never ends.
fn end_of_text(bytes: &[u8], from: usize) -> usize {
    if bytes[from..].starts_with(b"\"\"\"") {
        let mut at = from + 3;
        while at < bytes.len() {
            if bytes[at..].starts_with(b"\\\"\"\"") {
                at += 4;
            } else if bytes[at..].starts_with(b"\"\"\"") {
                return at + 3;
            } else {
                at += 1;
            }
        }
        return bytes.len();
    }
    let mut at = from + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            // an unended string: the parser will say so
            b'\n' | b'\r' => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_passed_over_whole() {
        let limits = Limits {
            nesting: 4,
            tokens: 12,
            ..Limits::default()
        };
        for good in [
            "{ a(b: \"[[[[[[[[\") } # {{{{{{{{{ [[[[[[",
            "{ a(b: \"\\\"[[[[[[\") }",
            "{ a(b: \"\"\"[[[[[[ \\\"\"\" ]]] \" [[[[[\"\"\") }",
            "{ a(b: \"\\",
            "{ a(b: \"\"\"",
            "\"",
        ] {
            assert!(check(good, &limits).is_ok(), "{good}");
        }
        assert!(check("{ a(b: \"\" c: [[[[1]]]]) }", &limits).is_err());
        assert!(
            check("{ a b c d e f g h i j k }", &limits)
                .unwrap_err()
                .message
                .contains("tokens")
        );
    }
}
