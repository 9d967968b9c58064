//! Arguments: every field of the schema that has some is asked with values of their types, made up
//! from the schema itself: lists and objects of all sizes and within each other, numbers at their
//! bounds, words that there are and that there are not; written into the document, or as variables.

use super::documents::{query, with};
use async_graphql::parser::{
    parse_schema,
    types::{
        BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition,
    },
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    rc::Rc,
};

/// How large a body is at most. Nearly all that is larger is refused by how long its document is or
/// by what its arguments weigh, and shows nothing more.
const LARGEST: usize = 256 << 10;
/// How many bytes one value is written in at most. A list takes as many items as fit, so that lists
/// within lists cost the generator no more than the body that comes of them.
const LARGEST_VALUE: usize = LARGEST / 2;

/// A value as it is written, and as a variable.
#[derive(Clone)]
struct Input {
    literal: String,
    json: Value,
}

impl Input {
    fn plain(json: Value) -> Self {
        Self {
            literal: json.to_string(),
            json,
        }
    }
}

/// A field with arguments, and the way to it.
struct Place {
    before: String,
    field: FieldDefinition,
    has_selection: bool,
    after: String,
}

pub struct Inputs {
    types: BTreeMap<String, Rc<TypeKind>>,
    places: Vec<Rc<Place>>,
    state: u64,
}

fn named(of: &Type) -> &str {
    match &of.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => named(inner),
    }
}

impl Inputs {
    pub fn of_schema() -> Self {
        let text = include_str!("../../../schema.graphql");
        let definitions = parse_schema(text).unwrap().definitions;
        let types: BTreeMap<String, Rc<TypeKind>> = definitions
            .into_iter()
            .filter_map(|definition| match definition {
                TypeSystemDefinition::Type(of) => {
                    Some((of.node.name.node.to_string(), Rc::new(of.node.kind)))
                }
                _ => None,
            })
            .collect();
        let fields = |name: &str| match types.get(name).map(Rc::as_ref) {
            Some(TypeKind::Object(object)) => object
                .fields
                .iter()
                .map(|field| field.node.clone())
                .collect(),
            Some(TypeKind::Interface(interface)) => interface
                .fields
                .iter()
                .map(|field| field.node.clone())
                .collect(),
            _ => Vec::new(),
        };
        // the shortest way to every type
        let (mut places, mut seen) = (Vec::new(), HashSet::from(["Query".to_owned()]));
        let mut ways = VecDeque::from([("Query".to_owned(), String::new(), String::new())]);
        while let Some((of, before, after)) = ways.pop_front() {
            for field in fields(&of) {
                let to = named(&field.ty.node).to_owned();
                let has_selection = !fields(&to).is_empty();
                let must_be_said = field
                    .arguments
                    .iter()
                    .any(|argument| !argument.node.ty.node.nullable);
                if has_selection && !must_be_said && seen.insert(to.clone()) {
                    let name = &field.name.node;
                    ways.push_back((to, format!("{before} {name} {{"), format!("}} {after}")));
                }
                if !field.arguments.is_empty() {
                    places.push(Rc::new(Place {
                        before: before.clone(),
                        field,
                        has_selection,
                        after: after.clone(),
                    }));
                }
            }
        }
        Self {
            types,
            places,
            state: 0x5eed,
        }
    }

    /// How many fields with arguments there are.
    pub fn places(&self) -> usize {
        self.places.len()
    }

    fn roll(&mut self, below: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % below.max(1)
    }

    fn value(&mut self, of: &Type, depth: usize) -> Input {
        match &of.base {
            // no list at all where one belongs, and a value where a list belongs
            _ if self.roll(24) == 0 => Input::plain(
                [Value::Null, json!(5), json!("x"), json!([[]]), json!({})][self.roll(5)].clone(),
            ),
            BaseType::List(inner) => {
                let sizes: &[usize] = if depth < 2 {
                    &[0, 1, 2, 10, 100, 1_000, 4_000]
                } else {
                    &[0, 1, 2, 3]
                };
                let size = sizes[self.roll(sizes.len())];
                // a few that differ, again and again
                let few: Vec<Input> = (0..size.min(8))
                    .map(|_| self.value(inner, depth + 1))
                    .collect();
                let longest = few.iter().map(|item| item.literal.len() + 1).max();
                let size = size.min(LARGEST_VALUE / longest.unwrap_or(1));
                let all: Vec<&Input> = (0..size).map(|at| &few[at % few.len()]).collect();
                Input {
                    literal: format!(
                        "[{}]",
                        all.iter()
                            .map(|item| item.literal.as_str())
                            .collect::<Vec<_>>()
                            .join(" ")
                    ),
                    json: all.iter().map(|item| item.json.clone()).collect(),
                }
            }
            BaseType::Named(name) => self.named_value(name.as_str().to_owned(), depth),
        }
    }

