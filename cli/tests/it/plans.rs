//! `load -f`: plans as files, what is wrong in one, and plans made of flags.

use std::path::Path;

use serde_json::Value;

use crate::binary::{Ran, run, trialogue};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/evening.load.yaml");

fn load(arguments: &[&str]) -> Ran {
    run(trialogue().env("LC_ALL", "C").arg("load").args(arguments))
}

/// What would be done.
fn plan(arguments: &[&str]) -> Value {
    let told = load(&[arguments, &["--dry-run", "--json"]].concat());
    assert_eq!(told.code, Some(0), "{told}");
    serde_json::from_str(&told.stdout).expect("a plan")
}

#[test]
fn a_file_is_a_plan_and_flags_override_it() {
    let whole = plan(&["-f", EXAMPLE]);
    assert_eq!((&whole["rooms"], &whole["seed"]), (&200.into(), &7.into()));
    let stages = whole["pace"]["open"]["stages"].as_array().unwrap();
    let told: Vec<_> = stages.iter().map(|one| (&one["name"], &one["recorded"])).collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[0], (&"warm-up".into(), &false.into()));
    let other = plan(&["-f", EXAMPLE, "--rooms", "3", "--rate", "5/s", "--for", "1s"]);
    assert_eq!((&other["rooms"], &other["members"]), (&3.into(), &3.into()));
    assert_eq!(other["pace"]["open"]["stages"][1]["from"], 5.0, "no phases beside a rate");
    let silent = plan(&["idle", "-f", EXAMPLE]);
    assert!(silent["pace"]["silent"].is_object(), "{silent}");
}

#[test]
fn everything_that_is_wrong_in_a_file_is_told_at_once_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.load.yaml");
    let text = "load: 1\nworklaod: idle\nrooms: many\nfor: 60\nrate: 5/s\nwindow: 3\n\
                slo: [lost<5ms, reach==1]\nphases:\n  - { name: climb, for: 10, rat: 5/s }\n\
                arrivals: [poisson]\nseed: \"${env.TRIALOGUE_NO_SUCH}\"\nrooms: 7\n";
    std::fs::write(&path, text).unwrap();
    let told = run(trialogue().current_dir(folder.path()).env("LC_ALL", "C").args([
        "load",
        "-f",
        "wrong.load.yaml",
        "--dry-run",
    ]));
    assert_eq!(told.code, Some(2), "{told}");
    insta::assert_snapshot!(told.stderr);
    std::fs::write(&path, "load: 2\n").unwrap();
    let told = load(&["-f", path.to_str().unwrap()]);
    assert!(told.stderr.contains("must be 1"), "{told}");
    let none = load(&["-f", "/nowhere.load.yaml"]);
    assert_eq!(none.code, Some(2), "{none}");
}

#[test]
fn what_was_typed_can_be_kept_as_a_file_that_does_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.load.yaml");
    let path = path.to_str().unwrap();
    let typed = ["--rooms", "9", "--size", "80%:100,20%:1000..2000", "--slo", "reach==1"];
    let phases = ["--phase", "climb:10s:10/s..90/s", "--phase", "hold:1m:90/s", "--seed", "3"];
    let typed = [&typed[..], &phases].concat();
    let told = load(&[&typed[..], &["--write-plan", path]].concat());
    assert_eq!(told.code, Some(0), "{told}");
    assert_eq!(plan(&["-f", path]), plan(&typed));
    let text = std::fs::read_to_string(path).unwrap();
    let again = load(&["-f", path, "--write-plan", "-"]);
    assert_eq!(again.stdout, text, "{again}");
}

