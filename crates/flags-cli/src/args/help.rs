//! The examples in the help, and the exit codes.

/// What `flags help exit-codes` says.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed: an invalid or unreadable record, permission denied, an error
       that doctor found, or a scheduled change that could not be applied
  2    usage: the command line is wrong, or nobody confirmed
  3    not found: the record, or the flag that it belongs to, does not exist
  4    conflict: it exists already, or was changed since it was read
  5    unavailable: the store was not reached, or did not answer in time
  130  interrupted

With --json an error is one object on standard error: kind, operation, key,
message, hint. Its operation is the command, as in `flag get`; a command line
that could not be read has none. Its kind is finer than the code. Of code 5,
`unavailable` was certainly not applied, `indeterminate` may have been; of code
4, `conflict` is a lost race or a name that is taken, `already_exists` a record
that is there.
";

pub(super) const EXAMPLES: &str = "\
Examples:
  export FLAGS_STORE=redis://localhost:6379
  flags flag create new-checkout
  flags flag enable new-checkout
  flags flag get new-checkout --json |
    jq '.tags += [\"web\"]' | flags flag update -f -
  flags override set new-checkout user 42 --expires-in 2h
  flags export --output backup.json
  flags import backup.json --dry-run

`flags help COMMAND` has more, `flags help exit-codes` is for scripts.";

pub(super) const FLAG: &str = "\
Examples:
  flags flag list --status active --tag web
  flags flag create new-checkout
  echo '[{\"key\": \"a\"}, {\"key\": \"b\"}]' | flags flag create -f -
  flags flag get new-checkout --json |
    jq '.default_enabled = true' | flags flag update -f -
  echo '{\"key\": \"new-checkout\", \"tags\": [\"web\"]}' | flags flag apply -f -
  flags flag delete new-checkout

A record for update or apply needs only its key and what changes: a member that
it does not name stays as it is stored, null clears one, and a list such as
rules is replaced as a whole.

A flag printed with --json carries its `revision`. Read back by update or apply
it is a condition: if somebody else changed the flag meanwhile, the exit code is
4 and nothing is lost.";

pub(super) const OVERRIDE: &str = "\
Examples:
  flags override set new-checkout user 42
  flags override set new-checkout tenant acme --enabled false --expires-in 7d
  flags override set theme user 42 --value '\"dark\"'
  flags override set theme user 42 --no-expiry
  flags override list new-checkout
  flags override list --orphans
  flags override delete --flag-id 2d931510-d99f-494a-8c67-87feb05e1594 user 42

set changes what its options say and leaves the rest of an override as it is; a
new one is on, for good. A negative number is an ID like any other; before an ID
that begins with a dash otherwise write `--`, after the options.";

pub(super) const SCHEDULE: &str = "\
Examples:
  echo '{\"change_type\": \"enable\", \"scheduled_at\": \"2030-01-01T09:00:00Z\"}' |
    flags schedule create --flag new-checkout -f -

  echo '{\"id\": \"2d931510-d99f-494a-8c67-87feb05e1594\",
    \"scheduled_at\": \"2030-01-01T12:00:00Z\"}' | flags schedule update -f -

change_type is enable, disable, update_value (with new_value) or update_rollout
(with new_rollout_percentage). `flags scheduler` executes what is due whenever it
is, `flags schedule run-due` once.";

pub(super) const RUN_DUE: &str = "\
A line for each change or phase says what it did. What cannot be applied is
marked as executed, with why in its member `error`, and the exit code is 1. The
exit code is 5 where the store did not answer: what is due there is still
pending, and executing it again executes nothing twice. `--at` is also what is
noted as the time of execution.

