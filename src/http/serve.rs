//! Connections: taken, made safe with TLS, spoken to in HTTP/1.1 or HTTP/2, and ended in peace.

use super::{Entrance, Gateway, auth::Peer, deadlines::Activity, patience::Patient, tls};
use hyper::{Version, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;

/// More headers than any client or proxy sends.
const MAX_HEADERS_BYTES: usize = 32 << 10;
/// Requests on one HTTP/2 connection at once.
const MAX_STREAMS: u32 = 200;

/// Connections that the system makes for us before we take them, if it makes so many: when a gateway comes back, all of its
/// clients come at once. One for which there is no room tries again after a second, then after two, then after four.
const WAITING: u32 = 4_096;

/// What a connection is served with.
#[derive(Clone)]
struct Service {
    entrance: Entrance,
    builder: auto::Builder<TokioExecutor>,
    idle: Duration,
    acceptor: Option<TlsAcceptor>,
}

/// Takes an address.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // what is left of a process that ended must not keep the next from its address; elsewhere this means something else
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Serves until `shutdown` ends; then takes no more connections and lets open requests go on for a while. Fails where the
/// certificate can't be used.
pub async fn serve(listener: TcpListener, gateway: Gateway, shutdown: impl Future<Output = ()>) -> Result<(), String> {
    let (draining, sockets, drain) = (gateway.draining.clone(), gateway.sockets.clone(), gateway.server.drain);
    let room = Arc::new(Semaphore::new(gateway.limits.connections));
    let acceptor = gateway.server.tls.as_ref().map(tls::acceptor).transpose()?;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(MAX_HEADERS_BYTES.max(64 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS_BYTES as u32)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let idle = gateway.server.idle;
    let service = Service { entrance: Entrance::new(gateway), builder, idle, acceptor };
    let open = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = &mut shutdown => break,
        };
        let (stream, address) = match connection {
            Ok(connection) => connection,
            Err(error) => {
                // too many open files, say: wait for some to close instead of spinning
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            tracing::debug!(%address, "a connection was turned away: there are too many (limits.connections)");
            continue;
        };
        let (service, watcher) = (service.clone(), open.watcher());
        tokio::spawn(async move {
            converse(service, stream, address, watcher).await;
            drop(place);
        });
    }
    draining.send_replace(true);
    drop(listener);
    tracing::info!(drain_seconds = drain.as_secs(), "stopping: open requests may finish");
    let ended = async { tokio::join!(open.shutdown(), sockets.closed()) };
    if tokio::time::timeout(drain, ended).await.is_err() {
        tracing::warn!("open requests were cut off");
    }
    Ok(())
}

/// One connection, from its first byte to its end.
async fn converse(service: Service, stream: TcpStream, address: SocketAddr, watcher: Watcher) {
    // answers are written whole: waiting for more would only delay them
    let _ = stream.set_nodelay(true);
    let mut peer = Peer { address: address.ip().to_canonical(), certificate: None };
    let activity = Arc::<Activity>::default();
    let stream = Patient::new(stream, activity.clone());
    let outcome = match &service.acceptor {
        None => answer(&service, stream, peer, activity, watcher).await,
        // boxed: it is larger, and who comes without need not make room for it
        Some(acceptor) => match tokio::time::timeout(tls::HANDSHAKE_TIMEOUT, Box::pin(acceptor.accept(stream))).await {
            Ok(Ok(stream)) => {
                peer.certificate = tls::fingerprint(&stream);
                Box::pin(answer(&service, stream, peer, activity, watcher)).await
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err("the handshake takes too long".into()),
        },
    };
    if let Err(error) = outcome {
        tracing::debug!(%address, %error, "a connection ended badly");
    }
}

async fn answer<S>(
    service: &Service,
    stream: S,
    peer: Peer,
    activity: Arc<Activity>,
    watcher: Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let entrance = service.entrance.clone();
    let of_requests = activity.clone();
    let respond = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let (entrance, peer, activity) = (entrance.clone(), peer.clone(), of_requests.clone());
        async move {
            let _under_way = activity.begin(request.version() == Version::HTTP_2);
            Ok::<_, Infallible>(entrance.answer(peer, request).await)
        }
    });
    let connection = service.builder.serve_connection_with_upgrades(TokioIo::new(stream), respond).into_owned();
    let outcome = activity.drive(watcher.watch(connection), service.idle).await;
    outcome.unwrap_or_else(|| Err("nothing was asked for too long".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // elsewhere the system may make fewer than are asked for
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_crowd_that_comes_at_once_is_connected_before_anybody_is_served() {
        const CROWD: usize = 500;
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        if most.trim().parse::<usize>().unwrap() < CROWD {
            return;
        }
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let crowd = futures_util::future::try_join_all((0..CROWD).map(|_| TcpStream::connect(address)));
        // those for whom there is no room come in when somebody is let in; nobody is
        let connected = tokio::time::timeout(Duration::from_secs(20), crowd).await.unwrap().unwrap();
        assert_eq!(connected.len(), CROWD);
    }
}
