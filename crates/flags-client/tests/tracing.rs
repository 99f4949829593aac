//! The event of an evaluation, in OpenTelemetry's terms.

mod common;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use common::{Faulty, flag, put, start};
use flags_engine::EvaluationContext;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Fields = BTreeMap<String, String>;

/// Keeps every event of evaluations.
#[derive(Debug, Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Fields)>>>);

struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "flags_client::evaluation"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        self.0.lock().expect("not poisoned").push((event.metadata().name().to_owned(), fields));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn each_evaluation_is_an_event() {
    let storage = Faulty::new();
    put(&*storage, flag("f", true)).await;
    let client = start(&storage).await;
    let collector = Collector::default();
    tracing::subscriber::with_default(collector.clone(), || {
        let ann = EvaluationContext::builder().targeting_key("ann").build();
        let _ = client.bool_value("f", false, &ann);
        let _ = client.string_value("none", "default", &EvaluationContext::default());
    });
    let events = std::mem::take(&mut *collector.0.lock().expect("not poisoned"));
    let wanted = [
        fields(&[
            ("feature_flag.key", "f"),
            ("feature_flag.provider.name", "memory"),
            ("feature_flag.context.id", "ann"),
            ("feature_flag.result.value", "true"),
            ("feature_flag.result.reason", "static"),
        ]),
        fields(&[
            ("feature_flag.key", "none"),
            ("feature_flag.provider.name", "memory"),
            ("feature_flag.result.value", "default"),
            ("feature_flag.result.reason", "default"),
            ("error.type", "flag_not_found"),
            ("feature_flag.error.message", "there is no such flag"),
        ]),
    ];
    assert_eq!(events, wanted.map(|fields| ("feature_flag.evaluation".to_owned(), fields)));
}
