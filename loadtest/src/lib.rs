//! Load tests of room broadcast, measured at every receiver from the intended send time.
