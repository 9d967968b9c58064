//! Connections: taken, made safe with TLS, spoken to in HTTP/1.1 or HTTP/2, and ended in peace.

use super::{
    Gateway,
    auth::Peer,
    connection_activity::{ConnectionActivity, Place},
    fair_shares::Shares,
    idle_timeout::{Deadlines, Stage},
    reload::Live,
    tls,
    write_timeout::WriteTimeout,
};
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, Version, header},
};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// More headers than any client or proxy sends.
const MAX_HEADERS_BYTES: usize = 32 << 10;
/// Requests on one HTTP/2 connection at once.
const MAX_STREAMS: u32 = 200;
/// What the library keeps of one answer over HTTP/2.
const MAX_SEND_BYTES: usize = 64 << 10;
/// What the system keeps of answers that are not on their way yet.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
const UNSENT_BYTES: u32 = 128 << 10;

/// Connections that the system makes for us before we take them, if it makes so many: when a
/// gateway comes back, all of its clients come at once. One for which there is no room tries again
/// after a second, then after two, then after four.
const WAITING: u32 = 4_096;

/// How often the operator is told that connections are turned away.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// More connections than limits.connections can be.
pub(super) const MOST_CONNECTIONS: u32 = 1 << 20;

/// What a connection is served with.
#[derive(Clone)]
struct Service {
    live: Live,
    builder: auto::Builder<TokioExecutor>,
    /// As they were set when the connection was taken.
    deadlines: Deadlines,
    acceptor: Option<TlsAcceptor>,
    stage: watch::Receiver<Stage>,
}

/// Takes an address.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // what is left of a process that ended must not keep the next from its address; elsewhere this
    // means something else
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Serves until `shutdown` ends. Then tells everybody to go elsewhere, and takes what still comes,
/// for as long as is set or until `hurry` ends; then takes no more connections and lets open
/// requests go on for a while. Fails where the certificate can't be used.
pub async fn serve(
    listener: TcpListener,
    live: Live,
    shutdown: impl Future<Output = ()>,
    hurry: impl Future<Output = ()>,
) -> Result<(), String> {
    let places = Places::new(&live.gateway());
    let service = Service::new(live.clone())?;
    let mut taking = std::pin::pin!(take(&listener, &places, &service));
    tokio::select! {
        never = &mut taking => match never {},
        () = shutdown => {}
    }
    let gateway = live.gateway();
    let (leave, drain) = (gateway.server.leave, gateway.server.drain);
    gateway.stage.send_replace(Stage::Leaving);
    tracing::info!(
        leave_seconds = leave.as_secs(),
        "leaving: not ready, and everybody is told to go elsewhere"
    );
    tokio::select! {
        never = &mut taking => match never {},
        () = tokio::time::sleep(leave) => {}
        () = hurry => {}
    }
    gateway.stage.send_replace(Stage::Draining);
    tracing::info!(
        drain_seconds = drain.as_secs(),
        "stopping: open requests may finish"
    );
    // all of them are back once nobody is connected
    if tokio::time::timeout(drain, places.room.acquire_many(MOST_CONNECTIONS))
        .await
        .is_err()
    {
        tracing::warn!("open requests were cut off");
    }
    Ok(())
}

/// Takes connections, for as long as it is polled.
async fn take(listener: &TcpListener, places: &Places, service: &Service) -> Infallible {
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                // too many open files, say: wait for some to close instead of spinning
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let address = address.ip().to_canonical();
        let gateway = service.live.gateway();
        match places.take(address, &gateway) {
            Ok(place) => drop(tokio::spawn(converse(
                service.with_deadlines(&gateway),
                stream,
                ConnectionActivity::of(address, Some(place)).served_by(service.live.clone()),
            ))),
            Err(limit) => places.tell(address, limit),
        }
    }
}

/// How many connections there may be.
struct Places {
    room: Arc<Semaphore>,
    by_address: Shares<IpAddr>,
    last_told: Mutex<Option<Instant>>,
}

impl Places {
    fn new(gateway: &Gateway) -> Self {
        Self {
            room: gateway.connections.clone(),
            by_address: Shares::default(),
            last_told: Mutex::default(),
        }
    }

