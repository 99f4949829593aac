//! Time schedules: when a flag is on.

mod cron;
mod next;

use std::sync::Arc;

use flags_core::{RecurrenceType, TimeSchedule, Timestamp};
use jiff::civil;
use jiff::tz::TimeZone;

use crate::condition::within;
use crate::date::{DAY, SECOND, wall_in};
use crate::diagnostic::Report;
use crate::raised::Raised;
use crate::semantics::Semantics;
use crate::zone;
use cron::Cron;

/// A time schedule, compiled: its zone found, its cron expression read.
///
/// Times of day are in the schedule's time zone, daylight saving time included: a window keeps its
/// wall-clock times; one that opens in a gap opens after it, and in a fold the earlier time counts for
/// [`next_occurrence`](Self::next_occurrence).
///
/// # Examples
///
/// ```
/// use flags_core::{FlagId, TimeOfDay, TimeSchedule, Timestamp};
/// use flags_engine::{CompiledSchedule, Semantics};
///
/// let mut hours = TimeSchedule::new(FlagId::new(), "opening hours", TimeOfDay::new(9, 0, 0)?, TimeOfDay::new(17, 0, 0)?);
/// hours.timezone = "America/New_York".to_owned();
/// let hours = CompiledSchedule::new(hours.into(), Semantics::Compat);
/// let at: Timestamp = "2026-07-01T13:30:00Z".parse()?;
/// assert!(hours.is_active(at));
/// assert_eq!(hours.next_occurrence(at), Some("2026-07-02T13:00:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CompiledSchedule {
    record: Arc<TimeSchedule>,
    /// What a decision reports as its variant.
    label: Box<str>,
    /// UTC when there is no zone of that name.
    zone: TimeZone,
    zone_is_known: bool,
    cron: Option<Cron>,
    semantics: Semantics,
}

/// What a wall clock shows.
#[derive(Debug, Clone, Copy)]
struct Wall {
    date: civil::Date,
    /// Microseconds since midnight.
    time: i64,
}

impl CompiledSchedule {
    /// Compiles a schedule.
    #[must_use]
    pub fn new(record: Arc<TimeSchedule>, semantics: Semantics) -> Self {
        let zone = zone::named(&record.timezone);
        let expression = record.cron_expression.as_deref();
        let cron =
            expression.filter(|_| record.recurrence_type == RecurrenceType::Cron).and_then(|expression| {
                match semantics {
                    Semantics::Compat => Cron::compat(expression),
                    Semantics::Strict => Cron::strict(expression),
                }
            });
        let zone_is_known = zone.is_some();
        let zone = zone.unwrap_or(TimeZone::UTC);
        Self {
            label: format!("schedule:{}", record.name).into(),
            zone,
            zone_is_known,
            cron,
            semantics,
            record,
        }
    }

    /// The record.
    #[must_use]
    pub fn record(&self) -> &Arc<TimeSchedule> {
        &self.record
    }

    /// Whether its window is open at that instant. One that cannot be judged is closed.
    #[must_use]
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.active(at).unwrap_or(false)
    }

    /// Whether its window is open; what raises in the origin raises.
    pub(crate) fn active(&self, at: Timestamp) -> Result<bool, Raised> {
        let record = &*self.record;
        let early = record.valid_from.is_some_and(|from| at < from);
        let late = record.valid_until.is_some_and(|until| at > until);
        if !record.enabled || early || late {
            return Ok(false);
        }
        let Some(wall) = self.zone().and_then(|zone| Wall::at(at, zone)) else { return Ok(false) };
        match record.recurrence_type {
            RecurrenceType::Cron => self.cron.as_ref().map_or(Ok(false), |cron| cron.matches(wall)),
            _ if self.semantics == Semantics::Strict => Ok(self.strictly_within(wall)),
            _ => Ok(self.on_day(wall.date) && within(wall.time, self.start(), self.end())),
        }
    }

    /// A window over midnight belongs to the day on which it opened.
    fn strictly_within(&self, wall: Wall) -> bool {
        let (start, end) = (self.start(), self.end());
        if start <= end {
            return start <= wall.time && wall.time <= end && self.on_day(wall.date);
        }
        let opened_today = wall.time >= start && self.on_day(wall.date);
        let opened_yesterday = wall.time <= end && wall.date.yesterday().is_ok_and(|day| self.on_day(day));
        opened_today || opened_yesterday
    }

    fn on_day(&self, date: civil::Date) -> bool {
        let among = |days: &Option<Vec<i64>>, day: i8| {
            days.as_ref().is_none_or(|days| days.contains(&i64::from(day)))
        };
        match self.record.recurrence_type {
            RecurrenceType::Weekly => {
                among(&self.record.days_of_week, date.weekday().to_monday_zero_offset())
            }
            RecurrenceType::Monthly => among(&self.record.days_of_month, date.day()),
            _ => true,
        }
    }

    /// An unknown zone is UTC to the origin, and no time at all in the strict semantics.
    fn zone(&self) -> Option<&TimeZone> {
        (self.zone_is_known || self.semantics == Semantics::Compat).then_some(&self.zone)
    }

    fn start(&self) -> i64 {
        micros(self.record.start_time)
    }

    fn end(&self) -> i64 {
        micros(self.record.end_time)
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn report(&self, report: &mut Report) {
        let place = |member: &str| format!("time_schedules[{}].{member}", self.record.name);
        if !self.zone_is_known {
            let meaning = match self.semantics {
                Semantics::Compat => "UTC is used",
                Semantics::Strict => "it is never active",
            };
            report.add(place("timezone"), format!("no time zone {:?}: {meaning}", self.record.timezone));
        }
        if self.record.recurrence_type == RecurrenceType::Cron
            && self.cron.as_ref().is_none_or(Cron::never_matches)
        {
            report.add(place("cron_expression"), "it matches no minute: the schedule is never active");
        }
    }
}

fn micros(time: flags_core::TimeOfDay) -> i64 {
    i64::try_from(time.micros_since_midnight()).unwrap_or(0)
}

impl Wall {
    fn at(instant: Timestamp, zone: &TimeZone) -> Option<Self> {
        let wall = wall_in(instant, zone);
        let date_time = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_microsecond(wall).ok()?);
        Some(Self { date: date_time.date(), time: wall.rem_euclid(DAY) })
    }

    fn minute(self) -> i64 {
        self.time / (60 * SECOND) % 60
    }

    fn hour(self) -> i64 {
        self.time / (3_600 * SECOND)
    }
}
