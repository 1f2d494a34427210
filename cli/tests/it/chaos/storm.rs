//! A storm: rooms full of people who speak, and what is done to the server and to its database
//! meanwhile. At its end everything is read once more, and the whole history is judged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use trialogue_checker::Report;
use trialogue_checker::history::Plan;
use trialogue_socketio::client::Transports;

use super::cast::{Person, Room};
use super::client::Device;
use super::ending;
use super::form::Form;
use super::history::{History, Pen};
use super::place::Place;
use super::run::Run;
use super::voice::Voice;
use super::witness::Witness;

/// The last messages of a storm, and the way of all of them to everybody.
const REST_WITHIN: Duration = Duration::from_secs(180);
/// Between two looks at how far everybody is.
const LOOK_EVERY: Duration = Duration::from_millis(20);
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
    devices: Vec<Seat>,
    living: JoinSet<()>,
    speaking: JoinSet<()>,
}

/// A device, for the end of the run.
struct Seat {
    pen: Arc<Pen>,
    person: Person,
    chats: Vec<String>,
    reached: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Storm {
    /// Rooms of a customer with two devices and a provider, and in every second one an LSM who is
    /// in all of those.
    pub(super) async fn begin(place: Place, rooms: usize) -> Self {
        let url = place.server.url().to_owned();
        let lsm = Person::register(&url, "lsm").await;
        let history = History::begin();
        let mut storm = Self {
            place,
            run: Arc::default(),
            rooms: Vec::new(),
            faults: history.pen("faults"),
            history,
            fired: 0,
            devices: Vec::new(),
            living: JoinSet::new(),
            speaking: JoinSet::new(),
        };
        let mut disputed = Vec::new();
        for n in 0..rooms {
            let mut room = Room::book(&url).await;
            if n % 2 == 0 {
                room.call(&lsm).await;
                disputed.push(room.chat.clone());
            }
            let chats = vec![room.chat.clone()];
            storm.seat(&format!("customer-{n}"), &room.customer, &chats, true);
            storm.seat(&format!("customer-{n}-too"), &room.customer, &chats, false);
            storm.seat(&format!("provider-{n}"), &room.provider, &chats, true);
            storm.rooms.push(room);
        }
        storm.seat("lsm", &lsm, &disputed, false);
        storm.run.more(u64::try_from(rooms).unwrap() * 4).await;
        storm
    }

    /// A device of a person, who speaks on it in every chat or looks at the database at each
    /// message.
    fn seat(&mut self, name: &str, person: &Person, chats: &[String], speaks: bool) {
        let pen = Arc::new(self.history.pen(name));
        let (link, links) = watch::channel(None);
        let reached = Arc::default();
        let database = self.place.database_url();
        let device = Device {
            run: Arc::clone(&self.run),
            pen: Arc::clone(&pen),
            person: person.clone(),
            chats: chats.to_vec(),
            url: self.place.server.url().to_owned(),
            transports: Transports::Websocket,
            witness: (!speaks).then(|| Witness::new(&database)),
            held: BTreeMap::new(),
            link,
            reached: Arc::clone(&reached),
        };
        self.living.spawn(device.live());
        for chat in chats.iter().filter(|_| speaks) {
            let voice = Voice {
                run: Arc::clone(&self.run),
                pen: Arc::clone(&pen),
                chat: chat.clone(),
                link: links.clone(),
                witness: Witness::new(&database),
            };
            self.speaking.spawn(voice.speak());
        }
        let (person, chats) = (person.clone(), chats.to_vec());
        self.devices.push(Seat { pen, person, chats, reached });
    }

    /// A fault begins, at a chance moment; answers its name for [`Storm::over`].
    pub(super) async fn fault(&mut self, what: &str) -> String {
        sleep(Duration::from_millis(rand::random_range(0..CHANCE_MS_MAX))).await;
        self.fired += 1;
        let name = format!("{what}-{}", self.fired);
        self.faults.fault(&name, false);
        name
    }

    /// It is over: what it held up is due from now.
    pub(super) fn over(&self, name: &str) {
        self.faults.fault(name, true);
    }

    /// Nobody speaks any more; when everybody has everything the run is judged.
    pub(super) async fn judge(mut self) -> Report {
        self.run.silence.cancel();
        let rest = async {
            while let Some(spoken) = self.speaking.join_next().await {
                spoken.unwrap()
            }
        };
        let is_silent = timeout(REST_WITHIN, rest).await.is_ok();
        assert!(is_silent, "messages are on their way for ever: {:?}", self.run.told());
        self.wait_for_all().await;
        self.run.over.cancel();
        while let Some(lived) = self.living.join_next().await {
            lived.unwrap();
        }
        for seat in &self.devices {
            for chat in &seat.chats {
                ending::read_all(&seat.pen, &seat.person, chat).await;
            }
        }
        ending::dump(&self.history.pen("tables"), self.place.outside().await).await;
        self.place.close().await;
        let late = Form::of_environment().late_us();
        let plan = Plan { faults: self.fired, notes: true, late, ..Plan::default() };
        self.history.judge(&plan)
    }

    /// Waits until every device holds all of its chats. When that does not happen, the judge says
    /// who lacks what.
    async fn wait_for_all(&self) {
        let mut outside = self.place.outside().await;
        let last: BTreeMap<String, u64> =
            ending::last_seqs(&mut outside).await.into_iter().collect();
        let by = Instant::now() + REST_WITHIN;
        let has_all = |seat: &Seat| {
            let reached = seat.reached.lock().unwrap();
            seat.chats.iter().all(|chat| reached.get(chat) == last.get(chat))
        };
        while !self.devices.iter().all(has_all) && Instant::now() < by {
            sleep(LOOK_EVERY).await;
        }
    }
}
