//! Which requests may be answered otherwise than by the origin, told by what is in them.
//!
//! The names are those of the sections in `flags_engine::docs::deviations`.

use flags_core::Json;
use serde_json::Value;

type Predicate = fn(&Value) -> bool;

/// Those that random requests show.
pub(crate) const SHOWN: [&str; 5] = [
    "Time zones of schedules",
    "The instant of expiry",
    "Time zones of windows",
    "Names of Python methods",
    "Patterns",
];

/// The deviation that a request can show.
pub(crate) fn of(request: &Json) -> Option<&'static str> {
    // `serde_json` reads no infinity; none of the deviations looks at one.
    let request: Value = serde_json::from_str(&request.text().replace("1e400", "0")).ok()?;
    let shows: [Predicate; SHOWN.len()] = [
        schedule_in_a_zone,
        override_that_expires_now,
        |request| any_condition(request, window_in_a_zone),
        |request| any_condition(request, method),
        |request| any_condition(request, untranslatable),
    ];
    SHOWN.into_iter().zip(shows).find(|(_, shows)| shows(&request)).map(|(name, _)| name)
}

fn list<'a>(of: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    of[member].as_array().into_iter().flatten()
}

fn any_condition(request: &Value, test: Predicate) -> bool {
    list(&request["flag"], "rules")
        .chain(list(request, "segments"))
        .flat_map(|each| list(each, "conditions"))
        .any(test)
}

fn schedule_in_a_zone(request: &Value) -> bool {
    list(request, "time_schedules").any(|schedule| schedule["timezone"] != "UTC")
}

fn override_that_expires_now(request: &Value) -> bool {
    list(request, "overrides").any(|each| each["expires_at"] == request["at"])
}

fn window_in_a_zone(condition: &Value) -> bool {
    condition["operator"] == "time_window" && condition["value"]["timezone"].is_string()
}

fn method(condition: &Value) -> bool {
    let methods = ["get", "merge", "with_attributes", "__class__"];
    condition["attribute"].as_str().is_some_and(|name| methods.contains(&name))
}

/// Look-around, back-references, atomic and possessive forms, a `$` before the end.
fn untranslatable(condition: &Value) -> bool {
    let forms = ["(?=", "(?!", "(?<=", "(?<!", r"\1", "(?P=", "(?>", "*+", r"$\n"];
    let pattern = condition["value"].as_str().unwrap_or_default();
    condition["operator"] == "matches" && forms.iter().any(|form| pattern.contains(form))
}
