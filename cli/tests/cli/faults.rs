//! Faults of the system: the source stays unchanged, and a file with the name of a result is
//! complete.
//!
//! Every test tries a few faults at random moments. To try more:
//!
//! ```sh
//! FAULTS=1000 cargo test --release -p zipnn-cli --test cli faults:: -- --nocapture
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use data::Random;
use program::{Place, text};
use tempfile::TempDir;
use zipnn::{DType, Limits};

use crate::common::{data, skipped};
use crate::program;

/// Bytes of the source: some frames.
const LEN: usize = 12 << 20;

fn faults() -> usize {
    std::env::var("FAULTS").ok().and_then(|faults| faults.parse().ok()).unwrap_or(12)
}

/// Returns weights that are fast to make: a part of them, repeated.
fn weights() -> Vec<u8> {
    let part = data::weights(DType::BF16, 1 << 20, 1);
    part.iter().copied().cycle().take(LEN).collect()
}

/// Returns the duration of an undisturbed run.
fn time_of(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn send(signal: &str, child: &Child) {
    // It may have ended meanwhile.
    let id = child.id().to_string();
    let _ = Command::new("kill").args(["-s", signal, &id]).stderr(Stdio::null()).status();
}

/// Returns whether a result is complete or missing.
fn is_whole(path: &Path, expected: &[u8]) -> bool {
    fs::read(path).map_or(true, |found| found == expected)
}

#[test]
fn a_killed_run_leaves_complete_files() {
    let place = Place::new();
    let weights = weights();
    place.write("model", &weights);
    let compress = ["compress", "--dtype", "bf16", "model"];
    let decompress = ["decompress", "kept.znn", "-o", "back"];
    let time = time_of(|| drop(place.succeeds(&compress)));
    let file = place.read("model.znn");
    place.write("kept.znn", &file);
    place.remove("model.znn");

    let mut random = Random(5);
    let mut ended_early = 0;
    for fault in 0..faults() {
        let signal = ["KILL", "TERM", "INT"][fault % 3];
        let arguments = if fault % 2 == 0 { &compress[..] } else { &decompress };
        let mut child =
            place.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(time.mul_f64(random.below(1000) as f64 / 900.0));
        send(signal, &child);
        let status = child.wait().unwrap();
        ended_early += usize::from(!status.success());
        check_ending(signal, status);

        assert!(place.read("model") == weights && place.read("kept.znn") == file, "the sources");
        assert!(is_whole(&place.path("model.znn"), &file), "{signal}: half a file is left");
        assert!(is_whole(&place.path("back"), &weights), "{signal}: half a file is left");
        let unfinished = leftovers(&place);
        assert!(signal == "KILL" || unfinished.is_empty(), "{signal}: {unfinished:?}");
        for path in unfinished.iter().map(String::as_str).chain(["model.znn", "back"]) {
            let _ = fs::remove_file(place.path(path));
        }
    }
    let _ = writeln!(io::stderr(), "{} signals, {ended_early} before the end", faults());
    assert!(ended_early > 0, "no signal came in time");
}

fn check_ending(signal: &str, status: ExitStatus) {
    let is_expected = match signal {
        "KILL" => status.success() || status.signal() == Some(9),
        // One that comes before the program listens ends it as any other.
        _ if status.success() || status.signal().is_some() => true,
        "INT" => status.code() == Some(130),
        _ => status.code() == Some(143),
    };
    assert!(is_expected, "{signal}: {status}");
}

/// Returns the names of files that are neither sources nor results.
fn leftovers(place: &Place) -> Vec<String> {
    let known = ["model", "kept.znn", "model.znn", "back"];
    place.names().into_iter().filter(|name| !known.contains(&&**name)).collect()
}

/// A directory in memory of limited size. Only the superuser can mount it.
struct Memory(TempDir);

impl Memory {
    fn mount(options: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "zipnn-test"])
            .arg(directory.path())
            .output();
        if mount.is_ok_and(|mount| mount.status.success()) {
            return Some(Self(directory));
        }
        skipped::skipped("the right to mount a file system");
        None
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(self.0.path())
            .status();
        assert!(status.unwrap().success());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_leaves_complete_files() {
    let place = Place::new();
    place.write("model", &weights());
    place.succeeds(&["compress", "--dtype", "bf16", "model"]);
    let Some(disk) = Memory::mount("size=2m") else { return };
    let result = disk.path("result");
    fs::write(&result, "what was there before").unwrap();
    let target = result.to_str().unwrap();
    for arguments in [
        ["compress", "--dtype=bf16", "--force", "-o", target, "model"],
        ["decompress", "--quiet", "--force", "-o", target, "model.znn"],
    ] {
        let message = place.fails(1, &arguments);
        assert!(message.contains("cannot be written"), "{message}");
        assert_eq!(fs::read(&result).unwrap(), b"what was there before");
        assert_eq!(disk.names(), ["result"], "nothing is left behind");
    }
    assert_eq!(place.names(), ["model", "model.znn"]);
}

#[test]
fn a_read_only_directory_leaves_complete_files() {
    let place = Place::new();
    let Some(disk) = Memory::mount("size=4m") else { return };
    let model = disk.path("model");
    fs::write(&model, data::weights(DType::BF16, 100_000, 2)).unwrap();
    disk.remount("ro");
    let message = place.fails(1, &["compress", "--dtype=bf16", model.to_str().unwrap()]);
    assert!(message.contains("cannot be written"), "{message}");
    assert_eq!(disk.names(), ["model"]);
    disk.remount("rw");
}

/// The result holds contents of the file at some moments, or is missing.
#[test]
fn a_changing_source_leaves_complete_files() {
    let mut random = Random(6);
    for fault in 0..faults() {
        let place = Place::new();
        place.write("model", &weights());
        let mut child = place
            .command(&["compress", "--dtype", "bf16", "model"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(random.below(30) as u64));
        let mut file = OpenOptions::new().append(true).open(place.path("model")).unwrap();
        match fault % 3 {
            0 => file.set_len(random.below(LEN) as u64).unwrap(),
            1 => file.write_all(&[1; 1 << 20]).unwrap(),
            _ => fs::write(place.path("model"), vec![0x3c; LEN]).unwrap(),
        }
        let status = child.wait().unwrap();
        let mut message = Vec::new();
        child.stderr.take().unwrap().read_to_end(&mut message).unwrap();
        let message = text(&message);
        assert!(status.success() || status.code() == Some(1), "{status}: {message}");
        assert_eq!(status.success(), place.path("model.znn").exists(), "{message}");
        if status.success() {
            zipnn::verify(&place.read("model.znn"), &Limits::default()).unwrap();
        }
        assert!(leftovers(&place).is_empty());
    }
}

/// The reader closes the pipe in the middle.
#[test]
fn a_broken_pipe_ends_the_run_silently() {
    let place = Place::new();
    place.write("model", &weights());
    let mut random = Random(7);
    for _ in 0..faults() {
        let mut child = place
            .command(&["compress", "--dtype", "bf16", "model", "-o", "-"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let wanted = random.below(LEN / 2) as u64;
        io::copy(&mut (&mut stdout).take(wanted), &mut io::sink()).unwrap();
        drop(stdout);
        let status = child.wait().unwrap();
        assert!(!status.success(), "{status}");
        assert_eq!(place.names(), ["model"]);
    }
}