#[test]
fn the_schema_of_plans_takes_what_the_parser_takes() {
    let told = run(trialogue().args(["schema", "load"]));
    let schema: Value = serde_json::from_str(&told.stdout).expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema that is one");
    let read = |text: &str| -> Value {
        let node =
            trialogue_scenarios::yaml::parse(&trialogue_scenarios::source::Source::new("t", text));
        json_of(&node.unwrap())
    };
    let example = read(&std::fs::read_to_string(EXAMPLE).unwrap());
    assert!(schema.is_valid(&example), "{:?}", schema.validate(&example));
    // Every flag that was not left out on purpose, as it is written down again.
    let typed = ["--rooms=9", "--members=4", "--senders=1", "--slo=reach==1", "--find=max-rate"];
    let more = ["--arrivals=burst:4", "--size=5..9", "--phase=a:1s:1/s", "--local-workers=2"];
    let place = ["idle", "--target=http://127.0.0.1:9", "--i-own-this-target"];
    let typed = [&typed[..], &more, &place, &["--write-plan", "-"]].concat();
    let written = load(&typed);
    assert_eq!(written.code, Some(2), "sizes are of 20 bytes at least: {written}");
    let typed: Vec<&str> = typed
        .into_iter()
        .map(|word| if word == "--size=5..9" { "--size=50..90" } else { word })
        .collect();
    let written = load(&typed);
    assert_eq!(written.code, Some(0), "{written}");
    let fields = read(&written.stdout);
    assert!(schema.is_valid(&fields), "{:?} {fields}", schema.validate(&fields));
    assert!(fields["i_own_this_target"] == true && fields["targets"].is_array(), "{fields}");
    for wrong in ["load: 2", "rooms: 1", "load: 1\nroms: 1", "load: 1\nworkload: dance"] {
        assert!(!schema.is_valid(&read(wrong)), "{wrong}");
    }
}

fn json_of(node: &trialogue_scenarios::yaml::Node) -> Value {
    use trialogue_scenarios::yaml::Value as Yaml;
    match &node.value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => (*value).into(),
        Yaml::Int(value) => (*value).into(),
        Yaml::Float(value) => (*value).into(),
        Yaml::Text(value) => value.as_str().into(),
        Yaml::List(items) => items.iter().map(json_of).collect(),
        Yaml::Map(fields) => {
            fields.iter().map(|(key, node)| (key.name.clone(), json_of(node))).collect()
        }
    }
}

/// A result and its folder.
async fn result(cluster: &trialogue_server::embedded::Cluster, path: &Path) -> Ran {
    let mut command = trialogue();
    command.env("LC_ALL", "C").args(["load", "--rooms", "3", "--rate", "40/s", "--for", "1s"]);
    command.args(["--warm-up", "0s", "--prometheus", "127.0.0.1:0", "--report"]);
    command.arg(format!("json={}", path.display()));
    command.args(["--database-url", &cluster.url_of("postgres")]);
    let mut command = tokio::process::Command::from(command);
    let output = command.kill_on_drop(true).stdin(std::process::Stdio::null()).output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), output).await;
    output.expect("it ends").unwrap().into()
}

fn sh(folder: &Path, arguments: &[&str]) -> Ran {
    run(trialogue().current_dir(folder).env("LC_ALL", "C").args(arguments))
}

#[tokio::test]
async fn results_are_merged_told_again_and_held_against_what_was_claimed() {
    let cluster = trialogue_server::embedded::Cluster::throwaway(true).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let told = result(&cluster, &at("a.json")).await;
    cluster.stop().await.unwrap();
    assert!(told.stderr.contains("Prometheus: http://127.0.0.1:"), "{told}");
    let mut first: Value =
        serde_json::from_str(&std::fs::read_to_string(at("a.json")).unwrap()).unwrap();
    // Our own server is looked at without being asked for.
    let resident = first["server"][0]["resident"].as_u64();
    assert!(resident.is_some_and(|bytes| bytes > 1 << 20), "{told}");
    let schema = run(trialogue().args(["schema", "load-result"]));
    let schema = serde_json::from_str(&schema.stdout).expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema that is one");
    assert!(schema.is_valid(&first), "{:?}", schema.validate(&first));
    let broken = serde_json::json!({ "schema": "trialogue-load/1" });
    assert!(!schema.is_valid(&broken) && !schema.is_valid(&Value::Null));
    // A busy machine is no matter of files.
    (first["verdict"], first["why"]) = ("passed".into(), Value::Array(Vec::new()));
    first["rig"]["reasons"] = Value::Array(Vec::new());
    std::fs::write(at("a.json"), first.to_string()).unwrap();
    first["run"] = "other".into();
    std::fs::write(at("b.json"), first.to_string()).unwrap();

    let sh = |arguments: &[&str]| sh(folder.path(), arguments);
    let merged = sh(&["merge", "a.json", "b.json", "--json"]);
    let sum: Value = serde_json::from_str(&merged.stdout).unwrap();
    assert_eq!(sum["counts"]["sent"].as_u64(), first["counts"]["sent"].as_u64().map(|n| n * 2));
    let twice = sh(&["merge", "a.json", "a.json"]);
    assert!(twice.code == Some(2) && twice.stderr.contains("there twice"), "{twice}");

    let again = sh(&["report", "a.json", "--html", "a.html", "--hlog", "a.hlog", "--csv", "-"]);
    assert_eq!(again.code, Some(0), "{again}");
    assert!(again.stdout.contains(",server_cores,server_resident_bytes"), "{again}");
    let page = std::fs::read_to_string(at("a.html")).unwrap();
    assert!(page.contains("Server: memory") && page.contains("Latency by percentile"));
    assert!(std::fs::read_to_string(at("a.hlog")).unwrap().contains("Tag=delivery"));
    let part = sh(&["report", "a.json", "--from", "1h", "--csv", "-"]);
    assert!(part.code == Some(2) && part.stderr.contains("no window"), "{part}");
    let tap = sh(&["report", "a.json", "--report", "tap=-"]);
    assert!(tap.code == Some(2) && tap.stderr.contains("no format"), "{tap}");
    results_of_two_targets_are_told_again(folder.path(), &first);
    what_contradicts_itself_is_no_result(folder.path(), &first);
    claims_are_held_against_what_was_measured(folder.path(), first);
}

