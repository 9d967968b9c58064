//! The stream under a connection: notes what is read and written, and gives up on a client that
//! takes too little of what it asked for, or that was cut off. Not tokio-io-timeout: any byte
//! within its time satisfies that.

use super::connection_activity::ConnectionActivity;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// A stream that gives up when writing gets nowhere.
pub(super) struct WriteTimeout<S> {
    stream: S,
    /// Set while a write waits, and until enough was written since.
    until: Option<Pin<Box<Sleep>>>,
    written: u64,
    timeout: Duration,
    /// To be written within `timeout`.
    least: u64,
    activity: Arc<ConnectionActivity>,
}

impl<S> WriteTimeout<S> {
    pub fn new(
        stream: S,
        activity: Arc<ConnectionActivity>,
        timeout: Duration,
        least: u64,
    ) -> Self {
        Self {
            stream,
            until: None,
            written: 0,
            timeout,
            least,
            activity,
        }
    }

    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        progress: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.activity.wrote(progress.is_pending());
        if let Poll::Ready(Ok(bytes)) = &progress
            && self.until.is_some()
        {
            self.written += *bytes as u64;
            if self.written >= self.least {
                self.is_done();
            }
        }
        self.judge(context, progress)
    }

    /// Nothing waits.
    fn is_done(&mut self) {
        (self.until, self.written) = (None, 0);
    }

    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            return progress;
        }
        let until = self
            .until
            .get_or_insert_with(|| Box::pin(sleep(self.timeout)));
        if until.deadline() <= Instant::now() || until.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client takes too little of its answer (server.send_timeout)",
            )));
        }
        Poll::Pending
    }

    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        if self.activity.poll_cut(context) {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "too much waits to be read (limits.unread_bytes)",
            ));
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check(context)?;
        let before = buffer.filled().len();
        let progress = Pin::new(&mut this.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            this.activity.read();
        }
        progress
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check(context)?;
        let progress = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.wrote(context, progress)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check(context)?;
        let progress = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.wrote(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_flush(context);
        if progress.is_ready() {
            this.is_done();
        }
        this.judge(context, progress)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_shutdown(context);
        this.judge(context, progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const PATIENCE: Duration = Duration::from_secs(8);

    /// What becomes of 64 bytes of which the other side takes 16 every so many seconds.
    async fn written(every: u64) -> io::Result<()> {
        let activity = Arc::new(ConnectionActivity::of(Ipv4Addr::LOCALHOST.into(), None));
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut ours = WriteTimeout::new(ours, activity, PATIENCE, 32);
        let reading = async {
            let mut read = [0; 16];
            loop {
                tokio::time::sleep(Duration::from_secs(every)).await;
                theirs.read_exact(&mut read).await.unwrap();
            }
        };
        tokio::select! {
            written = ours.write_all(&[7; 128]) => written,
            () = reading => unreachable!(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_is_served_and_who_reads_hardly_or_not_is_let_go() {
        written(3).await.unwrap();
        for every in [7, 1_000] {
            assert_eq!(
                written(every).await.unwrap_err().kind(),
                io::ErrorKind::TimedOut,
                "{every}"
            );
        }
    }

    #[tokio::test]
    async fn who_is_cut_off_is_woken_to_be_told() {
        let activity = Arc::new(ConnectionActivity::of(Ipv4Addr::LOCALHOST.into(), None));
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut ours = WriteTimeout::new(ours, activity.clone(), Duration::from_secs(600), 32);
        let waiting = tokio::spawn(async move { ours.write_all(&[7; 64]).await });
        while !activity.is_writing() {
            tokio::task::yield_now().await;
        }
        activity.cut();
        assert_eq!(
            waiting.await.unwrap().unwrap_err().kind(),
            io::ErrorKind::ConnectionAborted
        );
    }
}
