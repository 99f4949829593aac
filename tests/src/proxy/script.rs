//! The faults that are still to come, and what has passed.

use super::Traffic;
use super::fault::{At, Fault, Side};

#[derive(Debug, Default)]
pub(super) struct Script {
    plans: Vec<(Fault, At)>,
    pub(super) traffic: Traffic,
}

impl Script {
    pub(super) fn add(&mut self, fault: Fault, at: At) {
        self.plans.push((fault, at));
    }

    pub(super) fn pending(&self) -> usize {
        self.plans.len()
    }

    /// A piece of one message comes by: how much of it passes before the first fault, if there is one.
    /// `begins` says that it is the beginning of a command or a reply.
    pub(super) fn meet(&mut self, side: Side, begins: bool, length: usize) -> Option<(usize, Fault)> {
        let traffic = &mut self.traffic;
        let (messages, bytes) = match side {
            Side::Requests => (&mut traffic.commands, &mut traffic.request_bytes),
            Side::Replies => (&mut traffic.replies, &mut traffic.reply_bytes),
        };
        *messages += u64::from(begins);
        *bytes += length as u64;
        let mut first: Option<(usize, usize)> = None;
        for (place, (_, at)) in self.plans.iter_mut().enumerate() {
            if at.side() != side {
                continue;
            }
            let before = match at {
                At::Command(left) | At::Reply(left) => {
                    *left = left.saturating_sub(u64::from(begins));
                    (*left == 0).then_some(0)
                }
                At::Byte(_, left) if *left < length as u64 => usize::try_from(*left).ok(),
                At::Byte(_, left) => {
                    *left -= length as u64;
                    None
                }
            };
            if let Some(before) = before
                && first.is_none_or(|(earliest, _)| before < earliest)
            {
                first = Some((before, place));
            }
        }
        first.map(|(before, place)| (before, self.plans.remove(place).0))
    }
}
