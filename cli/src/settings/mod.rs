//! The command line, the environment and the configuration file, in this order of strength; and for
//! each setting where it came from.
//!
//! What the file says takes the place of the defaults, so everything else works as without one. One
//! file serves both sides: `serve` takes its own settings from it, and every verb the global flags.

mod file;
pub(crate) mod server;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{Resettable, StyledStr};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use serde::Serialize;
use url::Url;

use self::file::File;
use crate::args::Cli;
use crate::out;

/// The verbs that take the settings of `serve`.
const VERBS: [&str; 2] = ["serve", "config"];
/// Looks at a file that cannot be used instead of failing by it.
const DOCTOR: &str = "doctor";
/// The argument that names the file.
const FILE: &str = "config_file";
/// The variable that does.
pub(crate) const FILE_VARIABLE: &str = "TRIALOGUE_CONFIG";
/// Of a server the order is another one: what a login remembered is stronger than a usual one.
const SERVER: &str = "server";
const PROFILE: &str = "profile";
const TIMEOUT: &str = "timeout";
const PROFILE_VARIABLE: &str = "TRIALOGUE_PROFILE";
/// Without any word about it.
const DEFAULT_PROFILE: &str = "default";

/// A command line that was read.
pub(crate) struct Parsed {
    pub(crate) cli: Cli,
    pub(crate) settings: Settings,
}

/// What a command line was read from, for those who want to know where something came from.
pub(crate) struct Settings {
    arguments: Vec<OsString>,
    command: Command,
    matches: ArgMatches,
    file: Option<File>,
    /// Where the file is, if one was named or is in its place; and why it cannot be used.
    found: Option<(PathBuf, Option<String>)>,
}

/// One setting.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Setting {
    /// As the flag has it, without the dashes.
    pub(crate) name: String,
    /// What it is; nothing when it was not set and has no default; `***` for a secret.
    pub(crate) value: Option<String>,
    /// `default`, `env`, `flag`, `file` or, for what a login remembered, `profile`.
    pub(crate) source: &'static str,
    /// The variable or the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
}

impl Setting {
    /// One that only a variable changes; what is `shown` of a secret is not its value.
    pub(crate) fn of_variable(
        name: &str,
        variable: &str,
        usual: Option<String>,
        shown: impl Fn(String) -> String,
    ) -> Self {
        let name = name.to_owned();
        match std::env::var_os(variable).filter(|value| !value.is_empty()) {
            None => Self { name, value: usual, source: "default", from: None },
            Some(value) => Self {
                name,
                value: Some(shown(value.to_string_lossy().into_owned())),
                source: "env",
                from: Some(variable.to_owned()),
            },
        }
    }
}

/// Reads the command line of this process, and the file that it names or that is in its place.
///
/// # Errors
///
/// What clap says, of the file's values too.
pub(crate) fn parse() -> Result<Parsed, clap::Error> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let mut command = command();
    if arguments.len() <= 1 {
        // clap itself would take a variable for an argument.
        let kind = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        return Err(clap::Error::raw(kind, command.render_help()));
    }
    let mut matches = command.try_get_matches_from_mut(&arguments)?;
    if let Some(refused) = secret_on_the_line(&command, &matches) {
        return Err(refused.format(&mut command));
    }
    let (verb, inner) = matches.subcommand().unzip();
    let named = inner.filter(|_| verb.is_some_and(|verb| VERBS.contains(&verb)));
    let named = named.and_then(|inner| inner.get_one::<PathBuf>(FILE)).cloned();
    let is_looked_at = verb == Some(DOCTOR);
    let (file, found) = match find(named) {
        None => (None, None),
        Some(path) => match File::read(&path, &command) {
            Ok(file) => (Some(file), Some((path, None))),
            Err(error) if is_looked_at => {
                let why = error.to_string();
                (None, Some((path, Some(why.trim_start_matches("error: ").trim_end().to_owned()))))
            }
            Err(error) => return Err(error),
        },
    };
    if let Some(file) = &file {
        let profile = matches.value_source(PROFILE);
        let is_given = profile.is_some_and(|source| source != ValueSource::DefaultValue);
        let given = matches.get_raw(PROFILE).and_then(|mut raw| raw.next());
        let given = given.filter(|_| is_given).map(|name| name.to_string_lossy().into_owned());
        command = file.as_defaults(self::command(), given.as_deref());
        // Without the file all was well.
        let parsed = command.try_get_matches_from_mut(&arguments);
        matches = parsed.map_err(|error| file.wrong(&out::sentence(&error.to_string())))?;
    }
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    if let Some(file) = &file {
        cli.global.usual_server = usual_server(file)?;
    }
    let timeout = matches.value_source(TIMEOUT);
    cli.global.is_timeout_named = timeout.is_some_and(|source| source != ValueSource::DefaultValue);
    Ok(Parsed { cli, settings: Settings { arguments, command, matches, file, found } })
}

