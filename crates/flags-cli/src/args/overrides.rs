//! `flags override`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use feature_flags::{EntityId, EntityType, FlagId, FlagKey, Json};
use std::str::FromStr as _;

use super::shared::Condition;
use crate::failure::Failure;

/// What can be done with overrides.
#[derive(Subcommand)]
pub(crate) enum OverrideCommand {
    /// Create or change an override, or those of a file
    Set(Set),
    /// Show one
    #[command(
        override_usage = "flags override get KEY TYPE ID\n       flags override get --flag-id UUID TYPE ID"
    )]
    Get(Named),
    /// List those of one flag, or those whose flag does not exist
    List(List),
    /// Delete one
    #[command(
        override_usage = "flags override delete [OPTIONS] KEY TYPE ID\n       flags override delete [OPTIONS] --flag-id UUID TYPE ID"
    )]
    Delete {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        condition: Condition,
    },
}

/// Which overrides to list.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct List {
    /// The flag's key
    #[arg(allow_negative_numbers = true)]
    pub(crate) key: Option<FlagKey>,
    /// Those that another library left behind when it deleted their flag
    #[arg(long)]
    pub(crate) orphans: bool,
}

/// Which override.
#[derive(Args)]
pub(crate) struct Entity {
    /// The flag's key
    #[arg(allow_negative_numbers = true)]
    pub(crate) key: FlagKey,
    /// user, organization, tenant, targeting_key, or a type of your own
    #[arg(value_name = "TYPE")]
    pub(crate) entity_type: EntityType,
    /// Which entity of that type; `-- ID` if it begins with a dash
    #[arg(value_name = "ID", allow_negative_numbers = true)]
    pub(crate) entity_id: EntityId,
}

/// Which override, also one whose flag does not exist: it is named by the id of the flag.
// Texts, since the words have other places where the key is left out.
#[derive(Args)]
pub(crate) struct Named {
    /// The flag's key
    #[arg(value_name = "KEY", allow_negative_numbers = true)]
    first: String,
    /// user, organization, tenant, targeting_key, or a type of your own
    #[arg(value_name = "TYPE", allow_negative_numbers = true)]
    second: String,
    /// Which entity of that type; `-- ID` if it begins with a dash
    #[arg(value_name = "ID", allow_negative_numbers = true, required_unless_present = "flag_id")]
    third: Option<String>,
    /// The flag's id in the place of its key; `list --orphans` shows it
    #[arg(long, value_name = "UUID")]
    flag_id: Option<FlagId>,
}

/// The flag of an override.
#[derive(Debug, PartialEq)]
pub(crate) enum Owner {
    Key(FlagKey),
    Id(FlagId),
}

impl Named {
    /// Flag, entity type and entity id.
    pub(crate) fn parts(self) -> Result<(Owner, EntityType, EntityId), Failure> {
        let Self { first, second, third, flag_id } = self;
        let (owner, entity_type, entity_id) = match (flag_id, third) {
            (Some(id), None) => (Owner::Id(id), first, second),
            (None, Some(third)) => (Owner::Key(name("KEY", &first)?), second, third),
            _ => return Err(Failure::usage("a flag has either a key or --flag-id", "leave one of them out")),
        };
        Ok((owner, name("TYPE", &entity_type)?, name("ID", &entity_id)?))
    }
}

fn name<T: std::str::FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, Failure> {
    let wrong = |error: T::Err| {
        Failure::usage(
            format!("{text:?} is no {what}: {error}"),
            "`flags override list KEY` shows what there is",
        )
    };
    text.parse().map_err(wrong)
}

/// What to set: one override by its options, or records.
#[derive(Args)]
#[command(override_usage = "flags override set KEY TYPE ID [OPTIONS]\n       flags override set -f FILE")]
pub(crate) struct Set {
    #[command(flatten)]
    pub(crate) entity: Option<Entity>,
    /// Records as JSON; `-` is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["key", "entity_type", "entity_id"])]
    #[arg(required_unless_present = "key")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: SetOptions,
}

/// What an override answers, and for how long. What is not said stays as it is.
#[derive(Args)]
pub(crate) struct SetOptions {
    /// What a boolean flag answers [default for a new one: true]
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, conflicts_with = "file")]
    pub(crate) enabled: Option<bool>,
    /// What another flag answers
    // Named, since a text can also become JSON as a string, and that is what would be chosen.
    #[arg(long, value_name = "JSON", value_parser = Json::from_str, allow_hyphen_values = true, conflicts_with = "file")]
    pub(crate) value: Option<Json>,
    /// No value any more
    #[arg(long, conflicts_with_all = ["value", "file"])]
    pub(crate) no_value: bool,
    /// For how long: 90s, 30m, 2h, 1h30m, 7d [default for a new one: for good]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "file")]
    pub(crate) expires_in: Option<Duration>,
    /// For good, whatever was said before
    #[arg(long, conflicts_with_all = ["expires_in", "file"])]
    pub(crate) no_expiry: bool,
    #[command(flatten)]
    pub(crate) condition: Condition,
}

/// `1h30m`: whole numbers, each with its unit.
fn duration(text: &str) -> Result<Duration, &'static str> {
    const HELP: &str = "write numbers with units, such as 90s, 30m, 2h, 1h30m or 7d";
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(HELP)?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(HELP),
        };
        let number: u64 = number.parse().map_err(|_| HELP)?;
        let more = number.checked_mul(millis).map(Duration::from_millis);
        total = more.and_then(|more| total.checked_add(more)).ok_or("that is too long")?;
        rest = after;
    }
    if total.is_zero() { Err(HELP) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("1d500ms"), Ok(Duration::from_millis(86_400_500)));
        for wrong in ["", "90", "h", "2 h", "-1s", "0s", "1y", "99999999999999999999d", "999999999999999999w"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        // Each part is in range, all of them together are not.
        let parts = format!("{}ms", u64::MAX).repeat(1_100);
        assert_eq!(duration(&parts), Err("that is too long"));
    }
}
