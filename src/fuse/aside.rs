//! What a thread that serves the kernel must not do itself, because it may have to wait for what such threads do.
//!
//! One thread for it is there as long as the mount; more come while there is more to do, as far as there can be more. So
//! nobody is refused because no thread can be started.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Threads that come and go, at most.
const MORE: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// What is to be done, and who does it.
#[derive(Default)]
struct Work {
    jobs: VecDeque<Job>,
    /// The thread that stays has nothing to do.
    idle: bool,
    /// Threads that came because there was more.
    more: usize,
    ended: bool,
}

/// Threads beside those that serve the kernel.
pub(super) struct Aside {
    work: Mutex<Work>,
    come: Condvar,
    /// Threads that may come and go.
    most: usize,
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aside").finish_non_exhaustive()
    }
}

impl Aside {
    /// Starts the thread that stays until [`end`](Self::end).
    pub(super) fn start() -> io::Result<Arc<Self>> {
        Self::start_with(MORE)
    }

    fn start_with(most: usize) -> io::Result<Arc<Self>> {
        let aside = Arc::new(Self { work: Mutex::default(), come: Condvar::new(), most });
        let staying = Arc::clone(&aside);
        std::thread::Builder::new().name("aside".to_owned()).spawn(move || staying.stay())?;
        Ok(aside)
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has something done soon, by another thread.
    pub(super) fn give(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) {
        let mut work = self.work();
        work.jobs.push_back(Box::new(job));
        if std::mem::take(&mut work.idle) {
            self.come.notify_one();
        } else if work.more < self.most {
            work.more = work.more.saturating_add(1);
            drop(work);
            let helper = Arc::clone(self);
            let started = std::thread::Builder::new().name("aside".to_owned()).spawn(move || helper.help());
            if started.is_err() {
                // The one that stays comes to it.
                self.left();
            }
        }
    }

    /// No more will be given.
    pub(super) fn end(&self) {
        self.work().ended = true;
        self.come.notify_one();
    }

    /// Does whatever comes.
    fn stay(&self) {
        let mut work = self.work();
        loop {
            if let Some(job) = work.jobs.pop_front() {
                drop(work);
                run(job);
                work = self.work();
            } else if work.ended {
                return;
            } else {
                work.idle = true;
                work = self.come.wait(work).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Does what there is.
    fn help(&self) {
        loop {
            let Some(job) = self.work().jobs.pop_front() else { break };
            run(job);
        }
        self.left();
    }

    fn left(&self) {
        let mut work = self.work();
        work.more = work.more.saturating_sub(1);
    }
}

/// A job that dies leaves its caller without an answer, and the others alone.
fn run(job: Job) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn all_is_done_when_no_more_threads_can_be_started() {
        let aside = Aside::start_with(0).unwrap();
        let (tell, told) = channel();
        for number in 0..100 {
            let tell = tell.clone();
            aside.give(move || tell.send(number).unwrap());
        }
        for number in 0..100 {
            assert_eq!(told.recv_timeout(LONG), Ok(number));
        }
        aside.end();
    }

    #[test]
    fn nobody_waits_for_who_takes_long_and_a_job_that_dies_takes_nobody_along() {
        let aside = Aside::start().unwrap();
        let (tell, told) = channel();
        let (go, wait) = channel::<()>();
        aside.give(move || {
            let _ = wait.recv();
        });
        aside.give(|| panic!("a job that dies, in a test"));
        for number in 0..100 {
            let tell = tell.clone();
            aside.give(move || tell.send(number).unwrap());
        }
        let mut all: Vec<i32> = (0..100).map(|_| told.recv_timeout(LONG).unwrap()).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100));
        drop(go);
        aside.end();
    }

    #[test]
    fn its_threads_end() {
        let aside = Aside::start().unwrap();
        let known = Arc::downgrade(&aside);
        for _ in 0..10 {
            aside.give(|| ());
        }
        aside.end();
        drop(aside);
        let began = std::time::Instant::now();
        while known.strong_count() > 0 {
            assert!(began.elapsed() < LONG);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
