//! [`Pace`]: how soon the store is followed again.

use std::time::Duration;

/// How long to wait before connecting again, at first and at most.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);
/// A connection that held for so long was a good one.
const GOOD: Duration = Duration::from_secs(5);

/// Waits that double. A connection that is made, and breaks at once, is no success: each makes everybody who
/// watches read everything again.
#[derive(Debug)]
pub(super) struct Pace {
    next: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Pace {
    /// The store was followed for so long.
    pub(super) fn held(&mut self, time: Duration) {
        if time >= GOOD {
            self.next = FIRST;
        }
    }

    /// How long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(LONGEST);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_breaks_at_once_is_not_made_anew_at_once() {
        let mut pace = Pace::default();
        let waits: Vec<Duration> = std::iter::repeat_with(|| {
            pace.held(Duration::from_millis(1));
            pace.next()
        })
        .take(8)
        .collect();
        let millis = [50, 100, 200, 400, 800, 1000, 1000, 1000];
        assert_eq!(waits, millis.map(Duration::from_millis));
        pace.held(GOOD);
        assert_eq!(pace.next(), FIRST);
    }
}
