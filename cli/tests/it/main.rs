//! Runs the binary itself: what a shell sees of every verb.

mod binary;
mod db;
mod shell;
