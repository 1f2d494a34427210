//! Tokens that are not ours, against the living server (A2, A3, A4 of RELIABILITY): each is made
//! from a good one of a living session, so that it would be let in but for the one thing that is
//! wrong with it.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::forge::{HEADER, expired_token, payload_of, signed, signed_with};
use crate::fixture::{Fixture, Person, SECRET, connect};
use crate::rest::check_error;

/// A claim with a value, right or wrong.
fn with(payload: &Value, claim: &str, value: Value) -> String {
    let mut payload = payload.clone();
    payload[claim] = value;
    payload.to_string()
}

/// Wrong headers over a good payload.
const HEADERS: [&str; 24] = [
    r#"{"typ":"JWT","alg":"none"}"#,
    r#"{"alg":"None"}"#,
    r#"{"alg":"NONE"}"#,
    r#"{"alg":"nOnE"}"#,
    r#"{"alg":""}"#,
    r#"{"alg":null}"#,
    r#"{"alg":"hs256"}"#,
    r#"{"alg":"HS384"}"#,
    r#"{"alg":"HS512"}"#,
    r#"{"alg":"RS256"}"#,
    r#"{"alg":"PS256"}"#,
    r#"{"alg":"ES256"}"#,
    r#"{"alg":"EdDSA"}"#,
    r#"{"alg":["HS256"]}"#,
    r#"{"alg":{"HS256":true}}"#,
    r#"{"typ":"JWT"}"#,
    "{}",
    "[]",
    "null",
    r#"{"alg":"HS256","jku":"http://127.0.0.1/keys"}"#,
    r#"{"alg":"HS256","x5u":"http://127.0.0.1/keys"}"#,
    r#"{"alg":"HS256","x5c":["AAAA"]}"#,
    r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#,
    r#"{"alg":"HS256","crit":["exp"]}"#,
];

