//! Processes many files at once: each large file on many threads, small files in parallel.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::fs::names::Direction;
use crate::job::commit::{self, Stats};
use crate::report::failure::{Failure, say};
use crate::report::progress::TotalProgress;
use crate::report::{terminal, units};

/// Minimum number of bytes for each thread: two frames.
///
/// This bounds memory as well. A smaller file needs little more memory than its length, and the
/// memory for a larger file depends on its threads.
const BYTES_PER_THREAD: u64 = 8 << 20;

/// The result of processing one file.
#[derive(Debug)]
pub enum Outcome {
    /// The result was written.
    Done(Stats),
    /// The result existed already.
    UpToDate,
}

/// A function that processes one file on a number of threads.
pub type Action<'a> = Box<dyn FnOnce(usize) -> Result<Outcome, Failure> + Send + 'a>;

/// The work on one file.
pub struct Task<'a> {
    /// Length of the source in bytes.
    pub len: u64,
    /// Processes the file on a number of threads.
    pub run: Action<'a>,
}

/// The results of processing many files.
#[derive(Debug, Default)]
pub struct BatchReport {
    done: u64,
    ready: u64,
    read: u64,
    written: u64,
    original: u64,
    /// Lines about files that were processed.
    pub warnings: Vec<String>,
    /// Files that could not be processed.
    pub failures: Vec<Failure>,
}

/// Runs all tasks, with at most `threads` threads at a time that compress or decompress.
pub fn run(tasks: Vec<Task<'_>>, threads: usize, total: &TotalProgress) -> BatchReport {
    let count = tasks.len();
    let mut numbered: Vec<_> = tasks.into_iter().enumerate().collect();
    // The longest files come first, so that small files fill the gaps at the end.
    numbered.sort_by_key(|(_, task)| std::cmp::Reverse(task.len));
    let queue = Mutex::new(numbered.into_iter());
    let budget = Budget::new(threads);
    let outcomes = Mutex::new(Vec::with_capacity(count));
    let work = || {
        loop {
            // Waits for threads with the queue locked, so that small files cannot overtake a large
            // one.
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Some((number, task)) = queue.next() else { return };
            let share = budget.take(share_of(task.len, threads));
            drop(queue);
            let outcome = (task.run)(share.threads);
            drop(share);
            if matches!(outcome, Ok(Outcome::UpToDate)) {
                total.skip(task.len);
            }
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.push((number, outcome));
            total.set_label(format!("{} of {count} files", outcomes.len()));
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(work);
        }
    });
    total.clear();
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(number, _)| *number);
    let mut report = BatchReport::default();
    for (_, outcome) in outcomes {
        report.add(outcome);
    }
    report
}

/// Returns the number of threads to use for a file of this length.
fn share_of(len: u64, threads: usize) -> usize {
    usize::try_from(len / BYTES_PER_THREAD).unwrap_or(threads).clamp(1, threads)
}

/// The number of threads that are not in use.
struct Budget {
    free: Mutex<usize>,
    changed: Condvar,
}

impl Budget {
    fn new(threads: usize) -> Self {
        Self { free: Mutex::new(threads), changed: Condvar::new() }
    }

    /// Waits until this many threads are free, and takes them.
    fn take(&self, threads: usize) -> Share<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .changed
            .wait_while(free, |free| *free < threads)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= threads;
        Share { budget: self, threads }
    }
}

/// Threads for one file, which are returned when this value is dropped.
struct Share<'a> {
    budget: &'a Budget,
    threads: usize,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.free.lock().unwrap_or_else(PoisonError::into_inner) += self.threads;
        self.budget.changed.notify_all();
    }
}

impl BatchReport {
    fn add(&mut self, outcome: Result<Outcome, Failure>) {
        match outcome {
            Ok(Outcome::UpToDate) => self.ready += 1,
            Ok(Outcome::Done(stats)) => {
                self.done += 1;
                self.read += stats.read;
                self.written += stats.written;
                self.original += stats.original;
                self.warnings.extend(stats.warning);
            }
            Err(failure) => self.failures.push(failure),
        }
    }

    /// Adds the results of other files.
    pub fn extend(&mut self, other: Self) {
        self.done += other.done;
        self.ready += other.ready;
        self.read += other.read;
        self.written += other.written;
        self.original += other.original;
        self.warnings.extend(other.warnings);
        self.failures.extend(other.failures);
    }

    /// Returns a line about all files.
    pub fn summary(&self, subject: &str, direction: Direction, total: &TotalProgress) -> String {
        let participle = match direction {
            Direction::Compress => "compressed",
            Direction::Decompress => "decompressed",
        };
        let mut summary = format!("{subject}: {} {participle}", units::count(self.done, "file"));
        if self.ready > 0 {
            summary += &format!(", {} done before", self.ready);
        }
        if !self.failures.is_empty() {
            summary += &format!(", {} failed", self.failures.len());
        }
        if self.done > 0 {
            summary += &format!(
                "; {} {} {} ({}), {}",
                units::bytes(self.read),
                terminal::arrow(),
                units::bytes(self.written),
                commit::percent(self.read, self.written, self.original),
                units::rate(self.original, total.elapsed()),
            );
        }
        summary
    }

    /// Prints warnings, failures and the summary, and returns the worst exit status.
    pub fn print(&self, summary: &str, quiet: bool) -> Result<u8, Failure> {
        for warning in self.warnings.iter().filter(|_| !quiet) {
            say(warning);
        }
        let status = self.failures.iter().map(Failure::report).max().unwrap_or_default();
        if !quiet {
            writeln!(io::stdout(), "{summary}").map_err(|error| Failure::writing("-", error))?;
        }
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn large_files_get_more_threads() {
        assert_eq!(share_of(0, 4), 1);
        assert_eq!(share_of(2 * BYTES_PER_THREAD - 1, 4), 1);
        assert_eq!(share_of(3 * BYTES_PER_THREAD, 4), 3);
        assert_eq!(share_of(u64::MAX, 4), 4);
        assert_eq!(share_of(u64::MAX, 1), 1);
    }

    #[test]
    fn never_uses_more_threads_than_given() {
        let (busy, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (busy, most) = (&busy, &most);
        let tasks = (0..60).map(|number| Task {
            len: number % 7 * BYTES_PER_THREAD,
            run: Box::new(move |threads| {
                let now = busy.fetch_add(threads, Ordering::SeqCst) + threads;
                most.fetch_max(now, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(1));
                busy.fetch_sub(threads, Ordering::SeqCst);
                match number {
                    40 | 20 => Err(Failure::new(number, "")),
                    _ => Ok(Outcome::UpToDate),
                }
            }),
        });
        let total = TotalProgress::new(String::new(), 0, true);
        let report = run(tasks.collect(), 4, &total);
        assert_eq!(most.load(Ordering::SeqCst), 4);
        assert_eq!(report.ready, 58);
        let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
        assert_eq!(failures, ["zipnn: 20: ", "zipnn: 40: "], "in the order of the tasks");
    }
}
