//! Reports for tools that know only red and green.

use trialogue_loadtest::report::Format;
use trialogue_loadtest::result::{Document, Verdict};

use crate::double::Quirk;
use crate::verdicts::{against, plan};

/// What JUnit has of a case: from its name to the next one.
fn case(document: &Document, id: &str) -> String {
    let junit = Format::Junit.write(document).unwrap();
    let (_, after) = junit.split_once(&format!("<testcase name=\"{id}: ")).expect("a case");
    after.split("<testcase").next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_made_a_run_bad_is_red_in_junit_and_what_is_only_told_is_not() {
    let mut cut = against(Quirk::Cut, &plan(1)).await;
    // Nothing else is wrong: neither a delivery nor an objective.
    cut.slos.clear();
    assert_ne!(cut.verdict, Verdict::Passed);
    let told = case(&cut, "verdict");
    assert!(told.contains("connections were cut"), "{told}");
    (cut.verdict, cut.why) = (Verdict::Failed, vec!["aborted: sent>1".to_owned()]);
    assert!(case(&cut, "verdict").contains("<failure message=\"aborted"));
    (cut.verdict, cut.why) = (Verdict::Inconclusive, vec!["nothing was delivered".to_owned()]);
    assert!(case(&cut, "verdict").contains("<error message=\"nothing"));
    (cut.verdict, cut.why) = (Verdict::Passed, Vec::new());
    let green = case(&cut, "verdict");
    assert!(!green.contains("<failure") && !green.contains("<error"), "{green}");

    (cut.counts.owed, cut.counts.reached) = (0, 0);
    assert!(Format::Markdown.write(&cut).unwrap().contains("reach 0 of 0 (-)"));
    cut.rig.unsendable = 54;
    assert_eq!(cut.value("unsendable"), Some(54.0));
    for format in [Format::Html, Format::Markdown] {
        assert!(format.write(&cut).unwrap().contains("54 could not be sent"), "{format:?}");
    }

    let mut swapped = against(Quirk::Swap, &plan(1)).await;
    assert!(case(&swapped, "reordered").contains("<failure"));
    swapped.order_promised = false;
    let told = case(&swapped, "reordered");
    assert!(!told.contains("<failure") && !told.contains("<error"), "{told}");
    let late = trialogue_loadtest::verdict::Fault::Late;
    swapped.counts.faults[late as usize] = 3;
    swapped.rig.reasons.clear();
    assert!(case(&swapped, "late").contains("<failure"));
    swapped.rig.reasons.push("a worker had 99 % of its core".to_owned());
    assert!(case(&swapped, "late").contains("<error"));
}
