//! A body that is passed on as it comes, and looked at when it is over.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

/// Longest body that is looked at, in bytes: a page of the longest messages. What is longer passes
/// unseen.
pub(super) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Is told of the whole body: nothing when it was too long or broke off.
type Seen = Box<dyn FnOnce(Option<Bytes>) + Send + Sync>;

/// A body with somebody who looks at it.
pub(super) struct Tee {
    inner: reqwest::Body,
    kept: Option<BytesMut>,
    seen: Option<Seen>,
}

impl fmt::Debug for Tee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tee")
    }
}

impl Tee {
    pub(super) fn new(
        inner: reqwest::Body,
        seen: impl FnOnce(Option<Bytes>) + Send + Sync + 'static,
    ) -> Self {
        Self { inner, kept: Some(BytesMut::new()), seen: Some(Box::new(seen)) }
    }

    fn end(&mut self, is_whole: bool) {
        if let Some(seen) = self.seen.take() {
            seen(self.kept.take().filter(|_| is_whole).map(BytesMut::freeze));
        }
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        // A body without a byte is never asked for one.
        let is_whole = self.inner.is_end_stream();
        self.end(is_whole);
    }
}

impl Body for Tee {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(data), Some(kept)) = (frame.data_ref(), &mut this.kept) {
                    if kept.len() + data.len() > BODY_BYTES_MAX {
                        this.kept = None;
                    } else {
                        kept.extend_from_slice(data);
                    }
                }
                // Told before the last byte is passed on.
                if this.inner.is_end_stream() {
                    this.end(true);
                }
            }
            Poll::Ready(None) => this.end(true),
            Poll::Ready(Some(Err(_))) => this.end(false),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
