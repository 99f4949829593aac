//! Trouble on the way to a server, at random.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;

use crate::proxy::{At, Fault, Proxy, Side};

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Toll {
    /// Faults that something ran into.
    pub met: usize,
    /// Faults that were over before anything did.
    pub missed: usize,
}

/// One fault at a random point ahead, then a while, then a way that is free again. A connection that was
/// silenced stays so: whoever uses it has to find out.
pub async fn once(proxy: &Proxy, rng: &mut Rng, longest: Duration) -> Result<Toll> {
    let fault = match rng.u8(..8) {
        0 | 1 => Fault::Cut,
        2 => Fault::Lose,
        3 => Fault::HalfClose,
        4 => Fault::Hold,
        5 => Fault::Refuse,
        6 => Fault::Blackhole,
        _ => Fault::Delay(longest.mul_f64(rng.f64())),
    };
    let at = match rng.u8(..4) {
        0 => At::Command(rng.u64(1..8)),
        1 => At::Reply(rng.u64(1..8)),
        2 => At::Byte(Side::Requests, rng.u64(..2_000)),
        // What the server pushes counts as well.
        _ => At::Byte(Side::Replies, rng.u64(..4_000)),
    };
    proxy.inject(fault, at);
    tokio::time::sleep(longest.mul_f64(0.1 + 0.9 * rng.f64())).await;
    let missed = proxy.pending();
    proxy.heal().await?;
    proxy.release();
    Ok(Toll { met: 1 - missed, missed })
}

impl std::ops::AddAssign for Toll {
    fn add_assign(&mut self, other: Self) {
        self.met += other.met;
        self.missed += other.missed;
    }
}
