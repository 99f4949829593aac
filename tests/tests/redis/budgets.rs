//! Round trips, counted between client and server: a budget that no noise touches.

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Op, Query};
use flags_core::{Alias, FlagKey, Key, Kind, Record, Storage as _};
use flags_redis::{Driver, Foreign, RedisStorage};
use flags_tests::proxy::Proxy;
use flags_tests::server::{Server, unique_prefix};

use crate::common::{change, driver, flag, get, listed, patient, put, raw, user};

struct Counted {
    server: Server,
    proxy: Proxy,
    prefix: String,
    store: RedisStorage,
}

impl Counted {
    async fn new(foreign: Foreign) -> Result<Self> {
        let server = Server::start(&[])?;
        let proxy = Proxy::to(server.port()).await?;
        let prefix = unique_prefix();
        let store = patient(&proxy.url())?.prefix(&prefix).foreign(foreign).open().await?;
        proxy.take();
        Ok(Self { server, proxy, prefix, store })
    }

    /// So many round trips, where about so many records are asked for by a few commands each. `fred` writes 8
    /// KiB at a time without waiting for an answer, but one may come in between.
    fn took(&self, trips: usize, records: usize, what: &str) {
        let most = if driver() == Driver::Fred { trips + 1 + records / 8 } else { trips };
        let took = self.proxy.take();
        assert!((trips..=most).contains(&took), "{what}: {took} instead of {trips}");
    }

    /// A handle that has seen nothing.
    async fn cold(&self) -> Result<RedisStorage> {
        let builder = patient(&self.proxy.url())?.prefix(&self.prefix);
        let store = builder.foreign(Foreign::Index).open().await?;
        self.proxy.take();
        Ok(store)
    }
}

#[tokio::test]
async fn reads_cost_one_however_many() -> Result<()> {
    let c = Counted::new(Foreign::Index).await?;
    for n in [1, 10, 1_000] {
        let names: Vec<FlagKey> = (0..n).map(|i| FlagKey::new(format!("f{i}"))).collect::<Result<_, _>>()?;
        let batch: Batch =
            names.iter().map(|name| Op::Put(flag(name.as_str()).into(), Expect::Any)).collect();
        let cleared =
            Batch::from_iter(names.iter().map(|name| Op::Delete(Key::Flag(name.clone()), Expect::Any)));
        c.store.commit(batch).await?;
        assert_eq!(c.proxy.take(), 1, "commit of {n}");
        let keys: Vec<Key> = names.into_iter().map(Key::Flag).collect();
        assert_eq!(c.store.get(&keys).await?.len(), n);
        assert_eq!(c.proxy.take(), 1, "get of {n}");
        assert_eq!(listed(&c.store, Query::All(Kind::Flag)).await?.len(), n);
        assert_eq!(c.proxy.take(), 1, "list of {n}");
        c.store.commit(cleared).await?;
        c.took(3, n, &format!("cascading delete of {n}"));
    }
    Ok(())
}

#[tokio::test]
async fn an_override_costs_one_two_or_three() -> Result<()> {
    let c = Counted::new(Foreign::Index).await?;
    let owner = flag("a");
    put(&c.store, owner.clone()).await?;
    assert_eq!(c.proxy.take(), 1, "create_flag");
    put(&c.store, user(owner.id, "x")).await?;
    assert_eq!(c.proxy.take(), 1, "the handle knows the flag");
    get(&c.store, &Record::from(user(owner.id, "x")).key()).await?;
    assert_eq!(c.proxy.take(), 1, "get_override");

    let cold = c.cold().await?;
    put(&cold, user(owner.id, "y")).await?;
    assert_eq!(c.proxy.take(), 2, "cold");

    let foreign = flag("foreign");
    let json = String::from_utf8(Record::from(foreign.clone()).encode()?)?;
    let mut raw = raw(&c.server.url()).await?;
    let _: () =
        redis::cmd("SET").arg(format!("{}flag:foreign", c.prefix)).arg(json).query_async(&mut raw).await?;
    let _: () =
        redis::cmd("SADD").arg(format!("{}flags", c.prefix)).arg("foreign").query_async(&mut raw).await?;
    let cold = c.cold().await?;
    put(&cold, user(foreign.id, "x")).await?;
    assert_eq!(c.proxy.take(), 3, "not yet adopted");
    put(&c.cold().await?, user(foreign.id, "y")).await?;
    assert_eq!(c.proxy.take(), 2, "adopted");
    Ok(())
}

#[tokio::test]
async fn overrides_cost_the_same_however_many() -> Result<()> {
    let c = Counted::new(Foreign::Index).await?;
    for n in [1, 10, 1_000] {
        let owner = flag(&format!("f{n}"));
        let over = |i: usize| user(owner.id, &i.to_string());
        put(&c.store, owner.clone()).await?;
        c.proxy.take();
        c.store.commit((0..n).map(|i| Op::Put(over(i).into(), Expect::Any)).collect()).await?;
        assert_eq!(c.proxy.take(), 1, "commit of {n}");
        let cold = c.cold().await?;
        cold.commit((0..n).map(|i| Op::Put(over(i).into(), Expect::Present)).collect()).await?;
        assert_eq!(c.proxy.take(), 1, "writing {n} again, by a handle that does not know the flag");
        let any: Batch = (0..n).map(|i| Op::Put(over(i).into(), Expect::Any)).collect();
        c.cold().await?.commit(any).await?;
        assert_eq!(c.proxy.take(), 2, "commit of {n} by a handle that does not know the flag");
        let keys: Vec<Key> = (0..n).map(|i| Record::from(over(i)).key()).collect();
        assert!(c.store.get(&keys).await?.into_iter().all(|found| matches!(found, Ok(Some(_)))));
        assert_eq!(c.proxy.take(), 1, "get of {n}");
        assert_eq!(listed(&c.store, Query::Owned(Kind::Override, owner.id)).await?.len(), n);
        assert_eq!(c.proxy.take(), 1, "listing of {n}");
        c.store.commit(Batch::new().delete(Record::from(owner.clone()).key(), Expect::Present)).await?;
        assert_eq!(c.proxy.take(), 3, "deleting a flag with {n}");
        assert!(listed(&c.store, Query::All(Kind::Override)).await?.is_empty());
        c.proxy.take();
    }
    Ok(())
}

