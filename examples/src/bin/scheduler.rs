//! A scheduler beside the services: `scheduler [STORE-URL]`. Run several, for one that dies: each change is
//! executed once.

use anyhow::Result;
use feature_flags::Scheduler;
use feature_flags::client::scheduler::Report;

#[tokio::main]
async fn main() -> Result<()> {
    let scheduler = Scheduler::builder(flags_examples::store().await?).build();
    println!("executing what is due");
    scheduler.run_observed(flags_examples::stopped(), tell).await?;
    Ok(())
}

/// A log of what was done. An outage is no end: the scheduler goes on when the store is back.
fn tell(ran: &feature_flags::Result<Report>) {
    match ran {
        Ok(report) => {
            for applied in &report.applied {
                println!("{}: {} applied", applied.flag, applied.key);
            }
            for refused in &report.refused {
                println!("{} refused: {}", refused.key, refused.reason);
            }
            report.errors.iter().for_each(|error| eprintln!("{error}"));
        }
        Err(error) => eprintln!("{error}"),
    }
}
