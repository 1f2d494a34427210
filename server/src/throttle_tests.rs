//! Delays, allowances and their memory, by a clock of the test's own.

use super::*;

fn throttle() -> Throttle {
    Throttle::new(Arc::new(Limits::standard()))
}

#[test]
fn the_fifth_wrong_password_begins_delays_that_double_up_to_five_minutes() {
    let throttle = throttle();
    let mut now = Instant::now();
    let mut waits = Vec::new();
    for _ in 0..16 {
        // Dropped: wrong.
        drop(throttle.attempt("ada@example.org", now).map_err(|e| e.to_string()).unwrap());
        match throttle.attempt(" ADA@example.org", now) {
            Ok(attempt) => {
                attempt.unknown();
                waits.push(0);
            }
            Err(error) => {
                let wait = error.retry_after().unwrap();
                assert!(error.message().contains("over 5 wrong"), "{error}");
                assert!(throttle.attempt("ada@example.org", now + wait / 2).is_err());
                waits.push(wait.as_secs());
                now += wait;
            }
        }
    }
    assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
}

#[test]
fn guesses_of_an_hour_are_few_and_the_owner_is_never_locked_out() {
    let throttle = throttle();
    let start = Instant::now();
    let mut guesses = 0;
    for second in 0..3_600 {
        let now = start + Duration::from_secs(second);
        // As many as they like, from wherever: the account is what counts.
        guesses += (0..10).filter(|_| throttle.attempt("ada", now).is_ok()).count();
    }
    assert!((10..=100).contains(&guesses), "{guesses}");
    let end = start + Duration::from_hours(1);
    let wait = throttle.attempt("ada", end).err().and_then(|e| e.retry_after()).unwrap();
    assert!(wait <= Duration::from_mins(5), "{wait:?}");
    throttle.attempt("ada", end + wait).map_err(|e| e.to_string()).unwrap().right();
    assert!(throttle.attempt("ada", end + wait).is_ok(), "and all is forgiven");
}

#[test]
fn many_at_once_gain_nothing() {
    let throttle = throttle();
    let now = Instant::now();
    let under_way: Vec<_> = (0..200).filter_map(|_| throttle.attempt("ada", now).ok()).collect();
    assert_eq!(under_way.len(), 5);
    under_way.into_iter().for_each(Attempt::unknown);
}

#[test]
fn an_account_without_failures_for_long_starts_again() {
    let throttle = throttle();
    let now = Instant::now();
    for _ in 0..5 {
        drop(throttle.attempt("ada", now));
    }
    assert!(throttle.attempt("ada", now).is_err());
    let later = now + FORGIVEN_AFTER;
    for _ in 0..5 {
        assert!(throttle.attempt("ada", later).is_ok());
    }
}

#[test]
fn an_address_has_so_many_logins_a_minute() {
    let throttle = throttle();
    let now = Instant::now();
    let address: IpAddr = [192, 0, 2, 1].into();
    let passed = (0..100).filter(|_| throttle.login_from(address, now).is_ok()).count();
    assert_eq!(passed, 20);
    let error = throttle.login_from(address, now).unwrap_err();
    assert!(error.message().contains("over 20 logins per address a minute"), "{error}");
    assert!(throttle.login_from([192, 0, 2, 2].into(), now).is_ok(), "another address");
    assert!(throttle.login_from(address, now + Duration::from_secs(4)).is_ok());
}

#[test]
fn an_ipv6_network_is_one_address() {
    let throttle = throttle();
    let now = Instant::now();
    let of = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, last, last, last, last]);
    let passed = (0..100).filter(|last| throttle.login_from(of(*last), now).is_ok()).count();
    assert_eq!(passed, 20);
    let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
    assert_eq!(network_of(mapped), IpAddr::from([192, 0, 2, 1]));
}

#[test]
fn memory_is_bounded_and_a_guessed_account_is_remembered_longest() {
    let throttle = throttle();
    let now = Instant::now();
    for _ in 0..5 {
        drop(throttle.attempt("ada", now));
    }
    for at in 0..4 * KEYS_MAX as u64 {
        drop(throttle.attempt(&at.to_string(), now));
        let _ = throttle.user(UserId(at.cast_signed()), now);
    }
    fn keys<K: Hash + Eq + Copy, V>(table: &Table<K, V>) -> usize {
        table.stripes.iter().map(|stripe| stripe.lock().unwrap().len()).sum()
    }
    assert!(keys(&throttle.0.accounts) <= KEYS_MAX, "{}", keys(&throttle.0.accounts));
    assert!(keys(&throttle.0.users) <= KEYS_MAX);
    assert!(throttle.attempt("ada", now).is_err(), "one wrong password each tells less than five");
}
