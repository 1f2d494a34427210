//! `--watch`: whether a file has changed since it was looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::choose::ChooseArgs;
use crate::library::{Place, find};

/// Between two looks: a person's save is noticed at once, and a disk is not kept awake.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// When the files were written last.
pub(super) struct Look {
    words: Vec<String>,
    files: BTreeMap<PathBuf, Option<SystemTime>>,
}

impl Look {
    /// At everything that the words stand for now.
    pub(super) fn at(args: &ChooseArgs) -> anyhow::Result<Self> {
        let words = args.words();
        Ok(Self { files: files(&words), words })
    }

    /// Waits until one is written, comes or goes.
    pub(super) async fn wait(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if files(&self.words) != self.files {
                return;
            }
        }
    }
}

/// A file that is being replaced is not there for a moment: that is a change too.
fn files(words: &[String]) -> BTreeMap<PathBuf, Option<SystemTime>> {
    let places = words.iter().filter_map(|word| find(std::slice::from_ref(word)).ok()).flatten();
    let files = places.filter_map(|place| match place {
        Place::File(path) => Some(path),
        Place::Bundled(_) => None,
    });
    files
        .map(|path| {
            let written = std::fs::metadata(&path).and_then(|of| of.modified()).ok();
            (path, written)
        })
        .collect()
}
