//! Documents that are trusted: those that clients were built with, from the files that their
//! compilers write (`operations.file`).
//!
//! Each is run by its id alone. The files are looked at every few seconds; one that can't be used
//! is told, and what was read before stays. What is kept for a question is kept together with the
//! list that it was held against, so that no document runs that is not on the list any more.

use super::{
    auth::forbidden,
    persisted::{Hash, hash},
    request::Rejection,
};
use crate::{
    config::{Mode, Operations},
    supervise::supervise,
};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, Weak},
    time::{Duration, SystemTime},
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Documents by their ids, as the files had them at one time.
#[derive(Debug, Default)]
pub(super) struct List {
    /// A number that no other list has.
    pub number: u64,
    by_id: HashMap<String, Arc<str>>,
    texts: HashSet<Hash>,
}

/// The list in use.
#[derive(Debug)]
pub(super) struct Trusted {
    files: Vec<PathBuf>,
    mode: Mode,
    current: RwLock<Arc<List>>,
}

impl Trusted {
    /// Reads the files; none where there are none. Fails, with a sentence that names it, where one
    /// can't be used.
    pub fn new(operations: &Operations) -> Result<Option<Arc<Self>>, String> {
        if operations.files.is_empty() {
            return Ok(None);
        }
        let seen = stamps(&operations.files);
        let list = read(&operations.files, 1)?;
        tracing::info!(
            documents = list.by_id.len(),
            mode = operations.mode.name(),
            "trusted documents were read"
        );
        let trusted = Arc::new(Self {
            files: operations.files.clone(),
            mode: operations.mode,
            current: RwLock::new(Arc::new(list)),
        });
        let (files, watched) = (operations.files.clone(), Arc::downgrade(&trusted));
        tokio::spawn(supervise("trusted documents", move || {
            watch(files.clone(), seen.clone(), watched.clone())
        }));
        Ok(Some(trusted))
    }

    /// Whether these settings mean the same.
    pub fn are_of(&self, operations: &Operations) -> bool {
        self.files == operations.files && self.mode == operations.mode
    }

    /// The list as it is now.
    pub fn list(&self) -> Arc<List> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether other documents are refused.
    pub fn is_only(&self) -> bool {
        self.mode == Mode::Only
    }

    /// What becomes of a document that is about to be looked at for the first time.
    pub fn judge(
        &self,
        list: &List,
        text: &str,
        principal: &str,
        operation: &str,
    ) -> Result<(), Rejection> {
        if self.mode == Mode::Any {
            return Ok(());
        }
        let hash = hash(text);
        if list.texts.contains(&hash) {
            return Ok(());
        }
        if self.mode == Mode::Only {
            return Err(unlisted());
        }
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        tracing::warn!(target: "veeam_graph::audit", principal, operation, hash, "a document that is not in operations.file was run");
        Ok(())
    }
}

/// What is said of a document that is not on the list.
pub(super) fn unlisted() -> Rejection {
    forbidden("Only the documents that the operator listed are run here (operations.mode).")
}

impl List {
    /// The document that was listed by this id.
    pub fn get(&self, id: &str) -> Option<Arc<str>> {
        self.by_id.get(id).cloned()
    }
}

/// Reads the files again while anybody uses them.
async fn watch(files: Vec<PathBuf>, mut seen: Stamps, watched: Weak<Trusted>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(trusted) = watched.upgrade() else {
            return;
        };
        look(&files, &trusted, &mut seen);
    }
}

/// One look at the files.
fn look(files: &[PathBuf], trusted: &Trusted, seen: &mut Stamps) {
    let now = stamps(files);
    if now == *seen {
        return;
    }
    // told once: what is being written is looked at again when it was written
    *seen = now;
    match read(files, trusted.list().number + 1) {
        Ok(list) => {
            tracing::info!(
                documents = list.by_id.len(),
                "trusted documents were read anew"
            );
            *trusted
                .current
                .write()
                .unwrap_or_else(PoisonError::into_inner) = Arc::new(list);
        }
        Err(reason) => tracing::warn!(reason, "trusted documents can't be used; those before stay"),
    }
}

