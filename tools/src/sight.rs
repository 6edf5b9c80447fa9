//! What a session sees: volume groups, free PVs, files that are none.

use std::path::{Path, PathBuf};

use anyfs_lvm::pv::{Access, Holder, Host, PvError, PvUuid, RealHost, VgUuid};
use anyfs_lvm::vg::{self, Notice, OpenOptions, PoolFiles, Scan, VgError, VolumeGroup};

use crate::failure::{Done, Failure, chain, code};
use crate::in_use;
use crate::mounting::locked_out;
use crate::picture::{self, Files, Found};
use crate::report::model::Model;
use crate::session::{SAY_WHERE, Session, group_not_found};
use crate::ui::Ui;

/// A failure of the volume group layer in LVM's manner.
pub(crate) fn vg_failure(error: &VgError) -> Failure {
    if let VgError::LvInUse { owner, .. } = error {
        let said = error.to_string();
        return in_use::explained(said.trim_end_matches('.'), owner, None);
    }
    let mut failure = Failure::new(chain(error));
    if matches!(error, VgError::MissingPvs { there, .. } if there.is_empty()) {
        // LVM's second line, not a hint.
        return failure.line(error.hint().unwrap_or_default());
    }
    failure.hint = error.hint();
    failure
}

/// Says what is out of order.
fn tell(ui: &mut Ui<'_>, session: &Session, notices: &[Notice]) {
    for notice in notices {
        // A folder may hold databases of other programs: only `pvs -a` shows them.
        let foreign = matches!(notice, Notice::Unusable { error } if matches!(**error, PvError::Foreign { .. }));
        // The system's reason is the cause of the error, not part of its text.
        let text = match notice {
            Notice::Unusable { error } => chain(&**error),
            other => other.to_string(),
        };
        if !(foreign && session.is_folder()) {
            ui.warn(&text);
        }
    }
}

impl Session {
    /// Looks at the files in sight. With write access, writes that a crash interrupted are rolled back; without, such a
    /// PV cannot be read.
    pub(crate) fn scan(&self, access: Access) -> Done<Scan> {
        let look = |access| vg::scan(&self.env, &self.paths()?, access).map_err(|error| vg_failure(&error));
        let scan = look(Access::ReadOnly)?;
        // Opening for writing waits for whoever writes, so it is done only where it is needed.
        let possible = || scan.interrupted().iter().any(|waiting| locked_out(&waiting.path).is_none());
        if access.writes() && possible() { look(access) } else { Ok(scan) }
    }

    /// How volume groups are opened by this command.
    pub(crate) fn options(&self, access: Access) -> OpenOptions {
        let command = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
        OpenOptions { access, archive: self.archive(), command, ..OpenOptions::default() }
    }

    /// Opens the group that the labels of some of the scanned PVs name.
    fn open_group(&self, scan: &Scan, uuid: VgUuid, access: Access) -> Result<VolumeGroup, VgError> {
        let members = scan.pvs().filter(|pv| pv.vg() == Some(uuid)).map(|pv| pv.pv.path().to_owned());
        let mut members: Vec<PathBuf> = members.collect();
        // Whose they are that wait for a rollback, the group tells.
        members.extend(scan.interrupted().iter().map(|waiting| waiting.path.clone()));
        // And whose they may be that cannot be opened.
        members.extend(scan.unopened_files().map(Path::to_owned));
        // Without a list of files, the siblings of these are looked for, too.
        let files = if self.is_files() { PoolFiles::Files(members) } else { PoolFiles::Pvs(members) };
        let options = OpenOptions { refused: scan.refused().clone(), ..self.options(access) };
        VolumeGroup::open(&self.env, &files, &options)
    }

