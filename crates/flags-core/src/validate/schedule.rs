//! Time schedules: days, cron expressions and time zones.

use std::sync::OnceLock;

use cronexpr::{FallbackTimezoneOption, ParseOptions, parse_crontab_with};
use jiff::tz::TimeZoneDatabase;

use super::{Problem, Validate, out_of, reserved};
use crate::model::{RecurrenceType, TimeSchedule};

impl Validate for TimeSchedule {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (field, days, range) in
            [("days_of_week", &self.days_of_week, 0..=6), ("days_of_month", &self.days_of_month, 1..=31)]
        {
            problems.extend(days.iter().flatten().filter_map(|day| out_of(field, *day, &range)));
        }
        problems.extend(cron_problem(self));
        if !zone_exists(&self.timezone) {
            let reason = "no such time zone; use an IANA name like Europe/Amsterdam, or UTC";
            problems.push(Problem::new("timezone", reason, &self.timezone));
        }
        if let (Some(from), Some(until)) = (self.valid_from, self.valid_until)
            && until < from
        {
            let reason = "lies before valid_from, so the window never opens";
            problems.push(Problem::new("valid_until", reason, until));
        }
        problems.extend(reserved("", &self.extra));
        problems
    }
}

/// A cron expression counts only where the recurrence asks for one.
fn cron_problem(schedule: &TimeSchedule) -> Option<Problem> {
    if schedule.recurrence_type != RecurrenceType::Cron {
        return None;
    }
    let expression = schedule.cron_expression.as_deref().unwrap_or_default();
    let reason = "must be five fields: minute, hour, day of month, month, day of week; each *, a number, a name, a range, \
                  a list of them, or one with a step, like */15";
    (!parses(expression)).then(|| Problem::new("cron_expression", reason, expression))
}

/// Five fields, of which the parser takes a sixth for a time zone, and none of its extensions: no evaluation
/// knows them.
fn parses(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let plain = |field: &&str| {
        let words = field.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        field.chars().all(|c| c.is_ascii_alphanumeric() || "*,-/".contains(c))
            && words.clone().all(|w| w.len() == 3)
    };
    let mut options = ParseOptions::default();
    options.fallback_timezone_option = FallbackTimezoneOption::UTC;
    fields.len() == 5 && fields.iter().all(plain) && parse_crontab_with(&fields.join(" "), options).is_ok()
}

/// By the zones bundled with this library, so that every machine gives the same answer.
fn zone_exists(name: &str) -> bool {
    static ZONES: OnceLock<TimeZoneDatabase> = OnceLock::new();
    ZONES.get_or_init(TimeZoneDatabase::bundled).get(name).is_ok()
}
