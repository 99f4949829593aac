//! A worker that is steered by flags: `worker [STORE-URL]`. It takes batches from a queue; how many at once,
//! and whether at all, is asked anew for every batch, which costs nothing.

use std::pin::pin;
use std::time::Duration;

use anyhow::Result;
use feature_flags::EvaluationContext;

/// How often there is new work.
const TICK: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<()> {
    let client = flags_examples::client().await?;
    // A worker is no user: rules can tell workers apart by their queue.
    let context = EvaluationContext::builder().targeting_key("worker-1").attribute("queue", "mail").build();
    let mut queue = 0_i64..;
    let mut tick = tokio::time::interval(TICK);
    let mut stopped = pin!(flags_examples::stopped());
    loop {
        tokio::select! {
            () = &mut stopped => break,
            _ = tick.tick() => {}
        }
        if client.bool_value("pause-worker", false, &context) {
            println!("paused");
            continue;
        }
        let size = client.integer_value("batch-size", 10, &context).clamp(1, 1000);
        let batch: Vec<i64> = queue.by_ref().zip(0..size).map(|(job, _)| job).collect();
        println!("batch of {}, from job {:?}", batch.len(), batch.first());
    }
    client.close().await;
    Ok(())
}
