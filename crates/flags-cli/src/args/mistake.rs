//! A command line that cannot be read.

use clap::Error;
use clap::error::ErrorKind;

use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Prints the help that was asked for, or what is wrong.
pub(super) fn report(error: &Error) -> Exit {
    if !error.use_stderr() {
        // Whoever does not read the help does not miss it.
        let _ = error.print();
        return Exit::Ok;
    }
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let plain = error.to_string();
    let text = quotable(&plain, &arguments);
    if arguments.iter().any(|argument| argument == "--json") {
        return Output::new(true, None).failure(&in_short(error.kind(), &text));
    }
    if text == plain {
        let _ = error.print();
    } else {
        let out = Output::new(false, None);
        text.trim_end().lines().for_each(|line| out.note(line));
    }
    Exit::Usage
}

/// The text as far as it may be shown: without the URLs among the arguments, since one in the wrong place would be
/// quoted with its password, and with the arguments cleaned, since one may come from somebody else.
fn quotable(text: &str, arguments: &[String]) -> String {
    arguments.iter().fold(text.to_owned(), |text, argument| {
        let value = argument.split_once('=').map_or("", |(_, value)| value);
        if argument.contains("://") {
            let text = text.replace(argument, "URL");
            return if value.contains("://") { text.replace(value, "URL") } else { text };
        }
        [argument.as_str(), value].into_iter().fold(text, |text, part| {
            let cleaned = clean(part);
            if cleaned == part { text } else { text.replace(part, &cleaned) }
        })
    })
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
    use clap::CommandFactory as _;

    use super::*;

    fn failure(line: &[&str]) -> Failure {
        let parsed = super::super::Cli::command().try_get_matches_from([&["flags"], line].concat());
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
        let arguments = ["--stor=redis://u:p@h/".to_owned(), "a\n\u{1b}[1m".to_owned()];
        let text = "unexpected '--stor=redis://u:p@h/' and 'redis://u:p@h/' and 'a\n\u{1b}[1m'\n";
        let quotable = quotable(text, &arguments);
        assert_eq!(quotable, "unexpected 'URL' and 'URL' and 'a\\n\\u{1b}[1m'\n");
    }
}
