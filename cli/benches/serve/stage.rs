//! A server in a process of its own, and people, jobs and disputes made through its REST routes.

use std::process::{Child, Command, Stdio};

use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::Failure;

/// A server that ends with us, its data thrown away.
pub(crate) struct Server {
    process: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    pub(crate) http: Client,
    data: TempDir,
}

/// A server process that is ready, and its address.
fn launch(data: &TempDir, listen: &str) -> Result<(Child, String), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["serve", "--json", "serve", "--listen", listen])
        .args(["--open-registration", "--limits", "bench", "--exit-with-stdin"])
        .env("TRIALOGUE_DATA_DIR", data.path())
        .env_remove("DATABASE_URL");
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let output = process.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line)?;
    let ready: Value = serde_json::from_str(&line)?;
    let url = ready["url"].as_str().ok_or("no url")?;
    Ok((process, url.trim_start_matches("http://").to_owned()))
}

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: u64,
    pub(crate) token: String,
}

/// A chat and who is in it.
pub(crate) struct Room {
    pub(crate) chat: String,
    pub(crate) people: Vec<Person>,
}

impl Server {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let data = TempDir::new()?;
        // PostgreSQL runs as another user when we are root.
        std::fs::set_permissions(data.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
        let (process, address) = launch(&data, "127.0.0.1:0")?;
        Ok(Self { process, address, http: Client::builder().build()?, data })
    }

    /// SIGKILL, and another server at the same address; its PostgreSQL lives on.
    pub(crate) fn kill_and_restart(&mut self) -> Result<(), Failure> {
        self.process.kill()?;
        self.process.wait()?;
        (self.process, self.address) = launch(&self.data, &self.address)?;
        Ok(())
    }

    /// A connection to its database.
    pub(crate) async fn database(&self) -> Result<PgConnection, Failure> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trialogue"));
        let output =
            command.args(["db", "url"]).env("TRIALOGUE_DATA_DIR", self.data.path()).output()?;
        Ok(PgConnection::connect(String::from_utf8(output.stdout)?.trim()).await?)
    }

    /// Bytes that the server has in memory; PostgreSQL is not counted.
    pub(crate) fn memory(&self) -> Result<usize, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib = line.split_whitespace().nth(1).ok_or("no size")?;
        Ok(kib.parse::<usize>()? << 10)
    }

    /// The processes whose time counts: the server and its PostgreSQL, by the core they share.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Result<Value, Failure> {
        let url = format!("http://{}{path}", self.address);
        let answer = self.http.post(url).bearer_auth(token).json(body).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            return Err(format!("{path}: {status} {body}").into());
        }
        Ok(serde_json::from_str(&body).unwrap_or_default())
    }

    pub(crate) async fn person(&self, role: &str, region: &str) -> Result<Person, Failure> {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let body = json!({
            "email": format!("{unique}@example.org"), "password": "correct horse", "role": role,
            "firstName": "Ben", "lastName": "Ch", "region": region,
        });
        let answer = self.post("/auth/register", "", &body).await?;
        let id = answer["user"]["id"].as_u64().ok_or("no id")?;
        let token = answer["accessToken"].as_str().ok_or("no token")?.to_owned();
        Ok(Person { id, token })
    }

    /// So many chats of three people who are in no other: a booked job, a dispute, its LSM.
    pub(crate) async fn rooms(&self, count: usize) -> Result<Vec<Room>, Failure> {
        let mut rooms = Vec::with_capacity(count);
        for _ in 0..count {
            rooms.push(self.room().await?);
        }
        Ok(rooms)
    }

    async fn room(&self) -> Result<Room, Failure> {
        let region = uuid::Uuid::new_v4().to_string();
        let customer = self.person("customer", &region).await?;
        let provider = self.person("provider", &region).await?;
        let lsm = self.person("lsm", &region).await?;
        let job = json!({"providerId": provider.id, "title": "bench"});
        let booked = self.post("/jobs/create", &customer.token, &job).await?;
        let chat = booked["chatId"].as_str().ok_or("no chat")?.to_owned();
        let dispute = json!({"chatId": chat, "description": "bench"});
        let dispute = self.post("/disputes", &customer.token, &dispute).await?;
        let join = format!("/disputes/{}/join", dispute["disputeId"]);
        self.post(&join, &lsm.token, &json!({})).await?;
        Ok(Room { chat, people: vec![customer, provider, lsm] })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its standard input closes: it drains, and its PostgreSQL ends with it.
        drop(self.process.stdin.take());
        let _reaped = self.process.wait();
    }
}
