//! Time schedules where clocks are moved, at the edges of windows, and when they open next.

#![allow(clippy::needless_pass_by_value, reason = "the values are literals, which read better without `&`")]

mod common;

use common::at;
use flags_engine::{CompiledSchedule, Semantics};
use serde_json::{Value, json};

fn schedule(members: Value) -> CompiledSchedule {
    common::schedule(Semantics::Compat, members)
}

fn next(members: Value, after: &str) -> Option<String> {
    schedule(members).next_occurrence(at(after)).map(|at| at.to_string())
}

#[test]
fn both_ends_are_within() {
    let hours = schedule(json!({}));
    for (instant, want) in [
        ("2026-07-01T08:59:59.999999Z", false),
        ("2026-07-01T09:00:00Z", true),
        ("2026-07-01T17:00:00Z", true),
        ("2026-07-01T17:00:00.000001Z", false),
    ] {
        assert_eq!(hours.is_active(at(instant)), want, "{instant}");
    }
}

#[test]
fn in_a_gap_and_in_a_fold() {
    // In Amsterdam 2026-03-29 has no 2:00 to 3:00, and 2026-10-25 has it twice.
    let night = schedule(json!({"timezone": "Europe/Amsterdam", "start_time": "02:15", "end_time": "02:45"}));
    for minutes in 0..180 {
        let gap = at("2026-03-29T00:00:00Z").saturating_add(std::time::Duration::from_secs(minutes * 60));
        assert!(!night.is_active(gap), "{gap}");
    }
    for twice in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
        assert!(night.is_active(at(twice)), "{twice}");
    }
    // A window around the gap is an hour shorter, and its ends are where the clock says.
    let around =
        schedule(json!({"timezone": "Europe/Amsterdam", "start_time": "01:30", "end_time": "03:30"}));
    assert!(around.is_active(at("2026-03-29T00:30:00Z")) && around.is_active(at("2026-03-29T01:30:00Z")));
    assert!(!around.is_active(at("2026-03-29T01:31:00Z")));
}

#[test]
fn days_are_those_of_the_zone() {
    // Monday in Kathmandu begins on Sunday at 18:15 UTC.
    let monday = json!({"timezone": "Asia/Kathmandu", "recurrence_type": "weekly", "days_of_week": [0], "start_time": "", "end_time": ""});
    assert!(!schedule(monday.clone()).is_active(at("2026-07-05T18:14:59Z")));
    assert!(schedule(monday).is_active(at("2026-07-05T18:15:00Z")));
    let first = json!({"timezone": "Asia/Kathmandu", "recurrence_type": "monthly", "days_of_month": [1], "start_time": "", "end_time": ""});
    assert!(schedule(first).is_active(at("2026-06-30T20:00:00Z")));
}

#[test]
fn validity_includes_both_instants() {
    let valid =
        schedule(json!({"valid_from": "2026-07-01T10:00:00Z", "valid_until": "2026-07-01T11:00:00Z"}));
    for (instant, want) in [
        ("2026-07-01T09:59:59.999999Z", false),
        ("2026-07-01T10:00:00Z", true),
        ("2026-07-01T11:00:00Z", true),
        ("2026-07-01T11:00:00.000001Z", false),
    ] {
        assert_eq!(valid.is_active(at(instant)), want, "{instant}");
    }
}

#[test]
fn when_it_opens_next() {
    let of = |members| next(members, "2026-07-01T09:00:00Z");
    assert_eq!(of(json!({})).as_deref(), Some("2026-07-02T09:00:00+00:00"));
    assert_eq!(next(json!({}), "2026-07-01T08:59:59Z").as_deref(), Some("2026-07-01T09:00:00+00:00"));
    let monday = json!({"recurrence_type": "weekly", "days_of_week": [0]});
    assert_eq!(of(monday).as_deref(), Some("2026-07-06T09:00:00+00:00"));
    let last_day = json!({"recurrence_type": "monthly", "days_of_month": [31]});
    assert_eq!(of(last_day).as_deref(), Some("2026-07-31T09:00:00+00:00"));
    let cron = json!({"recurrence_type": "cron", "cron_expression": "0 9 1 1 *"});
    assert_eq!(of(cron).as_deref(), Some("2027-01-01T09:00:00+00:00"));
    assert_eq!(
        of(json!({"valid_from": "2026-08-01T00:00:00Z"})).as_deref(),
        Some("2026-08-01T09:00:00+00:00")
    );
    for never in [
        json!({"enabled": false}),
        json!({"valid_until": "2026-07-02T08:00:00Z"}),
        json!({"recurrence_type": "weekly", "days_of_week": []}),
        json!({"recurrence_type": "cron", "cron_expression": "0 10 * * *"}),
    ] {
        assert_eq!(of(never.clone()), None, "{never}");
    }
}

#[test]
fn what_opens_next_keeps_its_wall_clock() {
    let amsterdam = |start| json!({"timezone": "Europe/Amsterdam", "start_time": start});
    assert_eq!(
        next(amsterdam("09:00"), "2026-03-28T09:00:00Z").as_deref(),
        Some("2026-03-29T07:00:00+00:00")
    );
    // In a gap it opens after it; in a fold, the first time.
    assert_eq!(
        next(amsterdam("02:30"), "2026-03-28T12:00:00Z").as_deref(),
        Some("2026-03-29T01:30:00+00:00")
    );
    assert_eq!(
        next(amsterdam("02:30"), "2026-10-24T12:00:00Z").as_deref(),
        Some("2026-10-25T00:30:00+00:00")
    );
}
