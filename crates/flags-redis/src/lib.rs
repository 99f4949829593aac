//! Feature flags in Redis or Valkey.
//!
//! The keys and values are those of Python's `litestar-flags`, so that services in both languages
//! share one Redis, live, in both directions. What it lacks is added beside them: every commit is
//! atomic and conditional, an override expires to the millisecond, and deleting a flag deletes what it owns.
//!
//! ```no_run
//! # async fn example() -> flags_core::Result<()> {
//! use flags_redis::RedisStorage;
//!
//! let storage = RedisStorage::builder("redis://localhost/?prefix=feature_flags:")?
//!     .deadline(std::time::Duration::from_secs(1))
//!     .open()
//!     .await?;
//! # drop(storage);
//! # Ok(())
//! # }
//! ```
//!
//! # URLs
//!
//! | URL | |
//! |---|---|
//! | `redis://[user:password@]host[:port][/db]` | one server |
//! | `redis+unix://[user:password@]/path/to/socket?db=0` | one server, by its socket |
//! | `redis+sentinel://[user:password@]host[:port],host[:port]/master[/db]` | the master that sentinels know by that name; `sentinel_user` and `sentinel_password` are for the sentinels |
//! | `redis+cluster://[user:password@]host[:port],host[:port]?prefix={feature_flags}:` | a cluster; the prefix holds a hash tag |
//!
//! `rediss://`, `rediss+sentinel://` and `rediss+cluster://` are the same over TLS, sentinels included. The
//! parameters are listed at [`RedisStorage::builder`], and everything can be given to a [`RedisBuilder`]
//! instead.
//!
//! # What it needs
//!
//! Redis 6.2 or Valkey 7.2. The store keeps working without keyspace notifications, modules or any setting of
//! the server; a server that evicts keys (`maxmemory-policy` other than `noeviction`) may evict flags, and
//! [`health`](flags_core::Storage::health) says so.
//!
//! An ACL user needs no more than this; opening names what is missing:
//!
//! ```text
//! ACL SETUSER app on >password ~feature_flags:* -@all +eval +evalsha +time +get +mget +set +del +pttl +type +sadd +srem +smembers +scard +sscan +zadd +zrem +zcard +zscan +zrangebyscore +zremrangebyscore +hget +hset +hsetnx +hdel +scan
//! ```
//!
//! A user who may write nothing at all needs `+time +mget +hget +scard +zcard +sscan +zscan +scan`. Then, and
//! where the server takes no writes (a replica, or one whose disk or memory is full), the store opens as
//! well: everything works but commits, which say why they cannot be made, and can be made as soon as the
//! server takes them.
//!
//! To [watch](flags_core::Storage::watch) it needs `+client|tracking` as well, and with the driver `fred`
//! also `+client|id +subscribe &__redis__:invalidate`; without them a watch is `Denied`, and a client asks
//! from time to time instead. Where the server has no `CLIENT TRACKING` at all, the store does not declare
//! the capability.
//!
//! A watch is told of every writer's changes, of expiry, eviction and emptied databases as they happen. Of
//! `SWAPDB` no server tells: within about a second the watch notices that the store has another id, or none,
//! and says `Lost` and `Resync`. Of a database that was copied together with that id (`COPY ... DB`) it
//! notices nothing.
//!
//! `scan` can be left out with `foreign=index`. `+select` is needed for a database other than 0, `+info` for
//! what `health` says of the server, and `+sort ~*` makes listings one round trip; without it they go by
//! cursor. In a cluster `+cluster|slots +asking` are needed (`+cluster` before Redis 7), with sentinels
//! `+role`, and there `+sentinel` for the user of the sentinels.
//!
#![doc = include_str!("../docs/durability.md")]
//!
//! # Module map
//!
//! | module | what |
//! |---|---|
//! | `keyspace` | the only place where a Redis key is built or parsed |
//! | `options`, `url` | how to connect |
//! | `store` | the [`Storage`](flags_core::Storage) trait over commands |
//! | `script`, `lua/` | what runs inside the server |
//! | `connection` | commands to the server of this store, over a connection that is made anew when it breaks |
//! | `topology` | where that server is |
//! | `driver` | one connection, over a client library: the cargo features `redis-rs` and `fred` |
//! | `net` | TLS and sockets |
//! | `deadline` | the time of a call |
//! | `watch` | one task that follows the store for every watch of it |

// Without a driver nothing of it is used; the build says so when a store is opened.
#![cfg_attr(not(any(feature = "redis-rs", feature = "fred")), allow(dead_code))]

mod address;
mod connection;
mod deadline;
mod driver;
mod error;
mod keyspace;
mod net;
mod options;
mod reply;
mod script;
mod store;
mod topology;
mod url;
mod watch;

pub use options::{Driver, Foreign, RedisBuilder};
pub use store::RedisStorage;
