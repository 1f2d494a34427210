//! The address of a server, as a flag, a variable, the file or a profile names it.
//!
//! What may not happen here: an error that shows a secret. Whoever writes `http://me:secret@host`
//! has made a mistake that must not be repeated on a screen or in a log.

use std::ffi::OsStr;

use clap::builder::{StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command};
use url::Url;

/// Why an address with a user name or a password is none.
const HOLDS_A_SECRET: &str = "the server's address holds a user name or a password, which everybody \
     on this machine could see: leave it out and sign in";

/// Reads `--server` and its variable.
#[derive(Clone)]
pub(crate) struct Parser;

impl TypedValueParser for Parser {
    type Value = Url;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Url, clap::Error> {
        match parse(&value.to_string_lossy()) {
            // The usual error would quote it.
            Err(why) if may_hold_a_secret(value) => {
                let variable = arg.and_then(Arg::get_env).unwrap_or_default().to_string_lossy();
                let what = format!("--server or {variable}: {why}\n");
                Err(clap::Error::raw(ErrorKind::ValueValidation, what))
            }
            _ => {
                StringValueParser::new().try_map(|text| parse(&text)).parse_ref(command, arg, value)
            }
        }
    }
}

/// Whether the text of an address is better not shown.
pub(super) fn may_hold_a_secret(address: &OsStr) -> bool {
    address.to_string_lossy().contains('@')
}

/// The address in this text.
///
/// # Errors
///
/// What is wrong with it, without the text.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let begins = ["http://", "https://"].iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    if !begins {
        return Err("a server's address begins with https:// or http://".to_owned());
    }
    let url: Url = text.parse().map_err(|error: url::ParseError| error.to_string())?;
    check(&url)?;
    Ok(url)
}

/// Refuses what does not belong into the address of a server, in the words of its error.
pub(crate) fn check(url: &Url) -> Result<(), &'static str> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(HOLDS_A_SECRET);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a server's address ends with its path: no ? and no #");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_and_holds_no_secret() {
        let check = |text: &str, is_one: bool| {
            let parsed = parse(text);
            assert_eq!(parsed.is_ok(), is_one, "{text}: {parsed:?}");
            let why = parsed.err().unwrap_or_default();
            assert!(!why.contains("secret1") && !why.contains("me:"), "{why}");
        };
        check("http://127.0.0.1:3000", true);
        check("HTTPS://chat.example/api", true);
        for wrong in [
            "",
            "127.0.0.1:3000",
            "localhost:3000",
            "ftp://chat.example",
            "http://",
            "http://me:secret1@chat.example",
            "http://secret1@chat.example",
            "http://:secret1@chat.example",
            "me:secret1@chat.example",
            "http://me:secret1@chat example",
            "http://chat.example?token=secret1",
            "http://chat.example/#secret1",
        ] {
            check(wrong, false);
        }
    }
}
