//! Scenarios by name: those that are part of the program, files, and folders of files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use trialogue_scenarios::source::Source;
use trialogue_scenarios::{bundled, bundled_names};

use crate::exit::Failure;

/// How scenario files end.
const SUFFIX: &str = ".scn.yaml";

/// Where a scenario is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Part of the program.
    Bundled(&'static str),
    /// A file.
    File(PathBuf),
}

/// What names, files and folders stand for; a folder for its scenario files, by name.
pub(crate) fn find(words: &[String]) -> anyhow::Result<Vec<Place>> {
    let mut places = Vec::new();
    for word in words {
        if let Some(name) = bundled_names().find(|name| name == word) {
            places.push(Place::Bundled(name));
            continue;
        }
        let path = Path::new(word);
        if path.is_dir() {
            places.extend(files_of(path)?.into_iter().map(Place::File));
        } else if path.is_file() {
            places.push(Place::File(path.to_owned()));
        } else {
            let names = bundled_names().collect::<Vec<_>>().join(", ");
            let text = format!("`{word}` is neither a file nor a folder nor one of {names}");
            return Err(Failure::usage(text).into());
        }
    }
    if places.is_empty() {
        return Err(Failure::usage(format!("no {SUFFIX} files there")).into());
    }
    Ok(places)
}

fn files_of(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.is_file() && path.to_string_lossy().ends_with(SUFFIX) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads the text of one.
pub(crate) fn load(place: &Place) -> anyhow::Result<Arc<Source>> {
    match place {
        Place::Bundled(name) => {
            bundled(name).with_context(|| format!("{name} is not part of this program"))
        }
        Place::File(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
            Ok(Source::new(path.to_string_lossy(), text))
        }
    }
}
