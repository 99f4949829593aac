//! The way to a decision, for people.

use feature_flags::engine::Explanation;

use super::{clean, one_line};

/// The tree, in which every line is ours: what it quotes is cleaned before it is put together.
pub(crate) fn tree(mut explanation: Explanation) -> String {
    explanation.flag = clean(&explanation.flag);
    let outcome = &mut explanation.decision;
    outcome.error_message = outcome.error_message.as_deref().map(clean);
    // On one line it is still JSON.
    outcome.value = outcome.value.take().map(|value| one_line(&value).parse().unwrap_or(value));
    // What is left are names in quotation marks and JSON, neither of which has a line feed.
    let tree = explanation.to_string();
    tree.lines().map(|line| format!("{}\n", clean(line))).collect()
}
