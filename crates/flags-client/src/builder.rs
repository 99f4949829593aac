//! [`ClientBuilder`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flags_core::{Clock, Error, ErrorKind, Result, StorageHandle, SystemClock};
use flags_engine::Semantics;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::backoff::{Pace, SHORTEST};
use crate::client::Client;
use crate::follow::{Follower, Settings};
use crate::hook::Hook;
use crate::on_demand::OnDemand;
use crate::save::SavedFile;
use crate::shared::Shared;
#[cfg(feature = "tracing")]
use crate::trace::TracedValues;

/// What [`ClientBuilder::start`] waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Startup {
    /// The first load, for at most so long; past it, or where the store is closed or denies being
    /// read, starting is an error.
    Wait {
        /// By the client's clock.
        deadline: Duration,
    },
    /// Nothing: evaluations answer the caller's defaults until the first load.
    ServeDefaults,
    /// The first load, for at most so long. If the store fails before, or takes longer, what an
    /// earlier run saved in this file is served, as stale since it was saved; without such a file,
    /// starting is an error. It is served, too, where the store turns out to have no flag although
    /// the file has: [`StoreEmptied`](crate::StaleCause::StoreEmptied). The client then saves what
    /// it knows there whenever it changes: atomically, as an export document.
    ///
    /// Past the deadline the file is still read as long as that gets on; a disk of which nothing
    /// comes for two seconds is not waited for. Why the file was not served is in the error, and
    /// what else is wrong with it in [`Diagnostics::file`](crate::Diagnostics::file).
    LastSaved {
        /// The file. Its folder must exist. A link stays one: the file that it leads to is replaced. One
        /// that is there keeps its permissions; a new one only its owner may read. What is no regular
        /// file is neither read nor replaced.
        path: PathBuf,
        /// By the client's clock.
        deadline: Duration,
    },
}

impl Default for Startup {
    /// To wait for 10 seconds.
    fn default() -> Self {
        Self::Wait { deadline: Duration::from_secs(10) }
    }
}

/// Where overrides are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overrides {
    /// All of them, with the flags.
    #[default]
    Resident,
    /// Those of the entities asked for last, fetched by [`Client::prepare`]: for stores with millions of
    /// them.
    ///
    /// An evaluation never silently goes without overrides. A context that names a user, an
    /// organization, a tenant or a targeting key, and was not prepared or has left the cache since,
    /// answers the caller's default with PROVIDER_NOT_READY. Changes that the store tells of take
    /// an entity out of the cache, and so does a new flag. What may have missed changes, since the
    /// connection was lost, is served without being prepared again only as long as the client is
    /// not fresh. Of a store that was emptied what is cached is served until that is settled, and
    /// nobody else is prepared.
    ///
    /// An override that cannot be read stays as it was cached; where none was, it is reported, as
    /// one that was never readable is where all are resident.
    OnDemand {
        /// How many entities are cached, those without any override too.
        capacity: u64,
        /// After so long [`Client::prepare`] fetches an entity again. Where the store tells of no changes,
        /// this is how old an override may be. If the store does not answer then, what is cached is still
        /// served, unless it is known to have changed.
        time_to_live: Duration,
    },
}

/// Configures a [`Client`]. Every setting has a default.
#[derive(Debug)]
#[must_use = "start it"]
pub struct ClientBuilder {
    storage: StorageHandle,
    clock: Arc<dyn Clock>,
    semantics: Semantics,
    startup: Startup,
    overrides: Overrides,
    hooks: Vec<Arc<dyn Hook>>,
    poll_interval: Duration,
    save_interval: Duration,
    retry: Pace,
    #[cfg(feature = "tracing")]
    traced_values: TracedValues,
}

impl ClientBuilder {
    pub(crate) fn new(storage: StorageHandle) -> Self {
        Self {
            storage,
            clock: Arc::new(SystemClock),
            semantics: Semantics::default(),
            startup: Startup::default(),
            overrides: Overrides::default(),
            hooks: Vec::new(),
            poll_interval: Duration::from_secs(10),
            save_interval: Duration::from_secs(1),
            retry: Pace::default(),
            #[cfg(feature = "tracing")]
            traced_values: TracedValues::default(),
        }
    }

