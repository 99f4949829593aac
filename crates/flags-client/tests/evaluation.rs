//! What an evaluation answers, and what goes on around it.

mod common;

use std::sync::{Arc, Mutex};

use common::{Faulty, anybody, builder, flag, key, override_of, put, start, text_flag, until, user};
use flags_client::{ChangedFlags, ClientEvent, Freshness, Hook, HookContext, ReasonCounts, TypedValue};
use flags_core::{BoxError, FlagType, Json};
use flags_engine::{Details, ErrorCode, EvaluationContext, Reason, Semantics};

#[tokio::test]
async fn each_type_with_its_details() {
    let storage = Faulty::new();
    for (name, flag_type, value) in
        [("n", FlagType::Number, "7"), ("x", FlagType::Number, "2.5"), ("j", FlagType::Json, "{\"a\": 1.0}")]
    {
        let mut one = flag(name, false);
        (one.flag_type, one.default_value) = (flag_type, Some(value.parse().expect("JSON")));
        put(&*storage, one).await;
    }
    put(&*storage, text_flag("s", "text")).await;
    let mut on = flag("b", true);
    on.tags = vec!["tag".into()];
    put(&*storage, on).await;
    let client = builder(&storage).semantics(Semantics::Strict).start().await.expect("started");
    let whom = anybody();
    assert!(client.bool_value("b", false, &whom));
    assert_eq!(client.string_value("s", "d", &whom), "text");
    assert_eq!(client.integer_value("n", 0, &whom), 7);
    assert_eq!(client.float_value("x", 0.0, &whom).to_bits(), 2.5_f64.to_bits());
    assert_eq!(client.json_value("j", Json::null(), &whom).text(), "{\"a\": 1.0}");

    let details = client.bool_details("b", false, &whom);
    assert_eq!((&*details.flag_key, details.value, details.reason), ("b", true, Reason::Static));
    assert_eq!(details.metadata.expect("metadata").tags, ["tag"]);
    let mismatch = client.integer_details("s", 3, &whom);
    assert_eq!((mismatch.value, mismatch.error_code), (3, Some(ErrorCode::TypeMismatch)));
    assert!(mismatch.error_message.is_some_and(|message| message.contains("string")));
    assert_eq!(client.string_details("none", "d", &whom).error_code, Some(ErrorCode::FlagNotFound));
    assert_eq!(client.float_details("x", 0.0, &whom).error_code, None);
    assert_eq!(client.json_details("j", Json::null(), &whom).reason, Reason::Static);

    let all = client.all(&whom);
    assert_eq!(all.len(), 5);
    assert_eq!(all.get(&key("n")).and_then(|n| n.value.as_ref()).map(Json::text), Some("7"));

    let counts = client.counts();
    assert_eq!(counts.flags.get(&key("b")).map(|counts| counts.of(Reason::Static)), Some(2));
    assert_eq!(counts.flags.get(&key("s")).map(|s| (s.total(), s.of(Reason::Error))), Some((2, 1)));
    assert_eq!((counts.unknown.total(), counts.unknown.of(Reason::Default)), (1, 1));
}

#[tokio::test]
async fn counts_outlive_edits_and_count_every_thread() {
    let storage = Faulty::new();
    let mut one = text_flag("f", "0");
    put(&*storage, one.clone()).await;
    let client = start(&storage).await;
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || (0..500).for_each(|_| drop(client.string_value("f", "", &anybody()))))
        })
        .collect();
    for n in 1..20 {
        one.default_value = Some(n.to_string().as_str().into());
        put(&*storage, one.clone()).await;
        tokio::task::yield_now().await;
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert_eq!(client.counts().flags.get(&key("f")).map(ReasonCounts::total), Some(4_000));
}

#[tokio::test]
async fn a_snapshot_stays_what_it_is() {
    let storage = Faulty::new();
    let mut one = text_flag("f", "1");
    put(&*storage, one.clone()).await;
    let client = start(&storage).await;
    let snapshot = client.snapshot();
    one.default_value = Some("2".into());
    put(&*storage, one).await;
    until("the change", || common::text(&client, "f") == "2").await;
    assert_eq!(snapshot.string_details("f", "", &anybody()).value, "1");
    let prepared = client.prepare(&user("u")).await.expect("costs nothing here");
    assert_eq!(prepared.string_details("f", "", &user("u")).value, "2");
    assert_eq!(Faulty::count(&storage.gets), 1);
}

