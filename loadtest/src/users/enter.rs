//! Signs people in and finds the rooms that they share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use futures_util::stream;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use trialogue_client::rest::ListQuery;
use trialogue_client::{Credentials, Rest};
use trialogue_protocol::{Login, TokenPair};

use super::Person;
use super::tokens::{Renewal, Tokens, Voice, set};
use crate::cast::{CastError, Room, patiently, token};
use crate::plan::ROOMS_MAX;
use crate::target::Target;

/// People who sign in at once.
const AT_ONCE: usize = 8;
/// Pages of somebody's chats that are read.
const PAGES_MAX: usize = 20;
/// How long a token of ours is good.
const MINTED_FOR: Duration = Duration::from_secs(3_600);

/// The secret that a server signs its tokens with: its owner's to give.
pub struct Secret {
    key: EncodingKey,
    /// How long a token of it is good.
    lasts: Duration,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// What the deployed backend reads in a token (DEPLOYED.md §2).
#[derive(Serialize)]
struct Claims<'a> {
    email: &'a str,
    sub: i64,
    role: &'a str,
    iat: u64,
    exp: u64,
}

impl Secret {
    /// Of these bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self { key: EncodingKey::from_secret(secret), lasts: MINTED_FOR }
    }

    /// The same for tokens that are good for so long.
    #[cfg(test)]
    pub(super) fn lasting(self, lasts: Duration) -> Self {
        Self { lasts, ..self }
    }

    /// A token for somebody whose id is known, HS256.
    pub(super) fn mint(&self, person: &Person) -> Result<String, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let sub = person.id.ok_or("no id of whom the token is for")?;
        let Person { email, role, .. } = person;
        let claims = Claims { email, sub, role, iat: now, exp: now + self.lasts.as_secs() };
        let header = Header::new(Algorithm::HS256);
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|error| error.to_string())
    }
}

/// Rooms with people in them.
#[derive(Debug)]
pub struct Seated {
    /// Those that several of the people share, or one of them has alone.
    pub rooms: Vec<Room>,
    /// Keeps their tokens fresh while it is polled.
    pub renewal: Renewal,
    /// Where sockets find the newest.
    pub tokens: Tokens,
}

fn fault(what: impl Into<String>) -> CastError {
    CastError { what: what.into(), source: None }
}

/// Signs everybody in, and finds the open chats of each: a room is a chat with those of the people
/// who are in it, most people first. `told` learns how many have signed in.
///
/// # Errors
/// Somebody cannot sign in, or nobody is in any chat.
pub async fn seat(
    target: &Target,
    people: Vec<Person>,
    secret: Option<Secret>,
    mut told: impl FnMut(usize),
) -> Result<Seated, CastError> {
    let signed = people.into_iter().zip(1..).map(|(person, number): (_, usize)| {
        let secret = secret.as_ref();
        async move {
            let what = |error: CastError| CastError {
                what: format!("person {number} of the file: {}", error.what),
                ..error
            };
            let voice = sign_in(target, person, secret).await.map_err(what)?;
            let chats = chats(&voice.rest).await.map_err(what)?;
            Ok::<_, CastError>((voice, chats))
        }
    });
    let mut signed = stream::iter(signed).buffered(AT_ONCE);
    let mut voices = Vec::new();
    let mut rooms: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
    while let Some(one) = signed.next().await {
        let (voice, chats) = one?;
        for chat in chats {
            rooms.entry(chat).or_default().push(voice.first.clone());
        }
        voices.push(voice);
        told(voices.len());
    }
    drop(signed);
    let mut rooms: Vec<Room> =
        rooms.into_iter().map(|(chat, tokens)| Room { chat, tokens }).collect();
    if rooms.is_empty() {
        return Err(fault("none of these people is in a chat: book a job for them first"));
    }
    // Among equals the order of their ids, so that the same people make the same rooms.
    rooms.sort_by_key(|room| usize::MAX - room.tokens.len());
    rooms.truncate(ROOMS_MAX as usize);
    let tokens = Tokens::default();
    let renewal = Renewal { voices, secret, tokens: tokens.clone() };
    Ok(Seated { rooms, renewal, tokens })
}

async fn sign_in(
    target: &Target,
    person: Person,
    secret: Option<&Secret>,
) -> Result<Voice, CastError> {
    let rest = Rest::new(target.http.clone(), target.dialect, Credentials::in_memory(None));
    if !person.token.is_empty() {
        let (access_token, refresh_token) = (person.token.clone(), person.refresh_token.clone());
        let pair = TokenPair { access_token, refresh_token };
        rest.credentials().set(Some(&pair)).map_err(|error| fault(error.to_string()))?;
    } else if let (Some(secret), true) = (secret, person.id.is_some()) {
        set(rest.credentials(), secret.mint(&person).map_err(fault)?).map_err(fault)?;
    } else if !person.password.is_empty() {
        let (email, password) = (person.email.clone(), person.password.clone());
        let login = Login { email, password };
        patiently("sign in", || rest.login(&login)).await?;
    } else {
        return Err(fault("no password, no token, and no secret to make one: --mint-secret-env"));
    }
    let first = token(&rest)?;
    Ok(Voice { rest, person, first })
}

/// The chats that somebody may still speak in.
async fn chats(rest: &Rest) -> Result<BTreeSet<String>, CastError> {
    let mut found = BTreeSet::new();
    let mut page = ListQuery::default();
    for _ in 0..PAGES_MAX {
        let list = patiently("list chats", || rest.chats(&page)).await?;
        found.extend(list.chats.iter().filter(|chat| !chat.closed).map(|chat| chat.id.to_string()));
        match list.next {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_token_is_signed_with_the_secret_and_says_whose_it_is() {
        let secret = Secret::new(b"a secret of the owner");
        let person = Person { id: Some(7), role: "customer".into(), ..Person::default() };
        let token = secret.mint(&person).unwrap();
        let key = DecodingKey::from_secret(b"a secret of the owner");
        let checked =
            jsonwebtoken::decode::<Value>(&token, &key, &Validation::new(Algorithm::HS256));
        let claims = checked.unwrap().claims;
        assert_eq!((&claims["sub"], &claims["role"]), (&7.into(), &"customer".into()));
        let wrong = DecodingKey::from_secret(b"another");
        assert!(jsonwebtoken::decode::<Value>(&token, &wrong, &Validation::default()).is_err());
        assert!(secret.mint(&Person::default()).is_err());
    }
}
