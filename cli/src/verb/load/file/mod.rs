//! Plans as files: `load -f evening.load.yaml`. What a file may say is what flags may say, so both
//! have the same words and bounds; what is wrong is told with its place, all of it at once.

mod fields;
mod schema;
mod write;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use trialogue_scenarios::source::Source;

pub(crate) use schema::schema;
pub(super) use write::write;

use super::Args;
use crate::exit::Failure;
use crate::out::{self, Out};
use crate::settings::{Parsed, Settings};
use crate::verb::{Context, Verb};
use fields::Field;

/// The version of the format.
const VERSION: i64 = 1;
/// Flags that say what to do with a plan, and are no part of one.
const APART: [&str; 5] = ["help", "file", "dry_run", "write_plan", "no_tui"];
/// What a list is called in a file.
const PLURALS: [(&str, &str); 3] =
    [("target", "targets"), ("phase", "phases"), ("report", "reports")];
/// The argument that has no flag: what kind of load.
const WORKLOAD: &str = "workload";

/// A field and its values, as the command line or a file gave them.
pub(super) type Given = Vec<(String, Vec<String>)>;

/// The arguments with what their file says and no flag does, and everything that was given.
///
/// # Errors
/// The file cannot be read, or something in it makes no sense.
pub(super) fn complete(
    args: Args,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<(Args, Given)> {
    let Some(path) = &args.file else {
        let given = given(&context.settings);
        return Ok((args, given));
    };
    let (command, matches) = of_load(&context.settings)?;
    let source = source(path)?;
    let fields = match fields::read(&source, command) {
        Ok(fields) => fields,
        Err(mistakes) => {
            out.say(&mistakes.to_string());
            let count = mistakes.found().len();
            let first = mistakes.found().first().filter(|_| out.is_json());
            let why = match first {
                Some(one) => format!("{}: {}", source.place(one.span), one.message),
                None => format!("mistakes: {count}; nothing was run"),
            };
            return Err(Failure::usage(why).into());
        }
    };
    let kept = fields.into_iter().filter(|field| !is_overridden(field, command, matches));
    let words: Vec<OsString> = kept.flat_map(Field::words).map(OsString::from).collect();
    let Parsed { cli, settings } = context.settings.with(words).map_err(|error| {
        Failure::usage(format!("{}: {}", path.display(), out::sentence(&error.to_string())))
    })?;
    let given = given(&settings);
    match cli.verb {
        Verb::Load(args) => Ok((*args, given)),
        _ => anyhow::bail!("the plan has become another verb"),
    }
}

fn of_load(settings: &Settings) -> anyhow::Result<(&Command, &ArgMatches)> {
    settings.of_verb().ok_or_else(|| anyhow::anyhow!("there is no verb"))
}

fn source(path: &Path) -> Result<Arc<Source>, Failure> {
    Ok(Source::new(path.to_string_lossy(), crate::library::text_at(path)?))
}

/// Whether a flag or a variable has said it otherwise, or something that excludes it.
fn is_overridden(field: &Field, command: &Command, matches: &ArgMatches) -> bool {
    let said = [ValueSource::CommandLine, ValueSource::EnvVariable];
    let is_said = |id: &str| matches.value_source(id).is_some_and(|from| said.contains(&from));
    let excludes = || fields::excluded(command, &field.arg).any(|id| is_said(&id));
    is_said(field.arg.get_id().as_str()) || excludes()
}

/// What a field of a file is called.
fn name_of(arg: &clap::Arg) -> Option<String> {
    let id = arg.get_id().as_str();
    if id == WORKLOAD {
        return Some(WORKLOAD.to_owned());
    }
    let is_apart = APART.contains(&id) || arg.is_global_set() || arg.is_hide_set();
    let long = arg.get_long().filter(|_| !is_apart)?;
    let plural = PLURALS.into_iter().find(|(one, _)| is_list(arg) && *one == long);
    Some(plural.map_or_else(|| long.replace('-', "_"), |(_, plural)| plural.to_owned()))
}

/// What a file may say.
fn args_of(command: &Command) -> impl Iterator<Item = (String, &clap::Arg)> {
    command.get_arguments().filter_map(|arg| Some((name_of(arg)?, arg)))
}

/// Whether a flag has no value.
fn is_switch(arg: &clap::Arg) -> bool {
    matches!(arg.get_action(), clap::ArgAction::SetTrue)
}

/// Whether a flag may have several values.
fn is_list(arg: &clap::Arg) -> bool {
    matches!(arg.get_action(), clap::ArgAction::Append)
}

/// What the command line says of a plan, in the order of its help.
pub(super) fn given(settings: &Settings) -> Given {
    let Some((command, matches)) = settings.of_verb() else { return Vec::new() };
    let value = |(name, arg): (String, &clap::Arg)| {
        let id = arg.get_id().as_str();
        let typed = matches.value_source(id) == Some(ValueSource::CommandLine);
        let raw = matches.get_raw(id).filter(|_| typed)?;
        let values = match is_switch(arg) {
            true => vec![matches.get_flag(id).to_string()],
            false => raw.map(|value| value.to_string_lossy().into_owned()).collect(),
        };
        Some((name, values))
    };
    args_of(command).filter_map(value).collect()
}
