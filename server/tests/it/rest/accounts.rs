//! Registering, logging in, staying logged in, logging out, and finding a provider.

use serde_json::{Value, json};

use super::check_error;
use crate::fixture::{Fixture, Person};

fn registration(email: &str, role: &str) -> Value {
    json!({
        "email": email, "password": "correct horse", "firstName": "Ada", "lastName": "Lovelace",
        "role": role, "region": "North", "businessName": "Ada & Co",
    })
}

#[tokio::test]
async fn who_registers_is_logged_in_and_sees_the_own_address() {
    let server = Fixture::start().await;
    let nobody = server.nobody();
    let (status, session) =
        nobody.post("/auth/register", registration("Ada@Example.org", "PROVIDER")).await;
    assert_eq!(status, 201, "{session}");
    assert_eq!(session["user"]["role"], "service_provider");
    assert_eq!(session["user"]["email"], "Ada@Example.org");
    assert!(session["accessToken"].is_string() && session["refreshToken"].is_string());
    let ada = nobody.with_session(&session);
    let (status, me) = ada.get("/auth/me").await;
    assert_eq!((status, &me["user"]), (200, &session["user"]));
    let taken = nobody.post("/auth/register", registration("ada@example.ORG", "customer")).await;
    check_error(&taken, "conflict");
}