fn results_of_two_targets_are_told_again(folder: &Path, first: &Value) {
    let sh = |arguments: &[&str]| sh(folder, arguments);
    let put = |name: &str, result: &Value| {
        std::fs::write(folder.join(name), result.to_string()).unwrap();
    };
    let two = serde_json::json!({
        "schema": "trialogue-versus/1", "pairs": 1, "first": first, "second": first, "deltas": [],
    });
    put("two.json", &two);
    let told = sh(&["report", "two.json", "--html", "two.html", "--md", "two.md", "--junit", "-"]);
    assert!(told.code == Some(0) && told.stdout.contains("both passed"), "{told}");
    let page = std::fs::read_to_string(folder.join("two.html")).unwrap();
    assert!(page.contains("Latency by percentile: delivery"), "{page}");
    assert!(std::fs::read_to_string(folder.join("two.md")).unwrap().contains("## second: "));
    let told = sh(&["report", "two.json", "--csv", "-"]);
    assert!(told.code == Some(2) && told.stderr.contains("and not as csv"), "{told}");
    let told = sh(&["report", "two.json", "--from", "1s", "--md", "-"]);
    assert!(told.code == Some(2) && told.stderr.contains("of one run"), "{told}");
    for verb in ["compare", "merge"] {
        let told = sh(&[verb, "two.json", "a.json"]);
        assert!(told.code == Some(2) && told.stderr.contains("of two targets"), "{told}");
    }
}

/// What a file says of itself is no better than what it has counted.
fn what_contradicts_itself_is_no_result(folder: &Path, first: &Value) {
    let sh = |arguments: &[&str]| sh(folder, arguments);
    let put = |name: &str, result: &Value| {
        std::fs::write(folder.join(name), result.to_string()).unwrap();
    };
    let mut lying = first.clone();
    lying["faults"] = serde_json::json!([{ "fault": "lost", "count": 7 }]);
    lying["counts"]["faults"] = serde_json::json!([7, 0, 0, 0, 0, 0, 0]);
    put("lying.json", &lying);
    let told = sh(&["report", "lying.json", "--md", "-"]);
    assert!(told.stdout.contains("FAILED: 7 lost"), "{told}");
    for (field, value) in [("reached", 1_u64 << 40), ("limited", 9)] {
        let mut broken = first.clone();
        broken["counts"][field] = value.into();
        put("broken.json", &broken);
        let told = sh(&["report", "broken.json", "--md", "-"]);
        assert!(told.code == Some(2) && told.stderr.contains(field), "{told}");
    }
    let mut endless = first.clone();
    endless["took"] = u64::MAX.into();
    put("endless.json", &endless);
    let told = sh(&["merge", "a.json", "endless.json"]);
    assert!(told.code == Some(2) && told.stderr.contains("it took"), "{told}");
}

