//! Reading, processing and writing items at the same time, in bounded memory and in order.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::report::failure::Failure;

/// Number of items besides those that the workers process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spare {
    /// One that is being read, one that is being written, and one that waits.
    Three,
    /// No waiting item, because items take much memory.
    Two,
}

/// A message from the workers to the writer: the number of an item, and its result.
type Done<Item> = (u64, Result<Item, Failure>);

/// Fills items with `read`, processes them with `work`, and passes them to `write` in order.
///
/// `read` runs on one thread, `work` on `threads` other threads, and `write` on this thread. Each
/// worker has its own state. A fixed number of items is reused, so that their memory is allocated
/// once. `read` returns `false` at the end of the input. If several items fail, this returns the
/// failure of the first item, for any number of threads. After a failure, it does not wait for the
/// threads, because one may be blocked on a pipe.
pub fn run<Item, State>(
    threads: usize,
    spare: Spare,
    mut read: impl FnMut(&mut Item) -> Result<bool, Failure> + Send + 'static,
    work: impl Fn(&mut Item, &mut State) -> Result<(), Failure> + Send + Clone + 'static,
    mut write: impl FnMut(&mut Item) -> Result<(), Failure>,
) -> Result<(), Failure>
where
    Item: Default + Send + 'static,
    State: Default + 'static,
{
    let (free, to_fill) = mpsc::channel();
    let (filled, to_do) = mpsc::channel();
    let (done, to_write) = mpsc::channel();
    let spare = match spare {
        Spare::Three => 3,
        Spare::Two => 2,
    };
    for _ in 0..threads + spare {
        let _ = free.send(Item::default());
    }
    let to_do = Arc::new(Mutex::new(to_do));
    let mut handles = Vec::with_capacity(threads + 1);
    for _ in 0..threads {
        let (work, to_do, done) = (work.clone(), Arc::clone(&to_do), done.clone());
        handles.push(spawn(move || run_worker(work, &to_do, &done))?);
    }
    // The workers hold the only other reference, so that the reader notices when they end.
    drop(to_do);
    handles.push(spawn(move || run_reader(&mut read, &to_fill, &filled, &done))?);
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

fn run_reader<Item>(
    read: &mut impl FnMut(&mut Item) -> Result<bool, Failure>,
    to_fill: &Receiver<Item>,
    filled: &Sender<(u64, Item)>,
    done: &Sender<Done<Item>>,
) {
    for number in 0.. {
        let Ok(mut item) = to_fill.recv() else { return };
        match read(&mut item) {
            Ok(true) => {
                if filled.send((number, item)).is_err() {
                    return;
                }
            }
            Ok(false) => return,
            Err(failure) => {
                let _ = done.send((number, Err(failure)));
                return;
            }
        }
    }
}

fn run_worker<Item, State: Default>(
    work: impl Fn(&mut Item, &mut State) -> Result<(), Failure>,
    to_do: &Mutex<Receiver<(u64, Item)>>,
    done: &Sender<Done<Item>>,
) {
    let mut state = State::default();
    loop {
        // One worker waits for an item and holds the lock; the others wait for the lock.
        let next = to_do.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, mut item)) = next else { return };
        let result = work(&mut item, &mut state).map(|()| item);
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
            // The reader may have ended already.
            let _ = free.send(item);
            next += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn writes_reused_items_in_order() {
        let mut count = 0;
        let mut written = Vec::new();
        run(
            4,
            Spare::Three,
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
            Spare::Two,
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
}
