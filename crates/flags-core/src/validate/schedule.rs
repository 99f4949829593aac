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
            problems.extend(days.iter().flatten().find_map(|day| out_of(field, *day, &range)));
        }
        problems.extend(cron_problem(self));
        if !zone_exists(&self.timezone) {
            let reason =
                format!("no time zone {:?}; use an IANA name like Europe/Amsterdam, or UTC", self.timezone);
            problems.push(Problem::new("timezone", reason));
        }
        if let (Some(from), Some(until)) = (self.valid_from, self.valid_until)
            && until < from
        {
            problems.push(Problem::new("valid_until", "lies before valid_from, so the window never opens"));
        }
        problems.extend(reserved("", &self.extra));
        problems
    }
}

fn cron_problem(schedule: &TimeSchedule) -> Option<Problem> {
    let problem = |reason: String| Some(Problem::new("cron_expression", reason));
    match &schedule.cron_expression {
        None if schedule.recurrence_type == RecurrenceType::Cron => {
            problem("a cron recurrence needs one: minute hour day-of-month month day-of-week".to_owned())
        }
        None => None,
        Some(expression) => match parse_cron(expression) {
            Ok(()) => None,
            Err(reason) => problem(format!("{expression:?} does not parse: {reason}")),
        },
    }
}

/// Five fields; the parser would take a time zone for a sixth.
fn parse_cron(expression: &str) -> Result<(), String> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    if fields.len() != 5 {
        return Err(format!("it has {} fields, not five", fields.len()));
    }
    let mut options = ParseOptions::default();
    options.fallback_timezone_option = FallbackTimezoneOption::UTC;
    parse_crontab_with(&fields.join(" "), options).map(drop).map_err(|error| error.to_string())
}

/// By the zones bundled with this library, so that every machine gives the same answer.
fn zone_exists(name: &str) -> bool {
    static ZONES: OnceLock<TimeZoneDatabase> = OnceLock::new();
    ZONES.get_or_init(TimeZoneDatabase::bundled).get(name).is_ok()
}
