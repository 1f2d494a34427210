//! Which web pages may use the server, and whose word about an address is taken (D15, D16 of
//! RELIABILITY).

use super::raw::{Wire, exchange, host};
use crate::fixture::Fixture;
use trialogue_server::config::LimitsProfile;

/// The status of the answer to a request with these `Origin` lines.
async fn status(server: &Fixture, head: &str, origins: &[&str]) -> u16 {
    let lines: String = origins.iter().map(|origin| format!("origin: {origin}\r\n")).collect();
    let request =
        format!("{head} HTTP/1.1\r\nhost: {}\r\n{lines}connection: close\r\n\r\n", host(server));
    let answer = exchange(server, request.as_bytes()).await;
    if !origins.is_empty() && answer.starts_with("HTTP/1.1 403") {
        let lower = answer.to_ascii_lowercase();
        assert!(!lower.contains("access-control-allow-origin"), "{answer}");
    }
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn only_listed_pages_are_served_over_polling_websocket_and_rest_alike() {
    let server = Fixture::with(|config| {
        config.allow_origin =
            vec!["https://ok.example".parse().unwrap(), "http://ok.example:8080".parse().unwrap()];
    })
    .await;
    let own = format!("http://{}", host(&server));
    for (origins, served) in [
        (vec![], true),
        (vec!["https://ok.example"], true),
        (vec!["https://OK.example"], true),
        (vec!["https://ok.example:443"], true),
        (vec!["http://ok.example:8080"], true),
        (vec![own.as_str()], true),
        (vec!["http://localhost:5173"], true),
        (vec!["http://127.0.0.1"], true),
        (vec!["http://[::1]:3000"], true),
        (vec!["http://ok.example"], false),
        (vec!["https://ok.example:8443"], false),
        (vec!["https://ok.example.evil.com"], false),
        (vec!["https://evil-ok.example"], false),
        (vec!["https://sub.ok.example"], false),
        (vec!["https://ok.example@evil.com"], false),
        (vec!["https://ok.example/page"], false),
        (vec!["https://ok.example, https://evil.com"], false),
        (vec!["wss://ok.example"], false),
        (vec!["http://localhost.evil.com"], false),
        (vec!["http://evil.com/localhost"], false),
        (vec!["http://127.0.0.1.evil.com"], false),
        (vec!["https://evil.example"], false),
        (vec!["null"], false),
        (vec![""], false),
        (vec!["*"], false),
        (vec!["file://"], false),
        (vec!["https://ok.example", "https://ok.example"], false),
        (vec!["https://ok.example", "https://evil.example"], false),
    ] {
        let expect = |granted: u16| if served { granted } else { 403 };
        let polling = "GET /socket.io/?EIO=4&transport=polling";
        assert_eq!(status(&server, polling, &origins).await, expect(200), "polling {origins:?}");
        let rest = status(&server, "GET /health/live", &origins).await;
        assert_eq!(rest, expect(200), "REST {origins:?}");
        let post = status(&server, "POST /auth/logout", &origins).await;
        assert_eq!(post, expect(401), "a POST {origins:?}");
        let lines: String = origins.iter().map(|origin| format!("origin: {origin}\r\n")).collect();
        let opened = Wire::upgrade(&server, "", &lines).await;
        match opened {
            Ok(_) => assert!(served, "a websocket {origins:?}"),
            Err(head) => {
                assert!(!served && head.starts_with("HTTP/1.1 403"), "{origins:?} {head}");
            }
        }
        if let [origin] = origins[..] {
            let preflight = format!(
                "OPTIONS /jobs/create HTTP/1.1\r\nhost: {}\r\norigin: {origin}\r\n\
                 access-control-request-method: POST\r\nconnection: close\r\n\r\n",
                host(&server)
            );
            let answer = exchange(&server, preflight.as_bytes()).await.to_ascii_lowercase();
            let allowed = answer.contains("access-control-allow-origin: ");
            assert_eq!((answer.starts_with("http/1.1 204"), allowed), (served, served), "{answer}");
            assert!(!answer.contains("allow-credentials"), "no cookie is ever used: {answer}");
        }
    }
}

#[tokio::test]
async fn nobody_escapes_a_limit_by_naming_another_address() {
    let server = Fixture::with(|config| config.limits = LimitsProfile::Default).await;
    let open = async |at: usize| {
        let request = format!(
            "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\n\
             x-forwarded-for: 192.0.2.{at}\r\nforwarded: for=192.0.2.{at}\r\n\
             x-real-ip: 192.0.2.{at}\r\nconnection: close\r\n\r\n"
        );
        let answer = exchange(&server, request.as_bytes()).await;
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let mut statuses = Vec::new();
    for at in 1..=55 {
        statuses.push(open(at).await);
    }
    let max = trialogue_server::limits::Limits::standard().unclaimed_per_address_max;
    assert!(statuses[..max].iter().all(|status| status == "200"), "{statuses:?}");
    assert!(statuses[max..].iter().all(|status| status == "429"), "{statuses:?}");
}