/// `a.json` is what was claimed, and `b.json` what was measured now.
fn claims_are_held_against_what_was_measured(folder: &Path, mut first: Value) {
    let sh = |arguments: &[&str]| sh(folder, arguments);
    let put = |name: &str, result: &Value| {
        std::fs::write(folder.join(name), result.to_string()).unwrap();
    };
    let claims = "baseline: 1\nclaims:\n  - name: b\n    plan: none.load.yaml\n    \
                  result: a.json\n    drift: ['reach<-0%', 'delivery.p99>+1s']\n";
    std::fs::write(folder.join("claims.baseline.yaml"), claims).unwrap();
    let check = |more: &[&str]| {
        sh(&[&["baseline", "check", "claims.baseline.yaml", "--results", "."], more].concat())
    };
    let held = check(&[]);
    assert_eq!((held.code, held.stdout.as_str()), (Some(0), "b: held\n"), "{held}");
    first["counts"]["reached"] = (first["counts"]["owed"].as_u64().unwrap() / 2).into();
    put("b.json", &first);
    let drifted = check(&[]);
    assert_eq!(drifted.code, Some(1), "{drifted}");
    let why = "b: drifted: reach<-0% with reach: 1.0000 -> 0.";
    assert!(drifted.stdout.contains(why), "{drifted}");
    assert_eq!(check(&["--only", "c"]).code, Some(2));
    let kept = sh(&["baseline", "update", "claims.baseline.yaml", "--results", "."]);
    assert_eq!((kept.code, check(&[]).code), (Some(0), Some(0)), "{kept}");
    // A claim that was made by a rig at its limit proves nothing.
    first["rig"]["reasons"] = serde_json::json!(["a worker had 99 % of its core"]);
    put("a.json", &first);
    let void = check(&[]);
    assert!(
        void.code == Some(4) && void.stdout.contains("its baseline did not pass: a worker"),
        "{void}"
    );
    let told = sh(&["compare", "a.json", "b.json", "--json"]);
    assert!(told.stdout.contains("the first was limited by its rig"), "{told}");
    first["rig"]["reasons"] = Value::Array(Vec::new());
    first["complete"] = false.into();
    put("a.json", &first);
    let void = check(&[]);
    assert!(void.code == Some(4) && void.stdout.contains("was cut short"), "{void}");
    first["complete"] = true.into();
    put("a.json", &first);
    let other = |change: &dyn Fn(&mut Value), words: &str| {
        let mut other = first.clone();
        change(&mut other);
        put("b.json", &other);
        let told = check(&[]);
        assert!(told.code == Some(4) && told.stdout.contains(words), "{told}");
    };
    other(&|now| now["plan"]["rooms"] = 77.into(), "another number of rooms");
    other(&|now| now["target"] = "http://elsewhere.example".into(), "another target");
    other(&|now| now["plan"]["senders"] = 1.into(), "another senders");
    let twice = claims.to_owned() + claims.split_once("claims:\n").unwrap().1;
    for (text, words) in [(twice.as_str(), "two claims"), ("baseline: 1\nclaims: []\n", "nothing")]
    {
        std::fs::write(folder.join("odd.baseline.yaml"), text).unwrap();
        let told = sh(&["baseline", "check", "odd.baseline.yaml"]);
        assert!(told.code == Some(2) && told.stderr.contains(words), "{told}");
    }
    let gone = sh(&["baseline", "check", "claims.baseline.yaml"]);
    assert!(gone.code == Some(3) && gone.stdout.contains("could not run"), "{gone}");
}

#[test]
fn two_targets_are_for_taking_turns() {
    let check = |arguments: &[&str], words: &str| {
        let told = load(arguments);
        assert!(told.code == Some(2) && told.stderr.contains(words), "{told}");
    };
    let (one, other) = ("--target=http://127.0.0.1:9", "--target=http://127.0.0.1:10");
    check(&[one, other], "--interleave");
    check(&[one, "--interleave"], "is for two");
    check(&["--interleave"], "--target");
    check(&[one, other, "--interleave", "--report", "csv=-"], "not as csv");
    check(&[one, other, "--interleave", "--pairs", "1"], "--pairs");
    // Nobody is there, and it is said where.
    let told = load(&[one, other, "--interleave"]);
    assert!(told.code == Some(3) && told.stderr.contains("http://127.0.0.1:9"), "{told}");
    let folder = tempfile::tempdir().unwrap();
    let seats = folder.path().join("seats");
    std::fs::write(&seats, "chat-1,token\n").unwrap();
    let told = load(&[one, other, "--interleave", "--seats", seats.to_str().unwrap()]);
    assert!(told.code == Some(3) && told.stderr.contains("127.0.0.1:9"), "{told}");
}
