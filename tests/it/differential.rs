//! Random questions over random versions of the APIs and random faults, each answer held against
//! what is so.
//!
//! `ANSWERS` sets how many answers are held; CI asks for 3,000; 100,000 want a release build.
//! `SEED` is the first gateway's, and one more with each: a failure tells it, and
//! `SEED=… ANSWERS=800` asks that one alone the same again, as far as the order of requests allows.
//!
//! Each gateway has an estate, versions and lifetimes of its own. It is asked while all is well,
//! then while a schedule of faults after another is on its wire, and then until it is whole again.
//! The estate does not change: what is stale is right.

mod filters;
mod held;
mod questions;
mod truth;
mod values;
mod wire;

use self::{
    held::{Held, Passed},
    questions::{RequestContext, Root},
    truth::{Row, Truth},
    wire::{Trouble, Wire},
};
use crate::{
    fifteen::versions::{no_unique_ids, tell_clones_apart},
    isolation::questions::Dice,
    world::{PATIENCE, World, now, password, upstream},
};
use serde_json::Value;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use veeam_graph::{
    config::{Auth, Cache, Kind},
    simulator::{
        API_KEY, ApiVersion, Bridge, Casing, Estate, Options, Scale, Simulator,
        estate::{ConsoleAgent, Protected},
        generate,
    },
};

/// How many questions one schedule sees, and how many schedules one gateway.
const QUESTIONS: usize = 60;
const SCHEDULES: usize = 14;
/// How many gateways there are at once, and how many ask each.
const GATEWAYS: usize = 3;
const ASKERS: usize = 12;

#[derive(Default)]
struct Tally {
    answers: AtomicUsize,
    /// Without any error, and right.
    whole: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var_os(name)
        .and_then(|count| count.to_str()?.parse().ok())
        .unwrap_or(otherwise)
}

/// A gateway and what it stands over.
struct Stage {
    seed: u64,
    world: World,
    wire: Wire,
    truth: Truth,
    version: ApiVersion,
    what: String,
}

async fn stage(seed: u64) -> Stage {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    dice.roll(1);
    let version = *dice.one_of(&ApiVersion::ALL);
    let options = Options {
        version,
        casing: [Casing::Pascal, Casing::Camel][dice.roll(2)],
        byte_order_mark: dice.roll(2) == 0,
        bridge: [Bridge::Flat, Bridge::FlatAlone, Bridge::Nested][dice.roll(3)],
        xml_only: dice.roll(4) == 0,
        ..Options::default()
    };
    let mut estate = generate::generate(Scale::Small, 1 + dice.roll(40) as u64, now());
    match version {
        ApiVersion::V3_2 | ApiVersion::V3_3 | ApiVersion::V3_4 => no_unique_ids(&mut estate),
        ApiVersion::V3_5 => tell_clones_apart(&mut estate),
        _ => {}
    }
    if dice.roll(2) == 0 {
        share_hardware(&mut estate, &mut dice);
    }
    if dice.roll(2) == 0 {
        // in which order a list has its rows must not matter
        estate.workloads.reverse();
    }
    let page_rows = [500, 500, 23, 9][dice.roll(4)];
    let lifetime = Some(Duration::from_millis([20, 100, 400][dice.roll(3)]));
    let max_stale = [
        Some(Duration::from_millis(1)),
        Some(Duration::from_millis(300)),
        None,
    ][dice.roll(3)];
    let cache = Cache {
        jobs: lifetime,
        agent_objects: lifetime,
        sessions: lifetime,
        links: lifetime,
        copy_jobs: lifetime,
        servers: lifetime,
        companies: lifetime,
        repositories: lifetime,
        agent_jobs: lifetime,
        alarms: lifetime,
        workloads: lifetime,
        licenses: lifetime,
        max_stale,
        failure: Some(Duration::from_millis(5)),
    };
    let what = format!(
        "seed {seed}, {options:?}, {page_rows} rows a page, lifetime {lifetime:?}, stale {max_stale:?}"
    );
    let simulator = Simulator::new(estate.clone(), options);
    let wire = Wire::over(simulator.clone(), page_rows, seed).await;
    let mut upstreams = vec![
        upstream("msp", Kind::Vspc, wire.at, Auth::ApiKey(API_KEY.into())),
        upstream("em", Kind::EnterpriseManager, wire.at, password()),
        upstream("agents", Kind::Vac, wire.at, password()),
    ];
    for upstream in &mut upstreams {
        upstream.cache = cache;
        upstream.timeout = Duration::from_secs(5);
        upstream.max_concurrency = 16;
    }
    let world = World::over(simulator, upstreams).await;
    Stage {
        seed,
        world,
        wire,
        truth: Truth::of(estate, version),
        version,
        what,
    }
}

