//! Writers of what happened: the sequence diagram and the summary.
//!
//! Reports what it is told; it never decides a verdict.
