//! The life of a flag, on a realistic set: `cargo run -p feature-flags --example tour [STORE-URL]`.

use anyhow::{Context, Result, ensure};
use feature_flags::store::Pending;
use feature_flags::transfer::{Document, ImportAction, ImportMode};
use feature_flags::{
    Condition, EntityId, EntityType, ErrorKind, Flag, FlagKey, FlagStore, Override, Rule, connect,
};

/// An export of the flags of a web shop.
const SHOP: &[u8] = include_bytes!("../data/shop.json");

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let storage = connect(&url).await?;
    println!("A store, in {}.\n", storage.descriptor().name());
    let store = FlagStore::new(storage);

    load(&store).await?;
    let key = FlagKey::new("gift-wrapping")?;
    create(&store, &key).await?;
    edit(&store, &key).await?;
    conflict(&store, &key).await?;
    override_one_user(&store, &key).await?;
    cascade(&store, &FlagKey::new("new-checkout")?).await?;
    restore(&store).await?;
    store.close().await.context("closing the store")
}

async fn load(store: &FlagStore) -> Result<()> {
    step("Load", "an export is one JSON document; importing it twice changes nothing");
    let shop = Document::from_json(SHOP)?;
    let report = store.import(&shop, ImportMode::Merge).await?;
    println!("  {} records created, {} left as they were", report.created, report.unchanged);
    let again = store.import(&shop, ImportMode::Merge).await?;
    ensure!(again.created + again.updated == 0, "the second import changed something");
    for flag in store.get_all_flags().await?.iter() {
        println!(
            "  {:<20} {:<8} {:<9} {} rules, {} variants",
            flag.key,
            flag.flag_type,
            flag.status,
            flag.rules.len(),
            flag.variants.len()
        );
    }
    println!();
    Ok(())
}

async fn create(store: &FlagStore, key: &FlagKey) -> Result<()> {
    step("Create", "a flag with one rule; a second one of that key is refused");
    let mut flag = Flag::new(key.clone());
    flag.rules.push(Rule::new("the Netherlands").when(Condition::new("country", "eq", "NL")));
    let created = store.create_flag(flag).await?;
    println!("  {key} at revision {}", created.revision());
    refused(ErrorKind::AlreadyExists, store.create_flag(Flag::new(key.clone())).await)?;
    let mut wrong = Flag::new(FlagKey::new("wrong")?);
    wrong.rules.push(Rule::new("a bad rule").when(Condition::new("country", "equals", "NL")));
    wrong.rules[0].rollout_percentage = Some(101);
    refused(ErrorKind::Invalid, store.create_flag(wrong).await)
}

async fn edit(store: &FlagStore, key: &FlagKey) -> Result<()> {
    step("Change", "an edit runs on the newest state, again if somebody else was faster");
    let changed = store
        .modify_flag::<feature_flags::Error, _>(key, |flag| {
            flag.rules[0].rollout_percentage = Some(10);
            flag.tags.push("release".to_owned());
            Ok(())
        })
        .await?;
    println!("  {key} at revision {}, tags {:?}\n", changed.revision(), changed.tags);
    Ok(())
}

async fn conflict(store: &FlagStore, key: &FlagKey) -> Result<()> {
    step("Conflict", "two people read the same flag; the second to write is told, and nothing is lost");
    let read = |who: &'static str| async move {
        let flag = store.get_flag(key).await?.context("the flag is there")?;
        println!("  {who} reads revision {}", flag.revision());
        anyhow::Ok(flag)
    };
    let (ann, bob) = (read("Ann").await?, read("Bob").await?);
    let mut hers = (*ann).clone();
    hers.description = Some("Wrap it, with a card".to_owned());
    let written = store.update_flag(hers, Some(ann.revision())).await?;
    println!("  Ann writes revision {}", written.revision());
    let mut his = (*bob).clone();
    his.default_enabled = true;
    refused(ErrorKind::Conflict, store.update_flag(his, Some(bob.revision())).await)
}

async fn override_one_user(store: &FlagStore, key: &FlagKey) -> Result<()> {
    step("Override", "one user gets it now; the override lives and dies with the flag");
    let flag = store.get_flag(key).await?.context("the flag is there")?;
    let (user, ann) = (EntityType::new("user")?, EntityId::new("ann")?);
    store.create_override(Override::new(flag.id, user.clone(), ann.clone(), true)).await?;
    let found = store.get_overrides_for_entity(&user, &ann).await?;
    println!("  {} override for user ann", found.len());
    ensure!(store.delete_flag(key, None).await?, "the flag was there");
    let left = store.get_override(flag.id, &user, &ann).await?;
    println!(
        "  the flag is deleted; the override {}",
        if left.is_none() { "went with it" } else { "is left" }
    );
    ensure!(left.is_none(), "an override outlived its flag");
    let orphan = Override::new(flag.id, user, ann, true);
    refused(ErrorKind::NotFound, store.create_override(orphan).await)
}

async fn cascade(store: &FlagStore, key: &FlagKey) -> Result<()> {
    step("Cascade", "a flag that owns overrides and scheduled changes goes with all of them, in one commit");
    let flag = store.get_flag(key).await?.context("the flag is there")?;
    let id = flag.id;
    let owned = |what: &'static str| async move {
        let overrides = store.get_overrides_for_flag(id).await?.len();
        let changes = store.get_scheduled_changes(Some(id), Pending::AndExecuted).await?.len();
        println!("  {what}: {overrides} overrides, {changes} scheduled changes");
        anyhow::Ok(overrides + changes)
    };
    ensure!(owned("before").await? > 0, "the set has none");
    store.delete_flag(key, Some(flag.revision())).await?;
    ensure!(owned("after").await? == 0, "something outlived its flag");
    println!();
    Ok(())
}

async fn restore(store: &FlagStore) -> Result<()> {
    step("Restore", "a dry run says what an import would do; the import does that, and no more");
    let shop = Document::from_json(SHOP)?;
    let plan = store.plan_import(&shop, ImportMode::Replace).await?;
    for difference in plan.differences.iter().filter(|d| d.action != ImportAction::Keep) {
        println!("  {:?} {}", difference.action, difference.key);
    }
    let report = store.import(&shop, ImportMode::Replace).await?;
    println!("  {} created, {} unchanged", report.created, report.unchanged);
    ensure!(store.plan_import(&shop, ImportMode::Replace).await?.is_empty(), "the import left a difference");
    Ok(())
}

fn step(name: &str, what: &str) {
    println!("{name}: {what}");
}

/// Prints the error that was expected; anything else is a failure of the tour.
fn refused<T: std::fmt::Debug>(kind: ErrorKind, outcome: feature_flags::Result<T>) -> Result<()> {
    let error = outcome.err().with_context(|| format!("{kind} was expected, and it succeeded"))?;
    ensure!(error.kind() == kind, "{kind} was expected, not {error:?}");
    println!("  refused: {error}\n");
    Ok(())
}
