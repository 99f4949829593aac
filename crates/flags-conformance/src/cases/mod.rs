//! The cases, a module for each clause.

mod c01_read_your_commit;
mod c02_all_or_nothing;
mod c03_conditions;
mod c03_model;
mod c03_races;
mod c04_revisions;
mod c05_three_answers;
mod c06_large_cascades;
mod c06_ownership;
mod c07_aliases;
mod c08_expiry;
mod c09_listing;
mod c10_isolation;
mod c11_namespaces;
mod c12_watch;
mod c13_cancellation;
mod c14_outcomes;
mod c15_limits;
mod typed_flags;
mod typed_owned;
mod typed_segments;
mod typed_transfer;

use crate::Case;

const TABLE: &[&[&[Case]]] = &[
    c01_read_your_commit::CASES,
    c02_all_or_nothing::CASES,
    c03_conditions::CASES,
    c03_races::CASES,
    c03_model::CASES,
    c04_revisions::CASES,
    c05_three_answers::CASES,
    c06_ownership::CASES,
    c06_large_cascades::CASES,
    c07_aliases::CASES,
    c08_expiry::CASES,
    c09_listing::CASES,
    c10_isolation::CASES,
    c11_namespaces::CASES,
    c12_watch::CASES,
    c13_cancellation::CASES,
    c14_outcomes::CASES,
    c15_limits::CASES,
    typed_flags::CASES,
    typed_owned::CASES,
    typed_segments::CASES,
    typed_transfer::CASES,
];

/// Every case, in the order of the clauses.
pub fn all() -> impl Iterator<Item = &'static Case> {
    TABLE.iter().copied().flatten().copied().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::all;
    use crate::Clause;

    #[test]
    fn no_clause_is_without_a_case() {
        for clause in Clause::ALL {
            let cases = all().filter(|case| case.clause() == *clause).count();
            assert!(cases >= 2, "{clause} ({}) has {cases} cases", clause.title());
        }
    }

    #[test]
    fn names_are_unique_and_begin_with_the_clause() {
        let mut names = HashSet::new();
        for case in all() {
            assert!(names.insert(case.name()), "two cases are called {}", case.name());
            let prefix = match case.clause().as_str().strip_prefix('C') {
                Some(number) => format!("c{number:0>2}_"),
                None => "typed_".to_owned(),
            };
            assert!(case.name().starts_with(&prefix), "{} should begin with {prefix}", case.name());
        }
    }
}
