//! What no route accepts, and how that is said.

use serde_json::{Value, json};

use super::{Trio, check_error};
use crate::fixture::{Fixture, Person, SOON};

/// Every route that needs a token, with a method that it has.
const BEHIND_A_TOKEN: [(&str, &str); 20] = [
    ("POST", "/auth/logout"),
    ("POST", "/auth/password"),
    ("GET", "/auth/me"),
    ("GET", "/providers"),
    ("POST", "/jobs/create"),
    ("GET", "/jobs"),
    ("GET", "/jobs/1"),
    ("POST", "/jobs/1/complete"),
    ("POST", "/jobs/1/cancel"),
    ("GET", "/chat"),
    ("GET", "/chat/0190a0b0-0000-7000-8000-00000000abcd"),
    ("GET", "/chat/0190a0b0-0000-7000-8000-00000000abcd/messages"),
    ("GET", "/disputes"),
    ("POST", "/disputes"),
    ("POST", "/disputes/1/join"),
    ("POST", "/disputes/1/resolve"),
    ("GET", "/notifications"),
    ("POST", "/notifications/0190a0b0-0000-7000-8000-00000000abcd/read"),
    ("POST", "/notifications/read-all"),
    ("GET", "/auth/me?x=1"),
];

async fn send(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.timeout(SOON).send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn request(server: &Fixture, method: &str, path: &str) -> reqwest::RequestBuilder {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    server.http.request(method, format!("{}{path}", server.url))
}

#[tokio::test]
async fn nothing_is_open_without_a_token() {
    let server = Fixture::start().await;
    let somebody = server.register("customer").await;
    for (method, path) in BEHIND_A_TOKEN {
        let bare = request(&server, method, path);
        check_error(&send(bare).await, "unauthenticated");
        let garbage = request(&server, method, path).bearer_auth("x.y.z");
        check_error(&send(garbage).await, "unauthenticated");
        let basic = request(&server, method, path).basic_auth("a", Some("b"));
        check_error(&send(basic).await, "unauthenticated");
        let glue = if path.contains('?') { '&' } else { '?' };
        let query = format!("{path}{glue}token={t}&access_token={t}", t = somebody.token);
        check_error(&send(request(&server, method, &query)).await, "unauthenticated");
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_have_the_same_body() {
    let server = Fixture::start().await;
    for path in ["/", "/nothing", "/auth", "/chat/", "/jobs/1/2/3", "/..%2f", "/metrics"] {
        check_error(&send(request(&server, "GET", path)).await, "not_found");
    }
    for (method, path) in BEHIND_A_TOKEN {
        for wrong in ["PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            let answer = send(request(&server, wrong, path)).await;
            check_error(&answer, "method_not_allowed");
        }
        if method == "POST" && path != "/disputes" {
            let answer = send(request(&server, "GET", path)).await;
            check_error(&answer, "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn only_json_is_a_body() {
    let server = Fixture::start().await;
    let text = r#"{"email":"a@b","password":"12345678"}"#;
    let login = |kind: Option<&str>, body: Vec<u8>| {
        let request = request(&server, "POST", "/auth/login").body(body);
        match kind {
            Some(kind) => request.header("content-type", kind),
            None => request,
        }
    };
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("")] {
        let answer = send(login(kind, text.into())).await;
        check_error(&answer, "unsupported_media_type");
    }
    let json = Some("application/json");
    for wrong in
        ["", "{", "[]", "null", "7", "\"x\"", r#"["a@b","12345678"]"#, r#"{"email":"\ud800"}"#]
    {
        let answer = send(login(json, wrong.into())).await;
        check_error(&answer, "bad_request");
    }
    let invalid = b"{\"email\":\"\xff\xfe\",\"password\":\"12345678\"}".to_vec();
    check_error(&send(login(json, invalid)).await, "bad_request");
    let deep = format!(r#"{{"email":"a@b","password":"12345678","x":{}"#, "[".repeat(60_000));
    check_error(&send(login(json, deep.into())).await, "bad_request");
    let big = format!(r#"{{"email":"a@b","password":"12345678","x":"{}"}}"#, "x".repeat(70_000));
    let answer = send(login(json, big.into())).await;
    check_error(&answer, "too_large");
    assert!(answer.1["message"].as_str().unwrap().contains("65536"), "names the limit");
    let twice = r#"{"email":"a@b","email":"c@d","password":"12345678"}"#;
    check_error(&send(login(json, twice.into())).await, "bad_request");
    let (status, _) = send(login(Some("application/json; charset=utf-8"), text.into())).await;
    assert_eq!(status, 401, "a right body of nobody");
}

#[tokio::test]
async fn a_broken_list_query_is_refused_everywhere() {
    let trio = Trio::new().await;
    let who: &Person = &trio.customer;
    for path in ["/jobs", "/chat", "/disputes", "/providers"] {
        for query in ["limit=0", "limit=1001", "limit=x", "cursor=%00", "cursor=..", "cursor="] {
            check_error(&who.get(&format!("{path}?{query}")).await, "bad_request");
        }
        assert_eq!(who.get(&format!("{path}?limit=1000&unknown=1")).await.0, 200);
    }
    check_error(&who.get("/providers?q=%00").await, "bad_request");
    check_error(&who.get(&format!("/providers?q={}", "x".repeat(101))).await, "bad_request");
}

#[tokio::test]
async fn health_says_alive_and_ready() {
    let server = Fixture::start().await;
    let nobody = server.nobody();
    assert_eq!(nobody.get("/health/live").await, (200, json!({ "status": "live" })));
    assert_eq!(nobody.get("/health/ready").await, (200, json!({ "status": "ready" })));
    server.sql("delete from _sqlx_migrations where version > 1").await;
    check_error(&nobody.get("/health/ready").await, "unavailable");
}
