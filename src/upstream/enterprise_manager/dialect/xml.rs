//! XML, read as it comes. Names are in lower case from here on.

use super::{
    Fault, Fields, List, MAX_DEPTH, PAGING, Part, Reading,
    fields::{LINK, Scalar},
};
use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

/// Reads the rows of an answer.
pub(super) fn rows<T, F: Fn(Fields) -> Result<T, Fault>>(
    text: &str,
    reading: &mut Reading<'_, T, F>,
) -> Result<(), String> {
    let mut xml = Xml::of(text);
    let root = xml.root()?;
    let named = reading
        .wanted
        .lists
        .iter()
        .find(|list| reading.wanted.inside.is_none() && list.root == root.name);
    match named {
        Some(list) => {
            reading.begin()?;
            xml.list(list, reading)?;
        }
        None => xml.members_of_root(reading)?,
    }
    xml.end()
}

/// Reads the one entity that an answer is.
pub(super) fn entity(text: &str, names: &'static [&'static str]) -> Result<Fields, String> {
    let mut xml = Xml::of(text);
    let root = xml.root()?;
    let fields = xml.fields(root, names)?;
    xml.end().map(|()| fields)
}

/// An element that begins.
struct Start {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Start {
    fn of(start: &BytesStart<'_>) -> Result<Self, String> {
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| format!("not XML: {error}"))?;
            if attribute.key.as_ref().starts_with("xmlns") {
                continue;
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| format!("not XML: {error}"))?;
            attributes.push((
                attribute.key.local_name().as_ref().to_ascii_lowercase(),
                value.into_owned(),
            ));
        }
        Ok(Self {
            name: start.local_name().as_ref().to_ascii_lowercase(),
            attributes,
        })
    }

    fn is_nil(&self) -> bool {
        self.attributes
            .iter()
            .any(|(name, value)| name == "nil" && value == "true")
    }
}

/// What comes next.
enum Node {
    Start(Start),
    Text(String),
    End,
}

struct Xml<'x> {
    reader: Reader<&'x [u8]>,
    depth: usize,
    /// The last element was empty: its end comes next.
    is_ending: bool,
}

impl<'x> Xml<'x> {
    fn of(text: &'x str) -> Self {
        Self {
            reader: Reader::from_str(text),
            depth: 0,
            is_ending: false,
        }
    }

