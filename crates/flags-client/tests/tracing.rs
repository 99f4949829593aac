//! Events of evaluations, in OpenTelemetry's terms, and spans of what takes time.

mod common;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use common::{Faulty, LONG, anybody, builder, flag, put, start, until, until_fresh, user};
use flags_client::{Hook, HookContext, Overrides, Startup, TracedValues};
use flags_core::storage::Change;
use flags_core::{BoxError, FlagType, Rule};
use flags_engine::EvaluationContext;
use tokio::sync::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A callsite that is met for the first time just when somebody begins to collect may be taken to
/// be of no interest to anybody. So nothing else happens in this process while one test runs.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A field as it was recorded: its type is part of it.
#[derive(Debug, Clone, PartialEq)]
enum Recorded {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Other(String),
}

type Fields = BTreeMap<String, Recorded>;

/// Keeps every event and span of one target.
#[derive(Debug, Clone)]
struct Collector {
    target: &'static str,
    kept: Arc<std::sync::Mutex<Vec<(String, Fields)>>>,
}

impl Collector {
    fn of(target: &'static str) -> Self {
        Self { target, kept: Arc::default() }
    }

    fn keep(&self, metadata: &Metadata<'_>, fields: Fields) {
        // Whoever collects is asked of everything that anybody in this process collects.
        if metadata.target() == self.target {
            self.kept.lock().expect("not poisoned").push((metadata.name().to_owned(), fields));
        }
    }

    fn take(&self) -> Vec<(String, Fields)> {
        std::mem::take(&mut *self.kept.lock().expect("not poisoned"))
    }
}

struct Reader<'a>(&'a mut Fields);

impl Reader<'_> {
    fn keep(&mut self, field: &Field, recorded: Recorded) {
        self.0.insert(field.name().to_owned(), recorded);
    }
}

impl Visit for Reader<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, Recorded::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, Recorded::Integer(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, Recorded::Integer(value.try_into().expect("small")));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, Recorded::Float(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, Recorded::Text(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.keep(field, Recorded::Other(format!("{value:?}")));
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == self.target
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut Reader(&mut fields));
        self.keep(span.metadata(), fields);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        self.keep(event.metadata(), fields);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Recorded::Text((*value).to_owned()))).collect()
}

/// Refuses whom it does not know.
#[derive(Debug)]
struct Doorman;

impl Hook for Doorman {
    fn before(&self, evaluation: &HookContext<'_>) -> Result<Option<EvaluationContext>, BoxError> {
        if evaluation.context.user_id() == Some("stranger") { Err("who is it?".into()) } else { Ok(None) }
    }
}

