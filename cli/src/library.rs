//! Scenarios by name: those that are part of the program, files, folders of files, and patterns.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use trialogue_scenarios::source::{Source, nearest, utf8_of};
use trialogue_scenarios::{bundled, bundled_names};

use crate::exit::Failure;

/// How scenario files end.
const SUFFIX: &str = ".scn.yaml";
/// Deepest folder inside a folder that is looked into.
const DEPTH_MAX: usize = 16;

/// Where a scenario is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Part of the program.
    Bundled(&'static str),
    /// A file.
    File(PathBuf),
}

/// What names, files, folders and patterns stand for; a folder for all scenario files in it and in
/// its folders, by name. Nothing is there twice.
pub(crate) fn find(words: &[String]) -> anyhow::Result<Vec<Place>> {
    let mut places: Vec<Place> = Vec::new();
    for word in words {
        let found = match bundled_names().find(|name| name == word) {
            Some(name) => vec![Place::Bundled(name)],
            None => files_of_word(word)?.into_iter().map(Place::File).collect(),
        };
        for place in found {
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    if places.is_empty() {
        return Err(Failure::usage(format!("no {SUFFIX} files there")).into());
    }
    Ok(places)
}

fn files_of_word(word: &str) -> anyhow::Result<Vec<PathBuf>> {
    let path = Path::new(word);
    if path.is_dir() {
        let mut files = Vec::new();
        collect(path, DEPTH_MAX, &mut files)?;
        files.sort();
        // As people write them, and as CI finds them.
        let short = |path: PathBuf| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
        return Ok(files.into_iter().map(short).collect());
    }
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if word.contains(['*', '?', '[']) {
        let wrong = |error: glob::PatternError| Failure::usage(format!("`{word}`: {}", error.msg));
        // The pattern says how names end; what cannot be read is not there.
        return Ok(glob::glob(word).map_err(wrong)?.flatten().filter(|p| p.is_file()).collect());
    }
    let hint = nearest(word, bundled_names());
    let hint = hint.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    let text = format!(
        "`{word}` is neither a file nor a folder nor a scenario of the program{hint} \
         (`trialogue run --list` names them)"
    );
    Err(Failure::usage(text).into())
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let path = entry.path();
        // A folder behind a link may be one that is above it.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if is_folder && !is_hidden && depth > 0 {
            collect(&path, depth - 1, files)?;
        } else if path.is_file() && path.to_string_lossy().ends_with(SUFFIX) {
            files.push(path);
        }
    }
    Ok(())
}

/// Reads the text of one.
pub(crate) fn load(place: &Place) -> anyhow::Result<Arc<Source>> {
    match place {
        Place::Bundled(name) => {
            bundled(name).with_context(|| format!("{name} is not part of this program"))
        }
        Place::File(path) => Ok(Source::new(path.to_string_lossy(), text_at(path)?)),
    }
}

/// The text of a file that a person wrote; one that is none is told with the place of the byte.
pub(crate) fn text_at(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    utf8_of(bytes).map_err(|wrong| Failure::usage(format!("{}:{wrong}", path.display())))
}
