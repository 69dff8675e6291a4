//! A connection whose other end does not read: after a while it is over, and what was to be written is forgotten.

use std::future::Future;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Sleep;

/// A stream on which a write that gets nowhere for so long is an error.
#[derive(Debug)]
pub struct Stalls<S> {
    stream: S,
    longest: Duration,
    since: Option<Pin<Box<Sleep>>>,
}

impl<S> Stalls<S> {
    /// Wraps a stream.
    #[must_use]
    pub fn new(stream: S, longest: Duration) -> Self {
        Self { stream, longest, since: None }
    }

    /// What a write came to, or the end of its time.
    fn timed<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.since = None;
            return written;
        }
        let longest = self.longest;
        let since = self.since.get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)));
        ready!(since.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalls<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalls<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.timed(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.timed(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.timed(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.timed(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::UnixStream;

    use super::*;

    /// Writes until nothing more goes, and says whether that was an error.
    async fn fill(stream: &mut Stalls<UnixStream>, waits: bool) -> io::Result<()> {
        poll_fn(|context| {
            loop {
                match Pin::new(&mut *stream).poll_write(context, &[b'x'; 4096]) {
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending if waits => return Poll::Pending,
                    Poll::Pending => return Poll::Ready(Ok(())),
                }
            }
        })
        .await
    }

    #[tokio::test]
    async fn whoever_reads_something_is_waited_for_and_whoever_reads_nothing_is_not() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut ours = Stalls::new(ours, Duration::from_secs(3600));
        fill(&mut ours, false).await.unwrap();
        assert!(ours.since.is_some(), "the time runs");
        while theirs.try_read(&mut [0; 65_536]).is_ok() {}
        poll_fn(|context| Pin::new(&mut ours).poll_write(context, b"x")).await.unwrap();
        assert!(ours.since.is_none(), "something was read");
        let mut ours = Stalls::new(ours.stream, Duration::from_millis(1));
        assert_eq!(fill(&mut ours, true).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
