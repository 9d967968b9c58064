//! `/metrics`: what the gateway counts, in the text format of Prometheus. docs/metrics.md lists all
//! of it, and a test holds the list against what is served.

use super::{
    Gateway, Live, Reloaded, RequestId,
    auth::Peer,
    counters::{CODES, OUTCOMES, TRANSPORTS},
    graphql,
    negotiate::MediaType,
    plain,
    process_stats::ProcessStats,
    serve::MOST_CONNECTIONS,
};
use crate::{
    estate::{Grant, State as Condition, background_refresh::ListStats},
    supervise::panics,
};
use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, prometheus_text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, histogram::Histogram},
    registry::Registry,
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use tokio::net::TcpListener;

/// `GET /metrics`, for those who may see everything.
pub(super) async fn metrics(
    State(gateway): State<Gateway>,
    Extension(id): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if gateway.server.metrics_listen.is_some() {
        return plain(
            StatusCode::NOT_FOUND,
            "Metrics are at an address of their own (server.metrics_listen).\n",
        );
    }
    match gateway.identify(&headers, &peer, &id).await {
        Ok(who) if who.principal.grants.contains(&Grant::default()) => exposition(&gateway),
        Ok(_) => plain(
            StatusCode::FORBIDDEN,
            "Metrics are for those who may see everything.\n",
        ),
        Err(rejection) => graphql::reject(MediaType::Json, &id, &rejection),
    }
}

/// Serves `/metrics`, and nothing else, at an address of its own, for as long as it is polled.
pub async fn serve_metrics(listener: TcpListener, live: Live) {
    let router = Router::new()
        .route("/metrics", get(metrics_for_all))
        .fallback(async || plain(StatusCode::NOT_FOUND, "There is only /metrics.\n"))
        .with_state(live);
    // it never ends by itself
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are not served any more");
    }
}

async fn metrics_for_all(State(live): State<Live>, headers: HeaderMap) -> Response {
    // a page that a browser shows, whatever name leads here, learns nothing; a person may look
    let is_of_page = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "none");
    if is_of_page {
        return plain(StatusCode::FORBIDDEN, "Metrics are not for web pages.\n");
    }
    exposition(&live.gateway())
}

fn exposition(gateway: &Gateway) -> Response {
    let mut ours = Registry::with_prefix("veeam_graph");
    ours.register_collector(Box::new(Ours(gateway.clone())));
    let mut of_process = Registry::with_prefix("process");
    of_process.register_collector(Box::new(OfProcess(gateway.counters.started)));
    let mut text = String::new();
    let encoded = prometheus_text::encode(&mut text, &ours)
        .and_then(|()| prometheus_text::encode(&mut text, &of_process));
    match encoded {
        Ok(()) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)],
            text,
        )
            .into_response(),
        Err(_) => graphql::internal_error(),
    }
}

type Labels<'a> = Vec<(&'a str, &'a str)>;

/// Writes families.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l>, u64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in series {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: &AtomicU64) -> fmt::Result {
        let value = value.load(Ordering::Relaxed);
        self.counters(name, help, [(Vec::new(), value)])
    }

    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in series {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.gauges(name, help, [(Vec::new(), value)])
    }

    fn histograms<'l>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l>, &'l Histogram)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, histogram) in series {
            histogram.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// What this gateway counts.
struct Ours(Gateway);

impl fmt::Debug for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ours").finish_non_exhaustive()
    }
}

