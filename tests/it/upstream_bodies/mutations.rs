//! What can be wrong with a body: members dropped, renamed, wrapped, unwrapped, of another type,
//! numbers and texts that are out of all bounds, bodies that are cut or are no text. JSON and XML
//! alike.

use quick_xml::{Reader, events::Event};
use serde_json::{Value, json};

/// A small generator of numbers: the same seed, the same cases.
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides.max(1)
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A body that was changed.
#[derive(Clone, Debug)]
pub struct Changed {
    pub body: Vec<u8>,
    /// What was done: to find the case again.
    pub how: String,
    /// Rows were taken out of a list such that nobody can tell: what is left is a whole answer with
    /// fewer rows.
    pub is_well_formed_loss: bool,
}

const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "-9223372036854775808",
    "1e308",
    "-0.0",
    "0.5",
];
const TEXTS: &[&str] = &[
    "",
    " ",
    "x",
    "null",
    "\u{0}",
    "\u{2028}\u{202e}",
    "\u{fffd}",
    "0001-01-01T00:00:00",
    "99999-01-01",
    "<a>&b;",
    "../../x",
    "NaN",
];

fn text(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => "long ".repeat(2_000),
        _ => (*dice.one(TEXTS)).to_owned(),
    }
}

/// Changes a body in one place.
pub fn change(dice: &mut Dice, media_type: &str, body: &[u8]) -> Changed {
    if dice.below(8) == 0 {
        return change_bytes(dice, body);
    }
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if media_type.contains("xml") {
        change_xml(dice, body)
    } else {
        change_json(dice, body)
    }
}

fn change_bytes(dice: &mut Dice, body: &[u8]) -> Changed {
    let at = dice.below(body.len());
    let (how, body) = match dice.below(6) {
        0 | 1 => ("cut", body[..at].to_vec()),
        2 => (
            "a byte that is no UTF-8",
            [&body[..at], b"\xFC", &body[at..]].concat(),
        ),
        3 => ("tail", [body, b"}]<x/>"].concat()),
        4 => ("mark", [b"\xEF\xBB\xBF", body].concat()),
        _ => (
            "something else",
            dice.one(&[
                &b""[..],
                b"null",
                b"[]",
                b"{}",
                b"7",
                b"\"x\"",
                b"<x/>",
                b"[[[[[[",
            ])
            .to_vec(),
        ),
    };
    // a bare list is an answer of v2 and of some Enterprise Managers
    let is_well_formed_loss = body == b"[]";
    Changed {
        body,
        how: format!("{how} at {at}"),
        is_well_formed_loss,
    }
}

fn change_json(dice: &mut Dice, body: &[u8]) -> Changed {
    let mut root: Value = serde_json::from_slice(body).unwrap();
    // down to somewhere: mostly to a member of a row
    let mut pointer = Vec::new();
    let mut here = &root;
    while dice.below(6) != 0 {
        let key = match here {
            Value::Object(members) if !members.is_empty() => members
                .keys()
                .nth(dice.below(members.len()))
                .unwrap()
                .clone(),
            Value::Array(items) if !items.is_empty() => dice.below(items.len()).to_string(),
            _ => break,
        };
        here = match here {
            Value::Object(members) => &members[&key],
            other => &other[key.parse::<usize>().unwrap()],
        };
        pointer.push(key);
    }
    let escaped = |parts: &[String]| {
        parts
            .iter()
            .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
            .collect::<String>()
    };
    let path = escaped(&pointer);
    let holds_rows = is_or_holds_rows(here);
    let (parent, last) = match pointer.split_last() {
        Some((last, parent)) => (escaped(parent), last.clone()),
        None => (String::new(), String::new()),
    };
    let is_row = here.is_object() && root.pointer(&parent).is_some_and(Value::is_array);
    let op = dice.below(11);
    let is_member = root.pointer(&parent).is_some_and(Value::is_object);
    let target = root.pointer_mut(&path).unwrap();
    let old = target.clone();
    // what is taken away, or replaced by nothing, can't be told from what was never there
    let mut is_loss = false;
    let how = match op {
        0 | 1 if !pointer.is_empty() => {
            is_loss = true;
            match root.pointer_mut(&parent).unwrap() {
                Value::Object(members) => drop(members.remove(&last)),
                Value::Array(items) => drop(items.remove(last.parse().unwrap())),
                _ => {}
            }
            "dropped"
        }
        2 if !pointer.is_empty() && is_member => {
            let members = root.pointer_mut(&parent).unwrap().as_object_mut().unwrap();
            let value = members.remove(&last).unwrap();
            members.insert(format!("{last}X"), value);
            "renamed"
        }
        3 => {
            *target = json!({ "x": old });
            "wrapped in an object"
        }
        4 => {
            *target = json!([old]);
            "wrapped in a list"
        }
        5 => {
            is_loss = true;
            *target = match old {
                Value::Object(members) => members
                    .into_iter()
                    .next()
                    .map_or(Value::Null, |(_, value)| value),
                Value::Array(items) => items.into_iter().next().unwrap_or_default(),
                other => json!({ "x": [other] }),
            };
            "unwrapped"
        }
        6 => {
            is_loss = true;
            *target = Value::Null;
            "null"
        }
        7 => {
            *target = serde_json::from_str(dice.one::<&str>(NUMBERS)).unwrap();
            "a number"
        }
        8 => {
            let text = text(dice);
            is_loss = text.trim().is_empty();
            *target = text.into();
            "a text"
        }
        9 => {
            is_loss = true;
            *target = if dice.below(2) == 0 {
                json!([])
            } else {
                json!({})
            };
            "empty"
        }
        _ => {
            *target = json!(dice.below(2) == 0);
            "true or false"
        }
    };
    let loses_rows = holds_rows || (is_row && matches!(how, "dropped"));
    Changed {
        body: root.to_string().into_bytes(),
        how: format!("{path} {how}"),
        is_well_formed_loss: is_loss && loses_rows,
    }
}

