//! `flags eval`.

use std::io::{self, BufRead as _, Read as _, Write as _};

use feature_flags::engine::request::{Answer, decide_line};
use feature_flags::engine::{Decision, EvaluationContext, Ruleset, RulesetBuilder};
use feature_flags::{EntityId, EntityType, Flag, FlagKey, Timestamp};

use super::Session;
use crate::args::Eval;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean, one_line, tree};

/// Decides the flag for each context, by what the store holds.
pub(super) async fn run(session: &Session, eval: &Eval) -> Result<Exit, Failure> {
    let Some(key) = &eval.key else {
        return Err(Failure::usage("no flag is named", "flags eval KEY, or flags eval --stdin"));
    };
    let nobody = [EvaluationContext::default()];
    let contexts = if eval.context.is_empty() { &nobody[..] } else { &eval.context };
    let ruleset = ruleset(session, eval, key, contexts).await?;
    let at = eval.at.unwrap_or_else(Timestamp::now);
    for context in contexts {
        let evaluator = ruleset.evaluator(context, at);
        match (eval.explain, session.out.is_json()) {
            (true, true) => session.out.value(&evaluator.explain(key.as_str()))?,
            (true, false) => session.out.text(&tree(evaluator.explain(key.as_str())))?,
            (false, json) => {
                let decision = evaluator.decide(key.as_str());
                let answer = Answer::new(&decision, eval.default.as_ref());
                if json {
                    session.out.value(&answer)?
                } else {
                    readable(session.out, context, &decision, &answer)?
                }
            }
        };
    }
    Ok(if ruleset.is_empty() { Exit::NotFound } else { Exit::Ok })
}

/// The flag, and what bears on it: its schedules, the overrides of those it is decided for, and the segments.
async fn ruleset(
    session: &Session,
    eval: &Eval,
    key: &FlagKey,
    contexts: &[EvaluationContext],
) -> Result<Ruleset, Failure> {
    let mut builder = Ruleset::builder(eval.semantics.into());
    let Some(flag) = session.store.get_flag(key).await? else {
        return Ok(builder.build());
    };
    for context in contexts {
        builder = overrides(session, builder, &flag, context).await?;
    }
    for schedule in session.store.get_time_schedules(Some(flag.id)).await?.into_result()? {
        builder = builder.time_schedule(schedule.value().clone());
    }
    let segments = session.store.get_all_segments().await?;
    for unreadable in segments.corrupt {
        session.out.warning(&unreadable.into());
    }
    for segment in &segments.records {
        builder = builder.segment(segment.value().clone());
    }
    Ok(builder.flag(flag.value().clone()).build())
}

/// The overrides that a context could meet: at most four, however many the flag has.
async fn overrides(
    session: &Session,
    mut builder: RulesetBuilder,
    flag: &Flag,
    context: &EvaluationContext,
) -> Result<RulesetBuilder, Failure> {
    let entities = [
        ("user", context.user_id()),
        ("organization", context.organization_id()),
        ("tenant", context.tenant_id()),
        ("targeting_key", context.targeting_key()),
    ];
    for (entity_type, entity_id) in entities {
        let Some(entity_id) = entity_id else { continue };
        let (Ok(entity_type), Ok(entity_id)) = (EntityType::new(entity_type), EntityId::new(entity_id))
        else {
            continue; // A name that no override can have.
        };
        if let Some(found) = session.store.get_override(flag.id, &entity_type, &entity_id).await? {
            builder = builder.flag_override(found.value().clone());
        }
    }
    Ok(builder)
}

fn readable(
    out: Output,
    context: &EvaluationContext,
    decision: &Decision<'_>,
    answer: &Answer,
) -> Result<Exit, Failure> {
    let whom = context.targeting_key().or(context.user_id()).unwrap_or("nobody in particular");
    let mut line = format!("{whom}: {} ({}", one_line(&answer.value), answer.reason);
    if let Some(variant) = &answer.variant {
        line.push_str(&format!(", variant {variant:?}"));
    }
    if let Some(error) = &decision.error {
        line.push_str(&format!(", {error}"));
    }
    out.text(&format!("{})\n", clean(&line)))
}

/// The longest request, in bytes. Whoever writes without ever ending a line shall not fill the memory.
const LONGEST: u64 = 64 << 20;

/// One request a line in, one decision a line out, each flushed: a program may wait for it.
pub(crate) fn lines() -> Result<Exit, Failure> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let (mut line, mut all_read) = (Vec::new(), true);
    // Bytes, since a line that is no UTF-8 is unreadable like any other, and the stream goes on.
    while input.by_ref().take(LONGEST + 1).read_until(b'\n', &mut line)? > 0 {
        if line.len() as u64 > LONGEST && !line.ends_with(b"\n") {
            // The rest goes unread, and nothing is decided by a part.
            input.skip_until(b'\n')?;
            line.clear();
        }
        let answer = decide_line(&line, Timestamp::now());
        all_read &= !answer.is_parse_error();
        serde_json::to_writer(&mut output, &answer).map_err(io::Error::from)?;
        output.write_all(b"\n")?;
        output.flush()?;
        line.clear();
    }
    Ok(if all_read { Exit::Ok } else { Exit::Failed })
}
