//! One record for people: a line a member.

use std::collections::BTreeMap;

use console::style;
use feature_flags::storage::Stored;
use feature_flags::{Condition, ConditionParts, Flag, Json, Record, Rule, Variant};

use super::table::{default_answer, flag_name, on_off};
use super::{FlagNames, clean, one_line};
use crate::failure::Failure;

/// The readable view.
pub(super) fn record(stored: &Stored, names: &FlagNames) -> Result<String, Failure> {
    let mut view = View::default();
    match &stored.record {
        Record::Flag(flag) => view.flag(flag),
        other => view.members(other, names)?,
    }
    view.line("revision", stored.revision.as_str());
    Ok(view.text)
}

/// Lines of text.
#[derive(Default)]
struct View {
    text: String,
}

impl View {
    fn line(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.text.push_str(&format!("  {:<22} {}\n", clean(name), clean(value)));
        }
    }

    fn heading(&mut self, text: &str) {
        self.text.push_str(&format!("{}\n", style(clean(text)).bold()));
    }

    fn item(&mut self, text: &str) {
        self.text.push_str(&format!("    {}\n", clean(text)));
    }

    fn flag(&mut self, flag: &Flag) {
        self.heading(flag.key.as_str());
        if flag.name != flag.key.as_str() {
            self.line("name", &flag.name);
        }
        self.line("description", flag.description.as_deref().unwrap_or_default());
        self.line("status", flag.status.as_str());
        self.line("type", flag.flag_type.as_str());
        self.line("default", &default_answer(flag));
        self.line("tags", &flag.tags.join(" "));
        self.rules(&flag.rules);
        self.variants(&flag.variants);
        if flag.metadata != Json::empty_object() {
            self.line("metadata", &one_line(&flag.metadata));
        }
        for (name, value) in flag.extra.iter() {
            self.line(name, &one_line(value));
        }
        self.line("id", &flag.id.to_string());
        self.line("created", &flag.created_at.map(|at| at.to_string()).unwrap_or_default());
        self.line("changed", &flag.updated_at.map(|at| at.to_string()).unwrap_or_default());
    }

    /// In the order in which they are tried.
    fn rules(&mut self, rules: &[Rule]) {
        if rules.is_empty() {
            return;
        }
        self.line("rules", "the first that matches answers");
        let mut rules: Vec<&Rule> = rules.iter().collect();
        rules.sort_by_key(|rule| rule.priority);
        for rule in rules {
            let who = match conditions(&rule.conditions) {
                none if none.is_empty() => "everyone".to_owned(),
                some => format!("if {some}"),
            };
            let share = rule.rollout_percentage.map(|share| format!(", for {share}%")).unwrap_or_default();
            let answer = rule.serve_value.as_ref().filter(|value| !value.is_null());
            let answer = answer.map_or_else(|| on_off(rule.serve_enabled).to_owned(), one_line);
            let off = if rule.enabled { "" } else { " (disabled)" };
            self.item(&format!("{}. {}{off}: {who}{share} -> {answer}", rule.priority, rule.name));
        }
    }

    fn variants(&mut self, variants: &[Variant]) {
        if variants.is_empty() {
            return;
        }
        self.line("variants", "by weight, where no rule matches");
        for variant in variants {
            self.item(&format!("{} ({}) -> {}", variant.key, variant.weight, one_line(&variant.value)));
        }
    }

    /// A record of another kind: its members as they are.
    fn members(&mut self, record: &Record, names: &FlagNames) -> Result<(), Failure> {
        let encoded = record.encode()?;
        let mut members: BTreeMap<String, Json> = serde_json::from_slice(&encoded)
            .map_err(|error| Failure::input(error.to_string(), "report this"))?;
        let title = match record {
            Record::Override(one) => format!("{} {}", one.entity_type, one.entity_id),
            Record::TimeSchedule(window) => window.name.clone(),
            Record::Segment(segment) => segment.name.to_string(),
            other => other.key().to_string(),
        };
        self.heading(&title);
        if let Some(owner) = record.owner() {
            self.line("flag", &flag_name(names, owner));
            members.remove("flag_id");
        }
        if let Record::Segment(segment) = record {
            self.line("everyone", if segment.conditions.is_empty() { "yes" } else { "" });
            self.line("if", &conditions(&segment.conditions));
            members.remove("conditions");
        }
        for name in ["name", "entity_type", "entity_id"] {
            members.remove(name);
        }
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let text = value.to::<String>().unwrap_or_else(|_| one_line(value));
            self.line(name, &text);
        }
        Ok(())
    }
}

/// `country in ["NL"] and plan eq "pro"`; one of another shape as it is.
fn conditions(conditions: &[Condition]) -> String {
    let text = |condition: &Condition| match condition.parts() {
        Ok(ConditionParts { attribute: Some(attribute), operator: Some(operator), value, .. }) => {
            format!("{attribute} {operator} {}", one_line(&value.unwrap_or_default()))
        }
        _ => condition.json().to_string(),
    };
    conditions.iter().map(text).collect::<Vec<_>>().join(" and ")
}
