//! A command line that cannot be read.

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Error};

use super::Cli;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Prints the help that was asked for, or what is wrong.
pub(super) fn report(error: Error) -> Exit {
    if !error.use_stderr() {
        // Whoever does not read the help does not miss it.
        let _ = error.print();
        return Exit::Ok;
    }
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let error = showable(error, &arguments);
    if arguments.iter().any(|argument| argument == "--json") {
        return Output::new(true, None).failure(&in_short(error.kind(), &error.to_string()));
    }
    // Nor does whoever does not read the error: there is the exit code.
    let _ = error.print();
    Exit::Usage
}

/// The same error as far as it may be shown. It quotes arguments, and one of them may be a URL in the wrong
/// place, with its password, or a text from somebody else that commands the terminal.
fn showable(error: Error, arguments: &[String]) -> Error {
    let shown: Vec<String> = arguments.iter().map(|argument| quotable(argument)).collect();
    if shown == arguments {
        return error;
    }
    let again =
        Cli::command().try_get_matches_from(std::iter::once("flags").chain(shown.iter().map(String::as_str)));
    // What cannot be wrong now was wrong about what is not shown.
    again.err().unwrap_or_else(|| Cli::command().error(error.kind(), "an argument is not valid"))
}

fn quotable(argument: &str) -> String {
    match argument.split_once('=') {
        Some((name, value)) if may_be_url(value) && !may_be_url(name) => {
            format!("{}=URL", clean(name))
        }
        _ if may_be_url(argument) => "URL".to_owned(),
        _ => clean(argument),
    }
}

/// Also one that is written wrong, since it may hold a password nevertheless.
fn may_be_url(text: &str) -> bool {
    text.contains("://") || (text.starts_with("redis") && text.contains([':', '@']))
}

/// What is wrong as one sentence, and the way out as the hint.
fn in_short(kind: ErrorKind, text: &str) -> Failure {
    const MORE: &str = "`flags help` lists the commands, `flags help COMMAND` what each one takes";
    if matches!(kind, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand) {
        return Failure::usage("no command is named", MORE);
    }
    // Paragraphs: the error, then tips, the usage, and where the help is.
    let mut paragraphs = text.split("\n\n").map(|lines| {
        let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join(" ")
    });
    let message = paragraphs.next().unwrap_or_default();
    let mut hint = String::new();
    for paragraph in paragraphs {
        for tip in paragraph.split("tip: ").skip(1) {
            hint.push_str(if hint.is_empty() { "" } else { "; " });
            hint.push_str(tip.trim());
        }
    }
    let hint = if hint.is_empty() { MORE.to_owned() } else { hint };
    Failure::usage(message.trim_start_matches("error: "), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(line: &[&str]) -> Failure {
        let parsed = Cli::command().try_get_matches_from([&["flags"], line].concat());
        let error = parsed.expect_err("it is wrong");
        in_short(error.kind(), &error.to_string())
    }

    #[test]
    fn a_mistake_is_one_sentence_and_a_hint() {
        for (line, message, hint) in [
            (&["flag", "list", "--nonsense"][..], "unexpected argument '--nonsense' found", "`flags help`"),
            (&["flag"], "no command is named", "`flags help`"),
            (&["flg"], "unrecognized subcommand 'flg'", "a similar subcommand exists: 'flag'"),
            (
                &["override", "get", "k", "user", "-x"],
                "unexpected argument '-x' found",
                "to pass '-x' as a value, use '-- -x'",
            ),
            (
                &["flag", "update"],
                "the following required arguments were not provided: --file <FILE>",
                "`flags help`",
            ),
        ] {
            let failure = failure(line);
            assert_eq!(failure.message, message);
            let said = failure.hint.unwrap_or_default();
            assert!(said.starts_with(hint), "{said}");
        }
    }

    #[test]
    fn arguments_are_quoted_without_what_they_should_not_show() {
        for (line, quoted) in [
            (&["flag", "list", "--stor=redis://u:p@h/?a=b"][..], "unexpected argument '--stor' found"),
            (&["redis://u:p@h/?a=b", "flag", "list"], "unrecognized subcommand 'URL'"),
            (&["redis:u:p@h", "flag", "list"], "unrecognized subcommand 'URL'"),
            (&["flag", "list", "--stor=rediss:/u:p@h"], "unexpected argument '--stor' found"),
            (&["flag", "list", "rediss:/u:p@h"], "unexpected argument 'URL' found"),
            (&["flag", "list", "a\n\u{1b}[1m"], "unexpected argument 'a\\n\\u{1b}[1m' found"),
            (&["flag", "get", ""], "error:"),
        ] {
            let arguments: Vec<String> = line.iter().map(ToString::to_string).collect();
            let parsed = Cli::command().try_get_matches_from([&["flags"], line].concat());
            let shown = showable(parsed.expect_err("it is wrong"), &arguments).to_string();
            assert!(shown.contains(quoted), "{shown}");
        }
    }
}
