//! `extensions` of an answer: what it cost, and, for who may know, how it came about.

use super::{asking::Asker, guard::Weight};
use crate::{
    estate::{
        Caller,
        reads::{Found, Told},
    },
    upstream::meter::Call,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};

/// What a query costs by our reckoning, before it is run.
pub(super) fn estimated(weight: &Weight, maximum: u64) -> Value {
    json!({"cost": {"estimated": weight.cost, "maximum": maximum}})
}

/// What an answer cost.
#[derive(Serialize)]
pub(super) struct Spent {
    cost: Cost,
    upstream: Upstream,
}

#[derive(Serialize)]
struct Cost {
    estimated: u64,
    fields: u64,
    maximum: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Upstream {
    requests: u32,
    by_upstream: BTreeMap<String, u32>,
    /// For who may know.
    #[serde(flatten)]
    in_detail: Map<String, Value>,
}

/// What an answer cost, given by whom it was made.
pub(super) fn spent(weight: &Weight, maximum: u64, fields: u64, asker: &Asker, caller: Option<&Caller>) -> Spent {
    let by_upstream = caller.map(|caller| caller.meter.by_upstream()).unwrap_or_default();
    let requests = by_upstream.values().sum();
    // an upstream that does not exist for the caller may have been asked on its behalf: its name stays here
    let of_callers = by_upstream.into_iter().filter(|(name, _)| asker.principal.allows_upstream(name));
    let by_upstream = of_callers.map(|(name, count)| (name.to_string(), count)).collect();
    let told = caller.and_then(|caller| Some((caller, caller.reads.told()?)));
    let in_detail = told.map(|(caller, how)| in_detail(&caller.meter.calls(), &how)).unwrap_or_default();
    let cost = Cost { estimated: weight.cost, fields, maximum };
    Spent { cost, upstream: Upstream { requests, by_upstream, in_detail } }
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
