//! A server, a proxy before it, and handles on either side.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use flags_core::{FlagStore, Storage as _};
use flags_redis::{RedisBuilder, RedisStorage};
use flags_tests::proxy::Proxy;
use flags_tests::server::{Server, driver_of, patient, raw};
use flags_tests::wait;
use redis::aio::MultiplexedConnection;

use crate::dump::{Dump, dump};
use crate::fixture::{self, Noon};

/// How long the handle under test waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// Far longer than any answer takes: for faults that are noticed when they happen.
    Long,
    /// For faults that only time tells of. An answer that is late is then one more fault.
    Briefly,
}

const BRIEF: Duration = Duration::from_millis(150);

pub(crate) struct Bed {
    pub(crate) proxy: Proxy,
    server: Server,
    raw: MultiplexedConnection,
    /// Knows of no fault.
    direct: RedisStorage,
}

impl Bed {
    pub(crate) async fn new() -> Result<Self> {
        let server = Server::start(&[])?;
        let proxy = Proxy::to(server.port()).await?;
        let (raw, direct) = (raw(&server.url()).await?, patient(&server.url())?.open().await?);
        Ok(Self { proxy, server, raw, direct })
    }

    /// Empties the server, fills in the fixture, and opens a handle that has seen nothing of it.
    pub(crate) async fn fresh(&self, waits: Waits) -> Result<FlagStore> {
        self.proxy.heal().await?;
        let _: () = redis::cmd("FLUSHALL").query_async(&mut self.raw.clone()).await?;
        self.direct.commit(fixture::batch()).await?;
        let builder = || -> Result<RedisBuilder> {
            let driver = driver_of(env!("CARGO_CRATE_NAME"));
            let builder = patient(&self.proxy.url())?.driver(driver);
            Ok(match waits {
                Waits::Long => builder,
                Waits::Briefly => builder.command_timeout(BRIEF).connect_timeout(BRIEF),
            })
        };
        let store = wait::found("a handle", async || Ok(Some(builder()?.open().await?))).await?;
        self.proxy.traffic();
        Ok(FlagStore::new(Arc::new(store)).with_clock(Arc::new(Noon)))
    }

    pub(crate) async fn dump(&self) -> Result<Dump> {
        dump(&mut self.raw.clone()).await
    }

    /// How many connections the server has, but for those of this test.
    pub(crate) async fn left_open(&self) -> Result<usize> {
        let clients: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut self.raw.clone()).await?;
        Ok(clients.lines().count() - 2)
    }

    pub(crate) fn last_words(&self) -> String {
        self.server.last_words()
    }
}