#[tokio::test]
async fn executing_a_change_costs_one() -> Result<()> {
    let c = Counted::new(Foreign::Index).await?;
    let (mut flag, mut change) = (flag("a"), change(flag("x").id));
    change.flag_id = flag.id;
    let effects =
        c.store.commit(Batch::new().put(flag.clone(), Expect::Absent).put(change.clone(), Expect::Absent));
    let effects = effects.await?;
    let revision = |at: usize| Expect::Revision(effects[at].after.clone().expect("a revision"));
    c.proxy.take();
    flag.default_enabled = true;
    change.executed = true;
    let executed = Batch::new().put(flag, revision(0)).put(change, revision(1));
    c.store.commit(executed).await?;
    assert_eq!(c.proxy.take(), 1);
    Ok(())
}

#[tokio::test]
async fn a_delete_costs_three_and_the_scan() -> Result<()> {
    let c = Counted::new(Foreign::Scan).await?;
    let owner = flag("a");
    put(&c.store, owner.clone()).await?;
    for n in 0..10 {
        put(&c.store, user(owner.id, &n.to_string())).await?;
    }
    c.proxy.take();
    c.store.commit(Batch::new().delete(Record::from(owner).key(), Expect::Present)).await?;
    assert_eq!(c.proxy.take(), 4);
    Ok(())
}

#[tokio::test]
async fn a_forgotten_script_is_sent_again() -> Result<()> {
    let c = Counted::new(Foreign::Index).await?;
    let mut raw = raw(&c.server.url()).await?;
    let _: () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut raw).await?;
    put(&c.store, flag("a")).await?;
    assert_eq!(c.proxy.take(), 2);
    put(&c.store, flag("b")).await?;
    assert_eq!(c.proxy.take(), 1);
    Ok(())
}

#[tokio::test]
async fn owners_that_nobody_knows_are_sought_together() -> Result<()> {
    let c = Counted::new(Foreign::Index).await?;
    let mut raw = raw(&c.server.url()).await?;
    for n in [1, 10, 300] {
        let mut batch = Batch::new();
        for i in 0..n {
            let foreign = flag(&format!("{n}-{i}"));
            let json = Record::from(foreign.clone()).encode()?;
            let (key, index) = (format!("{}flag:{}", c.prefix, foreign.key), format!("{}flags", c.prefix));
            let _: () = redis::cmd("SET").arg(key).arg(json).query_async(&mut raw).await?;
            let _: () = redis::cmd("SADD").arg(index).arg(foreign.key.as_str()).query_async(&mut raw).await?;
            batch = batch.put(user(foreign.id, "x"), Expect::Any);
        }
        let cold = c.cold().await?;
        cold.commit(batch).await?;
        assert_eq!(c.proxy.take(), 3, "{n} foreign owners");
    }
    Ok(())
}

#[tokio::test]
async fn finding_what_the_handle_knows_costs_one() -> Result<()> {
    let c = Counted::new(Foreign::Index).await?;
    let a = flag("a");
    put(&c.store, a.clone()).await?;
    c.proxy.take();
    let found = listed(&c.store, Query::Alias(Alias::FlagId(a.id))).await?;
    assert_eq!(found, [Record::from(a).key()]);
    assert_eq!(c.proxy.take(), 1);
    Ok(())
}

#[tokio::test]
async fn what_the_store_knows_is_not_offered_to_it() -> Result<()> {
    let c = Counted::new(Foreign::Index).await?;
    let batch: Batch = (0..200).map(|n| Op::Put(flag(&n.to_string()).into(), Expect::Any)).collect();
    c.store.commit(batch).await?;
    let cold = c.cold().await?;
    listed(&cold, Query::All(Kind::Flag)).await?;
    c.proxy.take();
    let mut raw = raw(&c.server.url()).await?;
    let _: () = redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut raw).await?;
    put(&cold, flag("x")).await?;
    c.took(2, 200, "asked once");
    put(&cold, flag("y")).await?;
    assert_eq!(c.proxy.take(), 1);
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut raw).await?;
    assert!(!stats.contains("cmdstat_hsetnx"), "{stats}");
    Ok(())
}

#[tokio::test]
async fn a_long_listing_reads_each_record_once() -> Result<()> {
    let c = Counted::new(Foreign::Index).await?;
    for part in 0..11 {
        let batch = (0..1_000).map(|n| Op::Put(flag(&format!("{part}-{n}")).into(), Expect::Any));
        c.store.commit(batch.collect()).await?;
    }
    let mut raw = raw(&c.server.url()).await?;
    let _: () = redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut raw).await?;
    assert_eq!(listed(&c.store, Query::All(Kind::Flag)).await?.len(), 11_000);
    let stats: String = redis::cmd("INFO").arg("stats").query_async(&mut raw).await?;
    let hits = stats.lines().find_map(|line| line.strip_prefix("keyspace_hits:")).unwrap_or_default();
    assert!(hits.trim().parse::<usize>()? < 12_000, "{hits}");
    Ok(())
}
