//! Progress bars on a terminal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::terminal;

/// Time after which a progress bar appears.
const DELAY: Duration = Duration::from_millis(300);

/// A progress bar on standard error, if that is a terminal that can show it. Appears after a delay.
#[derive(Debug)]
pub struct Progress {
    is_visible: bool,
    label: String,
    total: Option<u64>,
    done: u64,
    start: Instant,
    bar: Option<ProgressBar>,
    /// The bar to update instead, if this is one of many files.
    total_progress: Option<Arc<TotalProgress>>,
}

impl Progress {
    /// Starts a bar for `total` bytes, if their number is known.
    pub fn new(label: String, total: Option<u64>, quiet: bool) -> Self {
        let is_visible = !quiet && terminal::can_show_progress();
        Self {
            is_visible,
            label,
            total,
            done: 0,
            start: Instant::now(),
            bar: None,
            total_progress: None,
        }
    }

    /// Starts progress for one of many files, which share a bar.
    pub fn part_of(total_progress: &Arc<TotalProgress>) -> Self {
        let mut progress = Self::new(String::new(), None, true);
        progress.total_progress = Some(Arc::clone(total_progress));
        progress
    }

    /// Adds processed bytes.
    pub fn add(&mut self, bytes: u64) {
        if let Some(total_progress) = &self.total_progress {
            total_progress.progress().add(bytes);
            return;
        }
        self.done += bytes;
        if !self.is_visible || (self.bar.is_none() && self.start.elapsed() < DELAY) {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = draw(self.total, &self.label).with_elapsed(self.start.elapsed());
            // Bytes that were processed before the bar appeared must not distort the estimate.
            bar.set_position(self.done);
            bar.reset_eta();
            bar
        });
        bar.set_position(self.done);
    }

    /// Returns the time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A progress bar for many files, several of which are processed at a time.
#[derive(Debug)]
pub struct TotalProgress(Mutex<Progress>);

impl TotalProgress {
    /// Starts a bar for `total` bytes.
    pub fn new(label: String, total: u64, quiet: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Progress::new(label, Some(total), quiet))))
    }

    /// Sets the text before the bar.
    pub fn set_label(&self, label: String) {
        let mut progress = self.progress();
        if let Some(bar) = &progress.bar {
            bar.set_message(label.clone());
        }
        progress.label = label;
    }

    /// Adds bytes of files that did not need processing.
    pub fn skip(&self, bytes: u64) {
        self.progress().add(bytes);
    }

    /// Removes the bar.
    pub fn clear(&self) {
        if let Some(bar) = self.progress().bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Returns the time since the start.
    pub fn elapsed(&self) -> Duration {
        self.progress().elapsed()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn draw(total: Option<u64>, label: &str) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
        ),
        None => {
            (ProgressBar::no_length(), "{msg} {spinner} {decimal_bytes} {decimal_bytes_per_sec}")
        }
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.set_message(label.to_owned());
    bar
}