#[tokio::test]
async fn each_evaluation_is_an_event() {
    let _alone = ALONE.lock().await;
    let storage = Faulty::new();
    put(&*storage, flag("f", true)).await;
    let client = builder(&storage).hook(Doorman).start().await.expect("started");
    let collector = Collector::of("flags_client::evaluation");
    tracing::subscriber::with_default(collector.clone(), || {
        let ann = EvaluationContext::builder().targeting_key("ann").build();
        let _ = client.bool_value("f", false, &ann);
        let _ = client.string_value("none", "default", &anybody());
        let _ = client.integer_value("f", 7, &user("stranger"));
    });
    let mut wanted = [
        fields(&[
            ("feature_flag.key", "f"),
            ("feature_flag.provider.name", "memory"),
            ("feature_flag.context.id", "ann"),
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
        fields(&[
            ("feature_flag.key", "f"),
            ("feature_flag.provider.name", "memory"),
            ("feature_flag.result.reason", "error"),
            ("error.type", "general"),
            ("feature_flag.error.message", "a hook refused the evaluation"),
        ]),
    ];
    wanted[0].insert("feature_flag.result.value".into(), Recorded::Bool(true));
    wanted[2].insert("feature_flag.result.value".into(), Recorded::Integer(7));
    assert_eq!(collector.take(), wanted.map(|fields| ("feature_flag.evaluation".to_owned(), fields)));
}

#[tokio::test]
async fn values_are_recorded_as_what_they_are_and_where_no_variant_says_as_much() {
    let _alone = ALONE.lock().await;
    let storage = Faulty::new();
    for (name, flag_type, value) in [
        ("integer", FlagType::Number, "7"),
        ("float", FlagType::Number, "2.5"),
        ("text", FlagType::String, "\"text\""),
        ("json", FlagType::Json, "{\"a\": 1.0}"),
    ] {
        let mut one = flag(name, false);
        (one.flag_type, one.default_value) = (flag_type, Some(value.parse().expect("JSON")));
        put(&*storage, one).await;
    }
    let mut ruled = flag("ruled", false);
    ruled.rules.push(Rule::new("everybody"));
    put(&*storage, ruled).await;
    let value = |collector: &Collector| {
        let (_, mut fields) = collector.take().pop().expect("an event");
        (fields.remove("feature_flag.result.value"), fields.remove("feature_flag.result.variant"))
    };
    for which in [TracedValues::default(), TracedValues::Always] {
        let client = builder(&storage).traced_values(which).start().await.expect("started");
        let collector = Collector::of("flags_client::evaluation");
        let _collecting = tracing::subscriber::set_default(collector.clone());
        let _ = client.integer_value("integer", 0, &anybody());
        assert_eq!(value(&collector), (Some(Recorded::Integer(7)), None));
        let _ = client.float_value("float", 0.0, &anybody());
        assert_eq!(value(&collector), (Some(Recorded::Float(2.5)), None));
        let _ = client.string_value("text", "", &anybody());
        assert_eq!(value(&collector), (Some(Recorded::Text("text".into())), None));
        let _ = client.json_value("json", flags_core::Json::null(), &anybody());
        assert_eq!(value(&collector), (Some(Recorded::Text("{\"a\": 1.0}".into())), None));
        let _ = client.bool_value("ruled", false, &anybody());
        let variant = Some(Recorded::Text("everybody".into()));
        let always = which == TracedValues::Always;
        assert_eq!(value(&collector), (always.then_some(Recorded::Bool(true)), variant));
    }
}

#[tokio::test]
async fn what_takes_time_is_a_span() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flags.json");
    let storage = Faulty::new();
    put(&*storage, flag("f", true)).await;
    let collector = Collector::of("flags_client");
    let _collecting = tracing::subscriber::set_default(collector.clone());
    let names = || -> Vec<String> { collector.take().into_iter().map(|(name, _)| name).collect() };

    let startup = Startup::LastSaved { path: path.clone(), deadline: LONG };
    let client = builder(&storage)
        .startup(startup)
        .save_interval(Duration::ZERO)
        .overrides(Overrides::OnDemand { capacity: 10, time_to_live: LONG })
        .start()
        .await
        .expect("started");
    until("saved", || path.exists()).await;
    assert_eq!(names(), ["feature_flag.load", "feature_flag.save"]);
    client.prepare(&user("u")).await.expect("prepared");
    assert_eq!(names(), ["feature_flag.prepare"]);
    client.close().await;

    let client = start(&storage).await;
    assert_eq!(names(), ["feature_flag.load"]);
    put(&*storage, flag("g", true)).await;
    until("fetched", || client.bool_value("g", false, &anybody())).await;
    let mut wanted = fields(&[("feature_flag.provider.name", "memory")]);
    wanted.insert("records".into(), Recorded::Integer(1));
    assert_eq!(collector.take(), [("feature_flag.fetch".to_owned(), wanted)]);
    let lists = Faulty::count(&storage.lists);
    storage.inject(&Change::Resync);
    until("read again", || Faulty::count(&storage.lists) > lists).await;
    until_fresh(&client).await;
    assert_eq!(names(), ["feature_flag.reload"]);
}
