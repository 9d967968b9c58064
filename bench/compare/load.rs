//! Sends one request over and over on some connections, each as soon as the last was answered, and
//! counts.

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// What is sent.
#[derive(Clone)]
pub struct Asked {
    pub port: u16,
    pub path: &'static str,
    pub body: String,
}

/// What came of it.
#[derive(Default)]
pub struct Counted {
    pub answers: usize,
    pub milliseconds: Vec<f64>,
}

/// One answer, over a connection of its own.
pub async fn once(asked: &Asked) -> Result<Bytes, String> {
    let mut sender = connect(asked.port).await?;
    send(&mut sender, asked).await
}

/// As many answers as there are in `time`, at most `most`.
pub async fn many(
    asked: &Asked,
    connections: usize,
    time: Duration,
    most: usize,
) -> Result<Counted, String> {
    let until = Instant::now() + time;
    let each = most / connections;
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let asked = asked.clone();
            tokio::spawn(async move {
                let mut sender = connect(asked.port).await?;
                let mut taken = Vec::new();
                while taken.len() < each && Instant::now() < until {
                    let started = Instant::now();
                    send(&mut sender, &asked).await?;
                    taken.push(started.elapsed().as_secs_f64() * 1_000.0);
                }
                Ok::<_, String>(taken)
            })
        })
        .collect();
    let mut counted = Counted::default();
    for task in tasks {
        counted
            .milliseconds
            .extend(task.await.map_err(|error| error.to_string())??);
    }
    counted.answers = counted.milliseconds.len();
    counted.milliseconds.sort_by(f64::total_cmp);
    Ok(counted)
}

async fn connect(port: u16) -> Result<http1::SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .map_err(|error| format!("port {port}: {error}"))?;
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn send(
    sender: &mut http1::SendRequest<Full<Bytes>>,
    asked: &Asked,
) -> Result<Bytes, String> {
    let request = Request::post(asked.path)
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .body(Full::new(Bytes::from(asked.body.clone())))
        .map_err(|error| error.to_string())?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| error.to_string())?
        .to_bytes();
    if status.is_success() {
        Ok(body)
    } else {
        Err(format!("{status}: {}", String::from_utf8_lossy(&body)))
    }
}
