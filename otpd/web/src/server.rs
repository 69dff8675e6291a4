//! Connections: accepted, bounded in number and time, each served by hyper, ended gracefully.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::header;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use socket2::SockRef;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use crate::browser::Peer;
use crate::guests::Guest;
use crate::guests::Guests;
use crate::listen::Listener;
use crate::proxies::Proxies;
use crate::shelf::Full;
use crate::shelf::Slot;
use crate::shelf::Slots;
use crate::tls::Certificate;

/// What every connection is served with.
pub struct Server {
    router: Router,
    slots: Slots,
    guests: Arc<Guests>,
    proxies: Proxies,
    certificate: Option<Arc<Certificate>>,
    loopback_tls: bool,
    stop: watch::Receiver<bool>,
}

impl Server {
    /// `stop` becomes true when it is time.
    #[must_use]
    pub fn new(
        router: Router,
        slots: Slots,
        proxies: Proxies,
        tls: (Option<Arc<Certificate>>, bool),
        stop: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let (certificate, loopback_tls) = tls;
        let guests = Arc::default();
        Arc::new(Self { router, slots, guests, proxies, certificate, loopback_tls, stop })
    }

    /// Serves one listener until it is time to stop, and then until its connections have ended.
    ///
    /// # Errors
    /// The runtime cannot watch the listener.
    pub async fn run(self: Arc<Self>, listener: Listener) -> std::io::Result<()> {
        let mut stop = self.stop.clone();
        // Each connection holds one; when the last is gone, all have ended.
        let (open, mut closed) = tokio::sync::mpsc::channel::<()>(1);
        match listener {
            Listener::Tcp(listener, at) => {
                let listener = TcpListener::from_std(listener)?;
                let tls = self.loopback_tls || !at.ip().is_loopback();
                loop {
                    let accepted = tokio::select! {
                        accepted = listener.accept() => accepted,
                        _ = stop.wait_for(|stop| *stop) => break,
                    };
                    match accepted {
                        Ok((stream, from)) => {
                            // Replies are short; without it the last part of each would wait.
                            let _ = stream.set_nodelay(true);
                            // Whoever reads slowly is waited for, whoever reads nothing is not: the kernel sees which.
                            let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD));
                            self.begin(stream, Some(from.ip()), tls, open.clone());
                        }
                        Err(error) => pause(&error).await,
                    }
                }
            }
            Listener::Unix(listener, _) => {
                let listener = UnixListener::from_std(listener)?;
                loop {
                    let accepted = tokio::select! {
                        accepted = listener.accept() => accepted,
                        _ = stop.wait_for(|stop| *stop) => break,
                    };
                    match accepted {
                        Ok((stream, _)) => self.begin(stream, None, false, open.clone()),
                        Err(error) => pause(&error).await,
                    }
                }
            }
        }
        drop(open);
        let _ = closed.recv().await;
        Ok(())
    }

    fn begin<S>(self: &Arc<Self>, stream: S, from: Option<IpAddr>, tls: bool, open: Open)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // All browsers behind a proxy have its address.
        let counted = from.filter(|address| !self.proxies.contain(*address));
        // Nothing is read and nothing said: whoever holds too many connections pays for the next.
        let Some(slot) = self.place_for(counted) else { return };
        // A proxy's connections are ours to keep: it may send a request at any instant, and not twice.
        let guest = counted.map(|_| Arc::new(self.guests.welcome()));
        let server = Arc::clone(self);
        let peer = Peer { address: from, tls };
        tokio::spawn(async move {
            match &guest {
                None => server.serve(stream, peer, None).await,
                Some(guest) => tokio::select! {
                    () = server.serve(stream, peer, Some(guest)) => {}
                    () = guest.cut() => {}
                },
            }
            drop((slot, open));
        });
    }

    fn place_for(&self, counted: Option<IpAddr>) -> Option<Slot> {
        match self.slots.take(counted) {
            // It goes a moment later.
            Err(Full::ForAll) if self.guests.cut_longest() => self.slots.take_one_more(counted).ok(),
            taken => taken.ok(),
        }
    }

    async fn serve<S>(&self, stream: S, peer: Peer, guest: Option<&Arc<Guest>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match self.certificate.as_ref().filter(|_| peer.tls) {
            None if peer.tls => {}
            None => self.speak(stream, peer, guest).await,
            Some(certificate) => {
                let acceptor = TlsAcceptor::from(certificate.now());
                if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    self.speak(stream, peer, guest).await;
                }
            }
        }
    }

    async fn speak<S>(&self, stream: S, peer: Peer, guest: Option<&Arc<Guest>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            // It may have come with a length as well, and whoever stands before us may have gone by that: what follows
            // could be somebody's body to them and a request to us (RFC 9112, section 6.1).
            let is_last = request.headers().contains_key(header::TRANSFER_ENCODING);
            let mut router = router.clone();
            let guest = guest.cloned();
            if let Some(guest) = &guest {
                // Whoever keeps us waiting for a body is not served yet: see the guard.
                if request.body().is_end_stream() {
                    guest.is_served();
                } else {
                    request.extensions_mut().insert(Arc::clone(guest));
                }
            }
            async move {
                let mut response = router.call(request).await?;
                if let Some(guest) = guest {
                    guest.waits();
                }
                if is_last {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_buf_size(LARGEST_HEAD)
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = &mut connection => return,
            _ = stop.wait_for(|stop| *stop) => {}
            () = tokio::time::sleep(LONGEST) => {}
        }
        connection.as_mut().graceful_shutdown();
        // A reader that is too slow has had its time.
        let _ = tokio::time::timeout(LAST_WORDS, connection).await;
    }
}

/// Out of descriptors: some are given back soon.
async fn pause(error: &std::io::Error) {
    log::error!("accepting a connection: {error}");
    tokio::time::sleep(Duration::from_millis(200)).await;
}

type Open = tokio::sync::mpsc::Sender<()>;

/// For the head of a request, from its first wait on: an idle connection ends by it too.
const HEADERS: Duration = Duration::from_secs(10);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// In which the other end has to take in something of an answer.
const UNREAD: Duration = Duration::from_secs(20);
const LARGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
/// Of a connection, whatever it does.
const LONGEST: Duration = Duration::from_secs(600);
const LAST_WORDS: Duration = Duration::from_secs(5);
