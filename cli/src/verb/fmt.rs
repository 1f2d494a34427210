//! `trialogue fmt`: scenario files in one layout, or as the arrows of a flow.

use std::path::Path;

use anyhow::Context as _;
use clap::ValueEnum;
use trialogue_scenarios::file::{flow, read, tidy};

use super::Context;
use crate::exit::{Exit, Failure, Mistakes};
use crate::library::{Place, find, load};
use crate::out::Out;

/// Arguments of `fmt`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names of bundled scenarios, files, folders with `*.scn.yaml`, or patterns
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Print instead of write: the file, or its steps as arrows
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    /// Change nothing; exit 1 when a file is laid out in another way
    #[arg(long, conflicts_with = "kind")]
    check: bool,
}

/// As what a scenario is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The file itself
    Yaml,
    /// One line a step: who -> what
    Flow,
}

/// Writes files in their one layout, and says which were changed.
pub(crate) fn run(args: &Args, _: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let mut other = Vec::new();
    for (n, place) in find(&args.scenarios)?.iter().enumerate() {
        let source = load(place)?;
        if let (Place::Bundled(name), None, false) = (place, args.kind, args.check) {
            return Err(Failure::usage(format!(
                "{name} is part of the program and cannot be written: `fmt --as yaml {name}` \
                 prints it"
            ))
            .into());
        }
        if args.kind == Some(Kind::Flow) {
            let scenario = read(&source).map_err(Mistakes)?;
            let between = if n > 0 { "\n" } else { "" };
            out.data(format!("{between}{}", flow::write(&scenario)).trim_end_matches('\n'))?;
            continue;
        }
        let tidied = tidy(&source).map_err(Mistakes)?;
        if args.kind == Some(Kind::Yaml) {
            out.data(tidied.trim_end_matches('\n'))?;
        } else if tidied != source.text() {
            other.push(source.name().to_owned());
            match place {
                Place::File(path) if !args.check => write(path, &tidied, out)?,
                // What is part of the program cannot be written, and is laid out well.
                Place::File(_) | Place::Bundled(_) => {
                    out.say(&format!("{}: would change", source.name()))
                }
            }
        }
    }
    match args.check && !other.is_empty() {
        true => Ok(out.verdict(
            Exit::FAILED,
            "layout",
            &format!("laid out in another way: {}", other.join(", ")),
        )),
        false => Ok(Exit::DONE),
    }
}

/// A new file in the place of the old one: a crash leaves one of the two, whole.
fn write(path: &Path, text: &str, out: &mut Out) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let fresh = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
    let written = fresh.and_then(|mut fresh| {
        std::io::Write::write_all(&mut fresh, text.as_bytes())?;
        fresh.as_file().set_permissions(std::fs::metadata(path)?.permissions())?;
        fresh.persist(path).map_err(|error| error.error)
    });
    written.with_context(|| format!("cannot write {}", path.display()))?;
    out.say(&format!("{}: changed", path.display()));
    Ok(())
}