/// Whether it is a list of rows, or one is below it.
fn is_or_holds_rows(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(Value::is_object),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| !name.eq_ignore_ascii_case("links") && is_or_holds_rows(value)),
        _ => false,
    }
}

#[derive(Clone, Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn parse(body: &[u8]) -> Self {
        let mut reader = Reader::from_str(std::str::from_utf8(body).unwrap());
        let mut open = vec![Self::default()];
        let started = |start: &quick_xml::events::BytesStart<'_>| {
            let attributes = start.attributes().map(|attribute| {
                let attribute = attribute.unwrap();
                (
                    attribute.key.as_ref().to_owned(),
                    attribute.value.to_string(),
                )
            });
            Self {
                name: start.name().as_ref().to_owned(),
                attributes: attributes.collect(),
                ..Self::default()
            }
        };
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => open.push(started(&start)),
                Event::Empty(start) => {
                    let element = started(&start);
                    open.last_mut().unwrap().children.push(element);
                }
                Event::End(_) => {
                    let element = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(element);
                }
                Event::Text(text) => open.last_mut().unwrap().text.push_str(&text),
                Event::GeneralRef(_) => open.last_mut().unwrap().text.push('x'),
                Event::Eof => return open.remove(0).children.remove(0),
                _ => {}
            }
        }
    }

    fn render(&self, out: &mut String) {
        out.push_str(&format!("<{}", self.name));
        for (name, value) in &self.attributes {
            out.push_str(&format!(" {name}=\"{value}\""));
        }
        out.push_str(&format!(">{}", self.text));
        self.children.iter().for_each(|child| child.render(out));
        out.push_str(&format!("</{}>", self.name));
    }

    /// Whether it is a row, or has some.
    fn holds_rows(&self) -> bool {
        self.is_row() || self.name != "Links" && self.children.iter().any(Self::holds_rows)
    }

    fn is_row(&self) -> bool {
        self.attributes.iter().any(|(name, _)| name == "UID")
    }
}

fn change_xml(dice: &mut Dice, body: &[u8]) -> Changed {
    let mut root = Element::parse(body);
    let mut here = &mut root;
    let mut path = here.name.clone();
    while dice.below(6) != 0 && !here.children.is_empty() {
        let place = dice.below(here.children.len());
        here = &mut here.children[place];
        path.push_str(&format!("/{}[{place}]", here.name));
    }
    let attribute = dice.below(here.attributes.len().max(1));
    let escape = |text: String| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('\u{0}', "&#1;")
    };
    let mut is_loss = false;
    let how = match dice.below(9) {
        0 | 1 if !here.children.is_empty() => {
            let place = dice.below(here.children.len());
            is_loss = here.children[place].holds_rows();
            let child = here.children.remove(place);
            format!("without {}", child.name)
        }
        2 => {
            here.name.push('X');
            "renamed".to_owned()
        }
        3 => {
            let inner = std::mem::take(here);
            *here = Element {
                name: "x".to_owned(),
                children: vec![inner],
                ..Element::default()
            };
            "wrapped".to_owned()
        }
        4 if !here.children.is_empty() => {
            // with only one child left nothing is lost that could be told
            is_loss = here.holds_rows();
            *here = here.children.remove(0);
            "unwrapped".to_owned()
        }
        5 if !here.attributes.is_empty() => {
            let (name, _) = here.attributes.remove(attribute);
            format!("without attribute {name}")
        }
        6 if !here.attributes.is_empty() => {
            here.attributes[attribute].0.push('X');
            "an attribute renamed".to_owned()
        }
        7 if !here.attributes.is_empty() => {
            here.attributes[attribute].1 = escape(if dice.below(2) == 0 {
                text(dice)
            } else {
                (*dice.one(NUMBERS)).to_owned()
            })
            .replace('"', "");
            format!(
                "attribute {} is {:.20}",
                here.attributes[attribute].0, here.attributes[attribute].1
            )
        }
        _ => {
            here.text = escape(if dice.below(2) == 0 {
                text(dice)
            } else {
                (*dice.one(NUMBERS)).to_owned()
            });
            format!("text {:.20}", here.text)
        }
    };
    let mut body = String::new();
    root.render(&mut body);
    Changed {
        body: body.into_bytes(),
        how: format!("{path} {how}"),
        is_well_formed_loss: is_loss,
    }
}
