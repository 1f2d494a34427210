//! The command line, the environment and the settings file of `serve`, in this order of strength;
//! and for each setting of `serve` where it came from.
//!
//! A settings file takes the place of the defaults, so everything else works as without one. It
//! holds no secrets: files like it end up in backups and repositories.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use serde::Serialize;

use crate::args::Cli;

/// The verbs that take the settings of `serve`.
const VERBS: [&str; 2] = ["serve", "config"];
/// The argument that names the file.
const FILE: &str = "config_file";
/// Longest settings file in bytes: every setting fits a hundred times.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A command line that was read.
pub(crate) struct Parsed {
    pub(crate) cli: Cli,
    command: Command,
    matches: ArgMatches,
    file: Option<File>,
}

/// A settings file.
struct File {
    path: PathBuf,
    values: BTreeMap<String, Vec<String>>,
}

/// One setting of `serve`.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    /// As the flag has it, without the dashes.
    pub(crate) name: String,
    /// What it is; nothing when it was not set and has no default; `***` for a secret.
    pub(crate) value: Option<String>,
    /// `default`, `env`, `flag` or `file`.
    pub(crate) source: &'static str,
    /// The variable or the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
}

/// Reads the command line of this process, and the settings file that it names.
///
/// # Errors
///
/// What clap says, of the file's values too.
pub(crate) fn parse() -> Result<Parsed, clap::Error> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let mut command = Cli::command();
    let mut matches = command.try_get_matches_from_mut(&arguments)?;
    let named = matches.subcommand().filter(|(verb, _)| VERBS.contains(verb));
    let path = named.and_then(|(_, inner)| inner.get_one::<PathBuf>(FILE)).cloned();
    let file = match path {
        None => None,
        Some(path) => {
            let file = File::read(&path, &command)?;
            command = file.as_defaults(Cli::command());
            matches = command.try_get_matches_from_mut(&arguments)?;
            Some(file)
        }
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok(Parsed { cli, command, matches, file })
}

impl Parsed {
    /// Every setting of `serve` as this command line has it; nothing for other verbs.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let Some((verb, matches)) = self.matches.subcommand() else { return Vec::new() };
        let Some(command) = self.command.find_subcommand(verb).filter(|_| VERBS.contains(&verb))
        else {
            return Vec::new();
        };
        let mut settings: Vec<Setting> =
            settings_of(command).map(|arg| self.setting(arg, matches)).collect();
        // An argument that the file has changed has gone to the end.
        let usual = Cli::command();
        let usual = usual.find_subcommand(verb).into_iter().flat_map(settings_of);
        let order: Vec<&str> = usual.filter_map(Arg::get_long).collect();
        settings.sort_by_key(|setting| order.iter().position(|name| *name == setting.name));
        settings
    }

    fn setting(&self, arg: &Arg, matches: &ArgMatches) -> Setting {
        let id = arg.get_id().as_str();
        let name = arg.get_long().unwrap_or(id).to_owned();
        let from_file = self.file.as_ref().filter(|file| file.values.contains_key(&name));
        let (source, from) = match (matches.value_source(id), from_file) {
            (Some(ValueSource::CommandLine), _) => ("flag", None),
            (Some(ValueSource::EnvVariable), _) => {
                ("env", arg.get_env().map(|name| name.to_string_lossy().into_owned()))
            }
            (_, Some(file)) => ("file", Some(file.path.display().to_string())),
            _ => ("default", None),
        };
        let value = match arg.get_action() {
            ArgAction::SetTrue => Some(matches.get_flag(id).to_string()),
            _ => matches.get_raw(id).map(|values| {
                values.map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",")
            }),
        };
        let value = value.map(|value| if is_secret(arg) { "***".to_owned() } else { value });
        Setting { name, value, source, from }
    }
}

/// The arguments of a verb that are settings: those that people may see, without help and globals.
fn settings_of(command: &Command) -> impl Iterator<Item = &Arg> {
    let own = |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_long().is_some();
    command
        .get_arguments()
        .filter(own)
        .filter(|arg| !["help", FILE].contains(&arg.get_id().as_str()))
}

/// Whose variable is not shown, must not be seen at all.
fn is_secret(arg: &Arg) -> bool {
    arg.is_hide_env_values_set()
}

impl File {
    fn read(path: &Path, command: &Command) -> Result<Self, clap::Error> {
        let wrong = |what: String| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("{}: {what}\n", path.display()))
        };
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
            .map_err(|error| wrong(error.to_string()))?;
        let table: toml::Table =
            toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        let serve = command.find_subcommand(VERBS[0]);
        let known: Vec<&Arg> = serve.into_iter().flat_map(settings_of).collect();
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let Some(arg) = known.iter().find(|arg| arg.get_long() == Some(&key)) else {
                return Err(wrong(format!("`{key}` is no setting of serve")));
            };
            let list =
                words(&value).ok_or_else(|| wrong(format!("`{key}` has no value of use")))?;
            let holds_secret = match key.as_str() {
                "database-url" => list.iter().any(|url| has_password(url)),
                _ => is_secret(arg),
            };
            if holds_secret {
                let name = arg.get_env().unwrap_or_default().to_string_lossy().into_owned();
                return Err(wrong(format!(
                    "`{key}` is a secret, which does not belong in this file: use {name}"
                )));
            }
            values.insert(key, list);
        }
        Ok(Self { path: path.to_owned(), values })
    }

    /// The command with this file's values as the defaults of the settings of `serve`.
    fn as_defaults(&self, command: Command) -> Command {
        VERBS.into_iter().fold(command, |command, verb| {
            command.mut_subcommand(verb, |inner| {
                let names: Vec<(clap::Id, String)> = settings_of(&inner)
                    .filter_map(|arg| Some((arg.get_id().clone(), arg.get_long()?.to_owned())))
                    .collect();
                names.into_iter().fold(inner, |inner, (id, name)| match self.values.get(&name) {
                    Some(values) => inner.mut_arg(id, |arg| arg.default_values(values.clone())),
                    None => inner,
                })
            })
        })
    }
}

/// A value of the file as words of a command line.
fn words(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(on) => Some(vec![on.to_string()]),
        toml::Value::Array(items) if !items.is_empty() => {
            items.iter().map(|item| words(item).filter(|w| w.len() == 1)?.pop()).collect()
        }
        _ => None,
    }
}

fn has_password(url: &str) -> bool {
    url::Url::parse(url).map_or(true, |url| {
        url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password")
    })
}
