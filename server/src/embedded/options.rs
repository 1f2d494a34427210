//! What the private PostgreSQL may be told from outside, read from the environment once.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Which programs to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Programs {
    /// Look for installed ones, then for downloaded ones, then download.
    Find,
    /// `TRIALOGUE_PG_BIN=none`: pass over installed ones.
    Download,
    /// `TRIALOGUE_PG_BIN=DIR`.
    Folder(PathBuf),
}

/// Something that takes long enough to be said aloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The one download; the URL it comes from.
    Downloading(String),
    /// First start: a new cluster is made in this folder.
    Initialising(PathBuf),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Downloading(url) => write!(f, "no PostgreSQL found, downloading {url}"),
            Self::Initialising(folder) => {
                write!(f, "first start: making a database in {}", folder.display())
            }
        }
    }
}

/// Who hears notices. The library itself prints nothing.
pub type Listener = Arc<dyn Fn(&Notice) + Send + Sync>;

/// Settings of the private PostgreSQL (HOUSE §8).
#[derive(Clone)]
pub struct Options {
    /// `TRIALOGUE_PG_BIN`.
    pub programs: Programs,
    /// `TRIALOGUE_PG_MIRROR`: where the download comes from, without a final slash.
    pub mirror: String,
    /// `TRIALOGUE_DATA_DIR`: where clusters and downloads are kept; `None` is the user's data
    /// folder, as root `/var/lib/trialogue`.
    pub data: Option<PathBuf>,
    /// Where sockets and throw-away clusters go.
    pub temporary: PathBuf,
    /// Hears what takes long.
    pub listener: Listener,
}

impl Options {
    /// The settings that the environment asks for; notices go to the log.
    #[must_use]
    pub fn from_env() -> Self {
        let programs = match std::env::var_os("TRIALOGUE_PG_BIN") {
            None => Programs::Find,
            Some(value) if value.is_empty() => Programs::Find,
            Some(value) if value == "none" => Programs::Download,
            Some(value) => Programs::Folder(value.into()),
        };
        let mirror = std::env::var("TRIALOGUE_PG_MIRROR").ok().filter(|url| !url.is_empty());
        let mirror = mirror.unwrap_or_else(|| super::download::MIRROR.to_owned());
        Self {
            programs,
            mirror: mirror.trim_end_matches('/').to_owned(),
            data: std::env::var_os("TRIALOGUE_DATA_DIR")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            temporary: std::env::temp_dir(),
            listener: Arc::new(|notice| tracing::info!("{notice}")),
        }
    }

    /// The same settings, with another listener.
    #[must_use]
    pub fn with_listener(mut self, listener: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.listener = Arc::new(listener);
        self
    }

    pub(super) fn tell(&self, notice: &Notice) {
        (self.listener)(notice);
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("programs", &self.programs)
            .field("mirror", &self.mirror)
            .field("data", &self.data)
            .field("temporary", &self.temporary)
            .finish_non_exhaustive()
    }
}
