//! The commands.

mod complaints;
mod doctor;
pub(crate) mod eval;
mod export;
mod flag;
mod flaws;
mod health;
mod import;
mod listing;
mod orphans;
mod overrides;
mod owned;
mod records;
mod scheduler;
mod segment;
mod teller;
mod watch;
mod write;

use feature_flags::storage::Capability;
use feature_flags::{FlagStore, Kind};

use crate::args::Command;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// What every command works with.
pub(crate) struct Session {
    pub(crate) store: FlagStore,
    /// May hold a password.
    pub(crate) url: String,
    pub(crate) out: Output,
    /// Whether every question has been answered with yes.
    pub(crate) yes: bool,
}

impl Session {
    /// Tells people that what they wrote was written for nobody.
    fn note_if_lost(&self) {
        let descriptor = self.store.storage().descriptor();
        if !descriptor.has(Capability::Durable) && !descriptor.has(Capability::Shared) {
            self.out.note("the store is in memory: what was written is gone with this command");
        }
    }
}

/// Runs a command.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Flag(command) => flag::run(session, command).await,
        Command::Override(command) => overrides::run(session, command).await,
        Command::Schedule(command) => owned::schedules(session, command).await,
        Command::Window(command) => owned::run(session, Kind::TimeSchedule, command).await,
        Command::Phase(command) => owned::run(session, Kind::RolloutPhase, command).await,
        Command::Segment(command) => segment::run(session, command).await,
        Command::Eval(eval) => eval::run(session, &eval).await,
        Command::Export(export) => export::run(session, &export).await,
        Command::Import(import) => import::run(session, &import).await,
        Command::Watch(watch) => watch::run(session, &watch).await,
        Command::Scheduler => scheduler::run(session).await,
        Command::Health => health::run(session).await,
        Command::Doctor { repair } => doctor::run(session, repair).await,
        Command::ExitCodes => Ok(Exit::Ok),
    }
}
