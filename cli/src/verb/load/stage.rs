//! A server of our own for a run, with a database that nobody else has; nothing of it is left.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use trialogue_faults::{LISTEN, ServerCommand, ServerProcess};
use trialogue_server::embedded::{Cluster, Database};
use url::Url;

use super::outage::OwnServer;
use crate::out::Out;
use crate::play::{cluster, drop_database, token_secret};

/// A database from nothing on a slow disk.
const START_WITHIN: Duration = Duration::from_secs(60);
/// The server promises ten seconds.
const STOP_WITHIN: Duration = Duration::from_secs(15);
/// Longer than any run: nobody has to renew a token.
const ACCESS_TTL: &str = "25h";

/// The server, its database and PostgreSQL.
pub(super) struct Stage {
    server: Arc<OwnServer>,
    url: String,
    database: Database,
    cluster: Cluster,
}

impl Stage {
    /// Starts all of it.
    pub(super) async fn set(database_url: Option<&str>, out: &mut Out) -> anyhow::Result<Self> {
        let cluster = cluster(database_url, out).await?;
        let database = cluster.fresh_database("load").await?;
        let program = std::env::current_exe().context("cannot find this program")?;
        let args = ["serve", "--json", "--exit-with-stdin", "--open-registration"];
        let more = ["--listen", LISTEN, "--limits", "bench", "--access-ttl", ACCESS_TTL];
        // The URL goes by the environment: arguments are for everybody to see.
        let command = ServerCommand::new(program, args.into_iter().chain(more))
            .env("DATABASE_URL", &database.url())
            // Tokens outlive a restart.
            .env("TRIALOGUE_JWT_SECRET", token_secret());
        match ServerProcess::start(&command, START_WITHIN).await {
            Ok(server) => {
                let url = server.url().to_owned();
                Ok(Self { server: Arc::new(OwnServer::new(server)), url, database, cluster })
            }
            Err(error) => {
                drop_database(database).await;
                cluster.stop().await?;
                Err(error.into())
            }
        }
    }

    pub(super) fn url(&self) -> anyhow::Result<Url> {
        self.url.parse().context("the server's own address")
    }

    /// The server, to be ended and started again.
    pub(super) fn server(&self) -> Arc<OwnServer> {
        self.server.clone()
    }

    /// The server's process.
    pub(super) fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Ends all of it.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        if let Some(mut server) = self.server.take()
            && let Err(error) = server.stop(STOP_WITHIN).await
        {
            tracing::warn!(%error, "the server did not stop by itself");
        }
        drop_database(self.database).await;
        self.cluster.stop().await?;
        Ok(())
    }
}
