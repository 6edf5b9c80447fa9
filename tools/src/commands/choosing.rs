//! Which volumes the arguments name.

use std::collections::BTreeSet;

use anyfs_lvm::pv::Access;

use crate::args::{LvName, lv_name};
use crate::failure::{Done, Failure};
use crate::report::model::Vg;
use crate::session::{Session, group_not_found};
use crate::ui::Ui;

/// What names on the command line mean.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// The volumes.
    pub(super) volumes: Vec<LvName>,
    /// Names that mean nothing, and why.
    pub(super) unknown: Vec<(String, Failure)>,
}

impl Chosen {
    /// Tells of the names that mean nothing.
    pub(super) fn tell(&self, ui: &mut Ui<'_>) -> Done {
        self.unknown.iter().for_each(|(_, failure)| ui.failure(failure));
        let worst = self.unknown.iter().map(|(_, failure)| failure.code).max();
        worst.map_or(Ok(()), |code| Err(Failure::silent(code)))
    }
}

/// The volumes that `names` mean, a group's name all of its volumes, no name all there are; each once.
pub(super) fn volumes(session: &Session, ui: &mut Ui<'_>, names: &[String], access: Access) -> Done<Chosen> {
    let model = session.model(ui, access)?;
    let mut chosen = Chosen::default();
    let all = |vg: &Vg| -> Vec<LvName> {
        let visible = vg.lvs.iter().filter(|lv| !lv.hidden);
        visible.map(|lv| LvName { vg: vg.name.clone(), lv: lv.name.clone() }).collect()
    };
    if names.is_empty() {
        chosen.volumes = model.vgs.iter().flat_map(all).collect();
        return Ok(chosen);
    }
    for name in names {
        // "VG/LV:/path" is what df gets elsewhere.
        let name = name.split_once(':').map_or(name.as_str(), |(name, _)| name);
        match (lv_name(name), model.vgs.iter().find(|vg| vg.name == name)) {
            (Some(target), _) => chosen.volumes.push(target),
            (None, Some(vg)) => chosen.volumes.extend(all(vg)),
            (None, None) => {
                // The group's only files may be those that wait for a rollback. That all are lost was told before.
                let lost = session.lost()?.is_some();
                let why = if lost { None } else { session.find_group(name, Access::ReadOnly).err() };
                chosen.unknown.push((name.to_owned(), why.unwrap_or_else(|| group_not_found(name))));
            }
        }
    }
    let mut seen = BTreeSet::new();
    chosen.volumes.retain(|name| seen.insert(name.to_string()));
    Ok(chosen)
}