    /// A place for a connection from there, or the limit that it would exceed.
    fn take(&self, address: IpAddr, gateway: &Gateway) -> Result<Place, &'static str> {
        let limits = &gateway.limits;
        let is_proxy = gateway.server.trusted_proxies.contains(&address);
        let of_address = match is_proxy {
            true => None,
            false => Some(
                self.by_address
                    .take(network(address), limits.connections_per_address)
                    .ok_or("limits.connections_per_address")?,
            ),
        };
        let open = MOST_CONNECTIONS as usize - self.room.available_permits();
        let room = self.room.clone().try_acquire_owned();
        let room = room
            .ok()
            .filter(|_| open < limits.connections)
            .ok_or("limits.connections")?;
        Ok(Place {
            _room: room,
            _of_address: of_address,
        })
    }

    /// Tells the operator that somebody was turned away, but not each time.
    fn tell(&self, address: IpAddr, limit: &'static str) {
        let mut last = self
            .last_told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= TOLD_EVERY) {
            *last = Some(Instant::now());
            tracing::warn!(%address, limit, "connections are turned away: there are too many");
        }
    }
}

/// What one customer has many addresses of is one: a /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
    }
}

impl Service {
    fn new(live: Live) -> Result<Self, String> {
        let gateway = live.gateway();
        let acceptor = gateway.server.tls.as_ref().map(tls::acceptor).transpose()?;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .max_buf_size(MAX_HEADERS_BYTES.max(64 << 10));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADERS_BYTES as u32)
            .max_send_buf_size(MAX_SEND_BYTES)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        Ok(Self {
            builder,
            deadlines: deadlines(&gateway),
            acceptor,
            stage: gateway.stage.subscribe(),
            live,
        })
    }

    /// The same, with the deadlines as they are set now.
    fn with_deadlines(&self, gateway: &Gateway) -> Self {
        Self {
            deadlines: deadlines(gateway),
            ..self.clone()
        }
    }
}

fn deadlines(gateway: &Gateway) -> Deadlines {
    Deadlines {
        headers: gateway.server.header_timeout,
        idle: gateway.server.idle,
        send: gateway.server.send_timeout,
        least: gateway.server.least_in_send_timeout(),
        age: gateway.server.max_connection_age,
        grace: gateway.limits.timeout,
    }
}

/// One connection, from its first byte to its end.
async fn converse(service: Service, stream: TcpStream, activity: ConnectionActivity) {
    // answers are written whole: waiting for more would only delay them
    let _ = stream.set_nodelay(true);
    // what waits to be read waits here, where it is counted, and not with the system
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES);
    let address = activity.address;
    let mut peer = Peer {
        address,
        certificate: None,
    };
    let activity = Arc::new(activity);
    let stream = WriteTimeout::new(
        stream,
        activity.clone(),
        service.deadlines.send,
        service.deadlines.least,
    );
    let outcome = match &service.acceptor {
        None => answer(&service, stream, peer, activity).await,
        // boxed: it is larger, and who comes without need not make room for it
        Some(acceptor) => {
            match tokio::time::timeout(service.deadlines.headers, Box::pin(acceptor.accept(stream)))
                .await
            {
                Ok(Ok(stream)) => {
                    peer.certificate = tls::fingerprint(&stream);
                    Box::pin(answer(&service, stream, peer, activity)).await
                }
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err("the handshake takes too long (server.header_timeout)".into()),
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%address, %error, "a connection ended badly");
    }
}

async fn answer<S>(
    service: &Service,
    stream: S,
    peer: Peer,
    activity: Arc<ConnectionActivity>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let live = service.live.clone();
    let of_requests = activity.clone();
    let respond = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        // the one that is there when a request begins answers it
        let (router, peer, activity) = (live.service().router(), peer.clone(), of_requests.clone());
        async move {
            let version = request.version();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let under_way = Arc::new(activity.begin(version == Version::HTTP_2));
            request.extensions_mut().insert(under_way);
            let mut response = router.oneshot(request).await?;
            if activity.is_closing()
                && version <= Version::HTTP_11
                && response.status() != StatusCode::SWITCHING_PROTOCOLS
            {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = service
        .builder
        .serve_connection_with_upgrades(TokioIo::new(stream), respond)
        .into_owned();
    activity
        .drive(
            connection,
            |connection| connection.graceful_shutdown(),
            service.deadlines,
            service.stage.clone(),
        )
        .await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_of_ipv6_is_one_and_proxies_are_not_counted() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

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
        let crowd =
            futures_util::future::try_join_all((0..CROWD).map(|_| TcpStream::connect(address)));
        // those for whom there is no room come in when somebody is let in; nobody is
        let connected = tokio::time::timeout(Duration::from_secs(20), crowd)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(connected.len(), CROWD);
    }
}
