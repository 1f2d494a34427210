//! Which database a verb of operators works on.

use std::path::PathBuf;

use trialogue_server::config::Secret;

use crate::exit::Failure;

/// Flags; without them the private database of this user, when it runs.
#[derive(clap::Args)]
pub(crate) struct DatabaseFrom {
    /// PostgreSQL to work on; without it the private one, when it runs (prefer the variable)
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<Secret>,
    /// Folder that holds the private database
    #[arg(long, value_name = "DIR", env = "TRIALOGUE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

impl DatabaseFrom {
    /// Its address.
    pub(crate) fn url(&self) -> anyhow::Result<Secret> {
        if let Some(url) = &self.database_url {
            return Ok(url.clone());
        }
        match self.private_url()? {
            Some(url) => Ok(Secret::new(url)),
            None => {
                let text = "no database: set DATABASE_URL, or start `trialogue serve` first";
                Err(Failure::usage(text).into())
            }
        }
    }

    #[cfg(unix)]
    fn private_url(&self) -> anyhow::Result<Option<String>> {
        use trialogue_server::embedded::{self, Options};
        let mut options = Options::from_env();
        options.data = self.data_dir.clone();
        Ok(embedded::running(&options)?.into_iter().next().map(|found| found.url))
    }

    #[cfg(not(unix))]
    fn private_url(&self) -> anyhow::Result<Option<String>> {
        Ok(None)
    }
}
