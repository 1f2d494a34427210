//! Files as a malicious or a new user writes them: each mistake with its place and the right word,
//! and not one more than there are.

use std::fmt::Write as _;

use trialogue_scenarios::file::read;
use trialogue_scenarios::source::Source;

/// A file that is fine, with these steps at line 6, two blanks deep.
fn with(steps: &str) -> String {
    let head = "scenario: 1\nname: t\nactors: { customer: { role: customer }, \
                provider: { role: provider } }\nvars: { chat: x }\nsteps:\n";
    format!("{head}{}", steps.lines().map(|line| format!("  {line}\n")).collect::<String>())
}

/// `line:column what`, for each mistake.
fn mistakes(text: &str) -> String {
    let source = Source::new("t", text);
    let Err(wrong) = read(&source) else { return "fine\n".to_owned() };
    let mut all = String::new();
    for found in wrong.found() {
        let (line, column) = source.line_column(found.span.start);
        // The list of all verbs is long, and grows.
        let message = found.message.split("one of act,").next().unwrap_or_default();
        writeln!(all, "{line}:{column} {message}").expect("a string takes all");
    }
    all
}

/// What is wrong with steps.
const STEPS: &[(&str, &[&str])] = &[
    ("- { as: customer, recieve: x }", &["6:21 `recieve` `receive`"]),
    ("- { as: customer, sned: { chat: x, text: y } }", &["6:21 `sned` `send`"]),
    ("- { as: custmer, login: true }", &["6:11 `custmer` `customer`"]),
    ("- { as: customer, login: yes }", &["6:28 not `true`"]),
    ("- { login: true }", &["6:7 needs `as`"]),
    ("- { as: provider, wait: 1s }", &["6:21 takes no `as`"]),
    ("- { wait: 5 }", &["6:13 `5s`"]),
    ("- { wait: 5 s }", &["6:13 `5 s`"]),
    ("- { wait: 5sec }", &["6:13 `5sec`"]),
    ("- { as: customer, join: \"${caht}\" }", &["6:27 `caht` `chat`"]),
    ("- { as: customer, join: \"${chat\" }", &["6:27 `${chat`"]),
    ("- { as: customer, join: x, emit: y }", &["6:5 `join` and `emit`"]),
    ("- { as: customer, join: x, jion: y }", &["6:30 `jion`"]),
    ("- { as: customer, join: x, where: {} }", &["6:30 `where` does not go with `join`"]),
    ("- { as: customer, join: x, join: y }", &["6:30 `join` stands here twice"]),
    (
        "- { as: customer, emit: x, data: { a: [{ b: 1, b: 2 }], c: 1, a: 2 } }",
        &["6:50 `b` stands here twice", "6:65 `a` stands here twice"],
    ),
    (
        "- { as: customer, get: /x, expect: { json: { role: lsm, role: customer } } }",
        &["6:59 `role` stands here twice"],
    ),
    ("- { as: customer, receive: x, count: {} }", &["6:40 `min` or `max`"]),
    (
        "- { as: customer, receive: x, where: { n: { min: 5, max: 3 } } }",
        &["6:45 `min` is over `max`"],
    ),
    ("- { as: customer, join: x, within: 0s }", &["6:38 no time"]),
    ("- { as: customer, network: { for: 3s } }", &["6:30 says no fault"]),
    ("- { as: customer, network: {} }", &["6:30 says no fault"]),
    ("- { as: customer, network: { latency: 1ms, for: 0s } }", &["6:51 `for` is no time"]),
    ("- { as: customer, network: { latency: 0ms } }", &["6:41 `latency` is no time"]),
    ("- { as: customer, network: { refuse: 0 } }", &["6:40 `refuse` is true, or 1 to 1000"]),
    ("- { wait: 0s }", &["6:13 `wait` is no time"]),
    ("- { as: customer, never: x, during: 0ms }", &["6:39 no time"]),
    ("- { as: customer, emit: \"\" }", &["6:27 `emit` is empty"]),
    ("- { as: customer, emit: 5 }", &["6:27 `emit` is a whole number, not text"]),
    ("- { as: customer, receive: \" \" }", &["6:30 `receive` is empty"]),
    ("- { as: customer, never: \"\" }", &["6:28 `never` is empty"]),
    ("- { as: customer, get: \"\" }", &["6:26 the path of a request is empty"]),
    ("- { as: customer, put: { path: \"\" } }", &["6:34 `path` is empty"]),
    ("- { as: customer, join: \"\" }", &["6:27 `join` is empty"]),
    ("- { as: customer, send: { chat: \"\", text: \"\" } }", &["6:35 `chat` is empty"]),
    ("- { as: customer, exec: \"\" }", &["6:27 `exec` is empty"]),
    ("- { act: \"\" }", &["6:12 `act` is empty"]),
    ("- { use: \"\" }", &["6:12 `use` is empty"]),
    ("- { use: /etc/passwd }", &["6:12 `/etc/passwd` is absolute"]),
    ("- { as: customer, join: x, expect: {} }", &["6:38 `expect` expects nothing"]),
    ("- { as: customer, receive: x, count: many }", &["6:40 `count` is text, not a number or"]),
    ("- { repeat: 0, steps: [{ wait: 1s }] }", &["6:15 `repeat` is 1 to 10000"]),
    ("- { repeat: three, steps: [{ wait: 1s }] }", &["6:15 `repeat` must be a whole number"]),
    ("- { repeat: 2, steps: [] }", &["6:25 `steps` is empty"]),
    ("- { parallel: [] }", &["6:17 `parallel` is empty"]),
    ("- { parallel: [[], [{ wait: 1s }]] }", &["6:18 a branch is empty"]),
    (
        "- { delivered: { message: m1, to: provider } }\n- { id: m1, as: customer, send: { chat: x, text: y } }",
        &["6:29 sent after this"],
    ),
    ("- as: customer # see !urgent\n  emit: x\n  # and !this\n  data: { a: 1 }", &[]),
    ("- { as: customer }", &["6:5 needs a verb"]),
    ("- login", &["6:5 not an object"]),
    ("- { id: m1, as: customer, join: x }\n- { id: m1, as: customer, leave: x }", &["7:11 `m1`"]),
    ("- { id: M1, as: customer, join: x }", &["6:11 an id is a-z"]),
    ("- { id: customer, as: customer, join: x }", &["6:11 `customer` is the name of an actor"]),
    ("- { delivered: { message: m9, to: customer } }", &["6:29 `m9`"]),
    ("- { as: customer, send: { chat: x } }", &["6:27 needs `text`"]),
    // All at once: the field and, in the same step, the variable.
    (
        "- { as: customer, send: { chat: \"${chta}\", txt: hi } }",
        &["6:35 `chta` `chat`", "6:46 `txt` `text`"],
    ),
    // A step that makes no sense takes nothing away from those after it.
    (
        "- { as: customer, sned: x, id: m1, save: { job: $.job } }\n\
         - { as: customer, join: \"${job}\" }\n\
         - { delivered: { message: m1, to: customer } }",
        &["6:21 `sned` `send`"],
    ),
    (
        "- { as: nobody, do: book, with: { provider: provider }, save: { job: $.job } }\n\
         - { as: customer, join: \"${job}\" }",
        &["6:11 `nobody`"],
    ),
    (
        "- { as: customer, do: bok, with: { provider: provider, titel: x } }",
        &["6:25 `do` `book`", "6:58 `titel` `title`"],
    ),
    ("- { as: customer, post: { path: /x, jsno: 1 } }", &["6:39 `jsno` `json`"]),
    ("- { as: customer, get: /x, expect: { status: 99 } }", &["6:48 100 to 599"]),
    ("- { as: customer, get: /x, expect: { stauts: 200 } }", &["6:40 `stauts` `status`"]),
    ("- { as: customer, get: /x, save: { a: user.id } }", &["6:41 `$`"]),
    ("- { as: customer, receive: x, where: { a: { is: uid } } }", &["6:51 `uid` `uuid`"]),
    ("- { as: customer, receive: x, where: { a: { matches: \"(\" } } }", &["6:56 regular"]),
    ("- { as: customer, receive: x, count: -1 }", &["6:40 `count`"]),
    ("- { server: kil }", &["6:15 `kil` `kill`"]),
    ("- { as: customer, network: { cut: rts } }", &["6:37 `cut` `rst`"]),
    ("- { as: customer, network: { slice: 3 } }", &["6:39 `3B`"]),
    ("- { repeat: 9999999, steps: [{ wait: 1s }] }", &["6:15 `repeat`"]),
    ("- { use: fragments/booked-chta.yaml }", &["6:12 `fragments/booked-chat.yaml`"]),
    // Columns are characters, whatever their bytes.
    ("- { as: customer, note: \"é→日本\", recieve: x }", &["6:35 `recieve` `receive`"]),
];