impl Collector for Ours {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        let version = env!("CARGO_PKG_VERSION");
        families.gauges(
            "build_info",
            "The version that runs.",
            [(vec![("version", version)], 1.0)],
        )?;
        requests(&self.0, &mut families)?;
        upstreams(&self.0, &mut families)?;
        lists(&self.0, &mut families)?;
        let counters = &self.0.counters;
        let reloads = Reloaded::NAMES.iter().zip(&counters.reloads);
        families.counters(
            "config_reloads",
            "Times that the configuration was read again.",
            reloads.map(|(result, count)| (vec![("result", *result)], load(count))),
        )?;
        families.gauge(
            "config_reload_failed",
            "Whether the configuration was wrong when it was last read.",
            flag(counters.is_reload_rejected.load(Ordering::Relaxed)),
        )?;
        families.counters(
            "task_panics",
            "Panics of background tasks, which then went on.",
            [(Vec::new(), panics())],
        )
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn requests(gateway: &Gateway, families: &mut Families<'_>) -> fmt::Result {
    let counters = &*gateway.counters;
    let labelled = |outcome: &'static str, transport: &'static str| {
        vec![("outcome", outcome), ("transport", transport)]
    };
    let counts = OUTCOMES.iter().zip(&counters.requests);
    families.counters(
        "requests",
        "GraphQL requests.",
        counts.flat_map(|(outcome, of_outcome)| {
            let counts = TRANSPORTS.iter().zip(of_outcome);
            counts.map(move |(transport, count)| (labelled(outcome, transport), load(count)))
        }),
    )?;
    let durations = OUTCOMES.iter().zip(&counters.durations);
    families.histograms(
        "request_duration_seconds",
        "How long GraphQL requests took.",
        durations.flat_map(|(outcome, of_outcome)| {
            let durations = TRANSPORTS.iter().zip(of_outcome);
            durations.map(move |(transport, took)| (labelled(outcome, transport), took))
        }),
    )?;
    let by_code = CODES.iter().zip(&counters.by_code);
    families.counters(
        "request_errors",
        "GraphQL requests with an error of this code.",
        by_code.map(|(code, count)| (vec![("code", *code)], load(count))),
    )?;
    let given_again = gateway
        .render_cache
        .as_ref()
        .map(|render_cache| render_cache.given_again())
        .unwrap_or_default();
    families.counter(
        "requests_with_errors",
        "GraphQL requests whose answer has errors.",
        &counters.requests_with_errors,
    )?;
    families.counter(
        "answers_given_again",
        "GraphQL requests answered with an answer that was made before.",
        &counters.answers_given_again,
    )?;
    families.counters(
        "rows_given_again",
        "Rows that were given out as they were written before.",
        [(Vec::new(), given_again.rows)],
    )?;
    families.counters(
        "query_fields_given_again",
        "Fields of queries that were given out as they were written before.",
        [(Vec::new(), given_again.query_fields)],
    )?;
    families.counter(
        "refused_sign_ins",
        "Requests without a key or token that is known.",
        &counters.refused_sign_ins,
    )?;
    families.counter(
        "upstream_requests",
        "Requests sent to upstreams for GraphQL requests.",
        &counters.upstream_requests,
    )?;
    let in_flight = gateway
        .limits
        .concurrent_requests
        .saturating_sub(gateway.room.available_permits());
    families.gauge(
        "requests_in_flight",
        "GraphQL requests that are being answered.",
        in_flight as f64,
    )?;
    let open = MOST_CONNECTIONS as usize - gateway.connections.available_permits();
    families.gauge("connections", "Open connections.", open as f64)?;
    let sockets = gateway.sockets.count();
    families.gauge("websockets", "Open WebSockets.", sockets as f64)
}

fn upstreams(gateway: &Gateway, families: &mut Families<'_>) -> fmt::Result {
    let statuses = gateway.estate.statuses();
    families.gauges(
        "upstream_up",
        "Whether the upstream answered when it was last asked.",
        statuses.iter().map(|status| {
            let is_up = status.seen().state == Condition::Up;
            (vec![("upstream", &*status.name)], flag(is_up))
        }),
    )?;
    let all = gateway.estate.connections();
    families.counters(
        "upstream_sent",
        "Requests sent, for whatever reason.",
        all.iter().flat_map(|(name, connection)| {
            let sent = connection.metrics.sent();
            sent.map(|(reason, count)| {
                (vec![("upstream", *name), ("reason", reason.name())], count)
            })
        }),
    )?;
    families.histograms(
        "upstream_duration_seconds",
        "How long answers of the upstream took.",
        all.iter().flat_map(|(name, connection)| {
            let durations = connection.metrics.durations();
            durations
                .map(|(status, took)| (vec![("upstream", *name), ("status", status)], took))
                .collect::<Vec<_>>()
        }),
    )?;
    families.counters(
        "upstream_sign_ins",
        "Sessions opened, and failures to open one.",
        all.iter().flat_map(|(name, connection)| {
            let [opened, failed] = connection.metrics.sign_ins();
            [("ok", opened), ("failed", failed)]
                .map(|(outcome, count)| (vec![("upstream", *name), ("outcome", outcome)], count))
        }),
    )?;
    let gauges: [(
        &str,
        &str,
        fn(&crate::upstream::settings::Connection<'_>) -> f64,
    ); 5] = [
        (
            "upstream_circuit_open",
            "Whether reads fail at once because the last ones failed.",
            |connection| flag(connection.is_broken),
        ),
        (
            "upstream_slots",
            "Requests that may be in flight.",
            |connection| connection.slots as f64,
        ),
        (
            "upstream_slots_in_use",
            "Requests in flight.",
            |connection| connection.in_use as f64,
        ),
        (
            "upstream_waiting",
            "Requests that wait for a slot.",
            |connection| connection.waiting as f64,
        ),
        (
            "upstream_paused",
            "Whether nothing is sent because the upstream asked for a pause.",
            |connection| flag(connection.is_paused),
        ),
    ];
    for (name, help, value) in gauges {
        families.gauges(
            name,
            help,
            all.iter()
                .map(|(upstream, connection)| (vec![("upstream", *upstream)], value(connection))),
        )?;
    }
    Ok(())
}

fn lists(gateway: &Gateway, families: &mut Families<'_>) -> fmt::Result {
    let mut all = BTreeMap::<(Arc<str>, &'static str), ListStats>::new();
    for (upstream, stats) in gateway.estate.list_stats(Instant::now()) {
        // several lists of one kind have one name
        all.entry((upstream, stats.name))
            .and_modify(|known| known.add(&stats))
            .or_insert(stats);
    }
    let gauge = |value: fn(&ListStats) -> Option<f64>| {
        all.iter().filter_map(move |((upstream, list), stats)| {
            Some((
                vec![("upstream", &**upstream), ("list", *list)],
                value(stats)?,
            ))
        })
    };
    families.gauges(
        "list_age_seconds",
        "The age of a list that is in hand.",
        gauge(|stats| Some(stats.age?.as_secs_f64())),
    )?;
    families.gauges(
        "list_lifetime_seconds",
        "How long the list is good for.",
        gauge(|stats| Some(stats.lifetime.as_secs_f64())),
    )?;
    families.gauges(
        "list_rows",
        "Rows in hand.",
        gauge(|stats| Some(stats.rows as f64)),
    )?;
    families.gauges(
        "list_incomplete",
        "Whether the list in hand could not be read in full.",
        gauge(|stats| stats.age.map(|_| flag(stats.is_incomplete))),
    )?;
    families.counters(
        "list_reads",
        "Reads of the list, or of a part of it.",
        all.iter().flat_map(|((upstream, list), stats)| {
            let outcomes = ["read", "incomplete", "failed"]
                .into_iter()
                .zip(stats.reads);
            outcomes.map(move |(outcome, count)| {
                let labels = vec![
                    ("upstream", &**upstream),
                    ("list", *list),
                    ("outcome", outcome),
                ];
                (labels, count)
            })
        }),
    )
}

/// What the system says of the process that began then.
#[derive(Debug)]
struct OfProcess(SystemTime);

impl Collector for OfProcess {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        let started = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        families.gauge(
            "start_time_seconds",
            "When the process began, as Unix time.",
            started.as_secs_f64(),
        )?;
        let Some(stats) = ProcessStats::read() else {
            return Ok(());
        };
        let cpu = families.0.encode_descriptor(
            "cpu_seconds",
            "CPU time of the process.",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(stats.cpu_seconds).encode(cpu)?;
        for (name, help, value) in [
            (
                "resident_memory_bytes",
                "Memory of the process.",
                stats.resident_bytes,
            ),
            (
                "virtual_memory_bytes",
                "Address space of the process.",
                stats.virtual_bytes,
            ),
            ("threads", "Threads of the process.", stats.threads),
            ("open_fds", "Open files and connections.", stats.open_files),
            (
                "max_fds",
                "How many files and connections may be open.",
                stats.most_files,
            ),
        ] {
            families.gauge(name, help, value as f64)?;
        }
        Ok(())
    }
}
