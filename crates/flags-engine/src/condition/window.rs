//! `time_window`: between two times of day, or between two instants.

use flags_core::Timestamp;
use jiff::tz::TimeZone;

use super::compile::Place;
use crate::date::{DateTime, loose_time, wall_in};
use crate::raised::Raised;
use crate::value::{Value, View};
use crate::zone;

/// A window, in the zone that it names, if it names one.
#[derive(Debug)]
pub(super) struct Window {
    bounds: Bounds,
    zone: Option<TimeZone>,
}

#[derive(Debug)]
enum Bounds {
    Never,
    /// Raised where the attribute is an instant.
    Raises(Raised),
    Times {
        start: i64,
        end: i64,
    },
    Instants {
        start: Timestamp,
        end: Timestamp,
    },
}

impl Window {
    pub(super) fn new(expected: &Value, place: Place, problem: &mut dyn FnMut(String)) -> Self {
        let View::Object(object) = expected.view() else {
            problem("the window is no object with a start and an end: it never holds".to_owned());
            return Self { bounds: Bounds::Never, zone: None };
        };
        let member = |name| object.get(name).map_or(View::Null, Value::view);
        let zone = match member("timezone") {
            View::Null => None,
            View::Str(name) => zone::named(name),
            _ => None,
        };
        if zone.is_none() && !matches!(member("timezone"), View::Null) {
            problem("the time zone is unknown, and ignored".to_owned());
        }
        let bounds = bounds(member("start"), member("end"), zone.as_ref(), place);
        match bounds {
            Bounds::Never => {
                problem("the start or the end is missing or malformed: it never holds".to_owned());
            }
            Bounds::Raises(raised) => problem(format!("{raised}: the flag cannot be evaluated")),
            _ => {}
        }
        Self { bounds, zone }
    }

    /// Whether the window has bounds to speak of.
    pub(super) fn is_sound(&self) -> bool {
        matches!(self.bounds, Bounds::Times { .. } | Bounds::Instants { .. })
    }

    pub(super) fn holds(&self, actual: View<'_>) -> Result<bool, Raised> {
        if matches!(self.bounds, Bounds::Never) {
            return Ok(false);
        }
        let Some(actual) = DateTime::read(actual) else { return Ok(false) };
        match self.bounds {
            Bounds::Never => Ok(false),
            Bounds::Raises(raised) => Err(raised),
            Bounds::Instants { start, end } => {
                let actual = actual.instant()?;
                Ok(start <= actual && actual <= end)
            }
            Bounds::Times { start, end } => {
                let time = match &self.zone {
                    None => actual.time_of_day(),
                    Some(zone) => wall_in(actual.instant()?, zone).rem_euclid(crate::date::DAY),
                };
                Ok(within(time, start, end))
            }
        }
    }
}

/// Both ends included; a window that ends before it starts goes over midnight.
pub(crate) fn within(time: i64, start: i64, end: i64) -> bool {
    if start <= end { start <= time && time <= end } else { time >= start || time <= end }
}

fn bounds(start: View<'_>, end: View<'_>, zone: Option<&TimeZone>, place: Place) -> Bounds {
    match (start, end) {
        (View::Null, _) | (_, View::Null) => Bounds::Never,
        (View::Str(text), end) if text.chars().count() <= 8 && !text.contains('T') => {
            times(text, end, place).unwrap_or_else(Bounds::Raises)
        }
        (start, end) => match (DateTime::read(start), DateTime::read(end)) {
            (Some(start), Some(end)) => instants(start, end, zone).unwrap_or_else(Bounds::Raises),
            _ => Bounds::Never,
        },
    }
}

/// The origin's evaluators differ in what they do with an end that is no text.
fn times(start: &str, end: View<'_>, place: Place) -> Result<Bounds, Raised> {
    let end = match (end, place) {
        (View::Str(end), _) => end,
        (_, Place::Segment) => return Ok(Bounds::Never),
        // The start is read first, and what is no number there ends the matter.
        (_, Place::Rule) => {
            let numbers = start.split(':').all(|part| crate::value::Int::from_python(part).is_some());
            return if numbers { Err(Raised::EndIsNoText) } else { Ok(Bounds::Never) };
        }
    };
    if !end.split(':').all(|part| crate::value::Int::from_python(part).is_some()) {
        return Ok(Bounds::Never);
    }
    let Some(start) = loose_time(start) else { return Ok(Bounds::Never) };
    let start = start?;
    let Some(end) = loose_time(end) else { return Ok(Bounds::Never) };
    Ok(Bounds::Times { start, end: end? })
}

fn instants(start: DateTime, end: DateTime, zone: Option<&TimeZone>) -> Result<Bounds, Raised> {
    let instant = |bound: DateTime| zone.map_or_else(|| bound.instant(), |zone| bound.instant_in(zone));
    Ok(Bounds::Instants { start: instant(start)?, end: instant(end)? })
}
