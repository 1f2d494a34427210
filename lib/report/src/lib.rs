//! Writers of what happened: the sequence diagram and the summary.
//!
//! Reports what it is told; it never decides a verdict. Nothing here does IO: a writer turns what
//! happened into text, and the caller knows where text goes.

pub mod diagram;
pub mod terminal;