    /// The picture that reports show.
    pub(crate) fn model(&self, ui: &mut Ui<'_>, access: Access) -> Done<Model> {
        let scan = self.scan(access)?;
        tell(ui, self, &scan.notices);
        // A command that may write has tried to, and says what keeps it from that.
        if !access.writes() && scan.notices.iter().any(is_interrupted) {
            ui.complain(&format!("hint: a report changes nothing; roll it back with: {}", self.words("df")));
        }
        if let Some(lost) = self.lost()? {
            ui.warn(&lost);
            ui.complain(&format!("hint: {SAY_WHERE}"));
        }
        let mut model = Model::default();
        let mut seen: Vec<(PvUuid, PathBuf)> = Vec::new();
        for uuid in scan.groups().into_keys() {
            let group = match self.open_group(&scan, uuid, Access::ReadOnly) {
                Ok(group) => group,
                Err(error) => {
                    ui.failure(&vg_failure(&error));
                    continue;
                }
            };
            tell(ui, self, group.notices());
            let files = files(&group);
            seen.extend(files.iter().map(|(uuid, found)| (*uuid, found.path.clone())));
            let active = |lv: &vg::LvRecord| Some(group.activation_lock_paths(lv).iter().any(|path| is_held(path)));
            let catalogue = |lv: &vg::LvRecord, pv| group.metadata_copy_path(pv, lv);
            model.vgs.push(picture::group(
                &self.env,
                group.descriptor(),
                &files,
                &picture::Look { active: &active, catalogue: &catalogue },
            ));
        }
        for free in scan.orphans().filter(|free| !seen.iter().any(|(uuid, _)| *uuid == free.uuid())) {
            let found = Found { path: free.pv.path().to_owned(), capacity: free.pv.label().capacity.get() };
            model.orphans.push(picture::orphan(&self.env, free.uuid(), &found));
        }
        model.others = scan.notices.iter().filter_map(foreign).map(picture::other).collect();
        self.heal(&seen)?;
        Ok(model)
    }

    /// The volume group of that name, with what is out of order told to the user.
    pub(crate) fn group(&self, ui: &mut Ui<'_>, name: &str, access: Access) -> Done<VolumeGroup> {
        let (group, notices) = self.find_group(name, access)?;
        tell(ui, self, &notices);
        Ok(group)
    }

    /// Says what is out of order with a group.
    pub(crate) fn tell(&self, ui: &mut Ui<'_>, notices: &[Notice]) {
        tell(ui, self, notices);
    }

    /// The volume group of that name, and what is out of order with it.
    pub(crate) fn find_group(&self, name: &str, access: Access) -> Done<(VolumeGroup, Vec<Notice>)> {
        // Labels may remember an old name, so those that say another are asked last.
        let scan = self.scan(access)?;
        let mut groups: Vec<_> = scan.groups().into_iter().collect();
        groups.sort_by_key(|(_, label)| label != name);
        let mut found: Option<VolumeGroup> = None;
        for (uuid, label) in groups {
            if found.is_some() && label != name {
                break;
            }
            match self.open_group(&scan, uuid, access) {
                Ok(group) if group.name().as_str() != name => {}
                Ok(_) if found.is_some() => {
                    let failure = Failure::new(format!("Multiple volume groups are named \"{name}\"."));
                    return Err(failure.hint("choose one with --devices FILE,.."));
                }
                Ok(group) => found = Some(group),
                Err(error) if label == name => return Err(vg_failure(&error)),
                Err(_) => {}
            }
        }
        let Some(group) = found else {
            scan.refuse_locked().map_err(|error| vg_failure(&error))?;
            // It may be the group of those that cannot be read yet.
            let member = |pv: &vg::InterruptedPv| pv.label.as_ref().map(|label| label.membership.clone());
            let may_be = |pv: &&vg::InterruptedPv| member(pv).is_none_or(|vg| vg.is_some_and(|vg| vg.name == name));
            let waiting: Vec<&Path> = scan.interrupted().iter().filter(may_be).map(|pv| &*pv.path).collect();
            if !waiting.is_empty() {
                return Err(self.interrupted(&waiting));
            }
            // The only files of the group may be those that are not used, or cannot be.
            let line = |notice: &Notice| match notice {
                Notice::Duplicate { .. } => Some(notice.to_string()),
                Notice::Unusable { error } if may_be_one(error) => Some(chain(&**error)),
                _ => None,
            };
            let lines = scan.notices.iter().filter_map(line);
            let failure = lines.fold(group_not_found(name), Failure::line);
            return Err(match self.lost()? {
                Some(lost) => failure.line(lost).hint(SAY_WHERE),
                None => failure,
            });
        };
        // A PV that cannot be used passes for missing, and this says why.
        let why = |error: &PvError| group.partial() && may_be_one(error);
        let ours = |notice: &&Notice| !matches!(notice, Notice::Unusable { error } if !why(error));
        let seen = scan.notices.iter().filter(|notice| match notice {
            Notice::Recovered { .. } => true,
            Notice::Duplicate { uuid, .. } => group.descriptor().pv(*uuid).is_some(),
            Notice::Unusable { error } => why(error),
            _ => false,
        });
        let notices = seen.chain(group.notices().iter().filter(ours)).cloned().collect();
        let seen: Vec<_> = files(&group).into_iter().map(|(uuid, found)| (uuid, found.path)).collect();
        self.heal(&seen)?;
        Ok((group, notices))
    }

