//! Scripted scenarios with several roles: file format, actors, runner, recorder.
