//! Errors and refusals, whether a step has had them or not.

use trialogue_protocol::ErrorCode;

use super::*;
use crate::record::HttpExchange;

#[test]
fn an_error_that_no_step_expected_is_named() {
    let mut odd = recording(&ALL);
    see(provider(&mut odd), event("error", json!({"code": "internal"})));
    let (judgement, got) = Judged::of(&odd).verdict(Word::NoServerErrors);
    assert_eq!(judgement, Came::Broken);
    assert!(got.starts_with("provider saw"), "{got}");
    assert!(got.ends_with("event error {code: \"internal\"}"), "{got}");
}

#[test]
fn a_refusal_that_no_step_has_had_is_named() {
    let refusal = || trialogue_client::Refusal::new(ErrorCode::Denied, "no");
    let denied = || trialogue_client::Error::Refused(refusal());
    let exchange = |status| HttpExchange {
        method: "GET".to_owned(),
        path: "/chat".to_owned(),
        request: json!(null),
        status: Some(status),
        json: json!({}),
        request_bytes: 0,
        bytes: 0,
        took: Duration::ZERO,
    };
    let odd = [
        What::JoinFailed { chat: chat(), error: denied() },
        What::Outcome { id: key(9), outcome: Outcome::Refused(refusal()) },
        What::Outcome { id: key(9), outcome: Outcome::Conflict(refusal()) },
        What::Outcome { id: key(9), outcome: Outcome::Unknown(refusal()) },
        What::Http(exchange(503)),
    ];
    for what in odd {
        let mut refused = recording(&ALL);
        see(provider(&mut refused), what.clone());
        let (judgement, got) = Judged::of(&refused).verdict(Word::NoServerErrors);
        assert_eq!(judgement, Came::Broken, "{what:?}: {got}");
        provider(&mut refused).entries.last_mut().unwrap().taken = true;
        check(&refused, Word::NoServerErrors, "holds");
    }
    let mut elsewhere = recording(&ALL);
    see(provider(&mut elsewhere), What::Http(exchange(404)));
    check(&elsewhere, Word::NoServerErrors, "holds");
}
