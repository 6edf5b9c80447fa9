//! `top`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyfs_lvm::lv::LvError;
use anyfs_lvm::owner::Client;
use anyfs_lvm::pv::Access;
use anyfs_lvm::vg;
use serde_json::{Value, json};

use super::{Entry, choosing};
use crate::activity::{Activity, Look};
use crate::args::{Common, LvName};
use crate::cli::Verb;
use crate::failure::{Done, Failure, chain};
use crate::files::stop::Stop;
use crate::mounting::answers;
use crate::picture::shown;
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Top>("Watch logical volumes that are in use");

/// Watch logical volumes that are mounted, or open in a program that serves them
///
/// How many operations of each kind there were, how long they took, and what the process that has the volume holds in
/// memory and keeps back on disk; once a second until Ctrl-C, the first time since the volume was activated. Looking changes
/// nothing: what is in the kernel's cache of a mount is not written out, and what it answers from there is not counted.
#[derive(Debug, clap::Parser)]
#[command(name = "top", version, disable_version_flag = true)]
#[command(mut_arg("debug", |arg| arg.short(None)))]
pub(crate) struct Top {
    /// Only these; all that are in use when none is given
    #[arg(value_name = "VG|VG/LV")]
    names: Vec<String>,
    /// A line of JSON for each volume and look
    #[arg(long)]
    json: bool,
    /// Seconds from one look to the next
    #[arg(short, long, value_name = "SECONDS", default_value_t = 1)]
    delay: u32,
    /// End after so many looks
    #[arg(short = 'n', long, value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    common: Common,
}

/// How long Ctrl-C may go unnoticed.
const TICK: Duration = Duration::from_millis(100);

impl Verb for Top {
    const NAME: &'static str = "top";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        let (mut watched, done) = self.find(ui, &session)?;
        let stop = Stop::watch()?;
        let delay = Duration::from_secs(self.delay.max(1).into());
        let mut ended = Ok(());
        for number in 0.. {
            let began = Instant::now();
            watched.retain_mut(|one| match one.look() {
                Ok((now, before)) => {
                    let activity = Activity::new(&now, before.as_ref());
                    let text = if self.json { one.json(&activity) } else { one.table(&activity) };
                    ui.raw(text.as_bytes());
                    true
                }
                Err(error) => {
                    let failure = Failure::new(format!("{}: {}", one.name, chain(&error)));
                    ui.failure(&failure);
                    ended = Err(Failure::silent(failure.code));
                    false
                }
            });
            ui.flush();
            let last = self.count.is_some_and(|count| number + 1 >= count);
            if last || watched.is_empty() || ui.closed() {
                break;
            }
            while began.elapsed() < delay && !stop.asked() {
                std::thread::sleep(TICK.min(delay));
            }
            if stop.asked() {
                break;
            }
        }
        done.and(ended)
    }
}

impl Top {
    /// The volumes to watch; those that were named and cannot be watched are told.
    fn find(&self, ui: &mut Ui<'_>, session: &Session) -> Done<(Vec<Watched>, Done)> {
        let chosen = choosing::volumes(session, ui, &self.names, Access::ReadOnly)?;
        let named = chosen.tell(ui);
        let mut watched = Vec::new();
        let done = ui.each(&chosen.volumes, |_, name| {
            match Watched::find(session, name) {
                Ok(one) => watched.push(one),
                // Whoever asks for all asks for those that there are.
                Err(_) if self.names.is_empty() => {}
                Err(failure) => return Err(failure),
            }
            Ok(())
        });
        Ok((watched, named.and(done)))
    }
}

/// A volume and the process that has it.
struct Watched {
    name: LvName,
    client: Client,
    last: Option<Look>,
}

impl Watched {
    fn find(session: &Session, name: &LvName) -> Done<Self> {
        let (group, _) = session.find_group(&name.vg, Access::ReadOnly)?;
        let missing = || Failure::new(format!("Failed to find logical volume \"{name}\""));
        let lv = vg::LvName::new(&name.lv).map_err(|_| missing())?;
        let record = group.lv(&lv).map_err(|_| missing())?;
        let holder = session.owner(&group, record).ok_or_else(|| Failure::new(format!("{name} is not in use.")))?;
        let asked = holder.pid.filter(|_| answers(&holder)).map(|pid| Client::find(record.family, pid));
        let found = asked.transpose().map_err(|error| Failure::new(format!("{name}: {}", chain(&error))))?.flatten();
        let client =
            found.ok_or_else(|| Failure::new(format!("{name} is in use by {holder}, which takes no requests")))?;
        Ok(Self { name: name.clone(), client, last: None })
    }

    /// How it is, and how it was at the look before.
    fn look(&mut self) -> Result<(Look, Option<Look>), LvError> {
        let (usage, space) = self.client.counts()?;
        let now = Look { meters: self.client.meters()?, usage, space };
        let before = self.last.replace(now.clone());
        Ok((now, before))
    }

    fn table(&self, activity: &Activity<'_>) -> String {
        let served = self.client.served();
        let mounted = served.mounted.as_deref().map(|dir| format!(", mounted on {}", shown(dir)));
        format!("  {}: process {}{}\n{}", self.name, served.pid, mounted.unwrap_or_default(), activity.table())
    }

    fn json(&self, activity: &Activity<'_>) -> String {
        let served = self.client.served();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        let mut fields = activity.json();
        fields.insert("time".to_owned(), json!(now));
        fields.insert("lv".to_owned(), json!(self.name.to_string()));
        fields.insert("pid".to_owned(), json!(served.pid));
        fields.insert("mounted".to_owned(), json!(served.mounted.as_deref().map(shown)));
        format!("{}\n", Value::Object(fields))
    }
}
