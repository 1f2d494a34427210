//! Who looks at a run while it goes on: a person, Prometheus, and ourselves at the server.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;
use trialogue_loadtest::beside::{Beside, Watch};
use trialogue_loadtest::export::Exporter;
use trialogue_loadtest::live::{Head, Model, Msg, helm};
use trialogue_loadtest::plan::Plan;
use trialogue_loadtest::result::Document;
use trialogue_loadtest::{Progress, RunConfig, show};
use url::Url;

use super::live::Live;
use crate::exit::Failure;
use crate::out::Out;

/// Rooms and sockets are told in steps of so many parts of a hundred.
const STEP: u64 = 25;

/// How a run is looked at.
#[derive(clap::Args)]
pub(super) struct WatchArgs {
    /// Lines instead of the screen; so it is anyway where there is no terminal, with CI, --json and
    /// --quiet
    #[arg(long)]
    no_tui: bool,
    /// Tell Prometheus how the run goes, at http://ADDRESS/metrics; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    prometheus: Option<SocketAddr>,
    /// Look at the processor and the memory of this process once a second: the server's; of a
    /// server of our own it is done anyway
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Take the figures that the server has for Prometheus into the result, once a second
    #[arg(long, value_name = "URL")]
    scrape: Option<Url>,
}

impl WatchArgs {
    /// Whether a person at a terminal looks.
    pub(super) fn is_screen(&self) -> bool {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let is_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        is_terminal && !self.no_tui && !is_dumb && !is_set("CI")
    }

    /// What is looked at beside the run.
    fn beside(&self, own: Option<u32>) -> Beside {
        Beside { pid: self.pid.or(own), scrape: self.scrape.clone() }
    }
}

/// Everybody who looks.
pub(super) struct Watchers {
    live: Option<Live>,
    exporter: Option<Exporter>,
    beside: Option<Watch>,
    /// The last step of setting up that was told, and whether the lines have their head.
    told: u64,
    headed: bool,
    /// Snapshots so far.
    kept: u32,
}

impl Watchers {
    /// Begins to look; `own` is the process of a server of our own, and `stop` is cancelled by who
    /// presses the key for it.
    ///
    /// # Errors
    /// An address that cannot be listened on, a process that is not there.
    pub(super) async fn begin(
        args: &WatchArgs,
        (plan, config): (&Plan, &mut RunConfig),
        own: Option<u32>,
        stop: &CancellationToken,
        out: &mut Out,
    ) -> anyhow::Result<Self> {
        let beside = args.beside(own);
        let beside = (!beside.is_nothing()).then(|| beside.watch());
        let beside = beside.transpose().map_err(Failure::usage)?;
        let exporter = match args.prometheus {
            None => None,
            Some(at) => {
                let exporter = Exporter::listen(at).await.map_err(|error| {
                    Failure::usage(format!("--prometheus: cannot listen on {at}: {error}"))
                })?;
                out.say(&format!("Prometheus: http://{}/metrics", exporter.address()));
                Some(exporter)
            }
        };
        let live = match args.is_screen() && !out.is_json() && !out.is_quiet() {
            false => None,
            true => {
                let head = Head {
                    target: config.target.url().origin().ascii_serialization(),
                    dialect: config.target.dialect.to_string(),
                };
                let (helm, steered) = helm();
                config.steered = steered;
                let model = Model::new(head, plan.clone(), config.slos.clone());
                let model = if config.far.is_empty() { model } else { model.far() };
                Some(Live::start(model, helm, stop.clone())?)
            }
        };
        Ok(Self { live, exporter, beside, told: 0, headed: false, kept: 0 })
    }

    /// Tells all of them.
    pub(super) fn see(&mut self, progress: &Progress, out: &mut Out) {
        if let (Some(exporter), Progress::Second(second)) = (&self.exporter, progress) {
            exporter.tell(second);
        }
        if let Progress::SoFar(document) = progress {
            let note = self.keep(document);
            return self.note(note, out);
        }
        if let Some(live) = &self.live {
            return live.tell(Msg::Progress(progress.clone()));
        }
        if let (Progress::Second(second), false) = (progress, self.headed) {
            self.headed = true;
            out.say(&show::progress_head(second.length));
        }
        if is_news(progress, &mut self.told) {
            out.say(&show::progress(progress));
        }
    }

    fn note(&self, note: String, out: &mut Out) {
        match &self.live {
            Some(live) => live.tell(Msg::Note(note)),
            None => out.say(&note),
        }
    }

    /// Writes what there is so far.
    fn keep(&mut self, document: &Document) -> String {
        self.kept += 1;
        let path = PathBuf::from(format!("load-{}-{}.json", document.run, self.kept));
        let written = serde_json::to_string(document)
            .map_err(std::io::Error::from)
            .and_then(|text| std::fs::write(&path, text + "\n"));
        match written {
            Ok(()) => format!("what there is so far is in {}", path.display()),
            Err(error) => format!("cannot write {}: {error}", path.display()),
        }
    }

    /// Ends looking; what was seen of the server goes into the result, if there is one.
    pub(super) async fn end(self, document: Option<&mut Document>, out: &mut Out) {
        if let Some(live) = self.live {
            live.end().await;
        }
        if let (Some(watch), Some(document)) = (self.beside, document)
            && let Some(why) = watch.end(document).await
        {
            out.say(&format!("nothing was seen of the server: {why}"));
        }
    }
}

/// Whether a progress is worth a line; `told` is the step that was told last.
fn is_news(progress: &Progress, told: &mut u64) -> bool {
    let (done, all) = match progress {
        Progress::Rooms(done, all) => (*done as u64, *all as u64),
        Progress::Sockets(done, all) => (*done, *all),
        Progress::Second(_)
        | Progress::Iterations { .. }
        | Progress::Draining
        | Progress::SoFar(_) => return true,
    };
    let step = done * 100 / all.max(1) / STEP;
    step != std::mem::replace(told, step) && step > 0
}