    /// The clock that decides expiry and time schedules, and times retries. The system's, unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What rules mean. The origin's answers, unless set.
    pub fn semantics(mut self, semantics: Semantics) -> Self {
        self.semantics = semantics;
        self
    }

    /// What [`start`](Self::start) waits for. The first load, for 10 seconds, unless set.
    pub fn startup(mut self, startup: Startup) -> Self {
        self.startup = startup;
        self
    }

    /// Where overrides are kept. In memory, all of them, unless set.
    pub fn overrides(mut self, overrides: Overrides) -> Self {
        self.overrides = overrides;
        self
    }

    /// Adds a hook, after those that are there.
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.hooks.push(Arc::new(hook));
        self
    }

    /// How often everything is read where the store tells of no changes, or does not for now: every 10
    /// seconds, give or take a tenth, unless set. Less than a millisecond counts as one.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(SHORTEST);
        self
    }

    /// How often the file of [`Startup::LastSaved`] is written at most: every second, unless set.
    /// It is written whole, and so, after a save, there is none for twenty times as long as it
    /// took: with a million overrides once in a minute or so.
    pub fn save_interval(mut self, interval: Duration) -> Self {
        self.save_interval = interval;
        self
    }

    /// How long to wait after a failure before the store is asked again: at most `first`, doubled with each
    /// failure up to `longest`, and random within that. 100 milliseconds and 10 seconds, unless set; less
    /// than a millisecond counts as one.
    pub fn retry_delays(mut self, first: Duration, longest: Duration) -> Self {
        self.retry = Pace::new(first, longest);
        self
    }

    /// Of which evaluations the events of traces name the value. Of those without a variant, unless
    /// set.
    #[cfg(feature = "tracing")]
    pub fn traced_values(mut self, which: TracedValues) -> Self {
        self.traced_values = which;
        self
    }

    /// Starts the client: a task of the current tokio runtime that loads the store and follows it.
    ///
    /// # Errors
    ///
    /// `Invalid` outside a tokio runtime; `Unavailable` past the deadline of the [`Startup`], or as
    /// soon as the store says that it is of no use to wait, its source saying why.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time; nothing is left running.
    pub async fn start(self) -> Result<Client> {
        let runtime = Handle::try_current().map_err(|e| {
            Error::new(ErrorKind::Invalid, "start the client within a tokio runtime")
                .in_operation("start")
                .with_source(e)
        })?;
        let on_demand = match self.overrides {
            Overrides::Resident => None,
            Overrides::OnDemand { capacity, time_to_live } => Some(OnDemand::new(capacity, time_to_live)),
        };
        let file = match &self.startup {
            Startup::LastSaved { path, .. } => Some(SavedFile::new(path.clone())),
            _ => None,
        };
        let shared = Shared::new(self.storage, self.clock, self.semantics, self.hooks, on_demand);
        #[cfg(feature = "tracing")]
        let shared = Shared { traced_values: self.traced_values, ..shared };
        let shared = Arc::new(shared);
        let settings = Settings {
            semantics: self.semantics,
            poll_interval: self.poll_interval,
            save_interval: self.save_interval,
            retry: self.retry,
            file,
        };
        let (commands, asked) = mpsc::channel(8);
        let (loaded, fallback) = tokio::sync::oneshot::channel();
        let deadline = match self.startup {
            Startup::LastSaved { deadline, .. } => Some(deadline),
            _ => None,
        };
        let follower = Follower::new(Arc::clone(&shared), settings, asked, deadline.map(|d| (d, loaded)));
        runtime.spawn(follower.run());
        let client = Client::new(shared, commands);
        match self.startup {
            Startup::ServeDefaults => {}
            Startup::Wait { deadline } => {
                client.wait_ready(deadline).await.map_err(|e| e.in_operation("start"))?;
            }
            // The task itself decides when the file's turn has come; a task that ended has nothing to serve.
            Startup::LastSaved { .. } => match fallback.await {
                Ok(outcome) => outcome?,
                Err(_) => {
                    client.wait_ready(Duration::ZERO).await.map_err(|e| e.in_operation("start"))?;
                }
            },
        }
        Ok(client)
    }
}
