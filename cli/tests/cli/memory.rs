//! Peak memory of the program, which stays below the limits in the documentation for files and
//! tensors of any size. Measured on Linux.

use std::process::Stdio;
use std::time::Duration;
use std::{fs, thread};

use program::{Place, text};

use crate::program;
use crate::tensor_files::*;

/// The limit in the documentation, in KiB.
const PROMISED: u64 = 50 << 10;

/// Runs the program, and returns its peak memory in KiB. Runs it again if it ended before it was
/// observed, as a short run may on a busy machine.
#[track_caller]
fn peak(place: &Place, arguments: &[&str]) -> u64 {
    const RUNS: usize = 50;
    let mut peaks = (0..RUNS).map(|_| seen_peak(place, arguments));
    let peak = peaks.find(|&peak| peak > 1000);
    let peak = peak.unwrap_or_else(|| panic!("{arguments:?}: has not been seen"));
    println!("{peak:7} KiB: {}", arguments.join(" "));
    peak
}

/// Runs the program, and returns the highest observed memory in KiB.
#[track_caller]
fn seen_peak(place: &Place, arguments: &[&str]) -> u64 {
    let mut command = place.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let exit = loop {
        // The number only grows, and is gone when the process has ended.
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(now.unwrap_or_default());
        if let Some(exit) = child.try_wait().unwrap() {
            break exit;
        }
        thread::sleep(Duration::from_micros(500));
    };
    let output = child.wait_with_output().unwrap();
    assert!(exit.success(), "{arguments:?}: {}", text(&output.stderr));
    peak
}

#[track_caller]
fn assert_below(limit: u64, place: &Place, arguments: &[&str]) {
    let peak = peak(place, arguments);
    assert!(peak < limit, "{arguments:?}: {peak} KiB, and {limit} KiB are allowed");
}

/// Returns `len` bytes of bfloat16 weights.
fn many_weights(len: usize) -> Vec<u8> {
    let tile = bf16(weights(100_000, 1));
    tile.iter().copied().cycle().take(len).collect()
}

#[test]
fn memory_is_bounded_for_large_tensors() {
    let place = Place::new();
    let len = 80_000_000;
    let source = file_of(&[
        ("w", "BF16", &[len / 16, 8], many_weights(len)),
        ("noise", "BF16", &[len / 8], noise(len / 4, 1)),
    ]);
    place.write("a.safetensors", &source);
    let inside = ["compress", "-q", "--threads", "2", "--inside-safetensors", "a.safetensors"];
    assert_below(PROMISED, &place, &inside);
    place.remove("a.safetensors");
    assert_below(PROMISED, &place, &["verify", "-q", "--threads", "2", "a.znn.safetensors"]);
    assert_below(PROMISED, &place, &["decompress", "-q", "--threads", "2", "a.znn.safetensors"]);
    assert!(place.read("a.safetensors") == source);
    assert_below(PROMISED, &place, &["repair", "-q", "a.safetensors"]);
    assert_below(PROMISED, &place, &["repair", "-q", "a.safetensors", "-o", "b.safetensors"]);
    assert!(place.read("b.safetensors") == source);
}

#[test]
fn memory_is_bounded_for_rows_of_a_large_tensor() {
    let place = Place::new();
    let (row, len) = (2 * 50, 64_000_000);
    let data = many_weights(len);
    place.write("a.znn.safetensors", &{
        let source = file_of(&[("w", "BF16", &[len / row, row / 2], data.clone())]);
        compress(&source, true)
    });
    // The first row, rows over the end of a chunk, and the last row.
    for rows in [0..1, 2620..2625, len / row - 1..len / row] {
        let range = format!("{}..{}", rows.start, rows.end);
        let arguments = ["cat", "a.znn.safetensors", "w", "--rows", &range, "-o", "t", "-f"];
        assert_below(20_000, &place, &arguments);
        assert!(place.read("t") == data[rows.start * row..rows.end * row], "{range}");
    }
}

#[test]
fn memory_is_bounded_for_differences() {
    let place = Place::new();
    let data = many_weights(60_000_000);
    place.write("a.bin", &data);
    for (name, base) in
        [("tuned", many_weights(60_000_100)[100..].to_vec()), ("noise", noise(60_000_000, 3))]
    {
        place.write(name, &base);
        let options = ["-q", "-f", "--threads", "2", "--delta", name];
        assert_below(PROMISED, &place, &[&["compress"], &options[..], &["a.bin"]].concat());
        let back = [&["decompress"], &options[..], &["a.bin.znn", "-o", "back"]].concat();
        assert_below(PROMISED, &place, &back);
        assert!(place.read("back") == data, "{name}");
    }
}

#[test]
fn memory_is_bounded_for_many_tensors() {
    let place = Place::new();
    let len = 20_000;
    let names: Vec<String> =
        (0..10_100).map(|i| format!("model.layers.{i}.mlp.experts.down_proj.weight")).collect();
    let mut at = 0;
    let entries: Vec<String> = names
        .iter()
        .map(|name| {
            at += len;
            entry(name, "BF16", &[len / 2], at - len, at)
        })
        .collect();
    let source = file(&format!("{{{}}}", entries.join(",")), &many_weights(at));
    place.write("a.safetensors", &source);
    assert_below(PROMISED, &place, &["compress", "-q", "--threads", "2", "a.safetensors"]);
    assert_below(PROMISED, &place, &["verify", "-q", "--threads", "2", "a.safetensors.znn"]);
    let inside = ["compress", "-q", "--threads", "2", "--inside-safetensors", "a.safetensors"];
    assert_below(PROMISED, &place, &inside);
    assert_below(PROMISED, &place, &["verify", "-q", "--threads", "2", "a.znn.safetensors"]);
}

/// A header takes a small multiple of its length.
#[test]
fn memory_is_bounded_for_long_headers() {
    let place = Place::new();
    let entries: Vec<String> = (0..100_000)
        .map(|i| entry(&format!("model.layers.{i}.weight"), "BF16", &[8], 16 * i, 16 * i + 16))
        .collect();
    let json = format!("{{{}}}", entries.join(","));
    place.write("a.safetensors", &file(&json, &many_weights(1_600_000)));
    let inside = ["compress", "-q", "-f", "--inside-safetensors", "a.safetensors"];
    assert_below(8 * json.len() as u64 / 1024 + 10_000, &place, &inside);
}
