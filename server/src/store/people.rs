//! People: who somebody is by the database, never by a token.

use sqlx::Row;
use sqlx::postgres::PgRow;
use trialogue_protocol::{Provider, Role, User, UserId};
use uuid::Uuid;

use super::rows::word;
use super::{Store, StoreError};

/// Somebody with a living session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// As what, now.
    pub role: Role,
    /// First and last name.
    pub name: String,
}

/// What a login is checked against.
pub struct Credentials {
    /// Whose.
    pub user_id: UserId,
    /// PHC string of argon2id.
    pub password_hash: String,
    /// The person, as its owner sees it.
    pub user: User,
    /// May not log in.
    pub disabled: bool,
}

/// What a person says of itself, checked by the caller.
#[derive(Debug, Clone)]
pub struct PersonDetails {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Role.
    pub role: Role,
    /// Where a provider or an LSM works.
    pub region: Option<String>,
    /// Name of a provider's business.
    pub business_name: Option<String>,
}

/// The form in which e-mail addresses are compared.
pub(super) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The form in which regions are compared.
pub(super) fn region_key(region: Option<&str>) -> Option<String> {
    region.map(|region| region.trim().to_lowercase()).filter(|key| !key.is_empty())
}

const PERSON: &str = "
    select u.role, u.name
    from sessions s join users u on u.id = s.user_id
    where s.id = $1 and s.user_id = $2 and s.ended_at is null and s.expires_at > now()
        and u.disabled_at is null";

const CREDENTIALS: &str = "
    select id, email, first_name, last_name, role, region, business_name, password_hash,
           disabled_at is not null as disabled
    from users where email_key = $1";

const CREDENTIALS_BY_ID: &str = "
    select id, email, first_name, last_name, role, region, business_name, password_hash,
           disabled_at is not null as disabled
    from users where id = $1";

/// The search text is compared as it is: no wildcard has a meaning in it.
const PROVIDERS: &str = "
    select id, name, business_name, region
    from users
    where role = 'service_provider' and disabled_at is null and id > $1
        and ($2::text is null
             or position($2 in lower(name || ' ' || coalesce(business_name, ''))) > 0)
        and ($3::text is null or region_key = $3)
    order by id limit $4";

impl Store {
    /// The owner of a session that is alive; `None` when it is over, or its user is disabled or
    /// gone.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: access fails closed.
    pub async fn person_of_session(
        &self,
        session: Uuid,
        user: UserId,
    ) -> Result<Option<Person>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(PERSON)
                    .bind(session)
                    .bind(user.0)
                    .fetch_optional(connection)
                    .await?;
                row.map(|row| {
                    Ok(Person { id: user, role: word(&row, "role")?, name: row.try_get("name")? })
                })
                .transpose()
            })
        })
        .await
    }

    /// What a login with this e-mail address is checked against.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn credentials(&self, email: &str) -> Result<Option<Credentials>, StoreError> {
        let key = email_key(email);
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(CREDENTIALS).bind(key).fetch_optional(connection).await?;
                row.as_ref().map(credentials_of).transpose()
            })
        })
        .await
    }

    /// The same by id: what a change of the password is checked against, and `GET /auth/me`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn credentials_of(&self, user: UserId) -> Result<Option<Credentials>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row =
                    sqlx::query(CREDENTIALS_BY_ID).bind(user.0).fetch_optional(connection).await?;
                row.as_ref().map(credentials_of).transpose()
            })
        })
        .await
    }

    /// Active providers after the id `after`, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn providers(
        &self,
        search: Option<&str>,
        region: Option<&str>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Provider>, StoreError> {
        let search = search.map(str::to_lowercase);
        let region = region_key(region);
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(PROVIDERS)
                    .bind(after)
                    .bind(search)
                    .bind(region)
                    .bind(limit)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(|row| {
                        Ok(Provider {
                            id: UserId(row.try_get("id")?),
                            name: row.try_get("name")?,
                            business_name: row.try_get("business_name")?,
                            region: row.try_get("region")?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }
}

fn credentials_of(row: &PgRow) -> sqlx::Result<Credentials> {
    let user_id = UserId(row.try_get("id")?);
    Ok(Credentials {
        user_id,
        password_hash: row.try_get("password_hash")?,
        disabled: row.try_get("disabled")?,
        user: User {
            id: user_id,
            email: Some(row.try_get("email")?),
            first_name: row.try_get("first_name")?,
            last_name: row.try_get("last_name")?,
            role: word(row, "role")?,
            region: row.try_get("region")?,
            business_name: row.try_get("business_name")?,
        },
    })
}
