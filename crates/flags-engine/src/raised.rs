//! [`Raised`]: where the origin raises an exception, and a client of it answers the caller's default.

/// Why a flag could not be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Raised {
    #[error("the values are of types that have no order; compare a number with a number, a text with a text")]
    NotOrdered,
    #[error("only a text can be part of a text")]
    NotText,
    #[error("a list or an object cannot be the name of a member")]
    NotHashable,
    #[error("a value that is no text, list or object contains nothing")]
    NotAContainer,
    #[error("the pattern is no text")]
    PatternIsNoText,
    #[error("a repetition number in the pattern is too large")]
    RepetitionTooLarge,
    #[error("the pattern asks for the flags `a` and `u`, which contradict each other")]
    FlagsContradict,
    #[error("a condition is no object of attribute, operator and value")]
    ConditionIsNoObject,
    #[error("the name of a condition's attribute is no text")]
    AttributeIsNoText,
    #[error("the variant of a boolean flag is no object with a member `enabled`")]
    VariantIsNoObject,
    #[error("the end of a time window is no text")]
    EndIsNoText,
    #[error("a part of a time of day is too large")]
    TimeTooLarge,
    #[error("an instant lies outside the years 1 to 9999")]
    InstantOutOfRange,
    #[error("a cron expression has a step of zero")]
    StepOfZero,
}