/// What is wrong with whole files.
const FILES: &[(&str, &[&str])] = &[
    ("", &["1:1 "]),
    ("# only words\n", &["2:1 a scenario is nothing"]),
    ("[]", &["1:1 a scenario is a list"]),
    ("scenario: 1\nname: t\nactors: { a: { role: lsm } }\nsteps: [{ wait: 1s }]\n", &[]),
    (
        "scenario: 2\nname: t\nactors: { a: { role: lsm } }\nsteps: [{ wait: 1s }]\n",
        &["1:11 must be 1"],
    ),
    (
        "scenario: 1\nnmae: t\nactors: { a: { role: lsm } }\nsteps: [{ wait: 1s }]\n",
        &["2:1 `nmae` `name`"],
    ),
    (
        "scenario: 1\nname: t\nactors: { a: { role: lms } }\nsteps: [{ wait: 1s }]\n",
        &["3:22 `lsm`"],
    ),
    (
        "scenario: 1\nname: t\nactors: { a: { rol: lsm } }\nsteps: [{ wait: 1s }]\n",
        &["3:16 `rol` `role`"],
    ),
    ("scenario: 1\nname: t\nactors: {}\nsteps: [{ wait: 1s }]\n", &["3:9 at least one actor"]),
    ("scenario: 1\nname: t\nactors: { a: { role: lsm } }\n", &["1:1 needs `steps`"]),
    ("scenario: 1\nname: t\nactors: { a: { role: lsm } }\nsteps: []\n", &["4:8 `steps` is empty"]),
    (
        "scenario: 1\nname: t\nactors: { a: { role: lsm } }\nstepps: [{ id: m1, wait: 1s }]\n\
         order: [m1.sent < m1]\n",
        &["4:1 `stepps` `steps`"],
    ),
    (
        "scenario: 1\nname: t\nactors: { a: { role: cook } }\nsteps: [{ wait: 1s }]\n",
        &["3:22 `role` is none of customer, provider, lsm"],
    ),
    (
        "scenario: 1\nname: t\nactors: { a: { role: lsm, reconnect: { most: 1s } } }\n\
         steps: [{ wait: 1s }]\n",
        &["3:40 `most` it has delay, min, max, jitter, attempts"],
    ),
    (
        "scenario: 1\nname: t\nactors: { a: { role: lsm } }\nsteps:\n  - { id: x1, wait: 1s }\n\
         always:\n  - { id: x2, wait: 1s }\norder: [x1 << x1, x2 < x1, x1 < x1.saved, x1 < x1@a]\n",
        &[
            "8:13 a moment is missing",
            "8:19 `x2` cannot come before `x1`",
            "8:33 `x1.saved` sends no message",
            "8:48 `x1@a` sends no message",
        ],
    ),
    (
        "scenario: 1\nname: t\nactors: { a: { role: lsm } }\nsteps: [{ wait: 1s }]\norder: [aa < bb]\n",
        &["5:9 `aa`", "5:14 `bb`"],
    ),
    (
        "scenario: 1\nname: t\nactors: { a: { role: lsm } }\nsteps:\n  - { id: x1, wait: 1s }\n  \
         - { id: x2, wait: 1s }\norder: [x2 < x1, x1 < x1.sved]\n",
        &["7:9 `x2` cannot come before `x1`", "7:23 `.sent` or `.saved`"],
    ),
    (
        "scenario: 1\nname: t\nactors: { a: { role: lsm } }\nsteps: [{ wait: 1s }]\ncheck: { delivery: once }\n",
        &["5:20 `once`"],
    ),
    // With the line ends of Windows, a byte order mark, and both.
    (
        "scenario: 1\r\nname: t\r\nactors: { a: { role: lsm } }\r\nstpes: [{ wait: 1s }]\r\n",
        &["4:1 `stpes` `steps`"],
    ),
    ("\u{feff}scenario: 1\nname: t\nactors: { a: { role: lsm } }\nsteps: [{ wait: 1s }]\n", &[]),
    (
        "\u{feff}scenario: 1\nname: t\nactors: { a: { role: lsm } }\nstpes: [{ wait: 1s }]\n",
        &["4:1 `stpes` `steps`"],
    ),
    ("scenario: 1\n\tname: t\n", &["2:1 tab"]),
    ("scenario: 1\nname: &x t\n", &["2:7 anchors"]),
    ("scenario: 1\nname: *x\n", &["2:7 anchors"]),
    ("scenario: 1\nname: !!str t\n", &["2:7 tags"]),
    ("scenario: 1\n<<: { name: t }\n", &["2:1 merge keys"]),
    ("scenario: 1\n---\nscenario: 1\n", &["2:1 one document"]),
    ("scenario: 1\nname: [t\n", &["2:7 bracket"]),
    ("scenario: 1\nname: \"t\n", &["2:7 "]),
    ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n", &["1:4 anchors"]),
];

