//! A storm: rooms full of people who speak, and what is done to the server and to its database
//! meanwhile. At its end everything is read once more, and the whole history is judged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use trialogue_checker::Report;
use trialogue_checker::history::Plan;
use trialogue_socketio::client::ClientSender;

use super::cast::{Person, Room};
use super::client::{Device, Reached};
use super::ending;
use super::form::Form;
use super::history::{History, Pen};
use super::place::Place;
use super::run::Run;
use super::voice::Voice;
use super::witness::Witness;

/// The last messages of a storm, and the way of all of them to everybody.
const REST_WITHIN: Duration = Duration::from_secs(180);
/// Longest chance moment between two faults.
const CHANCE_MS_MAX: u64 = 250;

/// See the module.
pub(super) struct Storm {
    pub(super) place: Place,
    pub(super) run: Arc<Run>,
    pub(super) rooms: Vec<Room>,
    history: Arc<History>,
    faults: Pen,
    fired: u32,
    seats: Vec<Seat>,
    living: JoinSet<()>,
    speaking: JoinSet<()>,
    voices: usize,
}

/// What is done on a device besides writing down what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Somebody speaks in every chat.
    Speak,
    /// At each message that comes the database is asked for its row.
    Look,
    /// Nothing.
    Sit,
}

/// A device as the others see it.
#[derive(Clone)]
pub(super) struct Seat {
    run: Arc<Run>,
    pen: Arc<Pen>,
    person: Person,
    chats: Vec<String>,
    database: String,
    link: watch::Receiver<Option<ClientSender>>,
    reached: watch::Receiver<Reached>,
}

impl Storm {
    /// Nobody is there yet.
    pub(super) fn prepare(place: Place) -> Self {
        let history = History::begin();
        Self {
            place,
            run: Arc::default(),
            rooms: Vec::new(),
            faults: history.pen("faults"),
            history,
            fired: 0,
            seats: Vec::new(),
            living: JoinSet::new(),
            speaking: JoinSet::new(),
            voices: 0,
        }
    }

    /// Rooms of a customer with two devices and a provider, and in every second one an LSM who is
    /// in all of those. Everybody has begun to speak.
    pub(super) async fn begin(place: Place, rooms: usize) -> Self {
        let mut storm = Self::prepare(place);
        let url = storm.place.server.url().to_owned();
        let lsm = Person::register(&url, "lsm").await;
        let mut disputed = Vec::new();
        for n in 0..rooms {
            let mut room = Room::book(&url).await;
            if n % 2 == 0 {
                room.call(&lsm).await;
                disputed.push(room.chat.clone());
            }
            let chats = vec![room.chat.clone()];
            storm.seat(&format!("customer-{n}"), &room.customer, &chats, &url, Part::Speak);
            storm.seat(&format!("customer-{n}-too"), &room.customer, &chats, &url, Part::Look);
            storm.seat(&format!("provider-{n}"), &room.provider, &chats, &url, Part::Speak);
            storm.rooms.push(room);
        }
        storm.seat("lsm", &lsm, &disputed, &url, Part::Look);
        storm.run.more(u64::try_from(rooms).unwrap() * 4).await;
        storm
    }

    /// A device of a person, which connects to `url`.
    pub(super) fn seat(
        &mut self,
        name: &str,
        person: &Person,
        chats: &[String],
        url: &str,
        part: Part,
    ) -> Seat {
        let pen = Arc::new(self.history.pen(name));
        let (link, links) = watch::channel(None);
        let (reached, reaches) = watch::channel(Reached::default());
        let database = self.place.database_url();
        let device = Device {
            run: Arc::clone(&self.run),
            pen: Arc::clone(&pen),
            person: person.clone(),
            chats: chats.to_vec(),
            url: url.to_owned(),
            witness: (part == Part::Look).then(|| Witness::new(&database)),
            early: None,
            held: BTreeMap::new(),
            link,
            reached,
        };
        self.living.spawn(device.live());
        let seat = Seat {
            run: Arc::clone(&self.run),
            pen,
            person: person.clone(),
            chats: chats.to_vec(),
            database,
            link: links,
            reached: reaches,
        };
        for chat in chats.iter().filter(|_| part == Part::Speak) {
            self.speaking.spawn(seat.voice(chat).speak());
            self.voices += 1;
        }
        self.seats.push(seat.clone());
        seat
    }

    /// A file for faults that are told elsewhere.
    pub(super) fn faults(&self, name: &str) -> Pen {
        self.history.pen(name)
    }