/// When each file was written, and how long it is.
type Stamps = Vec<Option<(SystemTime, u64)>>;

fn stamps(files: &[PathBuf]) -> Stamps {
    let stamp = |path: &PathBuf| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    files.iter().map(stamp).collect()
}

fn read(files: &[PathBuf], number: u64) -> Result<List, String> {
    let mut list = List {
        number,
        ..List::default()
    };
    for path in files {
        let told = |reason: String| format!("{}: {reason}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
        for (id, document) in documents(&text).map_err(told)? {
            list.texts.insert(hash(&document));
            let document: Arc<str> = document.into();
            if list
                .by_id
                .insert(id.clone(), document.clone())
                .is_some_and(|other| other != document)
            {
                return Err(told(format!("the id {id:?} stands for two documents")));
            }
        }
    }
    Ok(list)
}

/// Ids and documents of one file: Apollo's manifest; or an object of texts by ids, as Relay's
/// compiler and GraphQL Code Generator write it.
fn documents(text: &str) -> Result<Vec<(String, String)>, String> {
    let wrong = || {
        "must be Apollo's persisted query manifest, or a JSON object of documents by their ids, as Relay and GraphQL Code Generator write it".to_owned()
    };
    let text_of = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
    let Ok(Value::Object(members)) = serde_json::from_str(text) else {
        return Err(wrong());
    };
    if let Some(format) = members.get("format") {
        if format != "apollo-persisted-query-manifest"
            || members.get("version").is_none_or(|version| version != 1)
        {
            return Err(wrong());
        }
        let operations = members
            .get("operations")
            .and_then(Value::as_array)
            .ok_or_else(wrong)?;
        return operations
            .iter()
            .map(|operation| Ok((text_of(&operation["id"])?, text_of(&operation["body"])?)))
            .collect();
    }
    members
        .iter()
        .map(|(id, document)| Ok((id.clone(), text_of(document)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_compilers_file_is_read_and_nothing_else() {
        let one = vec![("a1".to_owned(), "{ __typename }".to_owned())];
        for text in [
            r#"{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "a1", "body": "{ __typename }", "name": "A", "type": "query"}]}"#,
            r#"{"a1": "{ __typename }"}"#,
        ] {
            assert_eq!(documents(text).unwrap(), one, "{text}");
        }
        for bad in [
            "",
            "[]",
            "{",
            r#"{"a1": 1}"#,
            r#"{"format": "other", "version": 1, "operations": []}"#,
            r#"{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}"#,
            r#"{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "a"}]}"#,
        ] {
            assert!(documents(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_that_can_t_be_used_changes_nothing() {
        let path =
            std::env::temp_dir().join(format!("veeam-graph-trusted-{}.json", std::process::id()));
        let files = [path.clone()];
        std::fs::write(&path, r#"{"a": "{ __typename }"}"#).unwrap();
        let trusted = Trusted {
            files: files.to_vec(),
            mode: Mode::Only,
            current: RwLock::new(Arc::new(read(&files, 1).unwrap())),
        };
        let mut seen = Vec::new();
        for (content, number, is_there) in [
            ("{\"a\": ", 1, true),
            ("{\"b\": \"{ upstreams { name } }\"}", 2, false),
            ("{\"a\": \"{ __typename }\", \"b\": \"{ x }\"}", 3, true),
        ] {
            std::fs::write(Path::new(&path), content).unwrap();
            look(&files, &trusted, &mut seen);
            assert_eq!(
                (trusted.list().number, trusted.list().get("a").is_some()),
                (number, is_there),
                "{content}"
            );
        }
        std::fs::remove_file(path).unwrap();
    }
}
