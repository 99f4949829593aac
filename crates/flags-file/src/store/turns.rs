//! [`Turns`]: work that one thread at a time does for all who wait for it.

use std::sync::{Arc, Mutex};

use flags_core::Result;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::blocking::runtime;
use super::shared::lock;

/// Questions that wait for the disk, answered by one thread at a time: each time all that wait.
///
/// Whoever asks and finds nobody at work begins. No future has a turn: one that is kept and not
/// polled holds up nobody, and neither does one that is dropped.
pub(super) struct Turns<Q, A> {
    state: Arc<Mutex<State<Q, A>>>,
}

struct State<Q, A> {
    waiting: Group<Q, A>,
    is_served: bool,
    /// So many may wait before those that have left are sorted out.
    crowd: usize,
}

/// How many may wait at least.
const CROWD: usize = 64;

/// A question, and who waits for its answer.
pub(super) struct Asked<Q, A> {
    pub(super) question: Q,
    answer: oneshot::Sender<A>,
    runtime: Handle,
}

/// Questions that are answered together.
pub(super) type Group<Q, A> = Vec<Asked<Q, A>>;

impl<Q, A> Asked<Q, A> {
    pub(super) fn answer(self, answer: A) {
        // One that has left needs none.
        let _ = self.answer.send(answer);
    }
}

impl<Q, A> Default for Turns<Q, A> {
    fn default() -> Self {
        let state = State { waiting: Vec::new(), is_served: false, crowd: CROWD };
        Self { state: Arc::new(Mutex::new(state)) }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Turns<Q, A> {
    /// Asks. The question is answered after this, by `work` or by that of somebody who asks the
    /// same, which takes the questions out as it answers them. There is no answer where the thread at
    /// work panics, or does not begin because its runtime is shutting down.
    ///
    /// # Errors
    ///
    /// `Invalid` outside of a runtime.
    pub(super) fn ask(
        &self,
        question: Q,
        work: impl Fn(&mut Group<Q, A>) + Send + 'static,
    ) -> Result<oneshot::Receiver<A>> {
        let runtime = runtime()?;
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut state = lock(&self.state);
            state.waiting.push(Asked { question, answer, runtime: runtime.clone() });
            if state.waiting.len() > state.crowd {
                state.sort_out();
            }
            !std::mem::replace(&mut state.is_served, true)
        };
        if begins {
            Turn { state: Arc::clone(&self.state), is_over: false }.serve(&runtime, work);
        }
        Ok(answered)
    }
}

impl<Q, A> State<Q, A> {
    /// Forgets those that have left. Nobody is woken by that.
    fn sort_out(&mut self) {
        self.waiting.retain(|asked| !asked.answer.is_closed());
        self.crowd = CROWD.max(2 * self.waiting.len());
    }
}

/// The right to answer what waits, until it is dropped.
struct Turn<Q, A> {
    state: Arc<Mutex<State<Q, A>>>,
    is_over: bool,
}

impl<Q: Send + 'static, A: Send + 'static> Turn<Q, A> {
    /// Answers what waits on a thread of that runtime, to the end, whoever waits for it.
    fn serve(self, runtime: &Handle, work: impl Fn(&mut Group<Q, A>) + Send + 'static) {
        let here = runtime.id();
        drop(runtime.spawn_blocking(move || {
            // In this order: after a panic the turn is over before anybody knows, and may ask again.
            let mut group = Vec::new();
            let mut turn = self;
            while let Some(next) = turn.next() {
                if next.id() != here {
                    // On a thread of its own: no runtime is kept from ending by what others ask.
                    return turn.serve(&next, work);
                }
                group.append(&mut lock(&turn.state).waiting);
                work(&mut group);
            }
        }));
    }

