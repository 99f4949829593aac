//! When a schedule opens next.

use flags_core::{RecurrenceType, Timestamp};

use super::{CompiledSchedule, Wall};
use crate::date::{DAY, SECOND, from_wall};
use crate::semantics::Semantics;

/// How many days are looked at.
const DAYS: usize = 366;

impl CompiledSchedule {
    /// The first instant after `after`, within a year, at which the window opens; `None` when there is none,
    /// or when the schedule is disabled.
    ///
    /// A cron schedule opens at a minute that its expression matches. The origin looks for one at the start
    /// time alone; so does [`Semantics::Compat`]. A window that is open, and opens again every day, is found
    /// on the next day.
    #[must_use]
    pub fn next_occurrence(&self, after: Timestamp) -> Option<Timestamp> {
        let zone = self.zone()?;
        if !self.record.enabled || self.record.valid_until.is_some_and(|until| after > until) {
            return None;
        }
        let first = Wall::at(after, zone)?.date;
        for date in first.series(jiff::Span::new().days(1)).take(DAYS) {
            let midnight = Wall::midnight(date)?;
            let mut from = 0;
            while let Some((time, next)) = self.opening(date, from) {
                from = next;
                let Some(opens) = from_wall(midnight + time, zone) else { continue };
                if opens <= after || self.record.valid_from.is_some_and(|start| opens < start) {
                    continue;
                }
                return self.record.valid_until.is_none_or(|until| opens <= until).then_some(opens);
            }
        }
        None
    }

    /// When the window opens on a day, from a minute on, and the minute to go on from.
    fn opening(&self, date: jiff::civil::Date, from: i64) -> Option<(i64, i64)> {
        let once = (from == 0).then_some((self.start(), 24 * 60));
        match (self.record.recurrence_type, self.semantics) {
            (RecurrenceType::Cron, Semantics::Strict) => {
                let minute = self.cron.as_ref()?.first_minute(date, from)?;
                Some((minute * 60 * SECOND, minute + 1))
            }
            (RecurrenceType::Cron, Semantics::Compat) => {
                let matches = self.cron.as_ref()?.matches(Wall { date, time: self.start() });
                once.filter(|_| matches.unwrap_or(false))
            }
            _ => once.filter(|_| self.on_day(date)),
        }
    }
}

impl Wall {
    /// Microseconds from 1970 to that midnight on the same wall clock.
    fn midnight(date: jiff::civil::Date) -> Option<i64> {
        let instant = jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        Some(instant.as_microsecond().div_euclid(DAY) * DAY)
    }
}
