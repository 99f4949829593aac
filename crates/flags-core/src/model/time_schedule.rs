//! [`TimeSchedule`].

use serde::{Deserialize, Serialize};

use super::serde_with::{end_time, instant, null_as_true, null_as_utc, start_time, utc, yes};
use super::word_enum;
use crate::name::{FlagId, TimeScheduleId};
use crate::open::{Extra, open_record};
use crate::time::{TimeOfDay, Timestamp};

word_enum! {
    /// How a time window recurs.
    RecurrenceType {
        /// Every day.
        Daily = "daily",
        /// On days of the week.
        Weekly = "weekly",
        /// On days of the month.
        Monthly = "monthly",
        /// When a cron expression matches.
        Cron = "cron",
    }
}

/// A recurring window in which a flag is on. Lives and dies with its flag (C6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct TimeSchedule {
    /// Its id.
    pub id: TimeScheduleId,
    /// The flag it belongs to.
    pub flag_id: FlagId,
    /// For people; also the variant that a decision reports, as `schedule:{name}`.
    pub name: String,
    /// How the window recurs.
    pub recurrence_type: RecurrenceType,
    /// When it opens; midnight where null or empty.
    #[serde(deserialize_with = "start_time")]
    pub start_time: TimeOfDay,
    /// When it closes; 23:59 where null or empty. Before the start, it closes on the next day.
    #[serde(deserialize_with = "end_time")]
    pub end_time: TimeOfDay,
    /// Of [`RecurrenceType::Weekly`]: 0 is Monday, 6 is Sunday.
    #[serde(default)]
    pub days_of_week: Option<Vec<i64>>,
    /// Of [`RecurrenceType::Monthly`]: 1 to 31.
    #[serde(default)]
    pub days_of_month: Option<Vec<i64>>,
    /// Of [`RecurrenceType::Cron`]: five fields.
    #[serde(default)]
    pub cron_expression: Option<String>,
    /// The IANA name of the time zone that the times of day are in.
    #[serde(default = "utc", deserialize_with = "null_as_utc")]
    pub timezone: String,
    /// Whether it counts.
    #[serde(default = "yes", deserialize_with = "null_as_true")]
    pub enabled: bool,
    /// Before this instant it is closed. The origin does not store this member.
    #[serde(default, deserialize_with = "instant", skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// After this instant it is closed. The origin does not store this member.
    #[serde(default, deserialize_with = "instant", skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// When it was created.
    #[serde(default, deserialize_with = "instant")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, deserialize_with = "instant")]
    pub updated_at: Option<Timestamp>,
    /// Members that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

open_record!(TimeSchedule);

impl TimeSchedule {
    /// An enabled daily window in UTC, with a new id.
    #[must_use]
    pub fn new(flag_id: FlagId, name: impl Into<String>, start_time: TimeOfDay, end_time: TimeOfDay) -> Self {
        Self {
            id: TimeScheduleId::new(),
            flag_id,
            name: name.into(),
            recurrence_type: RecurrenceType::Daily,
            start_time,
            end_time,
            days_of_week: None,
            days_of_month: None,
            cron_expression: None,
            timezone: utc(),
            enabled: true,
            valid_from: None,
            valid_until: None,
            created_at: None,
            updated_at: None,
            extra: Extra::default(),
        }
    }
}
