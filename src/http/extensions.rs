//! `extensions` of an answer: what it cost, and, for who may know, how it came about.

use super::{asking::Asker, guard::Weight};
use crate::{
    estate::{
        Caller,
        reads::{Found, Told},
    },
    upstream::meter::Call,
};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What a query costs by our reckoning, before it is run.
pub(super) fn estimated(weight: &Weight, maximum: u64) -> Value {
    json!({"cost": {"estimated": weight.cost, "maximum": maximum}})
}

/// What an answer cost, given by whom it was made.
pub(super) fn spent(weight: &Weight, maximum: u64, fields: u64, asker: &Asker, caller: Option<&Caller>) -> Value {
    let by_upstream = caller.map(|caller| caller.meter.by_upstream()).unwrap_or_default();
    let requests: u32 = by_upstream.values().sum();
    // an upstream that does not exist for the caller may have been asked on its behalf: its name stays here
    let told = by_upstream.iter().filter(|(name, _)| asker.principal.allows_upstream(name));
    let told: Map<String, Value> = told.map(|(name, count)| (name.to_string(), json!(count))).collect();
    let mut upstream = json!({"requests": requests, "byUpstream": told});
    if let (Some((caller, how)), Some(upstream)) =
        (caller.and_then(|caller| Some((caller, caller.reads.told()?))), upstream.as_object_mut())
    {
        upstream.extend(in_detail(&caller.meter.calls(), &how));
    }
    json!({"cost": {"estimated": weight.cost, "fields": fields, "maximum": maximum}, "upstream": upstream})
}

fn in_detail(calls: &[Call], told: &Told) -> Map<String, Value> {
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
    [("calls", calls), ("lists", lists), ("choices", choices)]
        .map(|(name, list)| (name.to_owned(), Value::Array(list)))
        .into_iter()
        .collect()
}
