//! The typed API: segments.

use flags_core::{ErrorKind, Segment, SegmentId};

use crate::case::cases;
use crate::context::Context;
use crate::records::{segment, segment_name};
use crate::stop::{Checked, equal};

use super::typed_flags::{ok, refused, typed};

cases! { Typed:
    typed_segments_are_found_by_id_name_and_parent,
    typed_segment_names_are_unique,
    typed_segments_never_form_a_cycle,
}

async fn typed_segments_are_found_by_id_name_and_parent(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let root = ok("create_segment", store.create_segment(segment("root")?)).await?;
    for name in ["b", "a"] {
        let mut child = segment(name)?;
        child.parent_segment_id = Some(root.id);
        ok("create_segment", store.create_segment(child)).await?;
    }
    equal("get_segment", &ok("get_segment", store.get_segment(root.id)).await?.as_ref(), &Some(&root))?;
    let by_name = ok("get_segment_by_name", store.get_segment_by_name(&root.name)).await?;
    equal("get_segment_by_name", &by_name.as_ref(), &Some(&root))?;
    let all = ok("get_all_segments", store.get_all_segments()).await?;
    equal(
        "get_all_segments",
        &all.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        &vec!["a", "b", "root"],
    )?;
    let children = ok("get_child_segments", store.get_child_segments(root.id)).await?;
    equal(
        "get_child_segments",
        &children.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        &vec!["a", "b"],
    )?;
    equal("delete_segment", &ok("delete_segment", store.delete_segment(root.id, None)).await?, &true)?;
    equal("delete_segment again", &ok("delete_segment", store.delete_segment(root.id, None)).await?, &false)
}

async fn typed_segment_names_are_unique(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let first = ok("create_segment", store.create_segment(segment("s")?)).await?;
    refused("create_segment of a taken name", ErrorKind::Conflict, store.create_segment(segment("s")?))
        .await?;
    let mut renamed = Segment::clone(&first);
    renamed.name = segment_name("t")?;
    ok("update_segment with a new name", store.update_segment(renamed, Some(first.revision()))).await?;
    ok("create_segment of a name that is free again", store.create_segment(segment("s")?)).await?;
    let gone = ok("get_segment_by_name", store.get_segment_by_name(&segment_name("nobody")?)).await?;
    equal("get_segment_by_name of nobody", &gone, &None)
}

async fn typed_segments_never_form_a_cycle(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let mut orphan = segment("orphan")?;
    orphan.parent_segment_id = Some(SegmentId::new());
    refused("create_segment below a missing one", ErrorKind::Invalid, store.create_segment(orphan)).await?;
    let root = ok("create_segment", store.create_segment(segment("root")?)).await?;
    let mut child = segment("child")?;
    child.parent_segment_id = Some(root.id);
    let child = ok("create_segment", store.create_segment(child)).await?;
    for parent in [child.id, root.id] {
        let mut below = Segment::clone(&root);
        below.parent_segment_id = Some(parent);
        refused("update_segment closing a cycle", ErrorKind::Invalid, store.update_segment(below, None))
            .await?;
    }
    Ok(())
}