/// Everything that is wrong, by what is wrong with it.
fn mutants(good: &str, refresh: &str) -> Vec<(String, String)> {
    let payload = payload_of(good);
    let text = payload.to_string();
    let now = payload["iat"].as_i64().unwrap();
    let mut mutants: Vec<(String, String)> =
        HEADERS.iter().map(|header| (format!("header {header}"), signed(header, &text))).collect();
    let mut add = |what: &str, token: String| mutants.push((what.to_owned(), token));
    for claim in ["sub", "email", "role", "iat", "nbf", "exp", "jti", "iss", "aud", "sid"] {
        let mut without = payload.clone();
        without.as_object_mut().unwrap().remove(claim);
        add(&format!("without {claim}"), signed(HEADER, &without.to_string()));
        add(&format!("{claim} null"), signed(HEADER, &with(&payload, claim, Value::Null)));
        add(&format!("{claim} list"), signed(HEADER, &with(&payload, claim, json!([1]))));
    }
    for (claim, value) in [
        ("nbf", json!(now + 600)),
        ("iat", json!(now + 600)),
        ("exp", json!((now + 900).to_string())),
        ("exp", json!(f64::from(u32::MAX) + 0.5)),
        ("exp", json!(-1)),
        ("exp", json!(i64::MAX)),
        ("iss", json!("somebody")),
        ("iss", json!("")),
        ("aud", json!("another deployment")),
        ("aud", json!(["trialogue", "somebody"])),
        ("sub", json!(payload["sub"].to_string())),
        ("sub", json!(payload["sub"].as_i64().unwrap() + 1)),
        ("role", json!("admin")),
        ("sid", json!(uuid::Uuid::new_v4())),
        ("sid", json!("' or 1=1 --")),
    ] {
        add(&format!("{claim} = {value}"), signed(HEADER, &with(&payload, claim, value)));
    }
    add("sub twice", signed(HEADER, &text.replacen('{', r#"{"sub":1,"#, 1)));
    add("exp 1e400", signed(HEADER, &text.replacen(r#""exp":"#, r#""exp":1e400,"x":"#, 1)));
    add("no object", signed(HEADER, "[]"));
    add("no JSON", signed(HEADER, "{"));
    let (head, rest) = good.split_once('.').unwrap();
    let (body, mac) = rest.split_once('.').unwrap();
    for (what, token) in [
        ("no signature", format!("{head}.{body}.")),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{good}.{mac}")),
        ("a dot too many", format!("{good}.")),
        ("padding", format!("{good}=")),
        ("a short signature", format!("{head}.{body}.{}", &mac[1..])),
        ("parts exchanged", format!("{body}.{head}.{mac}")),
        ("upper case", good.to_uppercase()),
        ("over 4 KiB", good.repeat(12)),
        ("dots", "..".to_owned()),
        ("another secret", signed_with(&[7; 32], Algorithm::HS256, HEADER, &text)),
        ("an empty secret", signed_with(b"", Algorithm::HS256, HEADER, &text)),
        ("another hash", signed_with(SECRET.as_bytes(), Algorithm::HS384, HEADER, &text)),
        ("a hash as named", {
            signed_with(SECRET.as_bytes(), Algorithm::HS512, r#"{"alg":"HS512"}"#, &text)
        }),
        ("the refresh token", refresh.to_owned()),
    ] {
        add(what, token);
    }
    for at in (1..good.len()).step_by(41).filter(|at| good.as_bytes()[*at] != b'.') {
        let mut bytes = good.to_owned().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        mutants.push((format!("byte {at}"), String::from_utf8(bytes).unwrap()));
    }
    mutants
}

/// The code with which both ways in are closed to a token.
async fn refused(person: &Person, token: &str, what: &str) -> String {
    let bearer = Person { token: token.to_owned(), ..person.clone() };
    let answer = bearer.get("/auth/me").await;
    let code = answer.1["error"].as_str().unwrap_or_else(|| panic!("let in with: {what}"));
    check_error(&answer, code);
    let refused = connect(&person.url, token).await.err();
    let data = refused.unwrap_or_else(|| panic!("connected with: {what}")).data.unwrap();
    assert_eq!(data, json!({ "code": code }), "REST and socket differ: {what}");
    code.to_owned()
}

#[tokio::test]
async fn no_mutant_of_a_token_is_let_in_by_rest_or_socket() {
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    let mutants = mutants(&person.token, &person.refresh_token);
    assert!(mutants.len() >= 80, "{} mutants", mutants.len());
    for (what, token) in &mutants {
        assert_eq!(refused(&person, token, what).await, "unauthenticated", "{what}");
    }
    let over = expired_token(&person.token);
    assert_eq!(refused(&person, &over, "over").await, "token_expired");
    // What is right about them is right: neither a copy nor a spare header is at fault.
    let copy = signed(HEADER, &payload_of(&person.token).to_string());
    for good in [&copy, &signed(r#"{"alg":"HS256","kid":"../x' or 1=1"}"#, &copy_of(&copy))] {
        let bearer = Person { token: good.clone(), ..person.clone() };
        assert_eq!(bearer.get("/auth/me").await.0, 200);
        bearer.connect().await;
    }
}

fn copy_of(token: &str) -> String {
    payload_of(token).to_string()
}

#[tokio::test]
async fn an_access_token_refreshes_nothing() {
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    for token in [&person.token, &person.token[..43], &person.refresh_token.to_uppercase()] {
        let answer = person.post("/auth/refresh", json!({ "refreshToken": token })).await;
        check_error(&answer, "unauthenticated");
    }
}

#[tokio::test]
async fn a_deleted_person_is_nobody() {
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    let live = person.connect().await;
    server.sql_of("delete from sessions where user_id = $1", person.id).await;
    server.sql_of("delete from users where id = $1", person.id).await;
    assert_eq!(refused(&person, &person.token, "deleted").await, "unauthenticated");
    let body = json!({ "refreshToken": person.refresh_token });
    check_error(&server.nobody().post("/auth/refresh", body).await, "unauthenticated");
    let ack = live.request("refresh_auth", json!({ "token": person.token })).await;
    assert_eq!(ack["error"]["code"], "unauthenticated", "{ack}");
}
