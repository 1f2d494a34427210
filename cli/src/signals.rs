//! The two ways in which a person or a service manager asks a verb to end.

use crate::exit::Exit;

/// Waits for Ctrl-C or SIGTERM; answers the exit code that says which one came.
pub(crate) async fn first() -> Exit {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                () = interrupted() => Exit::INTERRUPTED,
                Some(()) = terminate.recv() => Exit::TERMINATED,
            };
        }
    }
    interrupted().await;
    Exit::INTERRUPTED
}

/// Waits for Ctrl-C; for ever where the system cannot tell us of it.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
