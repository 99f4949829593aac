//! What may happen, and where.

use std::time::Duration;

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What comes at this point comes so much later, and what follows it too.
    Delay(Duration),
    /// What comes at this point waits until it is [released](super::Proxy::release), and what follows it too.
    Hold,
    /// The connection ends for both.
    Cut,
    /// From this point on nothing of this direction arrives. The connection stays, and so does the other
    /// direction.
    Lose,
    /// This direction ends, as if its sender had no more to say; the other one goes on.
    HalfClose,
    /// The connection ends for both, and new ones are refused until the proxy is healed.
    Refuse,
    /// From this point on nothing arrives in either direction, and new connections are accepted and get no
    /// answer until the proxy is healed.
    Blackhole,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From the client to the server.
    Requests,
    /// From the server to the client.
    Replies,
}

/// A point in what passes, over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Just before the n-th command. The first is 1.
    Command(u64),
    /// Just before the n-th reply: its command has been carried out. The first is 1.
    Reply(u64),
    /// After so many bytes of that direction.
    Byte(Side, u64),
}

impl At {
    pub(super) fn side(self) -> Side {
        match self {
            Self::Command(_) => Side::Requests,
            Self::Reply(_) => Side::Replies,
            Self::Byte(side, _) => side,
        }
    }
}
