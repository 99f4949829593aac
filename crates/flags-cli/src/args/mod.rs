//! What can be asked for, and the help.

mod eval;
mod flag;
mod help;
mod mistake;
mod overrides;
mod owned;
mod schedule;
mod segment;
mod shared;
mod transfer;
mod watch;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub(crate) use eval::Eval;
pub(crate) use flag::{Create, FlagCommand, FlagFilter};
pub(crate) use help::EXIT_CODES;
pub(crate) use overrides::{Entity, List, Named, OverrideCommand, Owner, Set, SetOptions};
pub(crate) use owned::{OwnedCommand, Unfiltered};
pub(crate) use schedule::{ScheduleCommand, ScheduleList};
pub(crate) use segment::SegmentCommand;
pub(crate) use shared::{Global, Update};
pub(crate) use transfer::{Export, Import};
pub(crate) use watch::Watch;

use crate::failure::Exit;
use crate::interrupt::Ends;

/// Feature flags in your own store.
#[derive(Parser)]
#[command(name = "flags", version, after_help = help::EXAMPLES, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The groups of commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Flags: list, read, write, switch.
    #[command(subcommand, after_help = help::FLAG)]
    Flag(FlagCommand),
    /// The answer of a flag for one entity, before any rule.
    #[command(subcommand, after_help = help::OVERRIDE)]
    Override(OverrideCommand),
    /// Scheduled changes: what happens to a flag at an instant.
    #[command(subcommand, after_help = help::SCHEDULE)]
    Schedule(ScheduleCommand),
    /// Time windows: when a flag is on, day by day.
    #[command(subcommand, after_help = help::WINDOW)]
    Window(OwnedCommand<Unfiltered>),
    /// Rollout phases: the steps of a gradual rollout.
    #[command(subcommand, after_help = help::PHASE)]
    Phase(OwnedCommand<Unfiltered>),
    /// Segments: named groups that rules refer to.
    #[command(subcommand, after_help = help::SEGMENT)]
    Segment(SegmentCommand),
    /// Decide a flag for a context, with the reason.
    #[command(after_help = help::EVAL)]
    Eval(Eval),
    /// Write the whole store as one JSON document, to standard output or a file.
    #[command(after_help = help::EXPORT)]
    Export(Export),
    /// Bring an exported document into the store.
    #[command(after_help = help::IMPORT)]
    Import(Import),
    /// Show changes as they happen: a table on a terminal, else one line a change.
    #[command(after_help = help::WATCH)]
    Watch(Watch),
    /// Execute scheduled changes and rollout phases when they are due, until it is stopped.
    #[command(after_help = help::SCHEDULER)]
    Scheduler,
    /// Ask the store how it is.
    Health,
    /// Look for what is wrong in the store: unreadable and ownerless records, cycles, invalid members,
    /// indexes that do not fit.
    #[command(after_help = help::DOCTOR)]
    Doctor {
        /// Mend what can be mended without losing anything: entries of indexes. No record is changed or
        /// deleted.
        #[arg(long)]
        repair: bool,
    },
    /// What the exit codes mean.
    #[command(long_about = EXIT_CODES)]
    ExitCodes,
}

/// What to tell somebody who stops executing what is due.
const EXECUTED: &str =
    "what was executed stays executed, the rest is still pending; `flags schedule list --all` shows both";

impl Command {
    /// What to tell somebody who interrupts it.
    pub(crate) fn when_interrupted(&self) -> &'static str {
        match self {
            Self::Import(import) if !import.dry_run => {
                "what was imported so far is whole and stays; repeat the command to import the rest"
            }
            Self::Export(_) => "nothing was changed; the document is not complete, repeat the command",
            Self::Scheduler => EXECUTED,
            Self::Schedule(command) if command.executes() => EXECUTED,
            only_reads if only_reads.only_reads() => "nothing was changed",
            _ => "each record is either as it was or as you asked for; look, and repeat what is missing",
        }
    }

    /// What interrupts it. An export may have begun a file, which is of no use to anybody.
    pub(crate) fn ends(&self) -> Ends {
        if matches!(self, Self::Export(_)) { Ends::Any } else { Ends::CtrlC }
    }

    /// Whether it is about everything in the store, so that somebody who means another one should
    /// know.
    pub(crate) fn is_about_all(&self) -> bool {
        matches!(self, Self::Export(_) | Self::Import(_))
    }

    fn only_reads(&self) -> bool {
        match self {
            Self::Flag(command) => matches!(command, FlagCommand::List(_) | FlagCommand::Get { .. }),
            Self::Override(command) => {
                matches!(command, OverrideCommand::List(_) | OverrideCommand::Get(_))
            }
            Self::Schedule(command) => command.only_reads(),
            Self::Window(command) | Self::Phase(command) => command.only_reads(),
            Self::Segment(command) => matches!(command, SegmentCommand::List | SegmentCommand::Get { .. }),
            Self::Import(import) => import.dry_run,
            Self::Doctor { repair } => !repair,
            Self::Scheduler => false,
            Self::Eval(_) | Self::Export(_) | Self::Watch(_) | Self::Health | Self::ExitCodes => true,
        }
    }
}

/// Reads the command line, and what it calls, as in `flag get`. Help and mistakes are printed here.
pub(crate) fn parse() -> Result<(Cli, &'static str), Exit> {
    let matches = Cli::command().try_get_matches().map_err(mistake::report)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(mistake::report)?;
    cli.global.prefix_is_asked_for = matches.value_source("prefix") == Some(ValueSource::CommandLine);
    // Once for the life of the process, and wanted until its end.
    Ok((cli, operation(&matches).leak()))
}

/// The words of the command.
fn operation(matches: &ArgMatches) -> String {
    let called = std::iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand());
    called.map(|(word, _)| word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_operation_is_the_words_of_the_command() {
        for (line, words) in [
            ("flags flag get k", "flag get"),
            ("flags --json override list k", "override list"),
            ("flags health", "health"),
        ] {
            let matches = Cli::command().try_get_matches_from(line.split(' ')).expect(line);
            assert_eq!(super::operation(&matches), words);
        }
    }
}