    /// That writes to these PVs were interrupted, and what rolls them back.
    fn interrupted(&self, pvs: &[&Path]) -> Failure {
        let line = |path: &&Path| PvError::NeedsRecovery { path: (*path).to_owned() }.to_string();
        let lines = pvs.iter().map(line).collect();
        let failure = Failure { code: code::FAILED, lines, hint: None };
        failure.hint(format!("roll it back with: {}", self.words("df")))
    }

    /// Fails when a write to a PV of the group was interrupted: what the group holds is known once that is rolled back.
    pub(crate) fn refuse_interrupted(&self, group: &VolumeGroup) -> Done {
        let waiting: Vec<&Path> =
            group.pvs().iter().filter(|member| member.interrupted()).map(|member| &*member.path).collect();
        if waiting.is_empty() { Ok(()) } else { Err(self.interrupted(&waiting)) }
    }

    /// Who has a volume open.
    pub(crate) fn owner(&self, group: &VolumeGroup, lv: &vg::LvRecord) -> Option<Holder> {
        let held = group.activation_lock_paths(lv).into_iter().find(|path| is_held(path))?;
        Some(Holder::of(&self.env, &held))
    }
}

/// Whether what cannot be used may be a PV: not a database of another program, nor what the group tells of by itself.
fn may_be_one(error: &PvError) -> bool {
    !matches!(error, PvError::Foreign { .. } | PvError::NeedsRecovery { .. })
}

/// A PV that needs write access before it can be read.
fn is_interrupted(notice: &Notice) -> bool {
    matches!(notice, Notice::Unusable { error } if matches!(**error, PvError::NeedsRecovery { .. }))
}

fn foreign(notice: &Notice) -> Option<&Path> {
    match notice {
        Notice::Unusable { error } => match &**error {
            PvError::Foreign { path, .. } => Some(path),
            _ => None,
        },
        _ => None,
    }
}

/// The PV files of a group that are there.
fn files(group: &VolumeGroup) -> Files {
    let found = |member: &vg::Member| {
        if !member.present() && !member.interrupted() {
            return None;
        }
        let descriptor = group.descriptor();
        let extents = || descriptor.pv(member.uuid).map(|record| descriptor.extent_size.times(record.pe_count.get()));
        let capacity = member.capacity().or_else(extents)?.get();
        Some((member.uuid, Found { path: member.path.clone(), capacity }))
    };
    group.pvs().iter().filter_map(found).collect()
}

/// Longest note in a lock file.
const NOTE: usize = 64;

/// Whether a living process holds the lock file. A lock whose note names a dead process is not even tried: trying
/// could make an activation that begins at this moment fail.
fn is_held(path: &Path) -> bool {
    if RealHost.lock_holder(path).is_some() {
        return true;
    }
    // What can be read is a regular file, and opening it below waits for nobody.
    let Ok(note) = RealHost.read(path, NOTE) else { return false };
    let note = String::from_utf8_lossy(&note);
    let pid =
        note.split_whitespace().next_back().and_then(|word| word.parse().ok()).and_then(rustix::process::Pid::from_raw);
    let alive = pid.is_none_or(|pid| match rustix::process::test_kill_process(pid) {
        Ok(()) => true,
        Err(error) => error == rustix::io::Errno::PERM,
    });
    alive
        && std::fs::File::open(path)
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}
