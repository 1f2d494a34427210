//! What judging costs: a million frames, taken in and judged, and the same from files.
//! `cargo bench -p trialogue-checker`

use std::hint::black_box;
use std::io::Write as _;
use std::path::PathBuf;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use trialogue_checker::history::OpName;
use trialogue_checker::{
    By, Checker, Config, Copied, History, Line, Op, Print, Report, Table, Verdict,
};

/// Frames of a run.
const FRAMES: u64 = 1_000_000;
/// Rooms, clients in each, and so many messages in each.
const ROOMS: u64 = 200;
const MEMBERS: u64 = 5;
const MESSAGES: u64 = FRAMES / ROOMS / MEMBERS;

/// A checker and the operations of a run for it: rooms take turns, in each one member sends and
/// all get it.
fn run() -> (Checker, Vec<Op>) {
    let mut checker = Checker::new(Config { table: Table::Acks, ..Config::default() });
    let mut ops = Vec::new();
    let mut rooms = Vec::new();
    for room in 0..ROOMS {
        let chat = checker.chat(&format!("01900000-0000-7000-8000-{room:012}"));
        let clients: Vec<_> =
            (0..MEMBERS).map(|n| checker.client(&format!("client-{room}-{n}"))).collect();
        for client in &clients {
            let by = By { at: 0, client: *client, chat };
            ops.push(Op::Join { by, since: None, last_seq: Some(0) });
        }
        rooms.push((chat, clients));
    }
    for seq in 1..=MESSAGES {
        for (room, (chat, clients)) in rooms.iter().enumerate() {
            let number = seq * ROOMS + room as u64;
            let message = Print::from_number(number);
            let author = clients[(number % MEMBERS) as usize];
            let by = |client, at| By { at: number * 10 + at, client, chat: *chat };
            let user = checker.user(&format!("client-{room}-{}", number % MEMBERS));
            let copy = Copied::of(message).at(seq).by(user);
            ops.push(Op::Invoke { by: by(author, 0), message, cmid: None });
            ops.push(Op::Ok { by: by(author, 1), copy, stored: None });
            let recv = |client: &_| Op::Recv { by: by(*client, 2), copy, stored: None };
            ops.extend(clients.iter().map(recv));
        }
    }
    (checker, ops)
}

fn judge(mut checker: Checker, ops: &[Op]) -> Report {
    ops.iter().for_each(|op| checker.take(*op));
    checker.judge()
}

/// The same run as lines: one file for each member of all rooms.
fn write(folder: &std::path::Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for n in 0..MEMBERS {
        let path = folder.join(format!("{n}.jsonl"));
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
        let mut put = |line: Line<'_>| -> std::io::Result<()> {
            let text = serde_json::to_string(&line)?;
            writeln!(file, "{text}")
        };
        if n == 0 {
            // The plan of the first file holds for all.
            put(Line {
                op: OpName::Open,
                t: Some(0),
                client: Some("x".into()),
                user: Some("x".into()),
                ..Line::default()
            })?;
        }
        for room in 0..ROOMS {
            let (client, chat) = (format!("client-{room}-{n}"), chat_name(room));
            put(Line { last_seq: Some(0), ..of(OpName::Join, 0, &client, &chat) })?;
        }
        for seq in 1..=MESSAGES {
            for room in 0..ROOMS {
                let number = seq * ROOMS + room;
                let (client, chat) = (format!("client-{room}-{n}"), chat_name(room));
                let (h, id) = (Print::from_number(number).to_string(), format!("0190{number:028}"));
                let sender = format!("client-{room}-{}", number % MEMBERS);
                let told = |op, at| Line {
                    h: Some(h.as_str().into()),
                    ..of(op, number * 10 + at, &client, &chat)
                };
                if number % MEMBERS == n {
                    put(told(OpName::Invoke, 0))?;
                    put(Line {
                        seq: Some(seq),
                        id: Some(id.as_str().into()),
                        ..told(OpName::Ok, 1)
                    })?;
                }
                let (id, sender) = (Some(id.as_str().into()), Some(sender.as_str().into()));
                put(Line { seq: Some(seq), id, sender, ..told(OpName::Recv, 2) })?;
            }
        }
        files.push(path);
    }
    Ok(files)
}

fn chat_name(room: u64) -> String {
    format!("01900000-0000-7000-8000-{room:012}")
}

fn of<'a>(op: OpName, t: u64, client: &'a str, chat: &'a str) -> Line<'a> {
    Line { op, t: Some(t), client: Some(client.into()), chat: Some(chat.into()), ..Line::default() }
}

fn a_million_frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a million frames");
    group.throughput(Throughput::Elements(FRAMES)).sample_size(10);
    let (checker, ops) = run();
    let report = judge(checker.clone(), &ops);
    assert_eq!((report.verdict, report.counts.frames), (Verdict::Valid, FRAMES), "{report}");
    group.bench_function("taken in and judged", |bencher| {
        bencher.iter_batched(
            || checker.clone(),
            |checker| black_box(judge(checker, &ops)).verdict,
            BatchSize::PerIteration,
        );
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = write(folder.path()).expect("a file in it");
    group.bench_function("read from five files and judged", |bencher| {
        bencher.iter(|| {
            let config = Config { table: Table::Acks, ..Config::default() };
            let mut checker = Checker::new(config);
            let history = History::open(&files).expect("files that were just written");
            let counts = history.read(&mut checker).expect("lines of a history");
            let report = checker.judge();
            assert_eq!(report.verdict, Verdict::Valid, "{report}");
            counts
        });
    });
    group.finish();
}

criterion_group!(benches, a_million_frames);
criterion_main!(benches);