/// The command line as the environment has it: a variable that is empty is none, and help does not
/// show what somebody has put into a server's address.
fn command() -> Command {
    in_this_environment(Cli::command())
}

fn in_this_environment(command: Command) -> Command {
    let of_arg = |arg: Arg| match arg.get_env().and_then(std::env::var_os) {
        Some(value) if value.is_empty() => arg.env(Resettable::Reset),
        Some(value) if arg.get_id() == SERVER => arg.hide_env(server::may_hold_a_secret(&value)),
        Some(_) | None => arg,
    };
    command.mut_args(of_arg).mut_subcommands(in_this_environment)
}

/// The usage of the verb that this one is about, without the global flags: clap adds those that
/// were given, as if they had to be.
pub(crate) fn usage_without_globals(usage: &str) -> Option<StyledStr> {
    let mut command = Cli::command();
    command.build();
    let has = |arg: &Arg| arg.get_long().is_some_and(|name| usage.contains(&format!("--{name}")));
    if !globals_of(&command).any(has) {
        return None;
    }
    let mut verb = &mut command;
    // `Usage:`, the program, and then the verb and what it is about.
    for word in usage.split_whitespace().skip(2) {
        if verb.find_subcommand(word).is_none() {
            break;
        }
        verb = verb.find_subcommand_mut(word)?;
    }
    Some(verb.render_usage())
}

/// The arguments of a process are seen by every user of the machine. A database's address need not
/// hold a password, and prefers its variable; any other secret is refused here.
fn secret_on_the_line(command: &Command, matches: &ArgMatches) -> Option<clap::Error> {
    let (verb, matches) = matches.subcommand()?;
    let command = command.find_subcommand(verb)?;
    let is_typed = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        let source = matches.try_contains_id(id).ok().and_then(|_| matches.value_source(id));
        source == Some(ValueSource::CommandLine)
    };
    let secrets = command.get_arguments().filter(|arg| is_secret(arg));
    let arg = secrets.filter(|arg| arg.get_long() != Some("database-url")).find(is_typed)?;
    let (name, variable) = (arg.get_long()?, arg.get_env()?.to_string_lossy());
    let what = format!("--{name} shows a secret to everybody on this machine: use {variable}");
    Some(clap::Error::raw(ErrorKind::ArgumentConflict, what))
}

/// The file that was named, else the one in the usual place if it is there.
fn find(named: Option<PathBuf>) -> Option<PathBuf> {
    let variable = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty());
    if let Some(path) = named.or(variable.map(PathBuf::from)) {
        return Some(path);
    }
    usual_path().filter(|path| path.exists())
}

/// `$XDG_CONFIG_HOME/trialogue/config.toml` or what this system has instead.
pub(crate) fn usual_path() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "trialogue")?;
    Some(folders.config_dir().join("config.toml"))
}

/// Where a file of that name beside the configuration file is.
pub(crate) fn beside(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty());
    let path = named.map(PathBuf::from).or_else(usual_path)?;
    Some(path.with_file_name(name))
}

/// The profile of a command line that names none; nothing when the file cannot be used.
pub(crate) fn usual_profile() -> Option<String> {
    let given = std::env::var(PROFILE_VARIABLE).ok().filter(|name| !name.is_empty());
    let of_file = || {
        let Some(path) = find(None) else { return Some(DEFAULT_PROFILE.to_owned()) };
        let file = File::read(&path, &Cli::command()).ok()?;
        let own = file.usual(PROFILE).and_then(<[String]>::first).cloned();
        Some(own.unwrap_or_else(|| DEFAULT_PROFILE.to_owned()))
    };
    given.or_else(of_file)
}

