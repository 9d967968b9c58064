//! `extensions` of an answer: what it cost, and, for who may know, how it came about.

use super::{query_limits::Complexity, request::RequestContext};
use crate::{
    estate::{
        Caller,
        dependencies::{Found, ReadTrace},
    },
    upstream::meter::Call,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// What a query costs by our reckoning, before it is run.
pub(super) fn estimated(complexity: &Complexity, maximum: u64) -> Value {
    json!({"cost": {"estimated": complexity.cost, "maximum": maximum}})
}

/// Writes what an answer cost, given by whom it was made. Its names are as plain as its numbers: a
/// writer that looks at every letter of them takes longer than the rest of a small answer.
pub(super) fn write_spent(
    json: &mut Vec<u8>,
    complexity: &Complexity,
    maximum: u64,
    fields: u64,
    context: &RequestContext,
    caller: Option<&Caller>,
) -> serde_json::Result<()> {
    let by_upstream = caller
        .map(|caller| caller.meter.by_upstream())
        .unwrap_or_default();
    let requests: u32 = by_upstream.values().sum();
    for (name, number) in [
        (r#"{"cost":{"estimated":"#, complexity.cost),
        (r#","fields":"#, fields),
        (r#","maximum":"#, maximum),
        (r#"},"upstream":{"requests":"#, requests.into()),
    ] {
        json.extend_from_slice(name.as_bytes());
        serde_json::to_writer(&mut *json, &number)?;
    }
    json.extend_from_slice(br#","byUpstream":"#);
    // an upstream that does not exist for the caller may have been asked on its behalf: its name
    // stays here
    let of_callers = by_upstream
        .iter()
        .filter(|(name, _)| context.principal.allows_upstream(name));
    let of_callers: BTreeMap<&str, u32> =
        of_callers.map(|(name, count)| (&**name, *count)).collect();
    serde_json::to_writer(&mut *json, &of_callers)?;
    let told = caller.and_then(|caller| Some((caller, caller.reads.told()?)));
    for (name, list) in told
        .into_iter()
        .flat_map(|(caller, how)| in_detail(&caller.meter.calls(), &how))
    {
        json.extend_from_slice(format!(r#","{name}":"#).as_bytes());
        serde_json::to_writer(&mut *json, &list)?;
    }
    json.extend_from_slice(b"}}");
    Ok(())
}

fn in_detail(calls: &[Call], told: &ReadTrace) -> [(&'static str, Vec<Value>); 3] {
    let milliseconds = |time: Duration| time.as_micros() as f64 / 1_000.0;
    let calls: Vec<Value> = calls
        .iter()
        .map(|call| {
            json!({
                "upstream": &*call.upstream,
                "request": call.target,
                "status": call.status,
                "bytes": call.bytes,
                "sentAfterMs": milliseconds(call.sent_after),
                "waitedForSlotMs": milliseconds(call.waited),
                "durationMs": milliseconds(call.took),
                "slots": call.slots,
            })
        })
        .collect();
    let lists: Vec<Value> = told
        .lookups
        .iter()
        .map(|(lookup, count)| {
            let found = match lookup.found {
                Found::Fresh => "FRESH",
                Found::Stale => "STALE",
                Found::Read => "READ",
                Found::Failed => "FAILED",
            };
            json!({"upstream": &*lookup.upstream, "list": lookup.list, "found": found, "lookups": count})
        })
        .collect();
    let choices: Vec<Value> = told
        .choices
        .iter()
        .map(|choice| {
            json!({
                "upstream": &*choice.upstream,
                "list": choice.list,
                "keys": choice.keys,
                "pages": choice.pages,
                "way": if choice.is_wide { "WIDE" } else { "NARROW" },
                "why": choice.why,
            })
        })
        .collect();
    [("calls", calls), ("choices", choices), ("lists", lists)]
}
