//! `trialogue`: the composition root. Parses, calls a verb, exits with its code.

fn main() {}
