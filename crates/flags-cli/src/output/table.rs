//! Listings for people.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use console::Term;
use feature_flags::storage::Stored;
use feature_flags::{
    ChangeType, Flag, FlagId, FlagType, Kind, Override, Record, RolloutPhase, ScheduledChange, Segment,
    TimeOfDay, TimeSchedule, Timestamp,
};

use super::{FlagNames, clean, one_line};

/// How wide a table may be where nobody knows the terminal.
const WIDTH: u16 = 80;

/// The columns that may take several lines.
const WRAPPED: [&str; 9] = ["KEY", "FLAG", "NAME", "ENTITY", "DEFAULT", "TAGS", "VALUE", "CHANGE", "WHEN"];

/// A table that fits the terminal, or 80 columns.
pub(super) fn table(kind: Kind, records: &[Stored], names: &FlagNames) -> String {
    let mut header = header(kind);
    let with_flag = !names.is_empty();
    if with_flag {
        // Overrides of several flags are listed only where the flags are gone: their id is there to be
        // copied.
        header.insert(1, if kind == Kind::Override { "FLAG ID" } else { "FLAG" });
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| columns));
    table.set_header(&header);
    for stored in records {
        let mut row = row(&stored.record);
        if with_flag {
            let owner = stored.record.owner().map(|id| flag_name(names, id));
            row.insert(1, owner.unwrap_or_default());
        }
        table.add_row(row.iter().map(|cell| clean(cell)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding(if index == 0 { (0, 1) } else { (1, 1) });
        // What is copied, or compared down the column, stays in one piece.
        if !WRAPPED.contains(&header[index]) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn header(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Flag => vec!["KEY", "STATUS", "TYPE", "DEFAULT", "RULES", "TAGS", "CHANGED"],
        Kind::Override => vec!["TYPE", "ENTITY", "ENABLED", "VALUE", "EXPIRES (UTC)"],
        Kind::ScheduledChange => vec!["ID", "CHANGE", "AT (UTC)"],
        Kind::TimeSchedule => vec!["ID", "NAME", "WHEN"],
        Kind::RolloutPhase => vec!["ID", "PHASE", "AT (UTC)"],
        Kind::Segment => vec!["NAME", "ENABLED", "CONDITIONS", "PARENT", "CHANGED"],
        _ => vec!["RECORD"],
    }
}

fn row(record: &Record) -> Vec<String> {
    match record {
        Record::Flag(flag) => flag_row(flag),
        Record::Override(one) => override_row(one),
        Record::ScheduledChange(change) => change_row(change),
        Record::TimeSchedule(window) => window_row(window),
        Record::RolloutPhase(phase) => phase_row(phase),
        Record::Segment(segment) => segment_row(segment),
        other => vec![other.key().to_string()],
    }
}

fn flag_row(flag: &Flag) -> Vec<String> {
    vec![
        flag.key.to_string(),
        flag.status.to_string(),
        flag.flag_type.to_string(),
        default_answer(flag),
        flag.rules.len().to_string(),
        flag.tags.join(" "),
        flag.updated_at.map(day).unwrap_or_default(),
    ]
}

/// What a flag answers when nothing matches.
pub(super) fn default_answer(flag: &Flag) -> String {
    match flag.flag_type {
        FlagType::Boolean => on_off(flag.default_enabled).to_owned(),
        _ => flag.default_value.as_ref().map_or_else(|| "null".to_owned(), |value| short(&one_line(value))),
    }
}

fn override_row(one: &Override) -> Vec<String> {
    vec![
        one.entity_type.to_string(),
        one.entity_id.to_string(),
        on_off(one.enabled).to_owned(),
        one.value.as_ref().map(|value| short(&one_line(value))).unwrap_or_default(),
        one.expires_at.map_or_else(|| "never".to_owned(), minute),
    ]
}

fn change_row(change: &ScheduledChange) -> Vec<String> {
    let what = match change.change_type {
        ChangeType::UpdateValue => {
            format!("value {}", short(&change.new_value.as_ref().map_or_else(|| "null".to_owned(), one_line)))
        }
        ChangeType::UpdateRollout => {
            format!("rollout {}%", change.new_rollout_percentage.unwrap_or_default())
        }
        other => other.to_string(),
    };
    vec![
        change.id.to_string(),
        what + outcome(change.executed, change.error.as_deref()),
        minute(change.scheduled_at),
    ]
}

fn window_row(window: &TimeSchedule) -> Vec<String> {
    let recurrence = window.cron_expression.as_deref().map_or_else(
        || format!("{} {}-{}", window.recurrence_type, clock(window.start_time), clock(window.end_time)),
        |cron| format!("cron {cron}"),
    );
    let disabled = if window.enabled { "" } else { " (disabled)" };
    let recurrence = format!("{recurrence} {}{disabled}", window.timezone);
    vec![window.id.to_string(), window.name.clone(), recurrence]
}

fn phase_row(phase: &RolloutPhase) -> Vec<String> {
    vec![
        phase.id.to_string(),
        format!(
            "{}: {}%{}",
            phase.phase_number,
            phase.target_percentage,
            outcome(phase.executed, phase.error.as_deref())
        ),
        minute(phase.scheduled_at),
    ]
}

fn segment_row(segment: &Segment) -> Vec<String> {
    vec![
        segment.name.to_string(),
        on_off(segment.enabled).to_owned(),
        segment.conditions.len().to_string(),
        segment.parent_segment_id.map(|id| id.to_string()).unwrap_or_default(),
        segment.updated_at.map(day).unwrap_or_default(),
    ]
}

/// What people call the flag.
pub(super) fn flag_name(names: &FlagNames, id: FlagId) -> String {
    names.get(&id).cloned().unwrap_or_else(|| id.to_string())
}

pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// What became of something that was planned.
fn outcome(executed: bool, error: Option<&str>) -> &'static str {
    match (executed, error) {
        (_, Some(_)) => " (failed)",
        (true, None) => " (done)",
        (false, None) => "",
    }
}

/// The beginning of a long text.
fn short(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A time of day, with its seconds only where it has some.
fn clock(time: TimeOfDay) -> String {
    let text = time.to_string();
    text.strip_suffix(":00").map(str::to_owned).unwrap_or(text)
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take("2026-03-01".len()).collect()
}

fn minute(at: Timestamp) -> String {
    at.to_string().chars().take("2026-03-01T09:30".len()).collect::<String>().replace('T', " ")
}
