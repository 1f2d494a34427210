//! Against whom `load` goes, and who speaks there.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use trialogue_client::Dialect;
use trialogue_client::http::is_loopback;
use trialogue_loadtest::cast::{CastError, Room};
use trialogue_loadtest::plan::Plan;
use trialogue_loadtest::remote::Far;
use trialogue_loadtest::target::Target;
use trialogue_loadtest::users::{self, Person, Renewal, Secret};
use trialogue_loadtest::{cast, seats};
use trialogue_scenarios::file::Profile;
use url::Url;

use super::super::worker;
use crate::exit::Failure;
use crate::{owned, target};

/// Longest file of rooms and tokens, or of people (64 MiB).
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Against whom.
#[derive(clap::Args)]
pub(super) struct PlaceArgs {
    /// The server to burden, instead of one of our own: a URL, a profile, or the name of one in
    /// targets/; a second one with --interleave
    #[arg(long = "target", value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Permit a target on another machine: only its owner may want that
    #[arg(long)]
    i_own_this_target: bool,
    /// Use these rooms of the target: a file with lines of chat,token[,token...]; needs none of its
    /// other routes
    #[arg(long, value_name = "FILE", requires = "targets", conflicts_with = "rooms")]
    seats: Option<PathBuf>,
    /// Speak as these people of the target, in the chats that they have: CSV whose first line names
    /// its columns, of email and password, of token (and refreshToken), or of userId and role
    #[arg(long, value_name = "FILE", requires = "targets", conflicts_with = "seats")]
    users: Option<PathBuf>,
    /// Make tokens for --users with the secret in this variable: only its owner has it
    #[arg(long, value_name = "VARIABLE", requires = "users")]
    mint_secret_env: Option<String>,
    /// Connect from these addresses of this machine in turn: each has some 28,000 ports
    #[arg(long, value_name = "IP", value_delimiter = ',', conflicts_with = "workers")]
    pub(super) bind: Vec<IpAddr>,
    /// Let these workers do it (`trialogue worker`), each with rooms of its own
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', requires = "targets")]
    #[arg(requires = "worker_token_file")]
    workers: Vec<String>,
    /// A file with the token of the workers
    #[arg(long, value_name = "FILE", env = "TRIALOGUE_WORKER_TOKEN_FILE")]
    worker_token_file: Option<PathBuf>,
    /// Make the database on this PostgreSQL server instead of the private one
    #[arg(long, value_name = "URL", env = "TRIALOGUE_TEST_DATABASE_URL")]
    pub(super) database_url: Option<String>,
}

/// Who speaks, and where.
pub(super) enum Cast {
    /// Accounts and rooms that are made for the run.
    Fresh,
    /// Rooms with tokens of their people.
    Seats(Vec<Room>),
    /// People who are there.
    People(Vec<Person>, Option<Secret>),
}

impl PlaceArgs {
    /// The servers that are named.
    pub(super) fn profiles(&self, dialect: Option<Dialect>) -> anyhow::Result<Vec<Profile>> {
        self.targets.iter().map(|word| self.profile(word, dialect)).collect()
    }

    /// Whether the addresses of `--bind` are so many of this machine, before anything is made.
    pub(super) fn can_bind(&self) -> Result<(), Failure> {
        for (n, address) in self.bind.iter().enumerate() {
            if self.bind[..n].contains(address) {
                return Err(Failure::usage(format!("--bind: {address} is there twice")));
            }
            if let Err(error) = std::net::TcpListener::bind((*address, 0)) {
                return Err(Failure::usage(format!("--bind {address}: {error}")));
            }
        }
        Ok(())
    }

    fn profile(&self, word: &str, dialect: Option<Dialect>) -> anyhow::Result<Profile> {
        let profile = if word.contains("://") {
            let url = word.parse();
            let url = url.map_err(|_| Failure::usage("the target is no URL of a server"))?;
            owned::check(&url, self.i_own_this_target)?;
            Profile::of_url(url, dialect.unwrap_or_default())
        } else {
            target::find(word, dialect)?
        };
        match profile.url.path() {
            "/" => Ok(profile),
            _ => {
                let what = "the target has a path: its routes are looked for at /";
                Err(Failure::usage(what).into())
            }
        }
    }

