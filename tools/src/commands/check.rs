//! `check`.

use std::collections::{BTreeMap, BTreeSet};

use anyfs_lvm::lv::{CheckOptions, CheckReport, Finding, Object};
use anyfs_lvm::pv::{Access, PvUuid};
use anyfs_lvm::vg::{self, Notice, Segment, VgError, VolumeGroup};
use serde_json::{Value, json};

use super::{Entry, choosing};
use crate::args::{Common, LvName};
use crate::cli::Verb;
use crate::failure::{Done, Failure, chain, code};
use crate::files::show;
use crate::picture::shown;
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Check>("Check logical volumes for damage and contradictions");

/// Check logical volumes for damage and contradictions
///
/// Reads only, and never repairs; all that it may leave are lock files and the index of a log. Every row of the metadata is verified by its checksum and compared with the others:
/// names and link counts, maps and references, used and free space; then the extents on all physical volumes, and the
/// copies of the metadata with each other. Ends with 0 only when nothing is wrong; what the next activation tidies up
/// anyway is noted and not wrong.
#[derive(Debug, clap::Parser)]
#[command(name = "check", version, disable_version_flag = true)]
pub(crate) struct Check {
    /// Volume groups (all their volumes) and logical volumes
    #[arg(required = true, value_name = "VG|VG/LV")]
    names: Vec<String>,
    /// Also read all bytes of files and verify their checksums, and whether the pages of physical volumes fit together
    #[arg(long)]
    data: bool,
    /// The result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Check {
    const NAME: &'static str = "check";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        if let Some(name) = self.names.iter().find(|name| name.contains(':')) {
            let line = format!("{}: a check is of whole volumes: give VG or VG/LV.", show::name(name.as_bytes()));
            return Err(Failure::usage(Self::NAME, line));
        }
        // Whatever is out of order with a group is told here, as a warning.
        let found = Session::new(&self.common).and_then(|session| {
            let chosen = choosing::volumes(&session, ui, &self.names, Access::ReadOnly)?;
            Ok((session, chosen))
        });
        let (session, chosen) = found.inspect_err(|failure| {
            if self.json {
                let none: Vec<Value> = self.names.iter().map(|name| failed(name, failure)).collect();
                print(ui, &none, &BTreeMap::new());
            }
        })?;
        let named = chosen.tell(ui);
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        let mut results: Vec<Value> = chosen.unknown.iter().map(|(name, why)| failed(name, why)).collect();
        let done = ui.each(&chosen.volumes, |ui, name| {
            let (report, hint) = self.check(&session, name, &mut groups).inspect_err(|failure| {
                results.push(failed(&name.to_string(), failure));
            })?;
            if let Some(group) = groups.get_mut(&name.vg) {
                group.said.extend(report.problems.iter().map(finding_text));
            }
            if self.json {
                results.push(object(name, &report));
            } else {
                tell(ui, name, &report);
            }
            if report.is_clean() { Ok(()) } else { Err(Failure { hint, ..dirty(name, &report) }) }
        });
        // A group without volumes may be out of order, too.
        let unknown = |name: &String| chosen.unknown.iter().any(|(unknown, _)| unknown == name);
        let without = |name: &&String| !name.contains('/') && !groups.contains_key(*name) && !unknown(name);
        let empty: Vec<String> = self.names.iter().filter(without).cloned().collect();
        let done = done.and(ui.each(&empty, |_, name| {
            let (group, notices) = session.find_group(name, Access::ReadOnly)?;
            groups.entry(name.clone()).or_default().tell(&group, &notices);
            Ok(())
        }));
        if self.data {
            self.look_at_pages(&session, ui, &mut groups);
        }
        if self.json {
            print(ui, &results, &groups);
        }
        let unsound: Vec<String> = groups.iter().filter_map(|(name, group)| group.told(name)).collect();
        for line in &unsound {
            ui.complain(line);
        }
        let sound = if unsound.is_empty() { Ok(()) } else { Err(Failure::silent(code::FAILED)) };
        named.and(done).and(sound)
    }
}

