//! [`Teller`]: prints on a thread of its own, so that whoever reads slowly keeps nobody from the work.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::failure::Failure;

/// How many lines wait for a reader. What comes after is not told.
const WAITING: usize = 10_000;

/// Prints one thing.
type Line = Box<dyn FnOnce() -> Result<(), Failure> + Send>;

/// Prints in order what it is told to. What is still to be printed when it is dropped may never be.
#[derive(Debug)]
pub(super) struct Teller {
    queue: SyncSender<Line>,
    ended: oneshot::Receiver<Result<(), Failure>>,
    missed: usize,
}

impl Teller {
    pub(super) fn start() -> io::Result<Self> {
        let (queue, lines) = sync_channel(WAITING);
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("teller".to_owned()).spawn(move || {
            // Nobody asks any more where the command has ended.
            let _ = end.send(print(&lines));
        })?;
        Ok(Self { queue, ended, missed: 0 })
    }

    /// Has it printed, unless too much waits already: then `missed` is told how many were not, once there is
    /// room.
    pub(super) fn tell(
        &mut self,
        line: impl FnOnce() -> Result<(), Failure> + Send + 'static,
        missed: impl FnOnce(usize) + Send + 'static,
    ) {
        if self.missed > 0 {
            let count = self.missed;
            let note: Line = Box::new(move || {
                missed(count);
                Ok(())
            });
            if self.queue.try_send(note).is_ok() {
                self.missed = 0;
            }
        }
        // Where it has ended, `failed` says so.
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Box::new(line)) {
            self.missed += 1;
        }
    }

    /// Ends when something could not be printed.
    pub(super) async fn failed(&mut self) -> Failure {
        match (&mut self.ended).await {
            Ok(Err(failure)) => failure,
            // It ends before it is told to only with a failure.
            Ok(Ok(())) | Err(_) => io::Error::other("the output has ended").into(),
        }
    }

    /// Waits until all is printed, if that takes no longer.
    pub(super) async fn finish(self, longest: Duration) -> Result<(), Failure> {
        drop(self.queue);
        match tokio::time::timeout(longest, self.ended).await {
            Ok(Ok(printed)) => printed,
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }
}

fn print(lines: &Receiver<Line>) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| line())
}