    /// The workers that are named.
    pub(super) fn far(&self, profile: Option<&Profile>) -> anyhow::Result<Vec<Far>> {
        let (Some(path), Some(profile)) = (&self.worker_token_file, profile) else {
            return Ok(Vec::new());
        };
        let key = match self.workers.is_empty() {
            true => return Ok(Vec::new()),
            false => worker::key(path)?,
        };
        let is_here = |address: &str| {
            let url: Result<Url, _> = format!("http://{address}").parse();
            url.is_ok_and(|url| is_loopback(&url))
        };
        let far = |address: &String| {
            if is_loopback(&profile.url) && !is_here(address) {
                let what = format!("for worker {address} the target {} is itself", profile.url);
                return Err(Failure::usage(what).into());
            }
            Ok(Far { address: address.clone(), key: key.clone() })
        };
        self.workers.iter().map(far).collect()
    }

    /// Who is to speak: of `--seats`, of `--users`, of the profile, or fresh ones.
    pub(super) fn cast(&self, profile: Option<&Profile>) -> anyhow::Result<Cast> {
        if let Some(path) = &self.seats {
            return Ok(Cast::Seats(read(path, seats::read)?));
        }
        if let Some(path) = &self.users {
            let secret = self.mint_secret_env.as_deref().map(secret_of).transpose()?;
            return Ok(Cast::People(read(path, users::read)?, secret));
        }
        let accounts = profile.map(|profile| profile.accounts.as_slice()).unwrap_or_default();
        if accounts.is_empty() {
            return Ok(Cast::Fresh);
        }
        let person = |account: &trialogue_scenarios::KnownAccount| Person {
            email: account.email.clone(),
            password: account.password.clone(),
            ..Person::default()
        };
        Ok(Cast::People(accounts.iter().map(person).collect(), None))
    }
}

impl Cast {
    /// Whether nobody else speaks in the rooms.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Self::Fresh)
    }

    /// The plan that fits the rooms that are known already.
    pub(super) fn fit(&self, plan: Plan) -> Plan {
        match self {
            Self::Seats(rooms) => seats::fit(plan, rooms),
            Self::Fresh | Self::People(..) => plan,
        }
    }

    /// The rooms, the plan that fits them, and what keeps tokens fresh; `told` learns how many are
    /// ready.
    pub(super) async fn take_seats(
        self,
        target: &mut Target,
        plan: &Plan,
        told: impl FnMut(usize),
    ) -> Result<(Vec<Room>, Plan, Option<Renewal>), CastError> {
        match self {
            Self::Fresh => {
                let made = cast::make(target, plan, told).await?;
                Ok((made.rooms, plan.clone(), Some(made.renewal)))
            }
            Self::Seats(rooms) => Ok((rooms, plan.clone(), None)),
            Self::People(people, secret) => {
                let seated = users::seat(target, people, secret, told).await?;
                let mut rooms = seated.rooms;
                rooms.truncate(plan.rooms as usize);
                target.tokens = seated.tokens;
                let plan = seats::fit(plan.clone(), &rooms);
                Ok((rooms, plan, Some(seated.renewal)))
            }
        }
    }
}

fn read<T>(path: &Path, parse: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<T> {
    let size = std::fs::metadata(path).map(|file| file.len()).unwrap_or_default();
    let text = match size <= FILE_BYTES_MAX {
        true => std::fs::read_to_string(path).map_err(|error| error.to_string()),
        false => Err(format!("over {FILE_BYTES_MAX} bytes")),
    };
    let fault = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    Ok(text.and_then(|text| parse(&text)).map_err(fault)?)
}

fn secret_of(variable: &str) -> anyhow::Result<Secret> {
    let secret = std::env::var(variable).ok().filter(|secret| !secret.is_empty());
    let secret = secret.with_context(|| format!("{variable} has no secret in it"));
    Ok(Secret::new(secret.map_err(|error| Failure::usage(error.to_string()))?.as_bytes()))
}