    /// The runtime of who has waited longest. `None`: nobody waits, and the turn is over.
    fn next(&mut self) -> Option<Handle> {
        let mut state = lock(&self.state);
        state.sort_out();
        let next = state.waiting.first().map(|asked| asked.runtime.clone());
        state.is_served = next.is_some();
        self.is_over = next.is_none();
        next
    }
}

impl<Q, A> Drop for Turn<Q, A> {
    fn drop(&mut self) {
        if !self.is_over {
            let left = {
                let mut state = lock(&self.state);
                state.is_served = false;
                std::mem::take(&mut state.waiting)
            };
            // Their callers are woken, and may ask again: only now that the lock is free.
            drop(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    const BOUND: Duration = Duration::from_secs(60);

    /// Work that says how many it serves, and then waits until it may go on.
    struct Slow {
        told: Receiver<usize>,
        go_on: Sender<()>,
    }

    fn slow() -> (Slow, impl Fn(&mut Group<usize, usize>) + Clone + Send) {
        let (tell, told) = channel();
        let (go_on, may_go_on) = channel::<()>();
        let may_go_on = Arc::new(Mutex::new(may_go_on));
        let work = move |group: &mut Group<usize, usize>| {
            tell.send(group.len()).expect("somebody listens");
            lock(&may_go_on).recv().expect("it may go on");
            for asked in group.drain(..) {
                let answer = asked.question;
                asked.answer(answer);
            }
        };
        (Slow { told, go_on }, work)
    }

    #[tokio::test]
    async fn one_thread_serves_all_who_wait() {
        let turns = Turns::default();
        let (slow, work) = slow();
        let first = turns.ask(0, work.clone()).expect("asked");
        assert_eq!(slow.told.recv_timeout(BOUND), Ok(1));
        // They stay in the queue, whether or not anybody polls them.
        let mut others: Vec<_> = (1..=600).map(|n| turns.ask(n, work.clone()).expect("asked")).collect();
        assert!(slow.told.try_recv().is_err(), "nobody else is at work");
        // Those that have left make room.
        others.drain(..590);
        others.extend((601..=1200).map(|n| turns.ask(n, work.clone()).expect("asked")));
        slow.go_on.send(()).expect("it goes on");
        assert_eq!(first.await, Ok(0));
        assert_eq!(slow.told.recv_timeout(BOUND), Ok(610));
        slow.go_on.send(()).expect("it goes on");
        for (n, answer) in (591..).zip(others) {
            assert_eq!(answer.await, Ok(n));
        }
        assert!(!lock(&turns.state).is_served);
    }

    #[tokio::test]
    async fn a_panic_ends_the_wait_and_the_next_one_begins_anew() {
        let turns: Turns<(), ()> = Turns::default();
        let (panic_now, told) = channel::<()>();
        let told = Mutex::new(told);
        let panics = move |_: &mut Group<(), ()>| lock(&told).recv().expect("the test says when");
        let lost = [turns.ask((), panics).expect("asked"), turns.ask((), |_| {}).expect("asked")];
        drop(panic_now);
        for answer in lost {
            assert!(tokio::time::timeout(BOUND, answer).await.expect("in time").is_err());
        }
        let answer =
            turns.ask((), |group| group.drain(..).for_each(|asked| asked.answer(()))).expect("asked");
        assert_eq!(tokio::time::timeout(BOUND, answer).await.expect("in time"), Ok(()));
    }

    #[test]
    fn a_runtime_that_ends_takes_no_turn_with_it() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (ours, theirs) = (runtime(), runtime());
        let turns = Turns::default();
        let (slow, work) = slow();
        let first = ours.block_on(async { turns.ask(1, work.clone()) }).expect("asked");
        assert_eq!(slow.told.recv_timeout(BOUND), Ok(1));
        let second = theirs.block_on(async { turns.ask(2, work) }).expect("asked");
        ours.shutdown_background();
        slow.go_on.send(()).expect("it goes on");
        slow.go_on.send(()).expect("it goes on");
        assert_eq!(theirs.block_on(second), Ok(2));
        assert_eq!(theirs.block_on(first), Ok(1));
    }
}
