//! Which volumes the arguments name.

use anyfs_lvm::pv::Access;

use crate::args::{LvName, lv_name};
use crate::failure::Done;
use crate::report::model::Vg;
use crate::session::{Session, group_not_found};
use crate::ui::Ui;

/// The volumes that `names` mean, a group's name all of its volumes, no name all there are; and how it went with the
/// names.
pub(super) fn volumes(
    session: &Session,
    ui: &mut Ui<'_>,
    names: &[String],
    access: Access,
) -> Done<(Vec<LvName>, Done)> {
    let model = session.model(ui, access)?;
    let mut out = Vec::new();
    let all = |vg: &Vg| -> Vec<LvName> {
        let visible = vg.lvs.iter().filter(|lv| !lv.hidden);
        visible.map(|lv| LvName { vg: vg.name.clone(), lv: lv.name.clone() }).collect()
    };
    if names.is_empty() {
        return Ok((model.vgs.iter().flat_map(all).collect(), Ok(())));
    }
    let done = ui.each(names, |_, name| {
        // "VG/LV:/path" is what df gets elsewhere.
        let name = name.split_once(':').map_or(name.as_str(), |(name, _)| name);
        if let Some(target) = lv_name(name) {
            out.push(target);
            return Ok(());
        }
        let vg = model.vgs.iter().find(|vg| vg.name == name).ok_or_else(|| group_not_found(name))?;
        out.extend(all(vg));
        Ok(())
    });
    Ok((out, done))
}
