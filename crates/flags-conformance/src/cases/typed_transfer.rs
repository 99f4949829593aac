//! The typed API: export and import.

use flags_core::storage::{Expect, Query};
use flags_core::transfer::ImportMode;
use flags_core::{ErrorKind, Kind, Record};

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, keys, one_of_each};
use crate::stop::{Checked, equal};

use super::typed_flags::{ok, typed};

cases! { Typed:
    typed_what_is_exported_is_imported_verbatim,
    typed_an_import_may_replace_everything,
    typed_an_export_holds_corrupt_records_beside,
}

async fn typed_what_is_exported_is_imported_verbatim(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let mut records = one_of_each("a")?;
    records.extend(one_of_each("b")?);
    ctx.store.fill(&records).await?;
    let export = ok("export", store.export()).await?;
    equal("the number of records that were exported", &export.document.len(), &records.len())?;
    let plan = ok("plan_import", store.plan_import(&export.document, ImportMode::Replace)).await?;
    equal("whether importing what was exported would change anything", &!plan.is_empty(), &false)?;

    // Emptied, and filled again.
    for record in records.iter().filter(|record| record.owner().is_none()) {
        ctx.store.delete(&record.key(), Expect::Present).await?;
    }
    let report = ok("import", store.import(&export.document, ImportMode::Merge)).await?;
    equal("how many records were created", &report.created, &records.len())?;
    for record in &records {
        ctx.store.holds("after the import", record).await?;
    }
    let again = ok("import", store.import(&export.document, ImportMode::Merge)).await?;
    equal("how many records a second import leaves alone", &again.unchanged, &records.len())
}

async fn typed_an_import_may_replace_everything(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let kept = one_of_each("kept")?;
    ctx.store.fill(&kept).await?;
    let export = ok("export", store.export()).await?;
    ctx.store.fill(&one_of_each("newer")?).await?;
    ctx.store.put(&edited(&kept[0], 1), Expect::Present).await?;
    ok("import", store.import(&export.document, ImportMode::Replace)).await?;
    for kind in Kind::ALL {
        let expected = kept.iter().filter(|record| record.kind() == kind).map(Record::key);
        ctx.store.lists("after an import that replaces", Query::All(kind), expected).await?;
    }
    ctx.store.holds("after an import that replaces", &kept[0]).await.map(drop)
}

async fn typed_an_export_holds_corrupt_records_beside(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let broken = Record::from(flag("broken")?);
    ctx.spoil(&broken, "{").await?;
    let broken = broken.key();
    let sound = one_of_each("sound")?;
    ctx.store.fill(&sound).await?;
    let export = ok("export", store.export()).await?;
    let mut exported: Vec<_> = export.document.records().map(|record| record.key()).collect();
    let mut expected = keys(&sound);
    exported.sort();
    expected.sort();
    equal("the records that were exported", &exported, &expected)?;
    let corrupt: Vec<_> = export.corrupt.iter().map(|error| (error.kind(), error.key())).collect();
    equal("the errors beside them", &corrupt, &vec![(ErrorKind::Corrupt, Some(&broken))])
}
