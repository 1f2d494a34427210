//! Kills under load (RELIABILITY §2.10, §2.11, groups E and F): the server's own binary, a durable
//! PostgreSQL, people who retry and resume, and a verdict of `trialogue_checker` over all that they
//! did and saw.
//!
//! Nothing here measures time: a test waits for so many acknowledgements more, or for an event. How
//! much is done is in [`form`].

mod alone;
mod cast;
mod client;
mod cuts;
mod disk;
mod ending;
mod form;
mod history;
mod kills;
mod place;
mod run;
mod storm;
mod voice;
mod windows;
mod witness;
