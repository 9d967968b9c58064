//! `/graphql` by WebSocket: what the reference implementation of `graphql-transport-ws` does, and
//! what it does not bound.

use crate::{
    access::caller,
    world::{PATIENCE, Setup, World},
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};
use veeam_graph::{
    config::{Access, Limits, Sees},
    simulator::{Fault, FaultKind},
};

struct Socket(WebSocketStream<TcpStream>);

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

/// A socket, or the status of the refusal.
async fn open(world: &World, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("ws://{}/graphql", world.gateway)
        .into_client_request()
        .unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(world.gateway).await.unwrap();
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(Socket(socket)),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        // a client hangs up by itself when its protocol is not taken
        Err(_) => Err(0),
    }
}

impl Socket {
    async fn say(&mut self, message: Value) {
        self.0
            .send(Message::Text(message.to_string().into()))
            .await
            .unwrap();
    }

    /// The next message of the protocol, or the code that the connection was closed with.
    async fn hear(&mut self) -> Result<Value, u16> {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next())
                .await
                .expect("nothing was said")
                .unwrap()
            {
                Ok(Message::Text(text)) => return Ok(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(frame)) => {
                    let frame = frame.expect("a close without a code");
                    assert!(frame.reason.len() <= 123);
                    return Err(frame.code.into());
                }
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn init(&mut self) {
        self.say(json!({"type": "connection_init"})).await;
        assert_eq!(self.hear().await, Ok(json!({"type": "connection_ack"})));
    }
}

async fn ready(world: &World) -> Socket {
    let mut socket = open(world, &[PROTOCOL]).await.ok().unwrap();
    socket.init().await;
    socket
}

fn subscribe(id: &str, query: &str) -> Value {
    json!({"type": "subscribe", "id": id, "payload": {"query": query}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_answered_as_by_http_and_then_complete() {
    let world = World::small().await;
    let mut socket = ready(&world).await;
    let query = "{ jobs(first: 2) { totalCount nodes { name health } } }";
    socket.say(subscribe("one", query)).await;
    let next = socket.hear().await.unwrap();
    assert_eq!(
        (&next["type"], &next["id"]),
        (&json!("next"), &json!("one"))
    );
    assert_eq!(next["payload"]["data"], world.ask(query).await["data"]);
    assert!(next["payload"]["extensions"]["cost"].is_object());
    assert_eq!(
        socket.hear().await,
        Ok(json!({"type": "complete", "id": "one"}))
    );
    // the id is free again
    socket.say(json!({"type": "subscribe", "id": "one", "payload": {"query": "query A($n: Int!) { jobs(first: $n) { totalCount } } query B { __typename }", "operationName": "A", "variables": {"n": 1}}})).await;
    assert!(socket.hear().await.unwrap()["payload"]["data"]["jobs"]["totalCount"].is_number());
    socket.hear().await.unwrap();
    // requests that are not run are errors, and the connection goes on
    for bad in [
        "{",
        "{ nothing }",
        "subscription { jobs }",
        "{ jobs(first: -1 { a } }",
        &format!("{{ {} }}", "a: __typename ".repeat(300)),
    ] {
        socket.say(subscribe("bad", bad)).await;
        let error = socket.hear().await.unwrap();
        assert_eq!(
            (&error["type"], &error["id"]),
            (&json!("error"), &json!("bad")),
            "{error}"
        );
        assert!(
            error["payload"][0]["message"].is_string()
                && error["payload"][0]["extensions"]["code"].is_string(),
            "{error}"
        );
    }
    socket
        .say(json!({"type": "ping", "payload": {"a": 1}}))
        .await;
    assert_eq!(
        socket.hear().await,
        Ok(json!({"type": "pong", "payload": {"a": 1}}))
    );
    socket.say(json!({"type": "pong"})).await;
    socket
        .say(json!({"type": "complete", "id": "nobody's"}))
        .await;
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.hear().await, Ok(json!({"type": "pong"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_the_protocol_is_told_by_its_numbers() {
    let world = World::small().await;
    let mut none = open(&world, &[]).await.ok().unwrap();
    assert_eq!(none.hear().await, Err(4406));
    assert_eq!(
        open(&world, &[("sec-websocket-protocol", "graphql-ws")])
            .await
            .err(),
        Some(0)
    );
    // says nothing
    let mut silent = open(&world, &[PROTOCOL]).await.ok().unwrap();
    assert_eq!(silent.hear().await, Err(4408));

    let mut early = open(&world, &[PROTOCOL]).await.ok().unwrap();
    early.say(subscribe("a", "{ __typename }")).await;
    assert_eq!(early.hear().await, Err(4401));

    let mut twice = ready(&world).await;
    twice.say(json!({"type": "connection_init"})).await;
    assert_eq!(twice.hear().await, Err(4429));

    for bad in [
        "no JSON",
        "[]",
        "{}",
        "null",
        r#"{"type":"start","id":"1"}"#,
        r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
        r#"{"type":"subscribe","id":"1"}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#,
        r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
        r#"{"type":"complete"}"#,
    ] {
        let mut socket = ready(&world).await;
        socket.0.send(Message::Text(bad.into())).await.unwrap();
        assert_eq!(socket.hear().await, Err(4400), "{bad}");
    }
    let mut binary = ready(&world).await;
    binary
        .0
        .send(Message::Binary(vec![1, 2, 3].into()))
        .await
        .unwrap();
    assert_eq!(binary.hear().await, Err(4400));

    let limits = Limits {
        body_bytes: 256 << 10,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let mut large = ready(&world).await;
    let text = json!({"type": "ping", "payload": "x".repeat(300_000)}).to_string();
    let _ = large.0.send(Message::Text(text.into())).await;
    assert_eq!(large.hear().await, Err(1009));
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_told_apart_and_bounded_and_can_be_cancelled() {
    let limits = Limits {
        operations_per_socket: 3,
        sockets_per_caller: 2,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    world.simulator.faults.add([Fault {
        path: "/api/v3/organizations*".to_owned(),
        times: None,
        kind: FaultKind::Hang,
    }]);
    let slow = "{ companies { totalCount } }";
    let mut socket = ready(&world).await;
    socket.say(subscribe("a", slow)).await;
    socket.say(subscribe("a", slow)).await;
    assert_eq!(socket.hear().await, Err(4409));

    let mut socket = ready(&world).await;
    for id in ["a", "b"] {
        socket.say(subscribe(id, slow)).await;
    }
    // one that is cancelled makes room, and is never answered
    socket.say(json!({"type": "complete", "id": "a"})).await;
    socket.say(subscribe("a", "{ __typename }")).await;
    assert_eq!(
        socket.hear().await.unwrap()["payload"]["data"],
        json!({"__typename": "Query"})
    );
    assert_eq!(
        socket.hear().await,
        Ok(json!({"type": "complete", "id": "a"}))
    );
    for id in ["c", "d", "e"] {
        socket.say(subscribe(id, slow)).await;
    }
    assert_eq!(socket.hear().await, Err(4429));

    let (_one, _two) = (ready(&world).await, ready(&world).await);
    let mut three = open(&world, &[PROTOCOL]).await.ok().unwrap();
    three.say(json!({"type": "connection_init"})).await;
    assert_eq!(three.hear().await, Err(4429));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_known_by_header_or_payload_and_strange_pages_are_not_let_in() {
    let few = Sees {
        companies: Some(Vec::new()),
        ..Sees::default()
    };
    let auth = Access {
        callers: vec![caller("few", &["key"], few)],
        ..Access::default()
    };
    let world = World::start(Setup {
        auth,
        ..Setup::default()
    })
    .await;
    assert_eq!(
        open(&world, &[PROTOCOL, ("authorization", "Bearer wrong")])
            .await
            .err(),
        Some(401)
    );
    let mut by_header = open(&world, &[PROTOCOL, ("authorization", "Bearer key")])
        .await
        .ok()
        .unwrap();
    by_header.init().await;
    for (payload, outcome) in [
        (
            json!({"authorization": "Bearer key"}),
            Ok(json!({"type": "connection_ack"})),
        ),
        (
            json!({"Authorization": "Bearer key"}),
            Ok(json!({"type": "connection_ack"})),
        ),
        (
            json!({"apiKey": "key"}),
            Ok(json!({"type": "connection_ack"})),
        ),
        (json!({"authorization": "Bearer wrong"}), Err(4403)),
        (json!({}), Err(4403)),
    ] {
        let mut socket = open(&world, &[PROTOCOL]).await.ok().unwrap();
        socket
            .say(json!({"type": "connection_init", "payload": payload}))
            .await;
        assert_eq!(socket.hear().await, outcome, "{payload}");
        if outcome.is_ok() {
            socket.say(subscribe("1", "{ jobs { totalCount } }")).await;
            assert_eq!(
                socket.hear().await.unwrap()["payload"]["data"],
                json!({"jobs": {"totalCount": 0}})
            );
        }
    }
    let own = format!("http://{}", world.gateway);
    for (origin, is_taken) in [
        (own.as_str(), true),
        ("https://evil.example", false),
        ("null", false),
    ] {
        assert_eq!(
            open(&world, &[PROTOCOL, ("origin", origin)]).await.err(),
            (!is_taken).then_some(403),
            "{origin}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_lets_operations_end_and_says_goodbye() {
    let world = World::small().await;
    let mut idle = ready(&world).await;
    let mut busy = ready(&world).await;
    world.simulator.faults.add([Fault {
        path: "/api/v3/organizations*".to_owned(),
        times: Some(1),
        kind: FaultKind::Delay { milliseconds: 300 },
    }]);
    busy.say(subscribe("1", "{ companies { totalCount } }"))
        .await;
    // once the read is under way
    while !world
        .requests()
        .iter()
        .any(|request| request.contains("organizations"))
    {
        tokio::task::yield_now().await;
    }
    let stopping = tokio::spawn(world.stop());
    assert_eq!(idle.hear().await, Err(1012));
    assert!(busy.hear().await.unwrap()["payload"]["data"]["companies"]["totalCount"].is_number());
    assert_eq!(busy.hear().await.unwrap()["type"], "complete");
    assert_eq!(busy.hear().await, Err(1012));
    stopping.await.unwrap();
}
