//! Reading, processing and writing items at the same time, in bounded memory and in order.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::report::failure::Failure;

/// A message from the workers to the writer: the number of an item, and its result.
type Done<Item> = (u64, Result<Item, Failure>);

/// Fills items with `read`, processes them with `work`, and passes them to `write` in order.
///
/// `work` runs on up to `threads` threads at the same time, each with a state of its own. `read`
/// runs on one thread at a time, and `write` on this thread. The thread that read an item processes
/// it as well, because its caches hold the item. `threads + 1` items are reused, so that their
/// memory is allocated once.
///
/// `read` returns `false` at the end of the input. If several items fail, this returns the failure
/// of the first item, for any number of threads. After a failure, it does not wait for the threads,
/// because one may be blocked on a pipe.
pub fn run<Item, State>(
    threads: usize,
    read: impl FnMut(&mut Item) -> Result<bool, Failure> + Send + 'static,
    work: impl Fn(&mut Item, &mut State) -> Result<(), Failure> + Send + Clone + 'static,
    mut write: impl FnMut(&mut Item) -> Result<(), Failure>,
) -> Result<(), Failure>
where
    Item: Default + Send + 'static,
    State: Default + Send + 'static,
{
    // One worker reads while the others work.
    let workers = threads + 1;
    let (free, to_fill) = mpsc::channel();
    let (done, to_write) = mpsc::channel();
    for _ in 0..workers {
        let _ = free.send(Item::default());
    }
    let source = Arc::new(Mutex::new(Source { read, to_fill, next: Some(0) }));
    let states: Arc<[Mutex<State>]> = (0..threads).map(|_| Mutex::default()).collect();
    let mut handles = Vec::with_capacity(workers);
    for _ in 0..workers {
        let (source, states) = (Arc::clone(&source), Arc::clone(&states));
        let (work, done) = (work.clone(), done.clone());
        handles.push(spawn(move || run_worker(&source, &states, work, &done))?);
    }
    // The workers hold the only other sender, so that the writer notices when they end.
    drop(done);
    write_in_order(&to_write, &free, &mut write)?;
    for handle in handles {
        if let Err(panic) = handle.join() {
            std::panic::resume_unwind(panic);
        }
    }
    Ok(())
}

fn spawn(body: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, Failure> {
    thread::Builder::new().spawn(body).map_err(|error| {
        Failure::new("threads", format_args!("cannot be started: {error}"))
            .hint("ask for fewer with --threads")
    })
}

/// Locks, even after a panic of another thread, which is reported later.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The input, from which workers take one item after the other.
struct Source<Item, Read> {
    read: Read,
    to_fill: Receiver<Item>,
    /// The number of the next item; `None` at the end.
    next: Option<u64>,
}

impl<Item, Read: FnMut(&mut Item) -> Result<bool, Failure>> Source<Item, Read> {
    /// Reads the next item, and returns its number; `None` at the end and after a failure.
    fn next(&mut self) -> Option<Done<Item>> {
        let number = self.next.take()?;
        let mut item = self.to_fill.recv().ok()?;
        match (self.read)(&mut item) {
            Ok(true) => {
                self.next = Some(number + 1);
                Some((number, Ok(item)))
            }
            Ok(false) => None,
            Err(failure) => Some((number, Err(failure))),
        }
    }
}

fn run_worker<Item, State>(
    source: &Mutex<Source<Item, impl FnMut(&mut Item) -> Result<bool, Failure>>>,
    states: &[Mutex<State>],
    work: impl Fn(&mut Item, &mut State) -> Result<(), Failure>,
    done: &Sender<Done<Item>>,
) {
    loop {
        // One worker waits for an item and holds the lock; the others wait for the lock.
        let Some((number, item)) = lock(source).next() else { return };
        let result = item.and_then(|mut item| {
            // Only the oldest item and the newest share a state.
            let mut state = lock(&states[(number % states.len() as u64) as usize]);
            work(&mut item, &mut state)?;
            Ok(item)
        });
        if done.send((number, result)).is_err() {
            return;
        }
    }
}

fn write_in_order<Item>(
    to_write: &Receiver<Done<Item>>,
    free: &Sender<Item>,
    write: &mut impl FnMut(&mut Item) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, result) in to_write {
        early.insert(number, result);
        while let Some(result) = early.remove(&next) {
            let mut item = result?;
            write(&mut item)?;
            // The workers may have ended already.
            let _ = free.send(item);
            next += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn writes_reused_items_in_order() {
        let mut count = 0;
        let mut written = Vec::new();
        run(
            4,
            move |item: &mut (u64, u64)| {
                count += 1;
                item.0 = count;
                Ok(count <= 100)
            },
            |item, _: &mut ()| {
                thread::sleep(Duration::from_micros(item.0 * 7 % 50));
                item.1 = item.0 * 2;
                Ok(())
            },
            |item| {
                written.push(item.1);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(written, (1..=100).map(|number| number * 2).collect::<Vec<_>>());
    }

    #[test]
    fn returns_the_failure_of_the_earliest_item() {
        let mut count = 0;
        let mut written = 0;
        let failure = run(
            3,
            move |item: &mut u64| {
                *item = count;
                count += 1;
                if count == 20 { Err(Failure::new("reader", "")) } else { Ok(true) }
            },
            |item, _: &mut ()| match *item {
                10 => {
                    thread::sleep(Duration::from_millis(20));
                    Err(Failure::new("ten", ""))
                }
                12 => Err(Failure::new("twelve", "")),
                _ => Ok(()),
            },
            |_| {
                written += 1;
                Ok(())
            },
        )
        .unwrap_err();
        assert!(failure.to_string().contains("ten"), "{failure}");
        assert_eq!(written, 10);
    }

    #[test]
    fn bounds_the_items_and_the_threads_that_work() {
        static ITEMS: AtomicUsize = AtomicUsize::new(0);
        static WORKING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        struct Counted;
        impl Default for Counted {
            fn default() -> Self {
                ITEMS.fetch_add(1, Ordering::Relaxed);
                Self
            }
        }
        for threads in 1..4 {
            let mut count = 0;
            ITEMS.store(0, Ordering::Relaxed);
            MOST.store(0, Ordering::Relaxed);
            run(
                threads,
                move |_: &mut Counted| {
                    count += 1;
                    Ok(count <= 50)
                },
                |_, _: &mut ()| {
                    MOST.fetch_max(WORKING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(1));
                    WORKING.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                },
                |_| Ok(()),
            )
            .unwrap();
            assert_eq!(ITEMS.load(Ordering::Relaxed), threads + 1);
            assert_eq!(MOST.load(Ordering::Relaxed), threads);
        }
    }

    #[test]
    fn does_not_wait_for_a_blocked_reader() {
        let mut count = 0;
        let (_keep, blocked) = mpsc::channel::<()>();
        let failure = run(
            2,
            move |item: &mut u64| {
                *item = count;
                count += 1;
                // The second item never comes.
                Ok(count == 1 || blocked.recv().is_ok())
            },
            |_, _: &mut ()| Err(Failure::new("first", "")),
            |_| Ok(()),
        );
        assert!(failure.unwrap_err().to_string().contains("first"));
    }

    #[test]
    fn reports_a_panic() {
        let mut count = 0;
        let panic = std::panic::catch_unwind(move || {
            run(
                1,
                move |_: &mut ()| {
                    count += 1;
                    Ok(count <= 20)
                },
                |_, _: &mut ()| panic!("expected"),
                |_| Ok(()),
            )
        });
        assert!(panic.is_err());
    }
}
