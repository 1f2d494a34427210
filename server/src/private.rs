//! The private PostgreSQL of a server that was given none: had at the start, kept while it serves,
//! gone with it.

use std::time::Duration;

use crate::config::Config;
use crate::running::RunError;

/// Between two looks at whether a private PostgreSQL still runs.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);

/// What keeps a private PostgreSQL alive, if there is one.
#[cfg(unix)]
pub(crate) type PrivateDatabase = Option<crate::embedded::Cluster>;
#[cfg(not(unix))]
pub(crate) type PrivateDatabase = ();

/// Starts or adopts it: its address, and what owns it.
#[cfg(unix)]
pub(crate) async fn start(config: &Config) -> Result<(String, PrivateDatabase), RunError> {
    let mut options = crate::embedded::Options::from_env();
    options.data = config.data_dir.clone().or(options.data);
    let cluster = crate::embedded::Cluster::persistent_with(&options).await?;
    Ok((cluster.own_database().await?, Some(cluster)))
}

/// Starts a private PostgreSQL again whenever it is gone: nobody else would. For ever.
#[cfg(unix)]
pub(crate) async fn keep(database: &PrivateDatabase) {
    let Some(cluster) = database else { return std::future::pending().await };
    let mut tick = tokio::time::interval(KEEP_INTERVAL);
    loop {
        tick.tick().await;
        match cluster.revive().await {
            Ok(false) => {}
            Ok(true) => tracing::warn!("the private database had ended and was started again"),
            Err(error) => tracing::warn!(%error, "the private database does not start"),
        }
    }
}

#[cfg(not(unix))]
pub(crate) async fn keep(_: &PrivateDatabase) {
    std::future::pending().await
}

/// Lets go of a private PostgreSQL, so that nothing runs any more once the server has ended.
#[cfg(unix)]
pub(crate) async fn stop(database: PrivateDatabase) {
    if let Some(cluster) = database
        && let Err(error) = cluster.stop().await
    {
        tracing::warn!(%error, "the private database did not stop");
    }
}

#[cfg(not(unix))]
pub(crate) async fn stop(_: PrivateDatabase) {}

#[cfg(not(unix))]
pub(crate) async fn start(_: &Config) -> Result<(String, PrivateDatabase), RunError> {
    Err(RunError::NoDatabase)
}
