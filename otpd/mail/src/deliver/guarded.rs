//! A connection to a server that nobody has proven yet: it gives out one line at a time, and so many bytes in all.
//!
//! One line, because the SMTP client reads ahead: what came in the clear behind the answer to STARTTLS would be taken
//! for answers from behind the encryption, so somebody on the way could make up a delivery (the flaw of CVE-2011-0411).
//! Here the rest of those bytes goes to the TLS handshake, which fails on them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

/// The guarded connection.
#[derive(Debug)]
pub(super) struct Guarded {
    tcp: TcpStream,
    /// Received, not yet given out.
    held: Vec<u8>,
    received: usize,
}

impl Guarded {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self { tcp, held: Vec::new(), received: 0 }
    }

    /// Receives some bytes; none at the end.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut chunk = [0_u8; 4096];
        let mut read = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.tcp).poll_read(context, &mut read))?;
        self.received = self.received.saturating_add(read.filled().len());
        if self.received > MOST {
            return Poll::Ready(Err(io::Error::other(format!("the server sent more than {MOST} bytes"))));
        }
        self.held.extend_from_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.held.is_empty() {
            ready!(self.poll_receive(context))?;
        }
        let line = self
            .held
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(self.held.len(), |end| end.saturating_add(1));
        let rest = self.held.split_off(line.min(into.remaining()));
        into.put_slice(&self.held);
        self.held = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Guarded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.peer_addr()
    }
}

/// Certificates and answers of a whole connection are a few thousand.
const MOST: usize = 256 * 1024;
