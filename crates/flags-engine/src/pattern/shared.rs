//! Compiled patterns, shared by whoever has the same.
//!
//! One for e-mail addresses takes some 20 MB and a tenth of a second, and is in many rules at once. What a
//! pattern compiles to depends on nothing else, so that all rules of a process can share it. Nothing is kept
//! that is in no rule any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use regex::Regex;

static SHARED: Mutex<Option<HashMap<Box<str>, Weak<Regex>>>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<HashMap<Box<str>, Weak<Regex>>>> {
    // Nothing is half done under it.
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pattern, if somebody has it.
pub(super) fn known(pattern: &str) -> Option<Arc<Regex>> {
    lock().as_ref()?.get(pattern)?.upgrade()
}

/// Lets others have the pattern. Whoever compiled the same meanwhile was first.
pub(super) fn share(pattern: &str, regex: Regex) -> Arc<Regex> {
    let mut shared = lock();
    let shared = shared.get_or_insert_default();
    if let Some(first) = shared.get(pattern).and_then(Weak::upgrade) {
        return first;
    }
    if shared.len() == shared.capacity() {
        // Instead of growing, or, where hardly any is gone, before it.
        shared.retain(|_, regex| regex.strong_count() > 0);
        shared.reserve(shared.len() + 1);
    }
    let regex = Arc::new(regex);
    shared.insert(pattern.into(), Arc::downgrade(&regex));
    regex
}

#[cfg(test)]
mod tests {
    use super::super::compile;
    use super::*;

    #[test]
    fn equal_patterns_are_one_and_go_with_their_last_user() {
        let first = compile("shared [a-z]+ once").expect("a pattern");
        let second = compile("shared [a-z]+ once").expect("a pattern");
        assert!(Arc::ptr_eq(&first, &second));
        let weak = Arc::downgrade(&first);
        drop((first, second));
        assert!(weak.upgrade().is_none());
        assert!(known("shared [a-z]+ once").is_none());
    }

    #[test]
    fn names_of_what_is_gone_do_not_pile_up() {
        let count = || lock().as_ref().map_or(0, HashMap::len);
        let before = count();
        for n in 0..1_000 {
            drop(compile(&format!("gone {n}")));
        }
        // Other tests have patterns too.
        assert!(count() < before + 500, "{before}, then {}", count());
    }
}