/// Makes two machines that no backup server protects have one id, that of their hardware, in two
/// companies.
fn share_hardware(estate: &mut Estate, dice: &mut Dice) {
    let is_alone = |agent: &&ConsoleAgent| agent.mode != "ManagedByVBR";
    let agents: Vec<_> = estate.console_agents.iter().filter(is_alone).collect();
    let (one, other) = (*dice.one_of(&agents), *dice.one_of(&agents));
    if one.company == other.company {
        return;
    }
    let (from, to) = (other.uid, one.uid);
    let agents = estate.console_agents.iter_mut().map(|row| &mut row.uid);
    let jobs = estate.console_jobs.iter_mut().map(|row| &mut row.agent);
    let workloads = estate.workloads.iter_mut();
    let workloads = workloads
        .filter(|row| row.kind == Protected::ConsoleComputer)
        .map(|row| &mut row.uid);
    let all = agents.chain(jobs).chain(workloads);
    all.filter(|uid| **uid == from).for_each(|uid| *uid = to);
}

impl Stage {
    /// Asks for a row once more, by the id that it was shown with; whether it was whole.
    async fn ask_again(
        &self,
        tally: &Tally,
        asker: &mut RequestContext<'_>,
        (id, row): (String, Row),
        schedule: &[Trouble],
        is_calm: bool,
    ) -> bool {
        let root = asker.again(id, row);
        let query = root.text(&self.truth, None);
        let answer = self.world.ask(&query).await;
        let mut held = Held::of(&self.truth, &answer, is_calm);
        held.root(&root, &answer["data"], &Passed::default());
        if !held.wrong.is_empty() {
            self.say(tally, &query, &answer, &held.wrong, schedule);
        }
        tally.answers.fetch_add(1, Ordering::Relaxed);
        let is_whole = held.wrong.is_empty() && !held.has_errors();
        tally
            .whole
            .fetch_add(usize::from(is_whole), Ordering::Relaxed);
        is_whole
    }

    /// Asks one question, page by page where it is a list and the dice say so; whether all of it
    /// was whole.
    async fn ask(&self, tally: &Tally, dice: Dice, schedule: &[Trouble], is_calm: bool) -> bool {
        let mut asker = RequestContext {
            truth: &self.truth,
            dice,
        };
        let root = asker.root();
        let pages = if asker.dice.roll(3) == 0 { 4 } else { 1 };
        let (mut before, mut after, mut is_whole) = (Passed::default(), None, true);
        for _ in 0..pages {
            let query = root.text(&self.truth, after.as_deref());
            let answer = self.world.ask(&query).await;
            let mut held = Held::of(&self.truth, &answer, is_calm);
            let page = held.root(&root, &answer["data"], &before);
            for error in answer["errors"].as_array().into_iter().flatten() {
                // of what is asked nothing is refused: what can't be told is the upstreams' fault
                let code = error["extensions"]["code"].as_str().unwrap_or("none");
                // 3.2 has not every list, and on a busy machine a reading may be late
                let may_be = !is_calm
                    || self.version == ApiVersion::V3_2
                    || code == "UPSTREAM_TIMEOUT"
                    || code == "UPSTREAM_UNAVAILABLE";
                if !(code.starts_with("UPSTREAM_") || code == "RATE_LIMITED") || !may_be {
                    held.wrong.push(format!(
                        "an error with the code {code}, all well: {is_calm}"
                    ));
                }
            }
            let is_right = held.wrong.is_empty();
            if !is_right {
                let schedule = if is_calm { &[] } else { schedule };
                self.say(tally, &query, &answer, &held.wrong, schedule);
            }
            is_whole &= is_right && !held.has_errors();
            tally.answers.fetch_add(1, Ordering::Relaxed);
            tally.whole.fetch_add(
                usize::from(is_right && !held.has_errors()),
                Ordering::Relaxed,
            );
            let some = page.as_ref().and_then(|page| page.some.clone());
            if let Some((id, row)) = some.filter(|_| asker.dice.roll(4) == 0) {
                is_whole &= self
                    .ask_again(tally, &mut asker, (id, row), schedule, is_calm)
                    .await;
            }
            match (page, &root) {
                (Some(page), Root::List { .. })
                    if page.next.is_some() && !page.is_told && is_right =>
                {
                    before = page.passed;
                    after = page.next;
                }
                _ => break,
            }
        }
        is_whole
    }

