//! The configuration file: TOML, keys named like the flags, `[profile.NAME]` for one profile.
//!
//! It holds no secrets, because files like it end up in backups and repositories. A file that
//! anybody on the machine may write is refused: it says which server gets the password and whom to
//! trust. The user's group may: a umask of 002 is usual where everybody has a group of their own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};

use super::{PROFILE, SERVER, VERBS, globals_of, is_secret, server, settings_of};

/// Longest file in bytes: every setting fits a hundred times.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// The one key that is not named like its flag, because `profile` is the table of all of them.
const PROFILE_KEY: &str = "default-profile";
/// What a key of a secret is likely to be called, and where the secret belongs.
const SECRETS: [(&str, &str); 3] = [
    ("password", "TRIALOGUE_PASSWORD or --password-file"),
    ("token", "TRIALOGUE_TOKEN, or sign in"),
    ("secret", "the environment"),
];

type Values = BTreeMap<String, Vec<String>>;

/// See the module.
#[derive(Clone)]
pub(super) struct File {
    path: PathBuf,
    values: Values,
    profiles: BTreeMap<String, Values>,
    /// The profile of this command line.
    profile: std::cell::OnceCell<String>,
}

impl File {
    pub(super) fn read(path: &Path, command: &Command) -> Result<Self, clap::Error> {
        let text = read(path).map_err(|what| wrong(path, &what))?;
        let table: toml::Table =
            toml::from_str(&text).map_err(|error| wrong(path, error.message()))?;
        let mut file = Self {
            path: path.to_owned(),
            values: Values::new(),
            profiles: BTreeMap::new(),
            profile: std::cell::OnceCell::new(),
        };
        let globals: Vec<&Arg> = globals_of(command).collect();
        let serve = command.find_subcommand(VERBS[0]);
        let all: Vec<&Arg> =
            globals.iter().copied().chain(serve.into_iter().flat_map(settings_of)).collect();
        for (key, value) in table {
            match (key.as_str(), value) {
                (PROFILE, toml::Value::Table(profiles)) => {
                    for (name, values) in profiles {
                        let values = file.profile_of(&name, values, &globals)?;
                        file.profiles.insert(name, values);
                    }
                }
                (PROFILE, _) => {
                    let what = format!("name the usual profile with `{PROFILE_KEY}`");
                    return Err(file.wrong(&what));
                }
                (PROFILE_KEY, value) => {
                    let list = file.list(PROFILE_KEY, &value, None)?;
                    file.values.insert(PROFILE.to_owned(), list);
                }
                (_, value) => {
                    let list = file.known(&key, &value, &all)?;
                    file.values.insert(key, list);
                }
            }
        }
        Ok(file)
    }

    /// An error about this file.
    pub(super) fn wrong(&self, what: &str) -> clap::Error {
        wrong(&self.path, what)
    }

    /// What stands above the tables.
    pub(super) fn usual(&self, key: &str) -> Option<&[String]> {
        self.values.get(key).map(Vec::as_slice)
    }

    fn profile_of(
        &self,
        name: &str,
        values: toml::Value,
        globals: &[&Arg],
    ) -> Result<Values, clap::Error> {
        let toml::Value::Table(values) = values else {
            return Err(self.wrong(&format!("`profile.{name}` is not a table")));
        };
        let mut known = Values::new();
        for (key, value) in values {
            let list = self.known(&key, &value, globals)?;
            known.insert(key, list);
        }
        Ok(known)
    }

    /// The words of a key that there is.
    fn known(
        &self,
        key: &str,
        value: &toml::Value,
        args: &[&Arg],
    ) -> Result<Vec<String>, clap::Error> {
        let Some(arg) = args.iter().find(|arg| arg.get_long() == Some(key) && key != PROFILE)
        else {
            return Err(match SECRETS.iter().find(|(word, _)| key.contains(word)) {
                Some((_, instead)) => self.holds_secret(key, instead),
                None => self.wrong(&format!("`{key}` is no setting")),
            });
        };
        let list = self.list(key, value, Some(arg))?;
        let holds_secret = match key {
            "database-url" => list.iter().any(|url| has_password(url)),
            SERVER => return self.server(list),
            _ => is_secret(arg),
        };
        if holds_secret {
            let name = arg.get_env().unwrap_or_default().to_string_lossy().into_owned();
            return Err(self.holds_secret(key, &name));
        }
        // Elsewhere than here the same file must mean the same authorities.
        let folder = self.path.parent().filter(|_| key == "cacert");
        let at_home = |word: String| match folder {
            Some(folder) => folder.join(word).to_string_lossy().into_owned(),
            None => word,
        };
        Ok(list.into_iter().map(at_home).collect())
    }