impl Check {
    /// Checks one volume; what is out of order with its group goes to `groups`. With what to do where copies of its metadata
    /// are missing.
    fn check(
        &self,
        session: &Session,
        name: &LvName,
        groups: &mut BTreeMap<String, Group>,
    ) -> Done<(CheckReport, Option<String>)> {
        let (group, notices) = session.find_group(&name.vg, Access::ReadOnly)?;
        let told = groups.entry(name.vg.clone()).or_default();
        told.tell(&group, &notices);
        session.refuse_interrupted(&group).map_err(|failure| not_checked(name, failure))?;
        let missing = || Failure::new(format!("Failed to find logical volume \"{name}\""));
        let lv = vg::LvName::new(&name.lv).map_err(|_| missing())?;
        let record = group.lv(&lv).map_err(|_| missing())?;
        told.used.extend(record.segments.iter().flat_map(Segment::legs).map(|leg| leg.pv));
        let options = CheckOptions { data: self.data, pages: false };
        let report = anyfs_lvm::check(&session.env, &group, &lv, options).map_err(|error| match error {
            anyfs_lvm::Error::Vg(VgError::LvNotFound { .. }) => missing(),
            error => {
                let failure = Failure::new(format!("{name}: {}", chain(&error)));
                Failure { hint: session.hint(&error), ..failure }
            }
        })?;
        let wanted = group.descriptor().wanted_copies(record);
        let few = u32::try_from(record.copies.len()).is_ok_and(|have| have < wanted);
        let command = format!("lvconvert --metadatacopies {wanted} {name}");
        Ok((report, few.then(|| format!("make another copy with: {}", session.words(&command)))))
    }
}

impl Check {
    /// Compares the pages of each PV with each other, once whatever is on it: all PVs of a group that was named, those that
    /// its volumes lie on otherwise. A page that is free and in use is harmless until the next write takes it.
    fn look_at_pages(&self, session: &Session, ui: &mut Ui<'_>, groups: &mut BTreeMap<String, Group>) {
        for (name, told) in groups {
            // What keeps the group from being found again was told when its volumes were checked.
            let Ok((group, _)) = session.find_group(name, Access::ReadOnly) else { continue };
            let whole = self.names.contains(name);
            for member in group.pvs().iter().filter(|member| whole || told.used.contains(&member.uuid)) {
                let line = match member.contradictions() {
                    Ok(None | Some(0)) => continue,
                    Ok(Some(count)) => {
                        format!("{}: its pages contradict each other (places: at least {count})", shown(&member.path))
                    }
                    Err(error) => chain(&error),
                };
                if told.said.insert(line.clone()) {
                    if !self.json {
                        ui.raw(format!("  {name}: {line}\n").as_bytes());
                    }
                    told.problems.push(line);
                }
            }
        }
    }
}

/// What a check says of a volume group as a whole.
#[derive(Debug, Default)]
struct Group {
    /// What is out of order with it.
    problems: Vec<String>,
    /// Its PVs that could not be looked at.
    not_checked: Vec<String>,
    /// PVs with extents of its volumes that are checked.
    used: BTreeSet<PvUuid>,
    /// What was said of them then.
    said: BTreeSet<String>,
}

impl Group {
    fn tell(&mut self, group: &VolumeGroup, notices: &[Notice]) {
        let unseen = group.pvs().iter().filter(|member| !member.present()).map(|member| {
            let why = if member.unopened().is_some() {
                "it cannot be opened"
            } else if member.interrupted() {
                "a write to it was interrupted"
            } else {
                "it is missing"
            };
            let place =
                if member.path.as_os_str().is_empty() { String::new() } else { format!(" ({})", shown(&member.path)) };
            format!("physical volume {}{place}: {why}", member.uuid)
        });
        self.not_checked = unseen.collect();
        self.problems = notices.iter().map(ToString::to_string).collect();
    }