    /// So many were.
    pub(super) fn fired(&mut self, count: u32) {
        self.fired += count;
    }

    /// A fault begins, at a chance moment at which many are speaking; answers its name for [`Storm::over`].
    pub(super) async fn fault(&mut self, what: &str) -> String {
        sleep(Duration::from_millis(rand::random_range(0..CHANCE_MS_MAX))).await;
        self.run.is_busy(self.voices.div_ceil(3)).await;
        self.fired += 1;
        let name = format!("{what}-{}", self.fired);
        self.faults.fault(&name, false);
        name
    }

    /// It is over: what it held up is due from now.
    pub(super) fn over(&self, name: &str) {
        self.faults.fault(name, true);
    }

    /// Nobody speaks any more; when everybody has everything the run is judged, and must be valid.
    pub(super) async fn judge(self) -> Report {
        let (plan, history) = self.end().await;
        history.judge(&plan)
    }

    /// The same, whatever the verdict.
    pub(super) async fn report(self) -> Report {
        let (plan, history) = self.end().await;
        history.report(&plan)
    }

    async fn end(mut self) -> (Plan, Arc<History>) {
        self.run.silence.cancel();
        let rest = async {
            while let Some(spoken) = self.speaking.join_next().await {
                spoken.unwrap();
            }
        };
        let is_silent = timeout(REST_WITHIN, rest).await.is_ok();
        assert!(is_silent, "messages are on their way for ever: {:?}", self.run.told());
        self.wait_for_all().await;
        self.run.over.cancel();
        while let Some(lived) = self.living.join_next().await {
            lived.unwrap();
        }
        for seat in &self.seats {
            for chat in &seat.chats {
                ending::read_all(&seat.pen, &seat.person, chat).await;
            }
        }
        ending::dump(&self.history.pen("tables"), self.place.outside().await).await;
        // Logs are read by people who are in no chat.
        let log = self.place.server.stderr_tail();
        assert_eq!(self.run.canaries(&log), [""; 0], "a message is in the log");
        self.place.close().await;
        let late = Form::of_environment().late_us();
        let plan = Plan { faults: self.fired, notes: true, late, ..Plan::default() };
        drop(self.seats);
        drop(self.faults);
        (plan, self.history)
    }

    /// Waits until every device holds all of its chats. When that does not happen, the judge says
    /// who lacks what.
    async fn wait_for_all(&self) {
        let mut outside = self.place.outside().await;
        let last = ending::last_seqs(&mut outside).await;
        let all = async {
            for seat in &self.seats {
                for (chat, seq) in last.iter().filter(|(chat, _)| seat.chats.contains(chat)) {
                    let held = |reached: &Reached| reached.get(chat).copied().unwrap_or(0) >= *seq;
                    drop(seat.reached.clone().wait_for(held).await);
                }
            }
        };
        _ = timeout(REST_WITHIN, all).await;
    }
}

impl Seat {
    /// Somebody who speaks in one of its chats.
    pub(super) fn voice(&self, chat: &str) -> Voice {
        Voice {
            run: Arc::clone(&self.run),
            pen: Arc::clone(&self.pen),
            chat: chat.to_owned(),
            link: self.link.clone(),
            witness: Witness::new(&self.database),
        }
    }

    /// Waits until it is not connected.
    pub(super) async fn is_down(&self) {
        let mut link = self.link.clone();
        let is_down = timeout(REST_WITHIN, link.wait_for(Option::is_none)).await;
        assert!(is_down.is_ok(), "it stays connected");
    }

    /// Waits until it is connected to a server that lives, and in all of its rooms.
    pub(super) async fn is_up(&self) {
        let lives = |link: &Option<ClientSender>| {
            link.as_ref().is_some_and(|sender| sender.ended().is_none())
        };
        let mut link = self.link.clone();
        assert!(timeout(REST_WITHIN, link.wait_for(lives)).await.is_ok(), "it does not connect");
    }

    /// Waits until it holds a chat up to there.
    pub(super) async fn holds(&self, chat: &str, seq: u64) {
        let held = |reached: &Reached| reached.get(chat).copied().unwrap_or(0) >= seq;
        let mut reached = self.reached.clone();
        let holds = timeout(REST_WITHIN, reached.wait_for(held)).await.is_ok();
        assert!(holds, "{chat} is not held up to {seq}: {:?}", self.reached.borrow());
    }
}