    /// The address of a server: checked here, because a stronger one may hide it.
    fn server(&self, list: Vec<String>) -> Result<Vec<String>, clap::Error> {
        for text in &list {
            server::parse(text).map_err(|why| self.wrong(&format!("`{SERVER}`: {why}")))?;
        }
        Ok(list)
    }

    fn holds_secret(&self, key: &str, instead: &str) -> clap::Error {
        let what =
            format!("`{key}` is a secret, which does not belong in this file: use {instead}");
        self.wrong(&what)
    }

    fn list(
        &self,
        key: &str,
        value: &toml::Value,
        arg: Option<&Arg>,
    ) -> Result<Vec<String>, clap::Error> {
        let is_switch = arg.is_some_and(|arg| matches!(arg.get_action(), ArgAction::SetTrue));
        if is_switch && !value.is_bool() {
            return Err(self.wrong(&format!("`{key}` is true or false")));
        }
        words(value).ok_or_else(|| self.wrong(&format!("`{key}` has no value of use")))
    }

    /// The command with this file's values as defaults: of the settings of `serve`, and of the
    /// global flags those of the profile that was `given`, else of the file's own.
    pub(super) fn as_defaults(&self, command: Command, given: Option<&str>) -> Command {
        let own = self.usual(PROFILE).and_then(<[String]>::first).map(String::as_str);
        let profile = given.or(own).unwrap_or(super::DEFAULT_PROFILE);
        let profile = self.profile.get_or_init(|| profile.to_owned());
        let of_profile = self.profiles.get(profile);
        let mut globals = self.values.clone();
        globals.remove(SERVER);
        globals.extend(of_profile.cloned().unwrap_or_default());
        let command = with_defaults(command, |command| names(globals_of(command)), &globals);
        VERBS.into_iter().fold(command, |command, verb| {
            command.mut_subcommand(verb, |inner| {
                with_defaults(inner, |inner| names(settings_of(inner)), &self.values)
            })
        })
    }

    /// Where in the file a setting stands that this command line takes from it.
    pub(super) fn place_of(&self, name: &str) -> Option<String> {
        let path = self.path.display();
        let profile = self.profile.get()?;
        if self.profiles.get(profile).is_some_and(|values| values.contains_key(name)) {
            return Some(format!("{path} [profile.{profile}]"));
        }
        self.values.contains_key(name).then(|| path.to_string())
    }
}

/// The command with these values as the defaults of some of its arguments.
fn with_defaults(
    command: Command,
    args: impl Fn(&Command) -> Vec<(clap::Id, String)>,
    values: &Values,
) -> Command {
    let names = args(&command);
    names.into_iter().fold(command, |command, (id, name)| match values.get(&name) {
        Some(values) => command.mut_arg(id, |arg| arg.default_values(values.clone())),
        None => command,
    })
}

/// How clap knows these arguments, and how people do.
fn names<'a>(args: impl Iterator<Item = &'a Arg>) -> Vec<(clap::Id, String)> {
    args.filter_map(|arg| Some((arg.get_id().clone(), arg.get_long()?.to_owned()))).collect()
}

fn wrong(path: &Path, what: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{}: {what}\n", path.display()))
}

fn read(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    check_is_not_anybodys(&file).map_err(|what| what.replace("FILE", &path.to_string_lossy()))?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    match u64::try_from(text.len()) {
        Ok(0..=FILE_BYTES_MAX) => Ok(text),
        _ => Err(format!("longer than {FILE_BYTES_MAX} bytes")),
    }
}

#[cfg(unix)]
fn check_is_not_anybodys(file: &fs::File) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    match metadata.is_file() && metadata.mode() & 0o002 != 0 {
        true => Err("anybody on this machine may write it: chmod o-w 'FILE'".to_owned()),
        false => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_is_not_anybodys(_: &fs::File) -> Result<(), String> {
    Ok(())
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
