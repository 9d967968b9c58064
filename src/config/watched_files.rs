//! The files that a configuration was read from, and what was in them then: so that a change is
//! noticed whatever a file system says of its times (a mounted secret is replaced by a link).

use aws_lc_rs::digest;
use std::{
    io,
    path::{Path, PathBuf},
};

type Digest = [u8; digest::SHA256_OUTPUT_LEN];

/// Files with a digest of their content; none for a file that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchedFiles(Vec<(PathBuf, Option<Digest>)>);

impl WatchedFiles {
    /// Notes what was read from a file.
    pub(super) fn note(&mut self, path: &Path, content: &io::Result<Vec<u8>>) {
        let digest = content.as_deref().ok().map(digest_of);
        self.0.push((path.to_owned(), digest));
    }

    /// The same files as they are now.
    pub fn look(&self) -> Self {
        let look = |(path, _): &(PathBuf, Option<Digest>)| {
            (
                path.clone(),
                std::fs::read(path).ok().as_deref().map(digest_of),
            )
        };
        Self(self.0.iter().map(look).collect())
    }
}

fn digest_of(content: &[u8]) -> Digest {
    let mut bytes = Digest::default();
    bytes.copy_from_slice(digest::digest(&digest::SHA256, content).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_comes_or_goes_is_seen() {
        let path = std::env::temp_dir().join(format!("veeam-graph-watched-{}", std::process::id()));
        std::fs::write(&path, "one").unwrap();
        let mut files = WatchedFiles::default();
        files.note(&path, &std::fs::read(&path));
        assert_eq!(files.look(), files);
        std::fs::write(&path, "two").unwrap();
        let changed = files.look();
        assert_ne!(changed, files);
        std::fs::remove_file(&path).unwrap();
        let gone = files.look();
        assert!(gone != files && gone != changed && gone.look() == gone);
    }
}
