//! A connection that is cut at every byte of the dialogue from the handshake to the broadcast, in
//! both directions (F20): whatever byte was the last, the message is stored once and comes once.

use std::sync::Arc;

use tokio::task::JoinSet;
use trialogue_faults::{Cut, Proxy, Then, Way, Weather};

use super::cast::Room;
use super::form::Form;
use super::place::Place;
use super::storm::{Part, Storm};

/// A dialogue has about two thousand bytes each way; more than these are a mistake.
const BYTES_MAX: u64 = 20_000;

/// Which cuts one customer is dealt.
#[derive(Debug, Clone, Copy)]
struct Lane {
    way: Way,
    first: u64,
    step: u64,
    how: Cut,
}

/// How many customers share the bytes of a way.
const LANES: u64 = 4;

/// Of two neighbouring bytes one is cut with a FIN and one with an RST; in the long form each is cut
/// in both ways.
fn lanes(form: Form) -> Vec<Lane> {
    let apart = form.cut_step();
    // Another one each time, so that many runs see all of them.
    let phase = 1 + rand::random_range(0..apart);
    let mut lanes = Vec::new();
    for way in [Way::ToServer, Way::ToClient] {
        for n in 0..LANES {
            let (first, step) = (phase + n * apart, LANES * apart);
            let (one, other) = if n % 2 == 0 { (Cut::Rst, Cut::Fin) } else { (Cut::Fin, Cut::Rst) };
            lanes.push(Lane { way, first, step, how: one });
            if form == Form::Long {
                lanes.push(Lane { way, first, step, how: other });
            }
        }
    }
    lanes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialogue_that_is_cut_at_any_byte_stores_once_and_tells_once() {
    let lanes = lanes(Form::of_environment());
    let mut storm = Storm::prepare(Place::open().await);
    storm.run.be_quick();
    let upstream = storm.place.server.url().strip_prefix("http://").unwrap().parse().unwrap();
    let straight = storm.place.server.url().to_owned();
    let mut dealt = JoinSet::new();
    for (n, lane) in lanes.into_iter().enumerate() {
        let room = Room::book(&straight).await;
        let proxy = Proxy::start(upstream).await.unwrap();
        let url = format!("http://{}", proxy.address());
        let chats = vec![room.chat.clone()];
        let customer =
            storm.seat(&format!("customer-{n}"), &room.customer, &chats, &url, Part::Sit);
        storm.seat(&format!("provider-{n}"), &room.provider, &chats, &straight, Part::Look);
        let faults = storm.faults(&format!("cuts-{n}"));
        dealt.spawn(async move {
            let mut voice = customer.voice(&room.chat);
            let (mut at, mut cuts) = (lane.first, 0);
            loop {
                // Nothing passes while the old connection ends, so that bytes count from the first.
                proxy.set(Weather { refuse: true, ..Weather::default() });
                proxy.cut(Cut::Rst);
                customer.is_down().await;
                let name = format!("{:?}-{at}-{:?}-{n}", lane.way, lane.how);
                faults.fault(&name, false);
                let byte = proxy.carried(lane.way) + at;
                assert!(proxy.at(lane.way, byte, Then::Cut(lane.how)));
                proxy.set(Weather::default());
                let seq = voice.say().await.unwrap();
                customer.holds(&room.chat, seq).await;
                faults.fault(&name, true);
                if proxy.carried(lane.way) < byte {
                    // The dialogue was over before: there is no such byte.
                    return (cuts, at);
                }
                cuts += 1;
                at += lane.step;
                assert!(at < BYTES_MAX, "the dialogue has no end");
            }
        });
    }
    let mut all: Vec<(u32, u64)> = Vec::new();
    while let Some(cuts) = dealt.join_next().await {
        all.push(cuts.unwrap());
    }
    let cuts: u32 = all.iter().map(|(cuts, _)| cuts).sum();
    assert!(all.iter().all(|(_, bytes)| *bytes > 500), "too short to be a dialogue: {all:?}");
    storm.fired(cuts);
    let run = Arc::clone(&storm.run);
    let report = storm.judge().await;
    super::kills::tell("cut at every byte", &run.told(), &report);
}
