//! The body of an answer: bytes at once, and a watch over whether they were taken.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::session::Session;
use crate::reason::DisconnectReason;

/// The body of what [`super::Server::serve`] answers.
pub struct ResponseBody {
    bytes: Bytes,
    /// The session whose packets these are. If the HTTP server drops the body before it has taken
    /// them, they are lost, and a session that has lost packets must end.
    session: Option<Arc<Session>>,
}

impl ResponseBody {
    pub(super) fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), session: None }
    }

    pub(super) fn packets(bytes: Bytes, session: Arc<Session>) -> Self {
        Self { bytes, session: Some(session) }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ResponseBody({} bytes)", self.bytes.len())
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.session = None;
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            session.close(DisconnectReason::TransportError);
        }
    }
}
