//! A TCP proxy that is bad weather: it stands between one client and its server and can go dark,
//! be slow, cut lines or refuse callers.
//!
//! Bytes are never changed, swapped or lost while a connection lives: TCP promises that, and so
//! does its weather.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Bytes that are carried at once: a frame or two, so that weather changes are felt soon.
const CHUNK_BYTES_MAX: usize = 16 * 1024;
/// Connections through one proxy at once; more callers wait in the system's queue.
const CONNECTIONS_MAX: usize = 256;
/// How long the server may take to accept; it is on the same machine.
const UPSTREAM_WITHIN: Duration = Duration::from_secs(5);

/// How the line is until further notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weather {
    /// Nothing passes and nothing is closed: only a heartbeat can notice.
    pub dark: bool,
    /// Everything is this much later, each way.
    pub latency: Duration,
    /// At most so many bytes at once (`None`: as many as there are).
    pub slice: Option<usize>,
    /// At most so many bytes a second, each way and connection.
    pub bytes_per_second: Option<u32>,
    /// New callers are cut off at once.
    pub refuse: bool,
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// With a good-bye of TCP (FIN).
    Fin,
    /// Without one (RST), as after a crash of the machine between.
    Rst,
}

/// What every connection looks at.
#[derive(Debug, Clone, Copy, Default)]
struct Sky {
    weather: Weather,
    /// Counts cuts: a connection ends when it sees a later one than it was born under.
    cuts: u64,
    cut: Option<Cut>,
}

/// A proxy that listens until it is dropped; its connections end with it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    sky: watch::Sender<Sky>,
    _listening: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free loopback port and carries everything to `upstream`. Needs a runtime.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let sky = watch::Sender::new(Sky::default());
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, upstream, sky.subscribe()));
        Ok(Self { address, sky, _listening: listening })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The weather now.
    pub fn weather(&self) -> Weather {
        self.sky.borrow().weather
    }

    /// Changes the weather for all connections, present and future.
    pub fn set(&self, weather: Weather) {
        self.sky.send_modify(|sky| sky.weather = weather);
    }

    /// Ends every connection that there is.
    pub fn cut(&self, how: Cut) {
        self.sky.send_modify(|sky| {
            sky.cuts += 1;
            sky.cut = Some(how);
        });
    }
}

async fn listen(listener: TcpListener, upstream: SocketAddr, sky: watch::Receiver<Sky>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((client, _)) => {
                connections.spawn(carry(client, upstream, sky.clone()));
            }
            // No file descriptor is free: somebody must end first.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn carry(client: TcpStream, upstream: SocketAddr, sky: watch::Receiver<Sky>) {
    let born = sky.borrow().cuts;
    if sky.borrow().weather.refuse {
        return reset(&client);
    }
    let Ok(Ok(server)) = timeout(UPSTREAM_WITHIN, TcpStream::connect(upstream)).await else {
        return reset(&client);
    };
    // Delays are the weather's business, not Nagle's.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut watched = sky.clone();
    let cut = async {
        match watched.wait_for(|sky| sky.cuts > born).await {
            Ok(sky) => sky.cut,
            Err(_) => None,
        }
    };
    // The first direction that ends takes the other with it, as a closed socket does.
    let how = tokio::select! {
        how = cut => how,
        () = pump(&client, &server, sky.clone()) => Some(Cut::Fin),
        () = pump(&server, &client, sky) => Some(Cut::Fin),
    };
    if how == Some(Cut::Rst) {
        reset(&client);
        reset(&server);
    }
}

/// Makes the end of a socket an RST.
fn reset(stream: &TcpStream) {
    // Where the system refuses, the socket ends with a FIN instead.
    let _ = stream.set_zero_linger();
}

async fn pump(from: &TcpStream, to: &TcpStream, mut sky: watch::Receiver<Sky>) {
    let mut buffer = vec![0; CHUNK_BYTES_MAX];
    loop {
        if from.readable().await.is_err() || light(&mut sky).await.is_err() {
            return;
        }
        let weather = sky.borrow().weather;
        let most = weather.slice.unwrap_or(CHUNK_BYTES_MAX).clamp(1, CHUNK_BYTES_MAX);
        let read = match from.try_read(&mut buffer[..most]) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        sleep(weather.latency).await;
        if let Some(rate) = weather.bytes_per_second {
            let bytes = u32::try_from(read).unwrap_or(u32::MAX);
            sleep(Duration::from_secs(1) * bytes / rate.max(1)).await;
        }
        // It may have become dark while these bytes were on their way.
        if light(&mut sky).await.is_err() || write_all(to, &buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// Waits while it is dark.
async fn light(sky: &mut watch::Receiver<Sky>) -> Result<(), watch::error::RecvError> {
    sky.wait_for(|sky| !sky.weather.dark).await.map(drop)
}

async fn write_all(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