    fn named_value(&mut self, name: String, depth: usize) -> Input {
        let of = self.types.get(&name).cloned();
        match of.as_deref() {
            Some(TypeKind::Enum(of)) => {
                let word = of.values[self.roll(of.values.len())]
                    .node
                    .value
                    .node
                    .to_string();
                Input {
                    literal: word.clone(),
                    json: json!(word),
                }
            }
            Some(TypeKind::InputObject(of))
                if depth == 0
                    && self.roll(12) == 0
                    && of.fields.iter().any(|field| field.node.name.node == "not") =>
            {
                self.chain(name)
            }
            Some(TypeKind::InputObject(of)) => {
                let most = if depth > 6 { 1 } else { 4 };
                let count = self.roll(most);
                let members: Vec<InputValueDefinition> = (0..count)
                    .map(|_| of.fields[self.roll(of.fields.len())].node.clone())
                    .collect();
                let mut object = BTreeMap::new();
                for member in members.into_iter().chain(
                    of.fields
                        .iter()
                        .map(|field| field.node.clone())
                        .filter(|field| !field.ty.node.nullable),
                ) {
                    object.insert(
                        member.name.node.to_string(),
                        self.value(&member.ty.node, depth + 1),
                    );
                }
                let literal: Vec<String> = object
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.literal))
                    .collect();
                let json = object
                    .into_iter()
                    .map(|(name, value)| (name, value.json))
                    .collect::<Map<_, _>>();
                Input {
                    literal: format!("{{{}}}", literal.join(" ")),
                    json: json.into(),
                }
            }
            _ => self.scalar(&name),
        }
    }

    /// A filter within filters within filters.
    fn chain(&mut self, name: String) -> Input {
        let mut inner = self.named_value(name, 5);
        for _ in 0..[5, 20, 60, 120][self.roll(4)] {
            let (word, is_list) = [("not", false), ("and", true), ("or", true)][self.roll(3)];
            let (open, close) = if is_list { ("[", "]") } else { ("", "") };
            let value = if is_list {
                json!([inner.json])
            } else {
                inner.json
            };
            inner = Input {
                literal: format!("{{{word}: {open}{}{close}}}", inner.literal),
                json: json!({word: value}),
            };
        }
        inner
    }

    fn scalar(&mut self, name: &str) -> Input {
        let numbers = [
            json!(0),
            json!(1),
            json!(-1),
            json!(500),
            json!(501),
            json!(i32::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1e300),
        ];
        let texts = [
            "",
            "a",
            "JOB",
            "11112222-3333-4444-5555-666677778888",
            "2026-01-01T00:00:00Z",
            "\u{130}\u{212a}",
            "9999-99-99",
        ];
        Input::plain(match (name, self.roll(8)) {
            ("Int" | "Float" | "Long", 0..7) => numbers[self.roll(numbers.len())].clone(),
            ("Boolean", 0..7) => json!(self.roll(2) == 0),
            (_, 0..6) => json!(texts[self.roll(texts.len())]),
            _ => json!("é".repeat([1, 100, 5_000, 20_000][self.roll(4)])),
        })
    }

    /// The next question, no larger than a body may be.
    pub fn next_body(&mut self) -> (String, Vec<u8>) {
        loop {
            let (name, body) = self.any_body();
            if body.len() <= LARGEST {
                return (name, body);
            }
        }
    }

    fn any_body(&mut self) -> (String, Vec<u8>) {
        let at = self.roll(self.places.len());
        let place = self.places[at].clone();
        let Place {
            before,
            field,
            has_selection,
            after,
        } = &*place;
        let (name, arguments) = (&field.name.node, &field.arguments);
        let (mut said, mut declared, mut variables) = (Vec::new(), Vec::new(), Map::new());
        for argument in arguments.iter().map(|argument| &argument.node) {
            // left out, said to be nothing, or a value
            let value = match self.roll(12) {
                0..4 if argument.ty.node.nullable => continue,
                4 => Input::plain(Value::Null),
                _ => self.value(&argument.ty.node, 0),
            };
            if self.roll(2) == 0 {
                said.push(format!("{}: {}", argument.name.node, value.literal));
            } else {
                said.push(format!("{0}: ${0}", argument.name.node));
                declared.push(format!("${}: {}", argument.name.node, argument.ty.node));
                variables.insert(argument.name.node.to_string(), value.json);
            }
        }
        let times = [1, 1, 1, 10, 50][self.roll(5)];
        let selection = if *has_selection { "{ __typename }" } else { "" };
        let said = if said.is_empty() {
            String::new()
        } else {
            format!("({})", said.join(" "))
        };
        // as often as fits: nearly all that is long is the arguments
        let times = times.min(LARGEST_VALUE / (said.len() + 1)).max(1);
        let asked: String = (0..times)
            .map(|time| format!(" a{time}: {name}{said} {selection}"))
            .collect();
        let declared = if declared.is_empty() {
            String::new()
        } else {
            format!("({})", declared.join(" "))
        };
        let text = format!("query A{declared} {{ {before}{asked} {after} }}");
        let names: Vec<&str> = arguments
            .iter()
            .map(|argument| argument.node.name.node.as_str())
            .collect();
        let body = if variables.is_empty() {
            query(text)
        } else {
            with(&text, variables.into())
        };
        (
            format!(
                "{before} {name}({}), {times} times, {} bytes",
                names.join(" "),
                body.len()
            ),
            body,
        )
    }
}
