//! What an upstream says of a failure, made fit for a line of the log: short, printable, without
//! what proves who asks.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use std::borrow::Cow;
use url::form_urlencoded;

/// The first sentences tell what is wrong; stack traces follow.
const LONGEST: usize = 300;
/// As much of a body is looked at.
const LOOKED_AT: usize = 4 << 10;
/// Texts without a space of this length, with digits and letters, may be tokens.
const TOKEN: usize = 20;

/// The words of a body. `secrets` are taken out wherever they stand, and so is whatever looks like
/// a token.
pub(super) fn said(body: &[u8], secrets: &[String]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT)]);
    let mut text = title(&text).map_or(text.clone(), |title| Cow::Owned(title.to_owned()));
    for secret in secrets.iter().filter(|secret| secret.len() > 2) {
        let in_json = serde_json::Value::from(secret.as_str()).to_string();
        let in_url: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for spelling in [secret.as_str(), in_json.trim_matches('"'), &in_url] {
            if text.contains(spelling) {
                text = Cow::Owned(text.replace(spelling, "[removed]"));
            }
        }
    }
    let text = printable(&without_tokens(&text));
    (!text.is_empty()).then_some(text)
}

/// One line of at most 300 characters, none of which steers a terminal or breaks a line.
pub(super) fn printable(text: &str) -> String {
    let is_odd = |character: char| {
        character.is_control()
            || character.is_whitespace()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut line = String::with_capacity(text.len().min(LONGEST));
    let mut count = 0;
    for word in text.split(is_odd).filter(|word| !word.is_empty()) {
        if count > 0 {
            line.push(' ');
            count += 1;
        }
        for character in word.chars() {
            if count >= LONGEST {
                line.push('…');
                return line;
            }
            line.push(character);
            count += 1;
        }
    }
    line
}

/// Of a web page its title says most.
fn title(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower[start..].find("</title>")?;
    text.get(start..end)
}

fn without_tokens(text: &str) -> String {
    let is_inner = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '=' | '+' | '~')
    };
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .find(|character| !is_inner(character))
            .unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let looks_like_one = run.len() >= TOKEN
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
            && uuid::Uuid::try_parse(run).is_err();
        kept.push_str(if looks_like_one { "[removed]" } else { run });
        let between = after.find(is_inner).unwrap_or(after.len());
        kept.push_str(&after[..between]);
        rest = &after[between..];
    }
    kept
}

/// What in a request proves who asks: header values, and what a sign-in sends.
pub(super) fn secrets(headers: &HeaderMap, body: Option<&[u8]>) -> Vec<String> {
    let mut secrets = Vec::new();
    for value in headers
        .iter()
        .filter(|(_, value)| value.is_sensitive())
        .filter_map(|(_, value)| value.to_str().ok())
    {
        let (scheme, shown) = value.split_once(' ').unwrap_or(("", value));
        secrets.push(shown.to_owned());
        if scheme == "Basic"
            && let Some((_, password)) = STANDARD
                .decode(shown)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .as_deref()
                .and_then(|pair| pair.split_once(':'))
        {
            secrets.push(password.to_owned());
        }
    }
    let is_form = headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    });
    if is_form {
        let pairs = form_urlencoded::parse(body.unwrap_or_default());
        secrets.extend(
            pairs
                .filter(|(key, _)| matches!(&**key, "password" | "refresh_token"))
                .map(|(_, value)| value.into_owned()),
        );
    }
    secrets
}

/// Why a sign-in was refused, where the upstream's words tell a reason that a person can act on.
pub(super) fn reason_of_refusal(said: &str) -> Option<&'static str> {
    let said = said.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["license", "licence"]) {
        return Some("the upstream's licence has expired or does not allow this: renew it there");
    }
    if says(&[
        "locked",
        "lockout",
        "lock out",
        "too many failed",
        "blocked",
        "disabled",
    ]) {
        return Some(
            "the account is locked or disabled: unlock it there, then correct the password here",
        );
    }
    if says(&[
        "mfa",
        "multi-factor",
        "multifactor",
        "two-factor",
        "two factor",
        "second factor",
        "2fa",
        "one-time",
        "verification code",
    ]) {
        return Some(
            "the account asks for a second factor: use an API key, or an account without one",
        );
    }
    if says(&[
        "password has expired",
        "password expired",
        "must be changed",
        "change the password",
        "change your password",
    ]) {
        return Some("the account's password has expired: change it there");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_short_printable_and_without_secrets() {
        let body = "{\"Message\": \"No\r\n access \x1b[31m for \\\"p@ss w\\\" \u{2028}x\", \"token\": \"eyJhbGciOiJIUzI1NiJ9.abc\"}";
        let told = said(body.as_bytes(), &["\"p@ss w\"".to_owned()]).unwrap();
        assert!(told.contains("No access [31m for"), "{told}");
        assert!(
            !told.contains("p@ss")
                && !told.contains("eyJ")
                && !told.contains('\u{1b}')
                && !told.contains('\u{2028}'),
            "{told}"
        );
        assert_eq!(
            said("ä ".repeat(400).as_bytes(), &[])
                .unwrap()
                .chars()
                .count(),
            LONGEST + 1
        );
        assert_eq!(
            said(b"<html><head><TITLE>Sign in</TITLE></head>", &[]).as_deref(),
            Some("Sign in")
        );
        assert_eq!(said(b" \r\n", &[]), None);
        let id = "job 5c35da5c-830d-5699-8630-21ed438439df is gone";
        assert_eq!(said(id.as_bytes(), &[]).as_deref(), Some(id));
    }

    #[test]
    fn what_a_request_proves_itself_with_is_known() {
        let mut headers = HeaderMap::new();
        let mut value = http::HeaderValue::from_str(&format!(
            "Basic {}",
            STANDARD.encode("operator:hush hush")
        ))
        .unwrap();
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
        assert!(secrets(&headers, None).contains(&"hush hush".to_owned()));
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        assert_eq!(
            secrets(&headers, Some(b"username=u&password=a%2Bb")),
            ["a+b"]
        );
    }

    #[test]
    fn a_refusal_is_told_by_its_reason() {
        for (words, expected) in [
            ("License key has expired", "licence"),
            ("User account is locked out", "locked"),
            ("Please enter the verification code", "second factor"),
            ("Your password has expired", "password has expired"),
        ] {
            assert!(
                reason_of_refusal(words).is_some_and(|reason| reason.contains(expected)),
                "{words}"
            );
        }
        assert_eq!(reason_of_refusal("Invalid user name or password"), None);
    }
}