fn usual_server(file: &File) -> Result<Option<Url>, clap::Error> {
    let Some(text) = file.usual(SERVER).and_then(<[String]>::first) else { return Ok(None) };
    server::parse(text).map(Some).map_err(|why| file.wrong(&format!("`{SERVER}`: {why}")))
}

impl Settings {
    /// The verb, and what this command line has of its arguments.
    pub(crate) fn of_verb(&self) -> Option<(&Command, &ArgMatches)> {
        let (verb, matches) = self.matches.subcommand()?;
        Some((self.command.find_subcommand(verb)?, matches))
    }

    /// The same command line with more words behind it.
    ///
    /// # Errors
    ///
    /// What clap says of all of them together.
    pub(crate) fn with(&self, words: Vec<OsString>) -> Result<Parsed, clap::Error> {
        let arguments: Vec<OsString> = self.arguments.iter().cloned().chain(words).collect();
        let mut command = self.command.clone();
        let matches = command.try_get_matches_from_mut(&arguments)?;
        let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        let (file, found) = (self.file.clone(), self.found.clone());
        Ok(Parsed { cli, settings: Self { arguments, command, matches, file, found } })
    }

    /// Every setting of `serve` as this command line has it; nothing for other verbs.
    pub(crate) fn of_serve(&self) -> Vec<Setting> {
        let Some((verb, matches)) = self.matches.subcommand() else { return Vec::new() };
        let Some(command) = self.command.find_subcommand(verb).filter(|_| VERBS.contains(&verb))
        else {
            return Vec::new();
        };
        let usual = Cli::command();
        let usual = usual.find_subcommand(verb).into_iter().flat_map(settings_of);
        self.settings(settings_of(command), usual, matches)
    }

    /// Every global flag as this command line has it.
    pub(crate) fn of_all_verbs(&self) -> Vec<Setting> {
        let usual = Cli::command();
        self.settings(globals_of(&self.command), globals_of(&usual), &self.matches)
    }

    /// Where the configuration file is, and why it cannot be used if it cannot.
    pub(crate) fn file(&self) -> Option<(&Path, Option<&str>)> {
        self.found.as_ref().map(|(path, why)| (path.as_path(), why.as_deref()))
    }

    fn settings<'a>(
        &self,
        args: impl Iterator<Item = &'a Arg>,
        usual: impl Iterator<Item = &'a Arg>,
        matches: &ArgMatches,
    ) -> Vec<Setting> {
        let mut settings: Vec<Setting> = args.map(|arg| self.setting(arg, matches)).collect();
        // An argument that the file has changed has gone to the end.
        let order: Vec<&str> = usual.filter_map(Arg::get_long).collect();
        settings.sort_by_key(|setting| order.iter().position(|name| *name == setting.name));
        settings
    }

    fn setting(&self, arg: &Arg, matches: &ArgMatches) -> Setting {
        let id = arg.get_id().as_str();
        let name = arg.get_long().unwrap_or(id).to_owned();
        let from_file = self.file.as_ref().and_then(|file| file.place_of(&name));
        let (source, from) = match (matches.value_source(id), from_file) {
            (Some(ValueSource::CommandLine), _) => ("flag", None),
            (Some(ValueSource::EnvVariable), _) => {
                ("env", arg.get_env().map(|name| name.to_string_lossy().into_owned()))
            }
            (_, Some(place)) => ("file", Some(place)),
            _ => ("default", None),
        };
        let value = match arg.get_action() {
            ArgAction::SetTrue => Some(matches.get_flag(id).to_string()),
            ArgAction::Count => Some(matches.get_count(id).to_string()),
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

/// The flags that every verb takes.
fn globals_of(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| arg.is_global_set() && arg.get_long().is_some())
}

/// Whose variable is not shown, must not be seen at all.
fn is_secret(arg: &Arg) -> bool {
    arg.is_hide_env_values_set()
}
