//! INITIAL SETUP: register, log in, stay logged in, log out.

use trialogue_protocol::{
    EMAIL_CHARS_MAX, Login, NAME_CHARS_MAX, PASSWORD_CHARS_MAX, Refresh, Register, Session,
    TokenPair, User, UserId,
};
use uuid::Uuid;

use super::{Outcome, check};
use crate::auth::{self, Auth, Claims, REFRESH_GRACE, RefreshToken, SESSION_TTL};
use crate::error::Error;
use crate::policy::{self, Refusal};
use crate::publish::Broadcast;
use crate::store::{NewUser, Person, PersonDetails, Refreshed, SessionTokens, Store};

/// Somebody behind a request: a token that is valid, of a session that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What the token says.
    pub claims: Claims,
    /// What the database says.
    pub person: Person,
}

/// Who sends this token, by the database.
///
/// # Errors
///
/// `unauthenticated`, `token_expired`; `unavailable`: access fails closed.
pub async fn authenticate(store: &Store, auth: &Auth, token: &str) -> Result<Caller, Error> {
    let claims = auth.tokens.verify(token)?;
    let person = store.person_of_session(claims.session, claims.user_id).await?;
    Ok(Caller { person: person.ok_or(Refusal::SessionOver)?, claims })
}

/// Stores a person and opens the first session.
///
/// # Errors
///
/// `bad_request` names the field; `conflict` when the address has an account; `denied` for an LSM
/// unless registration is open; `unavailable`, `outcome_unknown`.
pub async fn register(store: &Store, auth: &Auth, body: Register) -> Result<Session, Error> {
    policy::may_register(body.role, auth.open_registration)?;
    let (email, details) = details_of(&body)?;
    auth::check_new("password", &body.password)?;
    let password_hash = auth.passwords.hash(body.password).await?;
    let (refresh, tokens) = new_session();
    let session = tokens.session;
    let new = NewUser { email: email.clone(), password_hash, details: details.clone() };
    let id = store.register_user(new, tokens).await?.ok_or(Refusal::EmailTaken)?;
    let user = User {
        id,
        email: Some(email),
        first_name: details.first_name,
        last_name: details.last_name,
        role: details.role,
        region: details.region,
        business_name: details.business_name,
    };
    session_answer(auth, user, session, &refresh)
}

/// The address and what a person says of itself, checked.
pub(crate) fn details_of(body: &Register) -> Result<(String, PersonDetails), Error> {
    let business = body.business_name.as_deref();
    let details = PersonDetails {
        first_name: check::line("firstName", &body.first_name, NAME_CHARS_MAX)?,
        last_name: check::line("lastName", &body.last_name, NAME_CHARS_MAX)?,
        role: body.role,
        region: check::line_if_any("region", body.region.as_deref(), NAME_CHARS_MAX)?,
        business_name: check::line_if_any("businessName", business, NAME_CHARS_MAX)?,
    };
    Ok((email(&body.email)?, details))
}

/// Opens a session. A wrong password, an unknown address and a disabled account are one answer,
/// and the same hashing is done for each.
///
/// # Errors
///
/// `unauthenticated`; `unavailable`, `outcome_unknown`.
pub async fn log_in(store: &Store, auth: &Auth, body: Login) -> Result<Session, Error> {
    bounded_password("password", &body.password)?;
    let known = match email(&body.email) {
        Ok(email) => store.credentials(&email).await?.filter(|known| !known.disabled),
        // What cannot be an address is the address of nobody.
        Err(_) => None,
    };
    let hash = known.as_ref().map(|known| known.password_hash.clone());
    let checked = auth.passwords.check(body.password, hash).await?;
    let known = known.filter(|_| checked.is_right).ok_or(Refusal::WrongPassword)?;
    let (refresh, tokens) = new_session();
    let session = tokens.session;
    let opened =
        store.open_session(known.user_id, known.password_hash, checked.better_hash, tokens).await?;
    if !opened {
        // The password was changed, or the account disabled, while it was being checked.
        return Err(Refusal::WrongPassword.into());
    }
    session_answer(auth, known.user, session, &refresh)
}