With --json each line is an object: {\"outcome\", \"key\", \"flag\", \"reason\",
\"record\"}. The outcome is applied; refused, with the reason, and with flag null
where there is none any more; or settled, of what this run or another one has
executed without an answer of the store.

Examples:
  flags schedule run-due
  flags schedule run-due --at 2030-01-01T09:00:00Z --json";

pub(super) const SCHEDULER: &str = "\
Any number of them may run on one store, for one that dies: each change is
executed exactly once, by whichever gets there first. What was missed while none
ran is executed in order by the next one. Where the store does not answer, it is
asked again, ever more rarely.

The lines are those of `flags schedule run-due`. SIGTERM ends it with exit code
0, Ctrl-C with 130. Either may come at any time: what was executed stays
executed, also where its line was not printed any more.

Examples:
  flags scheduler
  flags scheduler --json >> executed.jsonl";

pub(super) const WINDOW: &str = "\
Example:
  echo '{\"name\": \"office hours\", \"start_time\": \"09:00\",
    \"end_time\": \"17:00\", \"timezone\": \"Europe/Amsterdam\"}' |
    flags window create --flag new-checkout -f -

recurrence_type is daily, weekly (days_of_week, 0 is Monday), monthly
(days_of_month) or cron (cron_expression).";

pub(super) const PHASE: &str = "\
Example:
  echo '{\"phase_number\": 1, \"target_percentage\": 10,
    \"scheduled_at\": \"2030-01-01T09:00:00Z\"}' |
    flags phase create --flag new-checkout -f -

A phase that litestar-flags wrote is listed under its flag alone: when it has
deleted the flag, `flags phase get ID` and `delete ID` still find the phase, and
`list --orphans` does not.";

pub(super) const SEGMENT: &str = "\
Example:
  echo '{\"name\": \"benelux\", \"conditions\": [{\"attribute\": \"country\",
    \"operator\": \"in\", \"value\": [\"NL\", \"BE\"]}]}' |
    flags segment create -f -";

pub(super) const EVAL: &str = "\
The context is a JSON object: targeting_key, user_id, organization_id,
tenant_id, environment, app_version, ip_address, user_agent, country, and
anything else in attributes. A flag that does not exist ends with exit code 3.

A line for --stdin is an object of flag and context and, if need be, overrides,
segments, time_schedules, at, default and semantics; a line that cannot be read,
or is longer than 64 MiB, is answered with PARSE_ERROR, and the exit code is
then 1.

Examples:
  flags eval new-checkout --context '{\"targeting_key\": \"ann\"}' --explain
  flags eval --stdin < requests.jsonl > decisions.jsonl";

pub(super) const EXPORT: &str = "\
Records that cannot be read are named on standard error, and the exit code is 1.
Records whose flag does not exist, or cannot be read, are named and left out.

With --output the file is replaced at one stroke once the document is whole, and
is otherwise left as it was. Don't let a shell write into the file that holds the
store (`> flags.json`): it is emptied before this program is there to read it.

Examples:
  flags export --output backup.json
  flags export | gzip > backup.json.gz";

pub(super) const IMPORT: &str = "\
Without --replace nothing is deleted. With it, what somebody at the terminal
says yes to is what is done: if the store changed meanwhile, the exit code is 4.
Records are written in batches; repeat an import that was interrupted, and what
is there already is left alone.

Examples:
  flags import backup.json --dry-run
  flags import backup.json --replace --yes";

pub(super) const WATCH: &str = "\
A store that cannot tell of changes ends it with exit code 1; with --json the
kind is `unsupported`. While the store does not answer it is asked again. Where
the store can say why it is not followed, such as the line in which a file is
broken, that is on standard error.

A line says what was written and by which members a flag has changed. With
--json each line is an object: {\"change\": \"changed\", \"key\", \"record\"}, the
record null once it is deleted, with \"error\" where it cannot be read;
{\"change\": \"lost\"} while the store is not followed, {\"change\": \"resync\"}
when it is from there on and anything may have changed before.

Examples:
  flags watch
  flags watch --lines --count 1
  flags watch --json | jq --unbuffered -r 'select(.change == \"changed\") | .key'";
pub(super) const DOCTOR: &str = "\
An error makes the exit code 1: a record that cannot be read, a record whose
flag does not exist, a segment that is its own ancestor, a key of another type.
A warning does not, and neither does what was repaired.

While a flag cannot be read, nobody knows which records are its own: those whose
flag is not found are then a warning, and `list --orphans` lists none.

Examples:
  flags doctor                 look only
  flags doctor --repair        enter records into the indexes that lack them,
                               remove entries that lead nowhere
  flags doctor --json | jq '.findings[] | select(.severity == \"error\")'";