#[tokio::test]
async fn listeners_are_told_what_changed() {
    let storage = Faulty::new();
    storage.set(&storage.reads_fail, true);
    let client =
        builder(&storage).startup(flags_client::Startup::ServeDefaults).start().await.expect("started");
    let one = flag("f", false);
    put(&*storage, one.clone()).await;
    let mut events = client.subscribe();
    storage.set(&storage.reads_fail, false);
    let mut told = Vec::new();
    while told.last() != Some(&ClientEvent::Freshness(Freshness::Fresh)) {
        told.push(events.next().await.expect("an event"));
    }
    let loaded = ClientEvent::FlagsChanged(ChangedFlags::Keys([key("f")].into()));
    assert!(told.contains(&ClientEvent::Ready) && told.contains(&loaded), "{told:?}");
    // An override is its flag's change.
    put(&*storage, override_of(one.id, "user", "u", true)).await;
    assert_eq!(events.next().await, Some(loaded.clone()));
    // What is not read is told together.
    let mut slow = client.subscribe();
    for name in ["a", "b", "c"] {
        put(&*storage, flag(name, true)).await;
        until("loaded", || client.bool_value(name, false, &anybody())).await;
    }
    let together = ChangedFlags::Keys([key("a"), key("b"), key("c")].into());
    assert_eq!(slow.next().await, Some(ClientEvent::FlagsChanged(together)));
    client.close().await;
    assert!(matches!(slow.next().await, Some(ClientEvent::Freshness(Freshness::Stale { .. }))));
    assert_eq!(slow.next().await, None);
}

type Log = Arc<Mutex<Vec<String>>>;

#[derive(Debug)]
struct Recorder {
    name: &'static str,
    log: Log,
}

impl Recorder {
    fn note(&self, stage: &str, evaluation: &HookContext<'_>, details: Option<&Details<'_, TypedValue<'_>>>) {
        let value = details.map(|details| format!(" {} {}", details.value, details.reason));
        let line = format!("{} {stage} {}{}", self.name, evaluation.flag_key, value.unwrap_or_default());
        self.log.lock().expect("not poisoned").push(line);
    }
}

impl Hook for Recorder {
    fn before(&self, evaluation: &HookContext<'_>) -> Result<Option<EvaluationContext>, BoxError> {
        self.note("before", evaluation, None);
        match evaluation.context.user_id() {
            Some("banned") => Err("not for you".into()),
            // The second hook sees what the first one made.
            Some("alias") if self.name == "first" => Ok(Some(user("u"))),
            _ => Ok(None),
        }
    }

    fn after(&self, evaluation: &HookContext<'_>, details: &Details<'_, TypedValue<'_>>) {
        self.note("after", evaluation, Some(details));
    }

    fn error(&self, evaluation: &HookContext<'_>, details: &Details<'_, TypedValue<'_>>) {
        self.note("error", evaluation, Some(details));
    }

    fn finally(&self, evaluation: &HookContext<'_>, details: &Details<'_, TypedValue<'_>>) {
        self.note("finally", evaluation, Some(details));
    }
}

#[tokio::test]
async fn hooks_run_in_their_stages() {
    let storage = Faulty::new();
    let one = flag("f", false);
    put(&*storage, one.clone()).await;
    put(&*storage, override_of(one.id, "user", "u", true)).await;
    let log = Log::default();
    let recorder = |name| Recorder { name, log: log.clone() };
    let client =
        builder(&storage).hook(recorder("first")).hook(recorder("second")).start().await.expect("started");
    let told = || std::mem::take(&mut *log.lock().expect("not poisoned"));

    assert!(client.bool_value("f", false, &user("alias")));
    assert_eq!(
        told(),
        [
            "first before f",
            "second before f",
            "second after f true OVERRIDE",
            "first after f true OVERRIDE",
            "second finally f true OVERRIDE",
            "first finally f true OVERRIDE",
        ]
    );
    assert_eq!(client.string_details("f", "d", &anybody()).error_code, Some(ErrorCode::TypeMismatch));
    assert_eq!(told()[2], "second error f d ERROR");
    let refused = client.bool_details("f", true, &user("banned"));
    assert_eq!((refused.value, refused.error_code), (true, Some(ErrorCode::GeneralError)));
    assert_eq!(
        told(),
        [
            "first before f",
            "second error f true ERROR",
            "first error f true ERROR",
            "second finally f true ERROR",
            "first finally f true ERROR",
        ]
    );
}

#[tokio::test]
async fn the_common_path_allocates_nothing() {
    let storage = Faulty::new();
    put(&*storage, flag("f", true)).await;
    let client = start(&storage).await;
    let context = EvaluationContext::builder().targeting_key("ann").user_id("ann").build();
    for name in ["f", "none"] {
        // The first evaluation of a thread finds its place among the counters.
        let _ = client.bool_value(name, false, &context);
        let counted = allocation_counter::measure(|| {
            std::hint::black_box(client.bool_value(std::hint::black_box(name), false, &context));
            std::hint::black_box(client.integer_value(name, 0, &context));
        });
        assert_eq!(counted.count_total, 0, "{name}");
    }
}