    fn say(
        &self,
        tally: &Tally,
        query: &str,
        answer: &Value,
        wrong: &[String],
        schedule: &[Trouble],
    ) {
        let answer = answer.to_string();
        let errors = answer.find("\"errors\"").map_or("", |at| &answer[at..]);
        let wrong = wrong[..wrong.len().min(4)].join("\n    ");
        let text = format!(
            "{wrong}\n  {}\n  {schedule:?}\n  {query}\n  {answer:.1500}\n  {errors:.500}",
            self.what
        );
        tally.wrong.lock().unwrap().push(text);
    }

    /// One schedule after another, while all of them ask.
    async fn play(self, tally: Arc<Tally>, limit: usize) {
        let stage = Arc::new(self);
        for turn in 0..SCHEDULES {
            // the first is none, and in between all is well for a while
            let is_calm = turn == 0;
            let mut dice = Dice(stage.seed ^ ((turn as u64) << 40));
            dice.roll(1);
            let schedule = Arc::new(if turn % 5 == 0 {
                Vec::new()
            } else {
                wire::schedule(&mut dice)
            });
            stage.wire.set(schedule.clone());
            let asked = Arc::new(AtomicUsize::new(0));
            let mut askers = JoinSet::new();
            for _ in 0..ASKERS {
                let (stage, tally, schedule, asked) = (
                    stage.clone(),
                    tally.clone(),
                    schedule.clone(),
                    asked.clone(),
                );
                askers.spawn(async move {
                    loop {
                        let place = asked.fetch_add(1, Ordering::Relaxed);
                        if place >= QUESTIONS || tally.answers.load(Ordering::Relaxed) >= limit {
                            return;
                        }
                        let dice = Dice(
                            (stage.seed << 20)
                                ^ ((turn * QUESTIONS + place) as u64)
                                    .wrapping_mul(0x0001_0000_0001),
                        );
                        stage.ask(&tally, dice, &schedule, is_calm).await;
                    }
                });
            }
            while let Some(ended) = askers.join_next().await {
                ended.unwrap();
            }
        }
        stage.heals(&tally).await;
    }

    /// Once nothing is wrong any more, everything is whole again.
    async fn heals(&self, tally: &Tally) {
        self.wire.set(Arc::default());
        let started = Instant::now();
        for number in 0..5 {
            while !self.ask(tally, Dice(self.seed ^ number), &[], false).await {
                // 3.2 has not every list
                if self.version == ApiVersion::V3_2 || !tally.wrong.lock().unwrap().is_empty() {
                    break;
                }
                assert!(
                    started.elapsed() < PATIENCE,
                    "not whole again: {}",
                    self.what
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_questions_over_random_faults_are_answered_rightly_or_it_is_told() {
    let (limit, seed) = (number("ANSWERS", 300), number("SEED", 1) as u64);
    let (tally, started) = (Arc::new(Tally::default()), Instant::now());
    let at_once = if limit > SCHEDULES * QUESTIONS {
        GATEWAYS
    } else {
        1
    };
    let (mut stages, mut next) = (JoinSet::new(), seed);
    loop {
        let is_over = tally.answers.load(Ordering::Relaxed) >= limit
            || tally.wrong.lock().unwrap().len() >= 20;
        while !is_over && stages.len() < at_once {
            let (tally, seed) = (tally.clone(), next);
            next += 1;
            stages.spawn(async move { stage(seed).await.play(tally, limit).await });
        }
        match stages.join_next().await {
            Some(ended) => ended.unwrap(),
            None => break,
        }
    }
    let (answers, whole) = (
        tally.answers.load(Ordering::Relaxed),
        tally.whole.load(Ordering::Relaxed),
    );
    let wrong = tally.wrong.lock().unwrap();
    eprintln!(
        "{answers} answers of {} gateways in {:?}, {whole} whole, {} wrong",
        next - seed,
        started.elapsed(),
        wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} wrong answers:\n\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n\n")
    );
    assert!(
        whole > answers / 4,
        "{whole} of {answers} are whole: nothing was shown"
    );
}
