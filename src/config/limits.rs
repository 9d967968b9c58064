//! `[limits]`: how much one request, one caller and all of them together may ask for.

use super::{problem::Problems, reader::Section};
use std::time::Duration;

/// Bounds, each with a default that no client was seen to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The body of a request, in bytes.
    pub body_bytes: usize,
    /// Requests in one body, as an array; 0 takes none.
    pub batch: usize,
    /// The query's text, in bytes.
    pub document_bytes: usize,
    /// Words and signs in the query.
    pub tokens: usize,
    /// One name or number in the query, in bytes.
    pub word_bytes: usize,
    /// Brackets of any kind within each other.
    pub nesting: usize,
    /// Selections within each other, through fragments.
    pub depth: usize,
    /// Fields that the answer gives another name.
    pub aliases: usize,
    /// Fields of `Query` itself.
    pub root_fields: usize,
    /// `@…` in the query.
    pub directives: usize,
    /// Fields once every fragment is in its place.
    pub fields: u64,
    /// Fields times the rows that they may be asked of.
    pub cost: u64,
    /// The part of the cost that is for the schema itself; what tools ask for stays below it.
    pub introspection_cost: u64,
    /// Fields in the answer.
    pub answer_fields: u64,
    /// Rows times the filters and orders that they are held against, in one request.
    pub comparisons: u64,
    /// What one request holds at once, in bytes.
    pub request_memory: u64,
    /// The answer, in bytes.
    pub answer_bytes: usize,
    /// Everything that is kept for other requests, together: documents, answers, rows; in bytes.
    pub cache_memory: u64,
    /// Answers that are kept to be given again while all that they were made from is current, in
    /// bytes; 0 for none.
    pub kept_answers_bytes: usize,
    /// Rows that are kept as they were written, for other answers that have them too, in bytes; 0
    /// for none.
    pub kept_rows_bytes: usize,
    /// The whole of one request.
    pub timeout: Duration,
    /// Requests being answered at once; more are turned away.
    pub concurrent_requests: usize,
    /// Connections at once.
    pub connections: usize,
    /// Connections of one address at once, but for trusted proxies.
    pub connections_per_address: usize,
    /// Answers that wait to be read, together, in bytes.
    pub unread_bytes: usize,
    /// Answers that wait to be read on one connection, in bytes.
    pub unread_bytes_per_connection: usize,
    /// Requests of one principal in a minute.
    pub requests_per_minute: Option<u32>,
    /// The costs of one principal's requests in a minute, together.
    pub cost_per_minute: Option<u32>,
    /// Requests from one address in a minute, whoever asks.
    pub requests_per_minute_per_address: Option<u32>,
    /// Requests with a wrong key or token from one address in a minute.
    pub failed_sign_ins_per_minute: u32,
    /// WebSocket connections of one principal.
    pub sockets_per_caller: usize,
    /// Operations on one WebSocket connection at once.
    pub operations_per_socket: usize,
    /// Whether anything tells the schema: `__schema`, `__type`, `_service`, `/schema.graphql`.
    pub introspection: bool,
    /// Whether the general executor resolves every field, also those that can be written directly:
    /// to hold the two against each other. No setting.
    #[doc(hidden)]
    pub general_executor_only: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 2 << 20,
            batch: 0,
            document_bytes: 64 << 10,
            tokens: 10_000,
            word_bytes: 256,
            nesting: 64,
            depth: 32,
            aliases: 200,
            root_fields: 50,
            directives: 50,
            fields: 5_000,
            cost: 5_000_000,
            introspection_cost: 500_000,
            answer_fields: 250_000,
            comparisons: 10_000_000,
            request_memory: 192 << 20,
            answer_bytes: 32 << 20,
            cache_memory: 160 << 20,
            kept_answers_bytes: 32 << 20,
            kept_rows_bytes: 32 << 20,
            timeout: Duration::from_secs(120),
            concurrent_requests: 10_000,
            connections: 10_000,
            connections_per_address: 1_000,
            unread_bytes: 256 << 20,
            unread_bytes_per_connection: 64 << 20,
            requests_per_minute: None,
            cost_per_minute: None,
            requests_per_minute_per_address: None,
            failed_sign_ins_per_minute: 60,
            sockets_per_caller: 100,
            operations_per_socket: 50,
            introspection: true,
            general_executor_only: false,
        }
    }
}

impl Limits {
    /// What documents and questions may take of [`Self::cache_memory`]: what answers and rows
    /// leave.
    pub fn documents_memory(&self) -> u64 {
        self.cache_memory
            .saturating_sub(self.kept_answers_bytes as u64)
            .saturating_sub(self.kept_rows_bytes as u64)
    }
}

pub(super) fn read(section: Option<Section>, problems: &mut Problems) -> Limits {
    let mut limits = Limits::default();
    let Some(mut section) = section else {
        return limits;
    };
    macro_rules! numbers {
        ($($key:ident: $bounds:expr),* $(,)?) => {$(
            if let Some(number) = section.integer(stringify!($key), $bounds, problems) {
                limits.$key = number.try_into().unwrap_or(limits.$key);
            }
        )*};
    }
    macro_rules! rates {
        ($($key:ident),* $(,)?) => {$(
            if let Some(number) = section.integer(stringify!($key), 1..=1_000_000_000, problems) {
                limits.$key = number.try_into().ok();
            }
        )*};
    }
    numbers! {
        body_bytes: 1_024..=16 << 20,
        batch: 0..=1_000,
        document_bytes: 256..=1 << 20,
        tokens: 16..=1_000_000,
        word_bytes: 16..=65_536,
        // deeper would outgrow the stack of the parser
        nesting: 4..=128,
        depth: 2..=64,
        aliases: 0..=100_000,
        root_fields: 1..=100_000,
        directives: 0..=100_000,
        fields: 10..=1_000_000,
        cost: 10..=1_000_000_000_000,
        introspection_cost: 10..=1_000_000_000_000,
        answer_fields: 100..=100_000_000,
        comparisons: 1_000..=1_000_000_000_000,
        request_memory: 1 << 20..=1 << 40,
        answer_bytes: 1_024..=1 << 30,
        cache_memory: 1 << 20..=1 << 36,
        kept_answers_bytes: 0..=1 << 34,
        kept_rows_bytes: 0..=1 << 34,
        concurrent_requests: 1..=100_000,
        connections: 1..=1_000_000,
        connections_per_address: 1..=1_000_000,
        unread_bytes: 65_536..=1 << 40,
        unread_bytes_per_connection: 65_536..=1 << 40,
        failed_sign_ins_per_minute: 1..=1_000_000,
        sockets_per_caller: 0..=100_000,
        operations_per_socket: 1..=10_000,
    }
    rates!(
        requests_per_minute,
        cost_per_minute,
        requests_per_minute_per_address
    );
    if let Some(timeout) = section.duration(
        "timeout",
        Duration::from_millis(100)..=Duration::from_secs(3_600),
        problems,
    ) {
        limits.timeout = timeout;
    }
    if let Some(introspection) = section.boolean("introspection", problems) {
        limits.introspection = introspection;
    }
    if limits.documents_memory() < limits.cache_memory / 8 {
        let parts = "must be more than limits.kept_answers_bytes and limits.kept_rows_bytes together, by an eighth at least";
        problems.add(section.line(), &section.key("cache_memory"), parts);
    }
    section.finish(problems);
    limits
}