    /// The next part; `None` at the end of the document.
    fn next(&mut self) -> Result<Option<Node>, String> {
        if std::mem::take(&mut self.is_ending) {
            self.depth -= 1;
            return Ok(Some(Node::End));
        }
        loop {
            let event = self
                .reader
                .read_event()
                .map_err(|error| format!("not XML: {error}"))?;
            let text = match event {
                Event::Start(start) => return self.start(&start),
                Event::Empty(start) => {
                    self.is_ending = true;
                    return self.start(&start);
                }
                Event::End(_) => {
                    self.depth = self
                        .depth
                        .checked_sub(1)
                        .ok_or("an element ends that did not begin")?;
                    return Ok(Some(Node::End));
                }
                Event::Text(text) => text.to_string(),
                Event::CData(data) => data.to_string(),
                Event::GeneralRef(reference) => match reference
                    .resolve_char_ref()
                    .map_err(|error| format!("not XML: {error}"))?
                {
                    Some(character) => character.to_string(),
                    None => resolve_predefined_entity(&reference)
                        .ok_or("an unknown entity")?
                        .to_owned(),
                },
                Event::DocType(_) => return Err("a document type; the API sends none".to_owned()),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => continue,
                Event::Eof if self.depth > 0 => {
                    return Err("the document ends before its root element does".to_owned());
                }
                Event::Eof => return Ok(None),
            };
            if self.depth > 0 {
                return Ok(Some(Node::Text(text)));
            }
            if !text.trim().is_empty() {
                return Err("text outside the root element".to_owned());
            }
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<Option<Node>, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
        Start::of(start).map(|start| Some(Node::Start(start)))
    }

    fn root(&mut self) -> Result<Start, String> {
        match self.next()? {
            Some(Node::Start(root)) => Ok(root),
            _ => Err("an empty document".to_owned()),
        }
    }

    /// Nothing but comments comes after the root element.
    fn end(&mut self) -> Result<(), String> {
        if self.next()?.is_some() {
            Err("a second root element".to_owned())
        } else {
            Ok(())
        }
    }

    /// The next child of the open element, or `None` at its end; text between children is passed
    /// over.
    fn child(&mut self) -> Result<Option<Start>, String> {
        loop {
            match self.next()? {
                Some(Node::Start(start)) => return Ok(Some(start)),
                Some(Node::Text(_)) => {}
                Some(Node::End) | None => return Ok(None),
            }
        }
    }

    /// Passes over the rest of the open element: whether there was anything in it.
    fn pass_over(&mut self) -> Result<bool, String> {
        let (mut open, mut is_something) = (1_usize, false);
        while open > 0 {
            match self.next()? {
                Some(Node::Start(_)) => (open, is_something) = (open + 1, true),
                Some(Node::Text(text)) => is_something |= !text.trim().is_empty(),
                Some(Node::End) | None => open -= 1,
            }
        }
        Ok(is_something)
    }

    fn members_of_root<T, F: Fn(Fields) -> Result<T, Fault>>(
        &mut self,
        reading: &mut Reading<'_, T, F>,
    ) -> Result<(), String> {
        let mut is_inside_known = false;
        while let Some(child) = self.child()? {
            match reading.part_of_root(&child.name) {
                Part::Inside if std::mem::replace(&mut is_inside_known, true) => {
                    return Err("the list comes twice".to_owned());
                }
                Part::Inside => self.inside(reading)?,
                Part::List(list) => {
                    reading.begin()?;
                    self.list(list, reading)?;
                }
                Part::Paging => {
                    let paging = self.fields(child, PAGING)?;
                    reading.found.paging.get_or_insert(paging);
                }
                Part::References => reading.found.has_references |= self.pass_over()?,
                Part::Known => drop(self.pass_over()?),
                Part::Unknown => reading.found.has_unknown |= self.pass_over()?,
            }
        }
        Ok(())
    }

    fn inside<T, F: Fn(Fields) -> Result<T, Fault>>(
        &mut self,
        reading: &mut Reading<'_, T, F>,
    ) -> Result<(), String> {
        loop {
            match self.next()? {
                Some(Node::Start(child)) => match reading.list(&child.name) {
                    Some(list) => {
                        reading.begin()?;
                        self.list(list, reading)?;
                    }
                    None => reading.found.stray |= self.pass_over()?,
                },
                Some(Node::Text(text)) => reading.found.stray |= !text.trim().is_empty(),
                Some(Node::End) | None => return Ok(()),
            }
        }
    }

    /// The rows in the open element, or in a list within it.
    fn list<T, F: Fn(Fields) -> Result<T, Fault>>(
        &mut self,
        list: &List,
        reading: &mut Reading<'_, T, F>,
    ) -> Result<(), String> {
        loop {
            match self.next()? {
                Some(Node::Start(child)) if child.name == list.plural => {
                    self.list(list, reading)?
                }
                Some(Node::Start(child)) if child.name == list.singular && !reading.is_full() => {
                    let fields = self.fields(child, reading.wanted.members)?;
                    reading.row(Ok(fields));
                }
                Some(Node::Start(_)) => {
                    self.pass_over()?;
                    reading.row(Err(if reading.is_full() {
                        "more rows than there can be"
                    } else {
                        "an element that is no row"
                    }));
                }
                Some(Node::Text(text)) => reading.found.stray |= !text.trim().is_empty(),
                Some(Node::End) | None => return Ok(()),
            }
        }
    }

    /// The members of the open element: attributes and child elements, side by side.
    fn fields(&mut self, start: Start, names: &'static [&'static str]) -> Result<Fields, String> {
        let mut fields = Fields::of(names);
        for (name, value) in start.attributes {
            if let Some(place) = fields.place(&name) {
                fields.set(place, Scalar::Text(value));
            }
        }
        while let Some(child) = self.child()? {
            if child.name == "links" {
                self.links(&mut fields)?;
            } else if let Some(place) = fields.place(&child.name) {
                let value = self.value(child)?;
                fields.set(place, value);
            } else {
                self.pass_over()?;
            }
        }
        Ok(fields)
    }

    fn links(&mut self, fields: &mut Fields) -> Result<(), String> {
        loop {
            match self.next()? {
                Some(Node::Start(child)) if child.name == "link" => {
                    let link = self.fields(child, LINK)?;
                    fields.add_link(Some(link));
                }
                Some(Node::Start(_)) => {
                    self.pass_over()?;
                    fields.add_link(None);
                }
                Some(Node::Text(text)) if !text.trim().is_empty() => fields.add_link(None),
                Some(Node::Text(_)) => {}
                Some(Node::End) | None => return Ok(()),
            }
        }
    }

    /// The text of the open element. Attributes beside it say how it is written, or that there is
    /// none.
    fn value(&mut self, start: Start) -> Result<Scalar, String> {
        let (mut all, mut has_parts) = (String::new(), false);
        loop {
            match self.next()? {
                Some(Node::Text(text)) if all.is_empty() => all = text,
                Some(Node::Text(text)) => all.push_str(&text),
                Some(Node::Start(_)) => {
                    self.pass_over()?;
                    has_parts = true;
                }
                Some(Node::End) | None => break,
            }
        }
        Ok(if start.is_nil() {
            Scalar::Null
        } else if has_parts {
            Scalar::Other("an element with elements")
        } else {
            Scalar::Text(all)
        })
    }
}
