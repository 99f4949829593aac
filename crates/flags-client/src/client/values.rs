//! The values of flags, by their type.

use flags_core::Json;
use flags_engine::EvaluationContext;

use super::Client;
use crate::details::EvaluationDetails;
use crate::hook::TypedValue;

impl Client {
    /// A boolean. Any flag will do that answers with one. Allocates nothing, where overrides are
    /// resident.
    #[must_use]
    pub fn bool_value(&self, key: &str, default: bool, context: &EvaluationContext) -> bool {
        let asked = self.shared().ask(key, TypedValue::Boolean(default), context);
        self.shared().view(asked.context(), |view| view.bool(&asked, default).value)
    }

    /// Like [`bool_value`](Self::bool_value), with how it came about.
    #[must_use]
    pub fn bool_details(
        &self,
        key: &str,
        default: bool,
        context: &EvaluationContext,
    ) -> EvaluationDetails<bool> {
        let asked = self.shared().ask(key, TypedValue::Boolean(default), context);
        self.shared().view(asked.context(), |view| EvaluationDetails::new(key, view.bool(&asked, default)))
    }

    /// A text, of a string flag.
    #[must_use]
    pub fn string_value(&self, key: &str, default: &str, context: &EvaluationContext) -> String {
        let asked = self.shared().ask(key, TypedValue::String(default), context);
        self.shared().view(asked.context(), |view| view.string(&asked, default).value.to_owned())
    }

    /// Like [`string_value`](Self::string_value), with how it came about.
    #[must_use]
    pub fn string_details(
        &self,
        key: &str,
        default: &str,
        context: &EvaluationContext,
    ) -> EvaluationDetails<String> {
        let asked = self.shared().ask(key, TypedValue::String(default), context);
        self.shared().view(asked.context(), |view| {
            EvaluationDetails::new(key, view.string(&asked, default).map(str::to_owned))
        })
    }

    /// A whole number of 64 bits, of a number flag.
    #[must_use]
    pub fn integer_value(&self, key: &str, default: i64, context: &EvaluationContext) -> i64 {
        let asked = self.shared().ask(key, TypedValue::Integer(default), context);
        self.shared().view(asked.context(), |view| view.integer(&asked, default).value)
    }

    /// Like [`integer_value`](Self::integer_value), with how it came about.
    #[must_use]
    pub fn integer_details(
        &self,
        key: &str,
        default: i64,
        context: &EvaluationContext,
    ) -> EvaluationDetails<i64> {
        let asked = self.shared().ask(key, TypedValue::Integer(default), context);
        self.shared().view(asked.context(), |view| EvaluationDetails::new(key, view.integer(&asked, default)))
    }

    /// A number, of a number flag, rounded to the nearest of floating point.
    #[must_use]
    pub fn float_value(&self, key: &str, default: f64, context: &EvaluationContext) -> f64 {
        let asked = self.shared().ask(key, TypedValue::Float(default), context);
        self.shared().view(asked.context(), |view| view.float(&asked, default).value)
    }

    /// Like [`float_value`](Self::float_value), with how it came about.
    #[must_use]
    pub fn float_details(
        &self,
        key: &str,
        default: f64,
        context: &EvaluationContext,
    ) -> EvaluationDetails<f64> {
        let asked = self.shared().ask(key, TypedValue::Float(default), context);
        self.shared().view(asked.context(), |view| EvaluationDetails::new(key, view.float(&asked, default)))
    }

    /// Any JSON, of a JSON flag.
    #[must_use]
    pub fn json_value(&self, key: &str, default: Json, context: &EvaluationContext) -> Json {
        let asked = self.shared().ask(key, TypedValue::Json(&default), context);
        self.shared().view(asked.context(), |view| view.json(&asked, default).value)
    }

    /// Like [`json_value`](Self::json_value), with how it came about.
    #[must_use]
    pub fn json_details(
        &self,
        key: &str,
        default: Json,
        context: &EvaluationContext,
    ) -> EvaluationDetails<Json> {
        let asked = self.shared().ask(key, TypedValue::Json(&default), context);
        self.shared().view(asked.context(), |view| EvaluationDetails::new(key, view.json(&asked, default)))
    }
}
