//! What somebody who steals the database has of anybody's secrets: nothing (A15 of RELIABILITY).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::database;
use crate::fixture::{Fixture, Person};

/// How a text may lie in a row that is shown as text: as it is, or as the bytes of a `bytea`.
fn forms(bytes: &[u8]) -> Vec<String> {
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    std::str::from_utf8(bytes).map(str::to_owned).into_iter().chain([hex]).collect()
}

/// The tables with a row that has one of these in any column.
async fn tables_with(forms: &[String], outside: &mut PgConnection) -> Vec<String> {
    let tables = "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables
                  where schemaname not in ('pg_catalog', 'information_schema') order by 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut *outside).await.unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut found = Vec::new();
    for table in tables {
        let sql = format!(
            "select exists (select from {table} t, unnest($1::text[]) as f (form)
                            where strpos(t::text, f.form) > 0)"
        );
        let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(forms);
        if query.fetch_one(&mut *outside).await.unwrap() {
            found.push(table);
        }
    }
    found
}

/// Everything that opens something for this person, and what it is made of.
fn secrets_of(person: &Person) -> Vec<(&'static str, Vec<u8>)> {
    let parts: Vec<_> = person.token.split('.').collect();
    vec![
        ("access token", person.token.clone().into_bytes()),
        ("claims", parts[1].as_bytes().to_vec()),
        ("signature", parts[2].as_bytes().to_vec()),
        ("signature, decoded", URL_SAFE_NO_PAD.decode(parts[2]).unwrap()),
        ("refresh token", person.refresh_token.clone().into_bytes()),
        ("refresh token, decoded", URL_SAFE_NO_PAD.decode(&person.refresh_token).unwrap()),
    ]
}

#[tokio::test]
async fn a15_no_token_and_no_password_lies_in_the_database() {
    const FIRST: &str = "a first pass phrase, of nobody";
    const SECOND: &str = "the second pass phrase, of nobody";
    // Like a server in earnest: open registration would hash at a lower cost.
    let server = Fixture::with(|config| config.open_registration = false).await;
    let mut people = Vec::new();
    for role in ["customer", "provider"] {
        let body = json!({
            "email": format!("{role}@stolen.example"), "password": FIRST, "firstName": "Ada",
            "lastName": role, "role": role,
        });
        let nobody = server.newcomer(&format!("{role}@stolen.example"));
        let (status, session) = nobody.post("/auth/register", body).await;
        assert_eq!(status, 201, "{session}");
        people.push(nobody.with_session(&session));
    }
    let (customer, provider) = (people[0].clone(), people[1].clone());
    let again = customer.log_in(FIRST).await;
    let (status, pair) =
        again.post("/auth/refresh", json!({ "refreshToken": again.refresh_token })).await;
    assert_eq!(status, 200, "{pair}");
    let next = Person {
        token: pair["accessToken"].as_str().unwrap().to_owned(),
        refresh_token: pair["refreshToken"].as_str().unwrap().to_owned(),
        ..again.clone()
    };
    let changed = json!({ "oldPassword": FIRST, "newPassword": SECOND });
    assert_eq!(next.post("/auth/password", changed).await.0, 204);
    let chat = next.book(&provider).await;
    let live = next.enter(&chat).await;
    live.send(&chat, "said where it is found again").await;
    let failed = json!({ "email": customer.email, "password": "a wrong pass phrase" });
    assert_eq!(customer.post("/auth/login", failed).await.0, 401);
    people.extend([again, next.clone()]);

    let mut outside = database::connect(&server.database).await;
    // The search finds what is there, as text and as bytes.
    for (what, form, table) in [
        ("a message", b"said where it is found again".to_vec(), "public.messages"),
        ("an address", customer.email.clone().into_bytes(), "public.users"),
        (
            "a digest",
            Sha256::digest(next.refresh_token.as_bytes()).to_vec(),
            "public.refresh_tokens",
        ),
    ] {
        assert_eq!(tables_with(&forms(&form), &mut outside).await, [table], "{what}");
    }
    let mut secrets: Vec<_> = people.iter().flat_map(secrets_of).collect();
    for phrase in [FIRST, SECOND, "a wrong pass phrase", crate::fixture::SECRET] {
        secrets.push(("phrase", phrase.as_bytes().to_vec()));
    }
    for (what, secret) in secrets {
        let found = tables_with(&forms(&secret), &mut outside).await;
        assert!(found.is_empty(), "the {what} {secret:?} lies in {found:?}");
    }

    let hashes = "select password_hash from users order by id";
    let hashes: Vec<String> = sqlx::query_scalar(hashes).fetch_all(&mut outside).await.unwrap();
    let mut salts = Vec::new();
    for hash in &hashes {
        let parts: Vec<_> = hash.split('$').collect();
        assert_eq!(parts[1..4], ["argon2id", "v=19", "m=19456,t=2,p=1"], "{hash}");
        salts.push(parts[4]);
    }
    assert!(salts.len() == 2 && salts[0] != salts[1] && salts[0].len() >= 22, "{hashes:?}");
    outside.close().await.unwrap();
}
