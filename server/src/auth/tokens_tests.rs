//! Tokens that are ours, and many that are not (A2 of RELIABILITY).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn tokens() -> Tokens {
    Tokens::new(SECRET, Duration::from_mins(15)).unwrap()
}

fn payload() -> Value {
    let now = Utc::now().timestamp();
    json!({
        "sub": 7, "email": "a@b.c", "role": "customer", "iat": now, "nbf": now, "exp": now + 900,
        "jti": Uuid::new_v4(), "iss": ISSUER, "aud": AUDIENCE, "sid": Uuid::new_v4(),
    })
}

/// Signs whatever it is given with the right key, so that only the claim in question is wrong.
fn signed(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = EncodingKey::from_secret(SECRET);
    let mac = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{mac}")
}

const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

fn verdict(token: &str) -> Option<ErrorCode> {
    tokens().verify(token).err().map(|error| error.code())
}

#[test]
fn a_token_of_ours_names_user_and_session() {
    let session = Uuid::new_v4();
    let token = tokens().mint(UserId(7), "a@b.c", Role::Customer, session).unwrap();
    let claims = tokens().verify(&token).unwrap();
    assert_eq!((claims.user_id, claims.session), (UserId(7), session));
    let left = claims.expires_at - Utc::now();
    assert!((890..=900).contains(&left.num_seconds()), "{left}");
    assert_eq!(verdict(&signed(HEADER, &payload().to_string())), None);
}

#[test]
fn an_expired_token_is_told_so() {
    let then = Utc::now() - chrono::Duration::minutes(16);
    let token = tokens().mint_at(then, UserId(7), "a@b.c", Role::Lsm, Uuid::new_v4()).unwrap();
    assert_eq!(verdict(&token), Some(ErrorCode::TokenExpired));
}

#[test]
fn every_claim_is_required_and_typed() {
    for claim in ["sub", "email", "role", "iat", "nbf", "exp", "jti", "iss", "aud", "sid"] {
        for wrong in [Value::Null, json!(true), json!([]), json!({"a": 1}), json!("x"), json!(1.5)]
        {
            if claim == "email" && wrong == json!("x") {
                continue;
            }
            let mut payload = payload();
            payload[claim] = wrong.clone();
            let token = signed(HEADER, &payload.to_string());
            let verdict = verdict(&token);
            assert_eq!(verdict, Some(ErrorCode::Unauthenticated), "{claim} {wrong}");
        }
        let mut payload = payload();
        payload.as_object_mut().unwrap().remove(claim);
        let verdict = verdict(&signed(HEADER, &payload.to_string()));
        assert_eq!(verdict, Some(ErrorCode::Unauthenticated), "without {claim}");
    }
}

#[test]
fn times_and_names_of_others_are_refused() {
    let now = Utc::now().timestamp();
    for (claim, wrong) in [
        ("nbf", json!(now + 60)),
        ("iat", json!(now + 60)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(now + 900).to_string().into()),
        ("iss", json!("somebody")),
        ("aud", json!("somebody")),
        ("aud", json!(["trialogue", "somebody"])),
        ("sub", json!("7")),
        ("role", json!("admin")),
    ] {
        let mut payload = payload();
        payload[claim] = wrong.clone();
        let verdict = verdict(&signed(HEADER, &payload.to_string()));
        assert_eq!(verdict, Some(ErrorCode::Unauthenticated), "{claim} {wrong}");
    }
    let twice = payload().to_string().replacen('{', r#"{"sub":8,"#, 1);
    assert_eq!(verdict(&signed(HEADER, &twice)), Some(ErrorCode::Unauthenticated));
    let huge = payload().to_string().replacen(r#""exp":"#, r#""exp":1e400,"x":"#, 1);
    assert_eq!(verdict(&signed(HEADER, &huge)), Some(ErrorCode::Unauthenticated));
}

#[test]
fn another_algorithm_or_a_pointer_to_keys_is_refused() {
    let payload = payload().to_string();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":"nOnE"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"typ":"JWT"}"#,
        "{}",
        "[]",
        "null",
        r#"{"alg":"HS256","jku":"https://evil.example/keys"}"#,
        r#"{"alg":"HS256","x5u":"https://evil.example/keys"}"#,
        r#"{"alg":"HS256","x5c":["AAAA"]}"#,
        r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
    ] {
        let verdict = verdict(&signed(header, &payload));
        assert_eq!(verdict, Some(ErrorCode::Unauthenticated), "{header}");
    }
    let path = signed(r#"{"alg":"HS256","kid":"../../dev/null' or 1=1 --"}"#, &payload);
    assert_eq!(verdict(&path), None, "a kid is read by nobody");
}

#[test]
fn a_damaged_token_is_refused() {
    let good = signed(HEADER, &payload().to_string());
    let parts: Vec<&str> = good.split('.').collect();
    let (head, body, mac) = (parts[0], parts[1], parts[2]);
    for wrong in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}="),
        format!(" {good}"),
        format!("{head}.{body}.{mac}.{mac}"),
        format!("{head}.{body}.{}", &mac[1..]),
        format!("{body}.{head}.{mac}"),
        good.to_uppercase(),
        good.repeat(40),
    ] {
        assert_eq!(verdict(&wrong), Some(ErrorCode::Unauthenticated), "{wrong:.80}");
    }
    for at in (0..good.len()).step_by(7).filter(|at| good.as_bytes()[*at] != b'.') {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let wrong = String::from_utf8(bytes).unwrap();
        assert_eq!(verdict(&wrong), Some(ErrorCode::Unauthenticated), "byte {at}");
    }
    let other = Tokens::new(b"another secret of thirty-two byte", Duration::from_mins(15)).unwrap();
    assert!(other.verify(&good).is_err());
}

#[test]
fn a_refresh_token_is_no_access_token() {
    let refresh = RefreshToken::random();
    assert_eq!(verdict(refresh.as_str()), Some(ErrorCode::Unauthenticated));
    let access = tokens().mint(UserId(7), "a@b.c", Role::Customer, Uuid::new_v4()).unwrap();
    assert_eq!(RefreshToken::parse(&access), None);
}

#[test]
fn a_successor_can_be_made_again_but_not_without_the_key() {
    let token = RefreshToken::random();
    let first = tokens().successor(&token).unwrap();
    assert_eq!(first, tokens().successor(&token).unwrap());
    assert_ne!(first, token);
    assert_ne!(first, tokens().successor(&first).unwrap());
    let other = Tokens::new(b"another secret of thirty-two byte", Duration::from_mins(15)).unwrap();
    assert_ne!(first, other.successor(&token).unwrap());
}

#[test]
fn a_short_secret_signs_nothing() {
    let refused = Tokens::new(b"short", Duration::from_mins(15)).err();
    assert_eq!(refused, Some(AuthError::SecretTooShort(5)));
}
