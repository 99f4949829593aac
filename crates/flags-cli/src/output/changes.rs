//! What became of a record, on one line.

use feature_flags::Record;
use feature_flags::storage::Stored;
use serde_json::value::RawValue;

use super::{clean, json};
use crate::failure::Failure;

pub(crate) const DELETED: &str = "deleted";
pub(crate) const WRITTEN: &str = "written";
pub(crate) const WRITTEN_AGAIN: &str = "written again";

/// How many characters of a value are shown.
const SHOWN: usize = 40;
/// How many of them at most are before the first that differs: they say what it is that differs.
const BEFORE: usize = 28;

/// `status "active" -> "archived", tags [] -> ["web"]`; the members that only say when are left out.
pub(crate) fn changes(before: Option<&Stored>, after: Option<&Stored>) -> Result<String, Failure> {
    let (before, after) = match (before, after) {
        (_, None) => return Ok(DELETED.to_owned()),
        (None, Some(_)) => return Ok(WRITTEN.to_owned()),
        (Some(before), Some(after)) => (members(&before.record)?, members(&after.record)?),
    };
    fn value<'a>(members: &'a Members, name: &str) -> &'a str {
        members.iter().find(|(known, _)| known == name).map_or("nothing", |(_, value)| value)
    }
    let names =
        before.iter().chain(after.iter().filter(|(name, _)| before.iter().all(|(known, _)| known != name)));
    let mut changed = Vec::new();
    for (name, _) in names.filter(|(name, _)| name != "updated_at") {
        let (old, new) = (value(&before, name), value(&after, name));
        if old != new {
            let (old, new) = short(old, new);
            changed.push(format!("{} {old} -> {new}", clean(name)));
        }
    }
    Ok(if changed.is_empty() { WRITTEN_AGAIN.to_owned() } else { changed.join(", ") })
}

type Members = Vec<(String, String)>;

/// The members in their order, each with its JSON.
fn members(record: &Record) -> Result<Members, Failure> {
    let encoded = json::encode(record)?;
    let members: std::collections::BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&encoded).map_err(std::io::Error::from)?;
    Ok(members.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect())
}

/// Both as they are shown: where they are long, what is around the first difference, since one that is not
/// seen tells nothing.
fn short(old: &str, new: &str) -> (String, String) {
    let (old, new) = (chars(old), chars(new));
    let longest = old.len().max(new.len());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let start = if same < BEFORE || longest <= SHOWN {
        0
    } else {
        // At the beginning of a member or a word, where there is one.
        let earliest = (same - BEFORE).min(longest - SHOWN);
        let begins = |at: &usize| *at == 0 || matches!(old[at - 1], ',' | '{' | '[' | ' ');
        (earliest..=same).find(begins).unwrap_or(earliest)
    };
    (part(&old, start), part(&new, start))
}

fn chars(value: &str) -> Vec<char> {
    clean(value).chars().collect()
}

/// What is shown from there on, and whether there is more on either side.
fn part(value: &[char], start: usize) -> String {
    let more = |is: bool| is.then_some('…');
    let shown = value.iter().skip(start).take(SHOWN).copied();
    more(start > 0).into_iter().chain(shown).chain(more(value.len() > start + SHOWN)).collect()
}

#[cfg(test)]
mod tests {
    use feature_flags::storage::Revision;
    use feature_flags::{Flag, FlagKey, Rule};

    use super::*;

    fn between(edit: impl FnOnce(&mut Flag)) -> String {
        let mut flag = Flag::new(FlagKey::new("a").expect("a key"));
        flag.rules = vec![Rule::new("everybody in the country"), Rule::new("benelux")];
        flag.rules[1].rollout_percentage = Some(10);
        flag.description = Some("It says at length what it is for, and at its end who may see it".into());
        let stored = |flag: &Flag| Stored::new(flag.clone().into(), Revision::new("r"));
        let before = stored(&flag);
        edit(&mut flag);
        changes(Some(&before), Some(&stored(&flag))).expect("it can be encoded")
    }

    #[test]
    fn a_difference_deep_in_a_long_value_is_seen() {
        let told = between(|flag| flag.rules[1].rollout_percentage = Some(100));
        assert_eq!(told, r#"rules …"rollout_percentage":10}] -> …"rollout_percentage":100}]"#);
        let told = between(|flag| flag.description = flag.description.as_ref().map(|d| format!("{d} now")));
        assert_eq!(
            told,
            r#"description …for, and at its end who may see it" -> …for, and at its end who may see it now""#
        );
    }

    #[test]
    fn a_value_that_begins_otherwise_is_shown_from_its_beginning() {
        let told = between(|flag| flag.description = Some("another".into()));
        assert_eq!(told, r#"description "It says at length what it is for, and a… -> "another""#);
        let told = between(|flag| flag.description = None);
        assert_eq!(told, r#"description "It says at length what it is for, and a… -> null"#);
        assert_eq!(between(|_| {}), "written again");
    }

    #[test]
    fn what_differs_is_always_shown_and_short() {
        for length in 0..100 {
            for at in 0..=length {
                let old: String = (0..length).map(|n| if n % 9 == 8 { ' ' } else { 'a' }).collect();
                for with in ["", "b", "éé"] {
                    let new = format!("{}{with}{}", &old[..at], &old[(at + 1).min(length)..]);
                    let (shown, instead) = short(&old, &new);
                    assert_eq!(old == new, shown == instead, "{old:?} -> {new:?}");
                    assert!(shown.chars().count().max(instead.chars().count()) <= SHOWN + 2);
                }
            }
        }
    }
}
