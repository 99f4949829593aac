//! [`Backoff`]: how long to wait after a failure.

use std::time::Duration;

/// The shortest interval that can be set: a task that waits for nothing, of a store that answers at
/// once, never lets another one run on its thread.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// The waits of a [`Backoff`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Pace {
    /// As somebody sets it.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first: first.max(SHORTEST), longest: longest.max(SHORTEST) }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), longest: Duration::from_secs(10) }
    }
}

/// Waits of random length, so that the replicas of an application do not return all at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    pace: Pace,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, failures: 0 }
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether the last attempt failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// The wait after one more failure: from a half to the whole of the current bound.
    pub(crate) fn next(&mut self) -> Duration {
        let doubled = 2_u32.checked_pow(self.failures).unwrap_or(u32::MAX);
        let bound = self.pace.first.saturating_mul(doubled).min(self.pace.longest);
        self.failures = self.failures.saturating_add(1);
        jittered(bound.mul_f64(0.75), 1.0 / 3.0)
    }
}

/// That long, give or take a random share of it.
pub(crate) fn jittered(duration: Duration, share: f64) -> Duration {
    let seconds = duration.as_secs_f64() * (1.0 + share * (2.0 * fastrand::f64() - 1.0));
    // "Never" may be said by the longest duration there is, and more than that is no duration.
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_start_again() {
        let pace = Pace { first: Duration::from_millis(100), longest: Duration::from_secs(1) };
        let mut backoff = Backoff::new(pace);
        for bound in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next();
            let bound = Duration::from_millis(bound);
            assert!(wait >= bound.mul_f64(0.499) && wait <= bound.mul_f64(1.001), "{wait:?} of {bound:?}");
        }
        (0..100).for_each(|_| assert!(backoff.next() <= Duration::from_millis(1001)));
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(101));
    }

    #[test]
    fn the_longest_wait_is_still_one() {
        let pace = Pace { first: Duration::MAX, longest: Duration::MAX };
        for _ in 0..100 {
            assert!(jittered(Duration::MAX, 0.1) >= Duration::MAX.mul_f64(0.89));
            assert!(Backoff::new(pace).next() >= Duration::MAX / 3);
        }
    }
}
