//! `flags`: feature flags from the command line, for people at a terminal and, with `--json`, for programs.
//!
//! | module | what |
//! |---|---|
//! | [`args`] | what can be asked for, and the help |
//! | [`input`] | records from files and standard input, whole or in part: defaults, the `revision` member |
//! | [`store`] | opening the store; creating, updating and deleting a record of any kind |
//! | [`commands`] | one module for each group of commands |
//! | [`output`] | tables, the readable view, JSON, differences, progress |
//! | [`confirm`] | the question before something is destroyed |
//! | [`failure`] | errors with a next step, and the exit codes |
//! | [`place`] | where a store is, as far as the next step depends on it |
//! | [`interrupt`] | Ctrl-C, SIGTERM and SIGHUP |

mod args;
mod commands;
mod confirm;
mod failure;
mod input;
mod interrupt;
mod output;
mod place;
mod store;

use std::process::ExitCode;

use crate::args::Cli;
use crate::commands::Session;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::place::Place;

fn main() -> ExitCode {
    let (cli, operation) = match args::parse() {
        Ok(parsed) => parsed,
        Err(exit) => return exit.into(),
    };
    let out = Output::new(cli.global.json, Some(operation)).at(Place::of(cli.global.store.as_deref()));
    run(cli, out).unwrap_or_else(|failure| out.failure(&failure)).into()
}

fn run(cli: Cli, out: Output) -> Result<Exit, Failure> {
    interrupt::watch(out, cli.command.when_interrupted(), cli.command.ends())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let Cli { global, command } = cli;
        if let args::Command::ExitCodes = command {
            return out.text(args::EXIT_CODES);
        }
        if matches!(&command, args::Command::Eval(eval) if eval.stdin) {
            return commands::eval::lines();
        }
        let (store, url) = store::open(&global, &command, out).await?;
        let session = Session { store, url, out, yes: global.yes };
        let exit = commands::run(&session, command).await?;
        session.store.close().await?;
        Ok(exit)
    });
    // What is known is told: a disk that does not answer a thread in the background keeps nobody waiting.
    runtime.shutdown_background();
    outcome
}
