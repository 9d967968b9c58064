//! Texts that many rows repeat: states, types, names of servers and jobs. Rows that were read one
//! after the other keep one copy of each between them.

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use std::{cell::RefCell, fmt, hash::BuildHasher, ops::Deref, sync::Arc};

/// As many are found again, on each thread that reads: the words of an estate are some dozens, its
/// jobs some thousands.
const SLOTS: usize = 4_096;
/// Longer ones are rarely repeated.
const LONGEST: usize = 128;

thread_local! {
    static KEPT: RefCell<Vec<Option<SharedText>>> = const { RefCell::new(Vec::new()) };
}

/// A text that costs little to have again.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedText(Arc<str>);

impl Deref for SharedText {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SharedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}

impl From<&str> for SharedText {
    fn from(text: &str) -> Self {
        if text.len() > LONGEST {
            return Self(text.into());
        }
        let hash = foldhash::fast::FixedState::default().hash_one(text);
        KEPT.with_borrow_mut(|kept| {
            if kept.is_empty() {
                kept.resize(SLOTS, None);
            }
            let slot = &mut kept[hash as usize % SLOTS];
            match slot {
                Some(same) if **same == *text => same.clone(),
                _ => slot.insert(Self(text.into())).clone(),
            }
        })
    }
}

impl<'de> Deserialize<'de> for SharedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = SharedText;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<SharedText, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_is_kept_once_and_every_text_is_itself() {
        let texts: Vec<SharedText> =
            serde_json::from_str(r#"["Success", "Failed", "Success", "Wa\u0072ning", "Warning"]"#)
                .unwrap();
        assert_eq!(
            texts.iter().map(|text| &**text).collect::<Vec<_>>(),
            ["Success", "Failed", "Success", "Warning", "Warning"]
        );
        assert!(Arc::ptr_eq(&texts[0].0, &texts[2].0) && Arc::ptr_eq(&texts[3].0, &texts[4].0));
        // more than there are places for: some are kept twice, none is taken for another
        let many: Vec<String> = (0..20_000)
            .map(|number| format!("job {}", number % 10_000))
            .collect();
        assert!(
            many.iter()
                .all(|text| *SharedText::from(text.as_str()) == **text)
        );
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(&*SharedText::from(long.as_str()), long);
        assert!(serde_json::from_str::<SharedText>("7").is_err());
    }
}
