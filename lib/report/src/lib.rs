//! Writers of what happened: the sequence diagram, the summary, and results for other programs.
//!
//! Reports what it is told; it never decides a verdict. Nothing here does IO: a writer turns what
//! happened into text, and the caller knows where text goes.

pub mod diagram;
pub mod format;
pub mod results;
pub mod terminal;
