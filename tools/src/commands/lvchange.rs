//! `lvchange`.

use anyfs_lvm::pv::{Access, Holder, ProcessState};
use anyfs_lvm::vg::LvName as Name;

use super::Entry;
use crate::args::{Common, LvName, lv_name};
use crate::cli::Verb;
use crate::failure::{Done, Failure, code};
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<LvChange>("Take a logical volume over from a stopped process");

/// Take a logical volume over from a process that does not give it free
///
/// lvchange -ay --takeover VG/LV goes past the lock of the volume's owner, which from then on can change nothing any more:
/// when it goes on, its next write is refused, and what it had not synced is lost. Anybody may use the volume afterwards.
#[derive(Debug, clap::Parser)]
#[command(name = "lvchange", version, disable_version_flag = true)]
pub(crate) struct LvChange {
    /// The volumes
    #[arg(required = true, value_name = "VG/LV")]
    names: Vec<String>,
    /// y: activate
    #[arg(short, long, value_name = "y|n")]
    activate: Option<String>,
    /// Go past the lock of an owner that is stopped
    #[arg(long)]
    takeover: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for LvChange {
    const NAME: &'static str = "lvchange";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        self.check()?;
        let session = Session::new(&self.common)?;
        ui.each(&self.names, |ui, name| {
            let target = lv_name(name)
                .ok_or_else(|| Failure::usage(Self::NAME, format!("\"{name}\": please give the volume as VG/LV.")))?;
            take_over(&session, ui, &target)
        })
    }
}

impl LvChange {
    /// Taking over is what this command can do so far.
    fn check(&self) -> Done {
        let line = match (self.activate.as_deref(), self.takeover) {
            (Some("y" | "ay" | "ey" | "ly"), true) => return Ok(()),
            (None, true) => "--takeover goes with -ay.",
            (Some("y" | "ay" | "ey" | "ly"), false) => {
                "A volume is active while a process uses it; -ay alone changes nothing (with --takeover it takes a volume over)."
            }
            (Some("n" | "an" | "en" | "ln"), false) => "The process that uses a volume gives it free by ending.",
            (Some("n" | "an" | "en" | "ln"), true) => "--takeover goes with -ay, not with -an.",
            (Some(value), _) => return Err(Failure::argument("--activate", value, "")),
            (None, false) => "Nothing to change: lvchange -ay --takeover VG/LV is what this version can do.",
        };
        Err(Failure::usage(Self::NAME, line))
    }
}

fn take_over(session: &Session, ui: &mut Ui<'_>, name: &LvName) -> Done {
    let group = session.group(ui, &name.vg, Access::ReadWrite)?;
    let missing = || Failure::new(format!("Failed to find logical volume \"{name}\""));
    let lv = Name::new(&name.lv).map_err(|_| missing())?;
    let record = group.lv(&lv).map_err(|_| missing())?;
    let owner = session.owner(&group, record);
    drop(group);
    let Some(owner) = owner else {
        ui.say(&format!("Logical volume {name} is not in use."));
        return Ok(());
    };
    if session.test {
        ui.say(&format!("Logical volume {name} would be taken over from {owner}."));
        return Ok(());
    }
    if !agreed(ui, name, &owner) {
        let line = format!("Logical volume {name} not taken over.");
        return Err(Failure { code: code::FAILED, lines: vec![line], hint: None });
    }
    session.take_over(ui, name)?;
    let former = Holder { state: ProcessState::Unknown, ..owner };
    ui.say(&format!("Logical volume {name} taken over from {former}."));
    Ok(())
}

/// Who is stopped loses nothing by being asked about; who works loses what it has not synced.
fn agreed(ui: &mut Ui<'_>, name: &LvName, owner: &Holder) -> bool {
    if owner.is_stopped() {
        return true;
    }
    ui.warn(&format!("Logical volume {name} is in use by {owner}, which loses what it has not synced."));
    ui.confirm(&format!("Really take over logical volume {name} [y/n]? "))
}