    /// Why the check of its volumes does not end with 0, when it is because of the group.
    fn told(&self, name: &str) -> Option<String> {
        let of_group = match self.problems.len() {
            // What was given up before is no news.
            0 => return None,
            1 => "a problem of the volume group was found".to_owned(),
            count => format!("{count} problems of the volume group were found"),
        };
        let rest = if self.not_checked.is_empty() { "" } else { "; not checked: " };
        Some(format!("{name}: {of_group}{rest}{}.", self.not_checked.join("; ")))
    }
}

/// Why a volume was not checked. What to do was said together with what is out of order in its group.
fn not_checked(name: &LvName, failure: Failure) -> Failure {
    let lines = failure.lines.into_iter().map(|line| format!("{name}: not checked: {line}")).collect();
    Failure { lines, hint: None, ..failure }
}

/// A finding's object, safe for a terminal.
fn object_text(object: &Object) -> String {
    match object {
        Object::Path(path) => show::name(path),
        Object::Metadata(path) | Object::Pv(path) => shown(path),
        other => other.to_string(),
    }
}

fn finding_text(finding: &Finding) -> String {
    format!("{}: {}", object_text(&finding.object), show::line(&finding.what))
}

fn tell(ui: &mut Ui<'_>, name: &LvName, report: &CheckReport) {
    let line = |finding: &Finding| format!("{name}: {}", finding_text(finding));
    for finding in &report.problems {
        ui.raw(format!("  {}\n", line(finding)).as_bytes());
    }
    for finding in &report.notes {
        ui.say(&format!("{} (not a problem)", line(finding)));
    }
    if report.is_clean() {
        let seen = report.checked;
        let copies = if seen.copies == 1 { "one copy" } else { &format!("{} copies", seen.copies) };
        ui.say(&format!(
            "{name}: clean ({} inodes, {} extents, {} rows in {copies} of the metadata, {} bytes of files read)",
            seen.inodes, seen.extents, seen.rows, seen.bytes
        ));
    }
}

fn dirty(name: &LvName, report: &CheckReport) -> Failure {
    let kept = u64::try_from(report.problems.len()).unwrap_or(u64::MAX);
    let count = kept.saturating_add(report.more);
    let shown = if report.more > 0 { format!(", the first {kept} of which are listed") } else { String::new() };
    let problems = if count == 1 { "problem" } else { "problems" };
    Failure { code: code::FAILED, ..Failure::new(format!("{name}: {count} {problems} found{shown}.")) }
}

/// Everything as JSON.
fn print(ui: &mut Ui<'_>, results: &[Value], groups: &BTreeMap<String, Group>) {
    let told = |list: fn(&Group) -> &Vec<String>| -> BTreeMap<&String, &Vec<String>> {
        groups.iter().map(|(name, group)| (name, list(group))).collect()
    };
    let (problems, unseen) = (told(|group| &group.problems), told(|group| &group.not_checked));
    let all = json!({ "check": results, "group_problems": problems, "not_checked": unseen });
    ui.raw(format!("{all}\n").as_bytes());
}

/// What could not be checked at all.
fn failed(name: &str, why: &Failure) -> Value {
    let lines: Vec<&str> = why
        .lines
        .iter()
        .map(|line| line.strip_prefix(name).and_then(|line| line.strip_prefix(": ")).unwrap_or(line))
        .collect();
    json!({ "volume": name, "clean": false, "failed": lines.join("; ") })
}

fn object(name: &LvName, report: &CheckReport) -> Value {
    let findings = |list: &[Finding]| -> Vec<Value> {
        list.iter().map(|finding| json!({ "object": object_text(&finding.object), "what": finding.what })).collect()
    };
    let seen = report.checked;
    json!({
        "volume": name.to_string(),
        "clean": report.is_clean(),
        "checked": {
            "copies": seen.copies,
            "rows": seen.rows,
            "inodes": seen.inodes,
            "extents": seen.extents,
            "bytes": seen.bytes,
        },
        "problems": findings(&report.problems),
        "more_problems": report.more,
        "notes": findings(&report.notes),
    })
}