#[tokio::test]
async fn every_spelling_of_a_role_is_read() {
    let server = Fixture::start().await;
    for (at, (spelling, role)) in [
        ("customer", "customer"),
        ("CUSTOMER", "customer"),
        ("provider", "service_provider"),
        ("Service_Provider", "service_provider"),
        ("lsm", "local_service_manager"),
        ("LOCAL_SERVICE_MANAGER", "local_service_manager"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = registration(&format!("{at}@x.example"), spelling);
        let (status, session) = server.nobody().post("/auth/register", body).await;
        assert_eq!((status, session["user"]["role"].as_str()), (201, Some(role)), "{spelling}");
    }
}

#[tokio::test]
async fn only_operators_make_lsms_and_nobody_makes_admins() {
    let server = Fixture::with(|config| config.open_registration = false).await;
    let nobody = server.nobody();
    let lsm = nobody.post("/auth/register", registration("a@x.example", "lsm")).await;
    check_error(&lsm, "denied");
    let admin = nobody.post("/auth/register", registration("b@x.example", "ADMIN")).await;
    check_error(&admin, "bad_request");
    let mut extra = registration("c@x.example", "customer");
    extra["id"] = json!(1);
    extra["is_active"] = json!(false);
    extra["passwordHash"] = json!("x");
    let (status, session) = nobody.post("/auth/register", extra).await;
    assert_eq!(status, 201, "unknown fields are ignored: {session}");
}

#[tokio::test]
async fn a_registration_that_is_wrong_names_its_field() {
    let server = Fixture::start().await;
    let check = async |field: &str, value: Value| {
        let mut body = registration("a@x.example", "customer");
        body[field] = value.clone();
        let answer = server.nobody().post("/auth/register", body).await;
        check_error(&answer, "bad_request");
        assert_eq!(answer.1["details"]["fields"][0], field, "{value} {}", answer.1);
    };
    for wrong in [json!("no address"), json!(""), json!("a\u{0}@b"), json!(7), Value::Null] {
        check("email", wrong).await;
    }
    for wrong in [json!("1234567"), json!("x".repeat(129)), json!("1234567\u{0}"), json!(12345678)]
    {
        check("password", wrong).await;
    }
    for field in ["firstName", "lastName"] {
        let long = json!("x".repeat(101));
        for wrong in [json!(""), json!("a\nb"), json!("a\u{202e}b"), json!(["a"]), long] {
            check(field, wrong).await;
        }
    }
    check("role", json!("king")).await;
    check("region", json!("a\u{1b}[2Jb")).await;
    check("businessName", json!("x".repeat(101))).await;
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_one_answer() {
    let server = Fixture::start().await;
    let somebody = server.register("customer").await;
    let nobody = server.nobody();
    let log_in = async |email: &str, password: &str| {
        nobody.post("/auth/login", json!({"email": email, "password": password})).await
    };
    let wrong = log_in(&somebody.email, "wrong horse").await;
    check_error(&wrong, "unauthenticated");
    assert_eq!(wrong, log_in("nobody@x.example", "wrong horse").await);
    assert_eq!(wrong, log_in("not an address", "wrong horse").await);
    assert_eq!(wrong, log_in(&somebody.email, "Correct horse").await);
    assert_eq!(wrong, log_in(&somebody.email, " correct horse").await);
    let (status, session) = log_in(&somebody.email.to_uppercase(), "correct horse").await;
    assert_eq!((status, session["user"]["id"].as_i64()), (200, Some(somebody.id)));
    check_error(&log_in(&somebody.email, &"x".repeat(129)).await, "bad_request");
}

#[tokio::test]
async fn a_refresh_token_gives_the_next_pair_and_its_reuse_the_same_one() {
    let server = Fixture::start().await;
    let somebody = server.register("customer").await;
    let refresh = async |token: &str| {
        server.nobody().post("/auth/refresh", json!({ "refreshToken": token })).await
    };
    let (status, first) = refresh(&somebody.refresh_token).await;
    assert_eq!(status, 200, "{first}");
    let (status, again) = refresh(&somebody.refresh_token).await;
    assert_eq!(status, 200, "a lost answer: {again}");
    assert_eq!(first["refreshToken"], again["refreshToken"]);
    assert_ne!(first["refreshToken"], somebody.refresh_token);
    let next = Person { token: text(&first["accessToken"]), ..somebody.clone() };
    assert_eq!(next.get("/auth/me").await.0, 200);
    for wrong in ["", "x", &"A".repeat(43), &somebody.token] {
        check_error(&refresh(wrong).await, "unauthenticated");
    }
    let access = Person { token: text(&first["refreshToken"]), ..somebody.clone() };
    check_error(&access.get("/auth/me").await, "unauthenticated");
}

#[tokio::test]
async fn a_stolen_refresh_token_ends_the_family() {
    let server = Fixture::start().await;
    let somebody = server.register("customer").await;
    let refresh = async |token: &str| {
        server.nobody().post("/auth/refresh", json!({ "refreshToken": token })).await
    };
    let (_, first) = refresh(&somebody.refresh_token).await;
    server.sql("update refresh_tokens set used_at = used_at - interval '11 s'").await;
    check_error(&refresh(&somebody.refresh_token).await, "unauthenticated");
    check_error(&refresh(&text(&first["refreshToken"])).await, "unauthenticated");
    check_error(&somebody.get("/auth/me").await, "unauthenticated");
    assert_eq!(somebody.log_in("correct horse").await.get("/auth/me").await.0, 200);
}

#[tokio::test]
async fn who_logs_out_is_out_with_this_session_only() {
    let server = Fixture::start().await;
    let phone = server.register("customer").await;
    let laptop = phone.log_in("correct horse").await;
    assert_eq!(phone.post("/auth/logout", json!({})).await.0, 204);
    check_error(&phone.get("/auth/me").await, "unauthenticated");
    let refresh = json!({ "refreshToken": phone.refresh_token });
    check_error(&server.nobody().post("/auth/refresh", refresh).await, "unauthenticated");
    assert_eq!(laptop.get("/auth/me").await.0, 200);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let server = Fixture::start().await;
    let phone = server.register("customer").await;
    let laptop = phone.log_in("correct horse").await;
    let change = async |old: &str, new: &str| {
        phone.post("/auth/password", json!({ "oldPassword": old, "newPassword": new })).await
    };
    check_error(&change("wrong horse", "battery staple").await, "unauthenticated");
    check_error(&change("correct horse", "short").await, "bad_request");
    assert_eq!(change("correct horse", "battery staple").await.0, 204);
    assert_eq!(phone.get("/auth/me").await.0, 200);
    check_error(&laptop.get("/auth/me").await, "unauthenticated");
    assert_eq!(phone.log_in("battery staple").await.get("/auth/me").await.0, 200);
}

#[tokio::test]
async fn a_disabled_account_can_do_nothing() {
    let server = Fixture::start().await;
    let somebody = server.register("customer").await;
    server.sql("update users set disabled_at = now()").await;
    check_error(&somebody.get("/auth/me").await, "unauthenticated");
    let login = json!({ "email": somebody.email, "password": "correct horse" });
    check_error(&server.nobody().post("/auth/login", login).await, "unauthenticated");
    let refresh = json!({ "refreshToken": somebody.refresh_token });
    check_error(&server.nobody().post("/auth/refresh", refresh).await, "unauthenticated");
}

#[tokio::test]
async fn a_provider_is_found_by_name_business_and_region() {
    let server = Fixture::start().await;
    let (north, south) =
        (server.register("provider").await, server.register_in("provider", "South").await);
    let customer = server.register("customer").await;
    let found = async |query: &str| {
        let (status, list) = customer.get(&format!("/providers{query}")).await;
        assert_eq!(status, 200, "{list}");
        let ids: Vec<i64> = list["providers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|provider| provider["id"].as_i64().unwrap())
            .collect();
        (ids, list["next"].clone())
    };
    assert_eq!(found("").await, (vec![north.id, south.id], Value::Null));
    assert_eq!(found("?region=SOUTH").await.0, [south.id]);
    assert_eq!(found("?q=TEST%20prov").await.0, [north.id, south.id]);
    assert_eq!(found("?q=%25").await.0, [] as [i64; 0], "no wildcard");
    let (page, next) = found("?limit=1").await;
    assert_eq!(page, [north.id]);
    let next = next.as_str().unwrap();
    assert_eq!(found(&format!("?limit=1&cursor={next}")).await, (vec![south.id], Value::Null));
    let (_, list) = customer.get("/providers").await;
    assert!(list["providers"][0].get("email").is_none());
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
