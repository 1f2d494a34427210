//! Two results side by side.

use trialogue_loadtest::compare::{Limit, changes, differs};
use trialogue_loadtest::plan::Unrest;
use trialogue_loadtest::result::Document;
use trialogue_loadtest::verdict::Fault;

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

    // What says nothing is no good news, and what is not the same is told.
    let void = |change: &dyn Fn(&mut Document), words: &str| {
        let mut other = good.clone();
        (other.rig.reasons, other.complete) = (Vec::new(), true);
        let sound = other.clone();
        assert_eq!(judge("delivery.p99>+10%", &sound, &other), Ok(None));
        change(&mut other);
        for (before, after) in [(&sound, &other), (&other, &sound)] {
            let why = judge("delivery.p99>+10%", before, after).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        differs(&sound, &other).join("; ")
    };
    let told = void(&|one| one.rig.reasons.push("99 % of its core".to_owned()), "the rig of");
    assert!(told.contains("the second was limited by its rig: 99 %"), "{told}");
    let told = void(&|one| one.complete = false, "cut short");
    assert!(told.contains("the second was cut short"), "{told}");
    let told = void(&|one| one.plan.unrest = Unrest::Apart, "are two things");
    assert!(told.contains("workload: broadcast, then ack"), "{told}");
    void(&|one| one.counts.faults[Fault::Lost as usize] = one.counts.sent, "never came");
    let far =
        Document { target: "http://elsewhere:1".to_owned(), metrics: Vec::new(), ..good.clone() };
    let told = differs(&far, &good).join("; ");
    assert!(told.contains("target: http://elsewhere:1, then "), "{told}");
    assert!(told.contains("delivery: measured in the second alone"), "{told}");
    assert_eq!(differs(&good, &good).iter().filter(|one| !one.contains("by its rig")).count(), 0);
}