/// Each place and each word of `expect`, in order, and no mistake besides.
fn fault_of(text: &str, expect: &[&str]) -> Option<String> {
    let got = mistakes(text);
    let lines: Vec<&str> = got.lines().filter(|line| *line != "fine").collect();
    let fits = |(line, expect): (&&str, &&str)| {
        let (place, words) = expect.split_once(' ').unwrap_or((expect, ""));
        let words = match words.contains('`') {
            true => words.split('`').skip(1).step_by(2).collect(),
            false => vec![words],
        };
        line.starts_with(&format!("{place} ")) && words.iter().all(|word| line.contains(word))
    };
    let is_right = lines.len() == expect.len() && lines.iter().zip(expect).all(fits);
    (!is_right).then(|| format!("{text}\n  got:    {got}  expect: {expect:?}\n"))
}

#[test]
fn every_wrong_file_has_its_carets_and_nothing_else() {
    let steps = STEPS.iter().filter_map(|(steps, expect)| fault_of(&with(steps), expect));
    let files = FILES.iter().filter_map(|(text, expect)| fault_of(text, expect));
    let faults: Vec<String> = steps.chain(files).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_file_that_is_too_large_or_too_deep_is_one_mistake() {
    let big = with(&"- { wait: 1s }\n".repeat(400_000));
    assert_eq!(mistakes(&big), "1:1 file is over 1048576 bytes\n");
    let deep = format!("scenario: {}", "[".repeat(100_000));
    let got = mistakes(&deep);
    assert_eq!(got.lines().count(), 1, "{got}");
    assert!(got.contains("nested too deeply"), "{got}");
    let many = with(&"- { wait: 1s }\n".repeat(20_000));
    assert_eq!(mistakes(&many), "fine\n");
}
