//! One request a line in, one decision a line out: what `flags eval --stdin` does.

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;

use flags_core::Timestamp;
use flags_engine::request::decide_line;

fn main() -> io::Result<ExitCode> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let (mut line, mut all_read) = (Vec::new(), true);
    // Bytes, since a line that is no UTF-8 is unreadable like any other, and the stream goes on.
    while input.read_until(b'\n', &mut line)? > 0 {
        let answer = decide_line(&line, Timestamp::now());
        all_read &= !answer.is_parse_error();
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
        line.clear();
    }
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
