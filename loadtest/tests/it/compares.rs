//! Two results side by side.

use trialogue_loadtest::compare::{Limit, changes};
use trialogue_loadtest::result::Document;

use crate::double::Quirk;
use crate::verdicts::{against, plan};

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_between_two_runs_is_told_and_a_limit_is_kept() {
    let good = against(Quirk::Nothing, &plan(1)).await;
    let bad = against(Quirk::LoseForAll, &plan(1)).await;
    let told = changes(&good, &bad);
    let of = |name: &str| told.iter().find(|change| change.name == name);
    assert!(of("reach").is_some_and(|change| change.part() < -0.01), "{told:?}");
    assert_eq!(of("lost").unwrap().part(), f64::INFINITY);
    assert!(of("delivery.p99").is_some() && of("duplicated").is_none());
    let judge = |text: &str, before: &Document, after: &Document| {
        text.parse::<Limit>().unwrap().judge(before, after)
    };
    assert!(judge("reach<-0.1%", &good, &bad).unwrap().unwrap().contains("reach: 1.0000 -> 0."));
    assert_eq!(judge("reach<-0.1%", &bad, &good), Ok(None));
    assert_eq!(judge("lost>+0%", &good, &good), Ok(None));
    let none = Document { metrics: Vec::new(), ..good.clone() };
    assert!(judge("delivery.p99>+10%", &good, &none).unwrap_err().contains("not measured"));
}
