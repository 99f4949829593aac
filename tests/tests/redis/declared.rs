//! Every key that a script touches is declared: elsewhere (Dragonfly, some clusters) a script may touch no
//! other.

use anyhow::{Result, ensure};
use flags_core::storage::{Batch, Expect};
use flags_core::{Key, Record, RolloutPhase, Segment, SegmentName, Storage as _, Timestamp};
use flags_tests::server::Server;
use futures_util::StreamExt as _;

use crate::common::{flag, patient, user};

/// The words of a line that a server tells of a command.
fn words(line: &str) -> Vec<&str> {
    let said = line.split_once("] ").map_or("", |(_, said)| said);
    said.trim_matches('"').split("\" \"").collect()
}

/// How many commands of scripts there were; fails for one that names a key which its script did not declare.
fn check(lines: &[String]) -> Result<usize> {
    let (mut declared, mut checked) = (Vec::new(), 0);
    for line in lines {
        let words = words(line);
        if words[0].to_lowercase().starts_with("eval") {
            let keys: usize = words[2].parse()?;
            declared = words[3..3 + keys].to_vec();
        } else if line.contains(" lua] ")
            && let Some(key) = words.get(1)
        {
            // ACL is asked of commands; their keys come after it.
            let touched: Vec<&str> = match words[0].to_lowercase().as_str() {
                "acl" => Vec::new(),
                "mget" | "del" => words[1..].to_vec(),
                _ => vec![key],
            };
            for key in touched {
                ensure!(declared.contains(&key), "{key} is touched by {} and was not declared", words[0]);
            }
            checked += 1;
        }
    }
    Ok(checked)
}

#[tokio::test]
async fn scripts_declare_every_key_that_they_touch() -> Result<()> {
    let server = Server::start(&[])?;
    let store = patient(&server.url())?.prefix("ff:").open().await?;
    let monitor = redis::Client::open(server.url())?.get_async_monitor().await?;
    let mut told = monitor.into_on_message::<String>();

    let (a, b) = (flag("a"), flag("b"));
    let segment = Segment::new(SegmentName::new("s")?);
    let records: [Record; 6] = [
        a.clone().into(),
        b.clone().into(),
        user(a.id, "x").into(),
        RolloutPhase::new(a.id, 1, 10, Timestamp::UNIX_EPOCH).into(),
        segment.clone().into(),
        user(b.id, "y").into(),
    ];
    for expect in [Expect::Absent, Expect::Any] {
        for record in &records {
            store.commit(Batch::new().put(record.clone(), expect.clone())).await?;
        }
    }
    // A handle that knows nothing, and has to learn what it deletes.
    let other = patient(&server.url())?.prefix("ff:").open().await?;
    other.commit(Batch::new().delete(Key::Flag(a.key), Expect::Present)).await?;
    other.commit(Batch::new().delete(Record::from(segment).key(), Expect::Present)).await?;
    other.commit(Batch::new().delete(Key::Flag(b.key), Expect::Present)).await?;

    let last = "the end";
    let mut raw = flags_tests::server::raw(&server.url()).await?;
    let _: String = redis::cmd("ECHO").arg(last).query_async(&mut raw).await?;
    let mut lines = Vec::new();
    while let Some(line) = told.next().await {
        if line.contains(last) {
            break;
        }
        lines.push(line);
    }
    let checked = check(&lines)?;
    ensure!(checked > 100, "only {checked} commands of scripts were seen");
    Ok(())
}
