//! A volume whose owner was stopped: who has it is told, it can be taken over, and the former owner changes nothing more.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::Child;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::support::Place;

/// A command that has the volume `home` open and waits for more input.
struct Owner(Child);

impl Owner {
    fn start(place: &Place, path: &str) -> Self {
        let mut child = place.start(&format!("put vg0/home:{path}"));
        // It is open once the command has taken what a pipe does not hold.
        child.stdin.as_mut().unwrap().write_all(&vec![1; 1 << 20]).unwrap();
        Self(child)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    fn stop(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        waitpid(Some(self.pid()), WaitOptions::UNTRACED).unwrap();
    }

    fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// Ends its input; exit code and what it said.
    fn end(mut self) -> (i32, String) {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

/// What SQLite keeps of the pool; what it shares between processes apart.
fn stored(place: &Place) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = place.contents();
    all.retain(|path, _| !path.to_string_lossy().ends_with("-shm") && !path.to_string_lossy().ends_with("reserve"));
    all
}

#[test]
fn a_stopped_owner_is_named_taken_over_and_refused_when_it_goes_on() {
    let place = Place::with_home();
    place.input("put vg0/home:/kept", b"acknowledged");
    let zombie = Owner::start(&place, "/never");
    let pid = zombie.pid();
    zombie.stop();
    let refused = place.run("cat vg0/home:/kept");
    let line = format!("  vg0/home: the logical volume is in use by process {pid}, which is stopped\n");
    refused.fails(5, &line);
    assert!(refused.err.ends_with("anyfs-lvm lvchange -ay --takeover vg0/home\n"), "{refused:?}");
    let would = place.run("lvchange -t -ay --takeover vg0/home").ok();
    assert!(would.contains(&format!("would be taken over from process {pid}, which is stopped.")), "{would}");

    let said = place.run("lvchange -ay --takeover vg0/home").ok();
    assert_eq!(said, format!("  Logical volume vg0/home taken over from process {pid}.\n"));
    assert_eq!(place.run("cat vg0/home:/kept").ok(), "acknowledged");
    assert_eq!(place.input("put vg0/home:/new", b"by the new owner").code, 0);
    place.run("lvextend -L +1m vg0/home").ok();
    let owner = Owner::start(&place, "/later");

    let before = stored(&place);
    zombie.go_on();
    let (code, said) = zombie.end();
    assert_eq!((code, said.lines().count()), (5, 1), "{said}");
    let by = format!("process {} has taken the logical volume over", owner.pid());
    assert!(said.contains(&by), "{said}");
    assert!(before == stored(&place), "a former owner changed a file");

    // Its end has not given free what it no longer had.
    let refused = place.run("cat vg0/home:/kept");
    refused.fails(5, &format!("  vg0/home: the logical volume is in use by process {}\n", owner.pid()));
    assert_eq!(owner.end(), (0, String::new()));
    assert_eq!(place.run("ls vg0/home:/").ok(), "kept\nlater\nnew\n");
    assert_eq!(place.run("cat vg0/home:/new").ok(), "by the new owner");
    assert_eq!(place.run("cat vg0/home:/later").ok().len(), 1 << 20);
}

#[test]
fn an_owner_that_works_is_only_passed_over_when_that_is_confirmed() {
    let place = Place::with_home();
    let owner = Owner::start(&place, "/f");
    let refused = place.run("lvchange -ay --takeover vg0/home");
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains(&format!("in use by process {}", owner.pid())), "{refused:?}");
    assert!(refused.err.contains("not taken over"), "{refused:?}");
    assert_eq!(place.run("cat vg0/home:/f").code, 5);
    assert_eq!(owner.end(), (0, String::new()));

    let owner = Owner::start(&place, "/g");
    assert_eq!(place.run("lvchange -y -ay --takeover vg0/home").code, 0);
    let (code, said) = owner.end();
    assert!(code == 5 && said.contains("has taken the logical volume over"), "{said}");
    assert_eq!(place.run("ls vg0/home:/").ok(), "f\n");
}

#[test]
fn what_is_not_in_use_needs_no_takeover_and_nothing_else_is_changed() {
    let place = Place::with_home();
    assert_eq!(place.run("lvchange -ay --takeover vg0/home").ok(), "  Logical volume vg0/home is not in use.\n");
    place.run("lvchange -ay --takeover vg0/none").fails(5, "  Failed to find logical volume \"vg0/none\"\n");
    place
        .run("lvchange -ay --takeover none/home")
        .fails(5, "  Volume group \"none\" not found\n  Cannot process volume group none\n");
    for (line, first) in [
        ("lvchange -ay vg0/home", "  A volume is active while a process uses it"),
        ("lvchange -an vg0/home", "  The process that uses a volume gives it free by ending."),
        ("lvchange -an --takeover vg0/home", "  --takeover goes with -ay, not with -an."),
        ("lvchange --takeover vg0/home", "  --takeover goes with -ay."),
        ("lvchange vg0/home", "  Nothing to change"),
        ("lvchange -ax vg0/home", "  Invalid argument for --activate: x"),
        ("lvchange -ay --takeover vg0", "  \"vg0\": please give the volume as VG/LV."),
        ("lvchange -pr vg0/home", "lvchange: invalid option -- 'p'"),
        ("lvchange --addtag x vg0/home", "lvchange: unrecognized option '--addtag'"),
        ("lvchange -ay --takeover", "  No command with matching syntax recognised."),
    ] {
        place.ensure_untouched(line).refused(first);
    }
}