/// Exchanges a refresh token for the next pair. Within the grace the same token gets the same
/// successor; after it, its reuse ends the session.
///
/// # Errors
///
/// `unauthenticated` with the event that ends the sockets of a stolen session; `unavailable`,
/// `outcome_unknown`: try again with the same token.
pub async fn refresh(
    store: &Store,
    auth: &Auth,
    body: &Refresh,
) -> Result<Outcome<Result<TokenPair, Error>>, Error> {
    let token = RefreshToken::parse(&body.refresh_token).ok_or(Refusal::RefreshRefused)?;
    let next = auth.tokens.successor(&token)?;
    match store.refresh_session(token.digest(), next.digest(), REFRESH_GRACE).await? {
        Refreshed::Next { session, user_id, role, email } => {
            let access_token = auth.tokens.mint(user_id, &email, role, session)?;
            let refresh_token = next.as_str().to_owned();
            Ok(Outcome::quiet(Ok(TokenPair { access_token, refresh_token })))
        }
        Refreshed::Reused { session, user_id } => {
            tracing::warn!(user = user_id.0, %session, "a refresh token was used again: ended");
            let ended = Broadcast::SessionsEnded { user_id, family: Some(session), except: None };
            Ok(Outcome { reply: Err(Refusal::RefreshRefused.into()), events: vec![ended] })
        }
        Refreshed::Refused => Err(Refusal::RefreshRefused.into()),
    }
}

/// Ends the caller's session and its sockets.
///
/// # Errors
///
/// `unavailable`, `outcome_unknown`.
pub async fn log_out(store: &Store, claims: &Claims) -> Result<Outcome<()>, Error> {
    store.end_session(claims.user_id, claims.session).await?;
    let ended = Broadcast::SessionsEnded {
        user_id: claims.user_id,
        family: Some(claims.session),
        except: None,
    };
    Ok(Outcome { reply: (), events: vec![ended] })
}

/// Sets a new password; the user's other sessions end, the caller's goes on.
///
/// # Errors
///
/// `bad_request` names the field; `unauthenticated` for a wrong old password; `unavailable`,
/// `outcome_unknown`.
pub async fn change_password(
    store: &Store,
    auth: &Auth,
    claims: &Claims,
    old: String,
    new: String,
) -> Result<Outcome<()>, Error> {
    bounded_password("oldPassword", &old)?;
    auth::check_new("newPassword", &new)?;
    let known = store.credentials_of(claims.user_id).await?.ok_or(Refusal::SessionOver)?;
    let hash = known.password_hash;
    let checked = auth.passwords.check(old, Some(hash.clone())).await?;
    if !checked.is_right {
        return Err(Refusal::WrongPassword.into());
    }
    let new_hash = auth.passwords.hash(new).await?;
    if !store.change_password(claims.user_id, claims.session, hash, new_hash).await? {
        return Err(Refusal::WrongPassword.into());
    }
    let ended = Broadcast::SessionsEnded {
        user_id: claims.user_id,
        family: None,
        except: Some(claims.session),
    };
    Ok(Outcome { reply: (), events: vec![ended] })
}

/// The caller, as only the caller sees it.
///
/// # Errors
///
/// `unauthenticated` when the account is gone; `unavailable`.
pub async fn me(store: &Store, user: UserId) -> Result<User, Error> {
    Ok(store.credentials_of(user).await?.ok_or(Refusal::SessionOver)?.user)
}

fn new_session() -> (RefreshToken, SessionTokens) {
    let refresh = RefreshToken::random();
    let tokens =
        SessionTokens { session: Uuid::now_v7(), refresh_hash: refresh.digest(), ttl: SESSION_TTL };
    (refresh, tokens)
}

fn session_answer(
    auth: &Auth,
    user: User,
    session: Uuid,
    refresh: &RefreshToken,
) -> Result<Session, Error> {
    let email = user.email.as_deref().unwrap_or_default();
    let access_token = auth.tokens.mint(user.id, email, user.role, session)?;
    let refresh_token = refresh.as_str().to_owned();
    Ok(Session { user, tokens: TokenPair { access_token, refresh_token } })
}

/// A password as typed: bounded before anything is hashed.
fn bounded_password(field: &'static str, password: &str) -> Result<(), Error> {
    if password.chars().take(PASSWORD_CHARS_MAX + 1).count() > PASSWORD_CHARS_MAX {
        let message = format!("{field} is over {PASSWORD_CHARS_MAX} characters");
        return Err(Error::field(field, message));
    }
    Ok(())
}

/// An address that could exist: one `@` with something on both sides, no blanks. Whether it does,
/// only a letter to it would show.
fn email(text: &str) -> Result<String, Error> {
    let text = check::line("email", text, EMAIL_CHARS_MAX)?;
    let is_possible =
        text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
            && text.matches('@').count() == 1
            && !text.contains(char::is_whitespace);
    if is_possible { Ok(text) } else { Err(Error::field("email", "email is not an address")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_two_sides() {
        for (text, expect) in [
            ("a@b", true),
            (" Ada.Lovelace+x@example.org ", true),
            ("a@b@c", false),
            ("@b", false),
            ("a@", false),
            ("a b@c", false),
            ("", false),
            ("a\0@b", false),
        ] {
            assert_eq!(email(text).is_ok(), expect, "{text:?}");
        }
        assert!(email(&format!("{}@b", "a".repeat(300))).is_err());
    }
}
