//! Answers that are given again, as those take them who take compressed ones: packed once, not for
//! every caller.
//!
//! What is not given again is packed while it is sent (`http/service.rs`); what is too small to be
//! worth it is not at all.

use crate::blocking::run;
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use std::io::{self, Write};
use tokio::sync::OnceCell;

/// Below this it costs more than it saves.
pub(super) const SMALLEST: u16 = 1_024;
/// A tenth of a second of work at most for the largest answer; more saves little. The same as the
/// layer's.
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW: u32 = 22;
const BROTLI_BUFFER: usize = 4_096;

/// How an answer can be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentEncoding {
    Brotli,
    Gzip,
}

impl ContentEncoding {
    /// The better one of those that are taken at least as willingly as plain text; none where
    /// neither is.
    pub fn taken(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(&header::ACCEPT_ENCODING) {
            return None;
        }
        let mut weights = [None; 3];
        let (mut any, lists) = (None, headers.get_all(&header::ACCEPT_ENCODING).iter());
        for item in lists
            .filter_map(|list| list.to_str().ok())
            .flat_map(|list| list.split(','))
        {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let complexity = parts
                .find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")))
                .map_or(Some(1.0), |q| q.parse::<f32>().ok());
            match name.to_ascii_lowercase().as_str() {
                "br" => weights[0] = complexity,
                "gzip" | "x-gzip" => weights[1] = complexity,
                "identity" => weights[2] = complexity,
                "*" => any = complexity,
                _ => {}
            }
        }
        let of = |place: usize| weights[place].or(any).unwrap_or(0.0);
        let (brotli, gzip, plain) = (of(0), of(1), weights[2].unwrap_or(0.0));
        match brotli >= gzip {
            true if brotli > 0.0 && brotli >= plain => Some(Self::Brotli),
            false if gzip >= plain => Some(Self::Gzip),
            _ => None,
        }
    }

    /// As `Content-Encoding` has it.
    pub fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        })
    }

    fn pack(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let packed = Vec::with_capacity(plain.len() / 8);
        match self {
            Self::Brotli => {
                let mut writer = brotli::CompressorWriter::new(
                    packed,
                    BROTLI_BUFFER,
                    BROTLI_QUALITY,
                    BROTLI_WINDOW,
                );
                writer.write_all(plain)?;
                Ok(writer.into_inner())
            }
            Self::Gzip => {
                let mut writer =
                    flate2::write::GzEncoder::new(packed, flate2::Compression::default());
                writer.write_all(plain)?;
                writer.finish()
            }
        }
    }
}

/// One answer in every form in which somebody took it.
#[derive(Default)]
pub(super) struct CompressedBodies([OnceCell<Option<Bytes>>; 2]);

impl CompressedBodies {
    /// The answer packed so; none where that is not worth it. Done once, off the threads that
    /// serve.
    pub async fn of(&self, content_encoding: ContentEncoding, plain: &Bytes) -> Option<Bytes> {
        if plain.len() < usize::from(SMALLEST) {
            return None;
        }
        let cell = self.0.get(content_encoding as usize)?;
        let pack = async || {
            let plain = plain.clone();
            run(move || content_encoding.pack(&plain))
                .await
                .ok()
                .map(Bytes::from)
        };
        cell.get_or_init(pack).await.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Option<ContentEncoding> {
        let headers = HeaderMap::from_iter([(
            header::ACCEPT_ENCODING,
            HeaderValue::from_str(text).unwrap(),
        )]);
        ContentEncoding::taken(&headers)
    }

    #[test]
    fn the_better_coding_that_is_taken_is_chosen() {
        for text in [
            "gzip, deflate, br, zstd",
            "br",
            "BR;q=1.0, gzip;q=0.8",
            "*",
            "gzip;q=0.5, br;q=0.5",
        ] {
            assert_eq!(taken(text), Some(ContentEncoding::Brotli), "{text}");
        }
        for text in [
            "gzip",
            "gzip, deflate",
            "br;q=0, gzip",
            "gzip;q=0.8, br;q=0.1",
            "x-gzip",
        ] {
            assert_eq!(taken(text), Some(ContentEncoding::Gzip), "{text}");
        }
        for text in [
            "",
            "identity",
            "deflate",
            "br;q=0, gzip;q=0",
            "identity, br;q=0.5",
            "br;q=x",
        ] {
            assert_eq!(taken(text), None, "{text}");
        }
        assert_eq!(ContentEncoding::taken(&HeaderMap::new()), None);
    }
}
