//! `veeam-graph key`: a new API key, and its digest for the configuration.

use super::say;
use aws_lc_rs::{
    digest,
    rand::{SecureRandom, SystemRandom},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Key {}

impl Key {
    pub fn run(self) -> ExitCode {
        let mut random = [0u8; 32];
        if SystemRandom::new().fill(&mut random).is_err() {
            return super::fail("the system gives no random numbers");
        }
        let key = format!("vg_{}", URL_SAFE_NO_PAD.encode(random));
        let hash: String = digest::digest(&digest::SHA256, key.as_bytes())
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        say(format!(
            "key         {key}\nkey_sha256  {hash}\n\nGive the key to the caller; it is not kept here. Write the other line to the configuration:\n\n[[auth.caller]]\nname = \"…\"\nkey_sha256 = [\"{hash}\"]\ncompanies = [\"…\"]"
        ));
        ExitCode::SUCCESS
    }
}
