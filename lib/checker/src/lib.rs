//! Verdicts over recorded histories: what was lost, doubled, misordered, leaked.
//!
//! Reads histories and nothing else: no sockets, no clock.
