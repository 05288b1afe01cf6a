//! The commands and their options.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use program::{Place, text};
use serde_json::Value;
use zipnn::{DType, Options};

use crate::common::{golden, skipped};
use crate::tensor_files::weights;
use crate::{program, tensor_files};

/// The names of types on the command line.
const DTYPES: [&str; 6] = ["bf16", "f16", "f32", "f8e4m3", "f8e5m2", "bytes"];

/// Weights as bytes of the type with this name.
fn sample(dtype: &str, count: usize) -> Vec<u8> {
    let weights = weights(count, 7);
    match dtype {
        "bf16" => tensor_files::bf16(weights),
        "f16" => tensor_files::f16(weights),
        "f32" => tensor_files::f32(weights),
        _ => weights.map(|weight| half::f16::from_f32(weight).to_le_bytes()[1]).collect(),
    }
}

/// A `.safetensors` file of one tensor.
fn safetensors(dtype: &str, data: &[u8], size: usize) -> Vec<u8> {
    let header = format!(
        r#"{{"weight":{{"dtype":"{dtype}","shape":[{}],"data_offsets":[0,{}]}}}}"#,
        data.len() / size,
        data.len()
    );
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn info(place: &Place, file: &str) -> Value {
    serde_json::from_str(&place.succeeds(&["info", "--json", file])).unwrap()
}

#[test]
fn restores_every_type() {
    let place = Place::new();
    for dtype in DTYPES {
        for len in [0, 1, 2, 3, 1000, 300_001] {
            let mut data = sample(dtype, 300_001);
            data.truncate(len);
            place.write("model", &data);
            place.succeeds(&["compress", "model", "--dtype", dtype]);
            // Checksums and index take 272 bytes of a file with one frame.
            let compressed = place.read("model.znn").len();
            assert!(len < 1000 || compressed < len * 95 / 100 + 272, "{dtype}");
            place.remove("model");
            place.succeeds(&["decompress", "model.znn"]);
            assert_eq!(place.read("model"), data, "{dtype}, {len} bytes");
            place.remove("model.znn");
        }
    }
}

#[test]
fn types_have_several_names() {
    let place = Place::new();
    place.write("model", &sample("bf16", 1000));
    for names in [["bf16", "bfloat16", "BF16"], ["f8e4m3", "float8_e4m3fn", "F8_E4M3"]] {
        let files = names.map(|name| {
            place.succeeds(&["compress", "model", "--dtype", name, "--force"]);
            place.read("model.znn")
        });
        assert!(files.windows(2).all(|pair| pair[0] == pair[1]), "{names:?}");
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let place = Place::new();
    let data = sample("bf16", 7_000_001);
    place.write("model", &data);
    let mut files = Vec::new();
    for threads in ["1", "2", "5"] {
        place.succeeds(&["compress", "model", "--dtype", "bf16", "--threads", threads]);
        files.push(place.read("model.znn"));
        place.succeeds(&["decompress", "model.znn", "-o", "again", "--threads", threads]);
        assert!(place.read("again") == data);
        place.remove("again");
        place.remove("model.znn");
    }
    assert!(files[0] == files[1] && files[1] == files[2], "threads must not change the bytes");
    assert_eq!(zipnn::decompress(&files[0], &Default::default()).unwrap(), data);
    let options = Options::new(DType::BF16).checksums(true);
    let mut encoder = zipnn::Encoder::new(Vec::new(), options).unwrap();
    encoder.write_all(&data).unwrap();
    assert!(encoder.finish().unwrap() == files[0], "the library's stream is the program's");
}

#[test]
fn reads_and_writes_pipes() {
    let place = Place::new();
    for (arguments, dtype) in
        [(&["compress", "-"][..], "bf16"), (&["compress", "-", "-o", "-"], "f32")]
    {
        let data = sample(dtype, 700_000);
        let compressed = place.run_with_input(arguments, &data);
        assert!(compressed.status.success());
        assert!(compressed.stdout.len() < data.len() * 9 / 10);
        let decompressed = place.run_with_input(&["decompress", "-"], &compressed.stdout);
        assert!(decompressed.status.success(), "{}", text(&decompressed.stderr));
        assert!(decompressed.stdout == data);
    }
    assert!(place.names().is_empty());
    let empty = place.run_with_input(&["compress", "-"], &[]);
    assert!(zipnn::decompress(&empty.stdout, &Default::default()).unwrap().is_empty());
}

#[test]
fn converts_between_pipes_and_files() {
    let place = Place::new();
    let data = sample("bf16", 10_000);
    assert!(place.run_with_input(&["compress", "-", "-o", "model.znn"], &data).status.success());
    let output = place.run(&["decompress", "model.znn", "-o", "-"]);
    assert!(output.status.success());
    assert_eq!(output.stdout, data);
    assert_eq!(place.names(), ["model.znn"]);
}

/// A pipe with a file of one frame, as the original writes it: its planes cannot be read in turns.
#[test]
fn decodes_a_large_single_frame_from_a_pipe() {
    let place = Place::new();
    let data = sample("bf16", 5_000_000);
    let file = zipnn::compress(&data, &Options::new(DType::BF16).plain()).unwrap();
    let output = place.run_with_input(&["decompress", "-"], &file);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stdout == data);
    let output = place.run_with_input(&["decompress", "-"], &file[..file.len() - 1]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("frame 0: input is truncated"));

    let file = zipnn::compress(&data, &Options::new(DType::F8E5M2).plain()).unwrap();
    let output = place.run_with_input(&["decompress", "-"], &file);
    assert!(output.stdout == data);
    let output = place.run_with_input(&["decompress", "-"], &file[..file.len() - 1]);
    assert!(text(&output.stderr).contains("chunk 76, plane 0: input is truncated"));
}

#[test]
fn names_results_by_their_sources() {
    let place = Place::new();
    let data = sample("bf16", 1000);
    place.write("a", &data).write("b", &data);
    fs::create_dir(place.path("results")).unwrap();
    place.succeeds(&["compress", "a", "-o", "other"]);
    place.succeeds(&["decompress", "other", "--output", "back"]);
    assert_eq!(place.read("back"), data);
    place.succeeds(&["compress", "a", "b", "-o", "results"]);
    place.succeeds(&["decompress", "results/a.znn", "results/b.znn", "-o", "results/"]);
    assert_eq!(place.read("results/a"), data);
    assert_eq!(place.read("results/b"), data);
    let message = place.fails(2, &["compress", "a", "b", "-o", "other"]);
    assert!(message.contains("directory"), "{message}");
    assert!(place.fails(1, &["decompress", "other"]).contains("--output"));
    assert!(place.fails(1, &["decompress", "a"]).contains("is not compressed"));
    assert!(place.fails(1, &["compress", "results/a.znn"]).contains("--output"));
    assert!(place.fails(1, &["compress", "missing"]).contains("missing: cannot be read"));
}

#[test]
fn refuses_to_overwrite_sources() {
    let place = Place::new();
    let data = sample("bf16", 1000);
    for directory in ["one", "two", "results"] {
        fs::create_dir(place.path(directory)).unwrap();
    }
    place.write("one/model", &data).write("two/model", &data);
    let message =
        place.fails(2, &["compress", "one/model", "two/model", "-o", "results", "-f", "--rm"]);
    assert!(message.contains("same name"), "{message}");
    let message = place.fails(2, &["compress", "one/model", "--delta", "one/model", "--rm"]);
    assert!(message.contains("its own base"), "{message}");
    assert_eq!(place.read("one/model"), data);
    assert_eq!(place.read("two/model"), data);
}

#[test]
fn overwrites_existing_files_only_with_force() {
    let place = Place::new();
    let data = sample("bf16", 1000);
    place.write("model", &data).write("model.znn", b"precious");
    assert!(place.fails(1, &["compress", "model"]).contains("--force"));
    assert_eq!(place.read("model.znn"), b"precious");
    place.succeeds(&["compress", "model", "--force"]);
    place.write("model", b"precious");
    assert!(place.fails(1, &["decompress", "model.znn"]).contains("--force"));
    assert_eq!(place.read("model"), b"precious");
    place.succeeds(&["decompress", "model.znn", "-f"]);
    assert_eq!(place.read("model"), data);
    assert!(
        place.fails(2, &["compress", "model", "-o", "./model", "-f"]).contains("at the same time")
    );
    assert_eq!(place.read("model"), data);
}

#[test]
fn a_failed_overwrite_keeps_the_existing_file() {
    let place = Place::new();
    place.write("model.znn", b"ZN garbage, over 32 bytes of it, and").write("model", b"precious");
    place.fails(1, &["decompress", "model.znn", "--force"]);
    assert_eq!(place.read("model"), b"precious");
    assert_eq!(place.names(), ["model", "model.znn"]);
}

#[test]
fn removes_the_source_only_with_rm() {
    let place = Place::new();
    let data = sample("bf16", 3_000_000);
    place.write("model", &data);
    place.succeeds(&["compress", "model", "--keep"]);
    assert_eq!(place.names(), ["model", "model.znn"]);
    place.succeeds(&["compress", "model", "--rm", "-f"]);
    assert_eq!(place.names(), ["model.znn"]);
    place.succeeds(&["decompress", "model.znn", "--rm"]);
    assert_eq!(place.names(), ["model"]);
    assert!(place.read("model") == data);
    assert!(place.fails(2, &["compress", "-", "--rm"]).contains("--rm"));
    assert!(place.fails(2, &["compress", "model", "-o", "-", "--rm"]).contains("--rm"));
    assert_eq!(place.names(), ["model"]);
}

#[test]
#[cfg(unix)]
fn keeps_a_source_whose_result_cannot_be_verified() {
    let place = Place::new();
    place.write("model", &sample("bf16", 1000));
    place.fails(1, &["compress", "model", "-o", "/dev/null", "--rm"]);
    assert_eq!(place.names(), ["model"]);
}

#[test]
#[cfg(unix)]
fn results_get_permissions_and_times_of_their_sources() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.write("model", &sample("bf16", 1000));
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options().write(true).open(place.path("model")).unwrap().set_modified(time).unwrap();
    fs::set_permissions(place.path("model"), PermissionsExt::from_mode(0o640)).unwrap();
    place.succeeds(&["compress", "model"]);
    place.succeeds(&["decompress", "model.znn", "-o", "again"]);
    for name in ["model.znn", "again"] {
        let metadata = fs::metadata(place.path(name)).unwrap();
        assert_eq!(metadata.modified().unwrap(), time, "{name}");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o640, "{name}");
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
#[cfg(unix)]
fn results_get_no_setuid_and_setgid_bits() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.write("model", &sample("bf16", 1000));
    fs::set_permissions(place.path("model"), PermissionsExt::from_mode(0o6750)).unwrap();
    place.succeeds(&["compress", "model"]);
    assert_eq!(mode(&place.path("model.znn")), 0o750);
    fs::set_permissions(place.path("model.znn"), PermissionsExt::from_mode(0o6750)).unwrap();
    place.succeeds(&["decompress", "model.znn", "-o", "again"]);
    assert_eq!(mode(&place.path("again")), 0o750);
}

/// Waits for a file whose name ends in `.tmp`, and returns its path.
#[cfg(unix)]
fn unfinished(place: &Place) -> PathBuf {
    let start = Instant::now();
    loop {
        if let Some(name) = place.names().iter().find(|name| name.ends_with(".tmp")) {
            return place.path(name);
        }
        assert!(start.elapsed() < Duration::from_secs(20), "no temporary file");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[cfg(unix)]
fn incomplete_results_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let data = sample("bf16", 1000);
    place.write("model", &data);
    // It waits for a base that comes slowly.
    assert!(Command::new("mkfifo").arg(place.path("base")).status().unwrap().success());
    for permissions in [0o600, 0o644, 0o400] {
        fs::set_permissions(place.path("model"), PermissionsExt::from_mode(permissions)).unwrap();
        let mut child = place
            .command(&["compress", "model", "--dtype", "bf16", "--delta", "base", "-f"])
            .spawn()
            .unwrap();
        let mut base = File::options().write(true).open(place.path("base")).unwrap();
        assert_eq!(mode(&unfinished(&place)), 0o600);
        base.write_all(&data).unwrap();
        drop(base);
        assert_eq!(wait(&mut child), Some(0));
        assert_eq!(mode(&place.path("model.znn")), permissions);
    }
    assert_eq!(place.names(), ["base", "model", "model.znn"]);
}

#[test]
#[cfg(unix)]
fn results_from_pipes_get_default_permissions() {
    for (mask, permissions) in [("022", 0o644), ("027", 0o640), ("077", 0o600), ("000", 0o666)] {
        let place = Place::new();
        let program = env!("CARGO_BIN_EXE_zipnn");
        let script = format!("umask {mask}; exec {program} compress - -o model.znn");
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .current_dir(place.path(""))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&sample("bf16", 3_000_000)).unwrap();
        assert_eq!(mode(&unfinished(&place)), 0o600, "{mask}");
        drop(stdin);
        assert_eq!(wait(&mut child), Some(0));
        assert_eq!(mode(&place.path("model.znn")), permissions, "{mask}");
        assert_eq!(place.names(), ["model.znn"]);
    }
}

#[test]
#[cfg(unix)]
fn accepts_the_longest_file_names() {
    let place = Place::new();
    let data = sample("bf16", 1000);
    let name = "n".repeat(240);
    let compressed = format!("{name}.znn");
    place.write(&name, &data).succeeds(&["compress", &name, "--rm"]);
    assert_eq!(place.names(), [&*compressed]);
    place.succeeds(&["decompress", &compressed, "--rm"]);
    assert_eq!(place.read(&name), data);
    let too_long = "n".repeat(300);
    let message = place.fails(1, &["compress", &name, "-o", &too_long]);
    assert!(message.contains("cannot be written") && !message.contains(".tmp"), "{message}");
}

#[test]
fn rejects_files_that_are_not_compressed() {
    let place = Place::new();
    place.write("text.znn", b"This is not a compressed model, however long it may be.");
    place.write("empty.znn", b"");
    place.write("short.znn", b"ZN");
    for name in ["text.znn", "empty.znn", "short.znn"] {
        for command in ["decompress", "verify", "info"] {
            let message = place.fails(1, &[command, name]);
            assert!(message.starts_with(&format!("zipnn: {name}: frame 0: ")), "{message}");
            assert_eq!(message.contains("the file is empty"), name == "empty.znn", "{message}");
            assert_eq!(message.contains("not complete"), name == "short.znn", "{message}");
        }
    }
    assert_eq!(place.names().len(), 3);
}

#[test]
fn the_length_in_a_header_allocates_no_memory() {
    // Two planes of 2^30 repeated bytes, in a frame that says it is 256 KiB long and is not.
    let mut file = zipnn::compress(&[0; 64], &Options::new(DType::BF16).plain()).unwrap();
    file[13] = 150;
    file[14] = 62;
    file[16..24].copy_from_slice(&(1_u64 << 31).to_le_bytes());
    file[24..32].copy_from_slice(&(1_u64 << 18).to_le_bytes());
    let output = Place::new().run_with_input(&["verify", "-"], &file);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("limit"), "{message}");
}

#[test]
fn reports_bytes_after_the_last_frame() {
    let place = Place::new();
    let data = sample("bf16", 1000);
    place.write("model", &data).succeeds(&["compress", "model", "-o", "streaming.znn"]);
    let mut streaming = place.read("streaming.znn");
    streaming.extend_from_slice(&[0; 40]);
    place.write("streaming.znn", &streaming);
    assert!(place.fails(1, &["verify", "streaming.znn"]).contains("frame 2: not a ZipNN frame"));
    let frame = zipnn::compress(&data, &Options::new(DType::BF16).plain()).unwrap();
    let single = [&frame[..], &[0; 40]].concat();
    place.write("single.znn", &single);

    // What nobody has decoded must not be lost.
    let message = place.fails(1, &["decompress", "single.znn", "--rm"]);
    assert!(message.contains("40 bytes follow the only frame; the file is kept"), "{message}");
    assert!(!place.path("single").exists());
    assert_eq!(place.read("single.znn"), single);

    let output = place.run(&["decompress", "single.znn"]);
    assert!(output.status.success());
    let message = text(&output.stderr);
    assert!(message.contains("warning: 40 bytes follow the only frame"), "{message}");
    assert_eq!(place.read("single"), data);
    place.succeeds(&["decompress", "single.znn", "--quiet", "--force"]);
    assert_eq!(place.read("single"), data);

    let printed = place.succeeds(&["verify", "single.znn"]);
    assert!(
        printed.contains("sound") && printed.contains("; 40 bytes follow the only frame"),
        "{printed}"
    );
    let printed = place.succeeds(&["info", "single.znn"]);
    assert!(printed.contains("\n  40 bytes follow the only frame\n"), "{printed}");
    assert_eq!(info(&place, "single.znn")["trailing_bytes"], 40);
    assert_eq!(info(&place, "single.znn")["compressed_bytes"], frame.len());

    for arguments in [&["decompress", "-"][..], &["verify", "-"], &["info", "-"]] {
        let piped = place.run_with_input(arguments, &single);
        assert!(piped.status.success());
        let printed = [piped.stderr, piped.stdout].concat();
        assert!(String::from_utf8_lossy(&printed).contains("40 bytes follow"), "{arguments:?}");
        let piped = place.run_with_input(arguments, &frame[..frame.len() - 1]);
        assert_eq!(piped.status.code(), Some(1));
        assert!(text(&piped.stderr).contains("frame 0"), "{arguments:?}");
    }

    place.write("exact.znn", &frame);
    assert!(!place.succeeds(&["verify", "exact.znn"]).contains("follow"));
    assert_eq!(info(&place, "exact.znn")["trailing_bytes"], 0);
    place.succeeds(&["decompress", "exact.znn", "--rm"]);
    assert!(!place.path("exact.znn").exists());
}

#[test]
fn reports_bytes_after_the_only_frame_of_an_old_layout() {
    let file = crate::common::root().join("tests/data/golden/0.3.4/f32-zstd.znn");
    let frame = fs::read(file).unwrap();
    let place = Place::new();
    place.write("exact.znn", &frame).write("old.znn", &[&frame[..], &[0]].concat());
    let message = place.fails(1, &["decompress", "old.znn", "--rm"]);
    assert!(message.contains("1 byte follows the only frame; the file is kept"), "{message}");
    assert_eq!(place.names(), ["exact.znn", "old.znn"]);
    assert!(place.succeeds(&["verify", "old.znn"]).contains("1 byte follows"));
    assert!(place.succeeds(&["info", "old.znn"]).contains("1 byte follows"));
    for (name, trailing) in [("old.znn", 1), ("exact.znn", 0)] {
        assert_eq!(info(&place, name)["trailing_bytes"], trailing);
        assert_eq!(info(&place, name)["compressed_bytes"], frame.len());
    }
    place.succeeds(&["decompress", "exact.znn", "--rm"]);
    assert_eq!(place.names(), ["exact", "old.znn"]);
}

#[test]
fn truncated_files_leave_no_result() {
    let place = Place::new();
    let data = sample("bf16", 3_000_000);
    place.write("model", &data).succeeds(&["compress", "model", "-o", "whole.znn"]);
    let streaming = place.read("whole.znn");
    place.remove("whole.znn");
    place.remove("model");
    let single = zipnn::compress(&data, &Options::new(DType::BF16).plain()).unwrap();
    let ends: Vec<usize> = zipnn::file::Frames::new(&streaming)
        .scan(0, |end, frame| {
            *end += frame.unwrap().bytes().len();
            Some(*end)
        })
        .collect();
    let second_frame = ends[0];
    for (file, lengths) in [
        (
            &streaming,
            &[1, 31, 32, 100, 100_000, second_frame - 1, second_frame + 1, streaming.len() - 1][..],
        ),
        (&single, &[31, 32, 100, 100_000, single.len() - 1]),
    ] {
        for &len in lengths {
            let cut = &file[..len];
            place.write("model.znn", cut);
            let message = place.fails(1, &["decompress", "model.znn"]);
            let frame = match file == &streaming {
                true => ends.iter().filter(|&&end| end < len).count(),
                false => 0,
            };
            assert!(message.contains(&format!("frame {frame}")), "{len}: {message}");
            assert!(message.contains("truncated"), "{len}: {message}");
            place.fails(1, &["decompress", "model.znn", "--rm"]);
            assert_eq!(place.names(), ["model.znn"], "{len}");
            assert!(place.read("model.znn") == cut);
            place.fails(1, &["verify", "model.znn"]);
            place.fails(1, &["info", "model.znn"]);
            let piped = place.run_with_input(&["verify", "-"], cut);
            assert_eq!(piped.status.code(), Some(1), "{len}");
            assert!(text(&piped.stderr).contains("truncated"), "{len}: {}", text(&piped.stderr));
        }
    }
}

#[test]
fn verify_detects_damage() {
    let place = Place::new();
    place.write("model", &sample("bf16", 200_000)).succeeds(&["compress", "model"]);
    assert!(place.succeeds(&["verify", "model.znn"]).contains("sound"));
    assert_eq!(place.succeeds(&["verify", "-q", "model.znn"]), "");
    let sound = place.read("model.znn");
    let first = zipnn::file::Frames::new(&sound).next().unwrap().unwrap();
    let content_len = first.index().content_len() as usize;
    let mut damaged = sound.clone();
    // The last byte of the last stream holds the mark of its end.
    damaged[content_len - 1] = 0;
    place.write("model.znn", &damaged);
    let message = place.fails(1, &["verify", "model.znn"]);
    assert!(message.contains("frame 0: the data is damaged"), "{message}");
    let message = place.fails(1, &["decompress", "model.znn", "-o", "x"]);
    assert!(message.contains("frame 0, chunk 1, plane 1: corrupt data"), "{message}");
    damaged.copy_from_slice(&sound);
    *damaged.last_mut().unwrap() ^= 1;
    place.write("model.znn", &damaged);
    assert!(place.fails(1, &["decompress", "model.znn", "-o", "x"]).contains("--no-verify"));
    let data = place.read("model");
    place.succeeds(&["decompress", "model.znn", "-o", "x", "--no-verify"]);
    assert!(place.read("x") == data);
    place.remove("x");
    place.remove("model");
    place.fails(1, &["decompress", "model.znn"]);
    assert_eq!(place.names(), ["model.znn"]);
}

#[test]
fn compresses_differences_and_checks_their_bases() {
    let place = Place::new();
    let base = sample("bf16", 3_000_000);
    let mut tuned = base.clone();
    for at in (0..tuned.len()).step_by(100) {
        tuned[at] ^= 1;
    }
    place.write("base", &base).write("tuned", &tuned).write("shorter", &base[1..]);
    place.write("longer", &[&base[..], &[0]].concat());
    place.succeeds(&["compress", "tuned", "--delta", "base"]);
    assert!(place.read("tuned.znn").len() < tuned.len() / 5);
    assert_eq!(info(&place, "tuned.znn")["delta"], true);
    place.succeeds(&["decompress", "tuned.znn", "--delta", "base", "-o", "again"]);
    assert!(place.read("again") == tuned);
    place.succeeds(&["compress", "again", "--delta", "base", "--rm", "-o", "removed.znn"]);
    place.succeeds(&["decompress", "removed.znn", "--delta", "base", "--rm", "-o", "again"]);
    assert!(place.read("again") == tuned);

    let piped = place.run_with_input(&["compress", "-", "--delta", "base"], &tuned);
    assert!(piped.status.success());
    let piped = place.run_with_input(&["decompress", "-", "--delta", "base"], &piped.stdout);
    assert!(piped.stdout == tuned);

    let message = place.fails(1, &["decompress", "tuned.znn", "-o", "x"]);
    assert!(message.ends_with("\n  name the base with --delta\n"), "{message}");
    assert_eq!(message.matches("difference").count(), 1, "{message}");
    for (wrong, status) in [("shorter", 1), ("longer", 1), ("missing", 1), ("-", 2)] {
        place.fails(status, &["decompress", "tuned.znn", "-o", "x", "--delta", wrong]);
        place.fails(status, &["compress", "tuned", "-o", "x", "--delta", wrong]);
        let piped = place.run_with_input(&["compress", "-", "-o", "x", "--delta", wrong], &tuned);
        assert_eq!(piped.status.code(), Some(status), "{wrong}");
    }
    let message = place.fails(1, &["compress", "tuned", "-o", "x", "--delta", "shorter"]);
    assert!(message.contains("5999999 bytes, but the data 6000000"), "{message}");
    place.succeeds(&["compress", "base", "-o", "plain.znn"]);
    let message = place.fails(1, &["decompress", "plain.znn", "-o", "x", "--delta", "base"]);
    assert!(message.contains("leave out --delta"), "{message}");
    assert!(!place.names().contains(&"x".into()));
    assert!(
        place
            .fails(2, &["compress", "tuned", "-o", "base", "-f", "--delta", "base"])
            .contains("at the same time")
    );

    assert!(place.succeeds(&["verify", "tuned.znn"]).contains("without its base"));
    assert!(!place.succeeds(&["verify", "tuned.znn", "--delta", "base"]).contains("without"));
    place.fails(1, &["verify", "tuned.znn", "--delta", "shorter"]);
    assert!(!place.names().iter().any(|name| name.ends_with(".tmp")));
}

#[test]
fn info_describes_files() {
    let place = Place::new();
    place.write("model", &sample("f32", 1_500_000));
    place.succeeds(&["compress", "model", "--dtype", "f32"]);
    let printed = info(&place, "model.znn");
    let len = place.read("model.znn").len();
    assert_eq!(printed["file"], "model.znn");
    assert_eq!(printed["streaming"], true);
    assert_eq!(printed["delta"], false);
    assert_eq!(printed["form"], "bytes");
    assert_eq!(printed["dtypes"], serde_json::json!(["f32"]));
    assert_eq!(printed["versions"], serde_json::json!(["0.5.4"]));
    assert_eq!(printed["original_bytes"], 6_000_000);
    assert_eq!(printed["compressed_bytes"], len);
    assert_eq!(printed["ratio"], len as f64 / 6e6);
    let methods =
        ["raw", "repeat", "huffman"].map(|name| printed["methods"][name].as_u64().unwrap());
    assert_eq!(methods.iter().sum::<u64>(), 4 * 23);
    assert_eq!(printed["frames"].as_array().unwrap().len(), 3);
    assert_eq!(printed["frames"][0]["original_bytes"], 4 << 20);
    assert_eq!(printed["frames"][0]["chunks"], 16);
    let shown = place.succeeds(&["info", "model.znn"]);
    assert!(shown.contains("frame 1: f32"), "{shown}");

    let options = Options::new(DType::F16).plain();
    let tensor =
        zipnn::compress_tensor(&[0; 24], zipnn::frame::Form::Torch, &[3, 4], &options).unwrap();
    place.write("tensor.znn", &tensor);
    let printed = info(&place, "tensor.znn");
    assert_eq!(printed["form"], "torch");
    assert_eq!(printed["streaming"], false);
    assert_eq!(printed["frames"][0]["shape"], serde_json::json!([3, 4]));
    assert_eq!(
        printed["methods"],
        serde_json::json!({
            "raw": 0, "repeat": 2, "huffman": 0, "pivot": 0, "zstd": 0, "difference": 0,
            "records": 0,
            "scales": 0
        })
    );
    let both = place.succeeds(&["info", "--json", "model.znn", "tensor.znn"]);
    assert_eq!(both.lines().count(), 2);
}

#[test]
fn the_extended_profile_is_smaller_and_reported() {
    let place = Place::new();
    let mut data = sample("bf16", 1_000_000);
    for row in data.chunks_mut(1000).step_by(2) {
        row.fill(0);
    }
    place.write("model", &data);
    place.succeeds(&["compress", "model", "--dtype", "bf16", "-o", "plain.znn"]);
    place.succeeds(&["compress", "model", "--dtype", "bf16", "--extended"]);
    let [plain, extended] = ["plain.znn", "model.znn"].map(|name| place.read(name).len());
    assert!(extended < plain * 9 / 10, "{extended} bytes, not {plain}");
    let printed = info(&place, "model.znn");
    assert!(printed["methods"]["zstd"].as_u64() > Some(0), "{printed}");
    assert_eq!(printed["extended"], true);
    assert_eq!(info(&place, "plain.znn")["extended"], false);
    let original = "the original ZipNN does not read this file";
    assert!(place.succeeds(&["info", "model.znn"]).contains(original));
    assert!(!place.succeeds(&["info", "plain.znn"]).contains(original));

    place.succeeds(&["verify", "model.znn"]);
    place.succeeds(&["decompress", "model.znn", "-o", "back"]);
    assert!(place.read("back") == data);
    let printed = place.succeeds(&["bench", "model", "--extended", "--runs", "1", "--json"]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["round_trip"], true);

    let mut damaged = place.read("model.znn");
    damaged[extended / 3] ^= 1;
    place.write("model.znn", &damaged);
    let error = place.fails(1, &["verify", "model.znn"]);
    assert!(error.contains("frame 0"), "{error}");
}

#[test]
fn max_writes_the_smallest_files_and_reports_them() {
    let place = Place::new();
    let mut data = sample("bf16", 1_000_000);
    // Rows have scales of their own.
    for (number, row) in data.chunks_mut(1024).enumerate() {
        row.chunks_exact_mut(2).for_each(|element| {
            let bits = u16::from_le_bytes([element[0], element[1]]);
            let exponent = (number * 7 % 5) as u16;
            element.copy_from_slice(&bits.wrapping_add(exponent << 7).to_le_bytes());
        });
    }
    place.write("model", &data);
    place.succeeds(&["compress", "model", "--dtype", "bf16", "-o", "plain.znn"]);
    place.succeeds(&["compress", "model", "--dtype", "bf16", "--max"]);
    let [plain, max] = ["plain.znn", "model.znn"].map(|name| place.read(name).len());
    assert!(max < plain * 98 / 100, "{max} bytes, not {plain}");
    let printed = info(&place, "model.znn");
    assert!(printed["methods"]["scales"].as_u64() > Some(0), "{printed}");
    assert!(place.succeeds(&["info", "model.znn"]).contains("scales"));
    place.succeeds(&["verify", "model.znn"]);
    place.succeeds(&["decompress", "model.znn", "-o", "back"]);
    assert!(place.read("back") == data);

    for file in ["model", "-"] {
        let arguments = ["bench", file, "--all", "--runs", "1", "--json"];
        let output = place.run_with_input(&arguments, &data);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let levels: Vec<Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let names: Vec<&Value> = levels.iter().map(|level| &level["profile"]).collect();
        assert_eq!(names, ["original", "extended", "max"]);
        for level in levels {
            assert_eq!(level["original_bytes"], data.len(), "{file}");
            assert_eq!(level["round_trip"], true, "{file}");
        }
    }
    place.fails(2, &["compress", "model", "--max", "--extended"]);
    for command in ["compress", "bench"] {
        let said = place.fails(2, &[command, "model", "--max", "--plane-code", "huffman"]);
        assert!(said.contains("cannot be used with") && !said.contains("required"), "{said}");
    }
}

#[test]
fn info_describes_empty_files() {
    let place = Place::new();
    place.write("empty", b"").succeeds(&["compress", "empty"]);
    let shown = place.succeeds(&["info", "empty.znn"]);
    assert!(shown.contains("0 B -> 272 B (-)") && !shown.contains("inf"), "{shown}");
    let printed = info(&place, "empty.znn");
    assert_eq!(printed["original_bytes"], 0);
    assert_eq!(printed["ratio"], Value::Null);
    let help = place.succeeds(&["info", "--help"]);
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("null if there is no data"), "{help}");
}

#[test]
fn detects_element_types() {
    let place = Place::new();
    for (dtype, name, size, planes, rotated) in [
        ("bf16", "BF16", 2, 2, true),
        ("f16", "F16", 2, 2, false),
        ("f32", "F32", 4, 4, true),
        ("f8e4m3", "F8_E4M3", 1, 1, false),
        ("f8e5m2", "F8_E5M2", 1, 1, false),
        // The name promises what the contents do not keep.
        ("bf16", "F8_E4M3", 1, 2, true),
        ("f32", "U8", 1, 4, true),
    ] {
        let data = sample(dtype, 100_000);
        place.write("model.safetensors", &safetensors(name, &data, size));
        place.succeeds(&["compress", "model.safetensors", "--force"]);
        let printed = info(&place, "model.safetensors.znn");
        let [header, tensor] = [0, 1].map(|number| &printed["frames"][number]);
        assert_eq!(header["planes"], 1);
        assert_eq!(tensor["planes"], planes, "{name}");
        assert_eq!(tensor["rotated"], rotated, "{name}");
        assert_eq!(tensor["original_bytes"], data.len());
    }
    for (dtype, found) in [("bf16", "bf16"), ("f32", "f32"), ("bytes", "bytes")] {
        // The name promises what the contents do not keep.
        place.write("model.safetensors", &sample(dtype, 600_000));
        place.succeeds(&["compress", "model.safetensors", "--force"]);
        let printed = info(&place, "model.safetensors.znn");
        assert_eq!(printed["dtypes"], serde_json::json!([found]));
    }
}

#[test]
fn continues_after_a_failed_file() {
    let place = Place::new();
    let data = sample("bf16", 1000);
    place.write("a", &data).write("c", &data);
    let message = place.fails(1, &["compress", "a", "b", "c"]);
    assert!(message.contains("zipnn: b: ") && message.lines().count() == 1, "{message}");
    assert_eq!(place.names(), ["a", "a.znn", "c", "c.znn"]);
    place.write("b.znn", b"nothing");
    for command in ["verify", "info"] {
        let output = place.run(&[command, "a.znn", "b.znn", "c.znn"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stdout).contains("c.znn"));
    }
    place.fails(1, &["decompress", "--force", "a.znn", "b.znn", "c.znn"]);
    assert_eq!(place.names(), ["a", "a.znn", "b.znn", "c", "c.znn"]);
}

#[test]
fn bench_reports_ratio_and_speed() {
    let place = Place::new();
    place.write("model", &sample("bf16", 200_000));
    for (threads, arguments) in [
        (1, &["bench", "model", "--json", "--runs", "2"][..]),
        (2, &["bench", "model", "--json", "--runs", "1", "--threads", "2", "--dtype", "bf16"]),
    ] {
        let printed: Value = serde_json::from_str(&place.succeeds(arguments)).unwrap();
        assert_eq!(printed["dtypes"], serde_json::json!(["bf16"]));
        assert_eq!(printed["threads"], threads);
        assert_eq!(printed["original_bytes"], 400_000);
        let ratio = printed["compressed_bytes"].as_f64().unwrap() / 4e5;
        assert_eq!(printed["ratio"], ratio);
        assert!(ratio < 0.8);
        for speed in
            ["compress_mb_s", "decompress_mb_s", "compress_fresh_mb_s", "decompress_fresh_mb_s"]
        {
            assert!(printed[speed].as_f64().unwrap() > 0.0, "{speed}");
        }
        assert_eq!(printed["round_trip"], true);
    }
    assert!(place.succeeds(&["bench", "model"]).contains("MB/s"));
    place.write("empty", b"");
    place.succeeds(&["bench", "empty", "--runs", "1"]);
    place.succeeds(&["bench", "empty", "--runs", "1", "--piece", "4M"]);
    assert_eq!(place.names(), ["empty", "model"]);
}

#[cfg(unix)]
#[test]
fn bench_refuses_data_without_an_end() {
    let message = Place::new().fails(1, &["bench", "/dev/zero"]);
    assert!(message.contains("/dev/zero: has no known length"), "{message}");
}

/// Runs `bench --json` once for each measurement.
fn bench(place: &Place, arguments: &[&str]) -> Value {
    let arguments = [&["bench", "--json", "--runs", "1"], arguments].concat();
    serde_json::from_str(&place.succeeds(&arguments)).unwrap()
}

#[test]
fn bench_measures_pieces() {
    let place = Place::new();
    place.write("model", &sample("bf16", 100_003));
    let whole = bench(&place, &["model", "--dtype", "bf16"]);
    assert_eq!(whole.get("piece"), None);
    assert_eq!(whole["profile"], "original");
    for (size, len, threads) in [
        ("4096", 4096, "3"),
        ("64K", 64 << 10, "1"),
        ("64K", 64 << 10, "2"),
        // Larger than the file.
        ("4M", 4 << 20, "1"),
        ("1G", 1 << 30, "2"),
    ] {
        let arguments = ["model", "--dtype", "bf16", "--piece", size, "--threads", threads];
        let printed = bench(&place, &arguments);
        assert_eq!(printed["piece"], len, "{size}");
        assert_eq!(printed["round_trip"], true, "{size}");
        assert_eq!(printed["original_bytes"], 200_006, "{size}");
        // Each piece is a file of its own.
        let larger = printed["compressed_bytes"].as_u64() > whole["compressed_bytes"].as_u64();
        assert_eq!(larger, len < 200_006, "{size}");
    }
    place.write("short", &sample("bf16", 100));
    let shortest = bench(&place, &["short", "--dtype", "bf16", "--piece", "8"]);
    assert_eq!(shortest["round_trip"], true);
    let extended = ["model", "--dtype", "bf16", "--piece", "64K", "--extended", "--checksums"];
    let extended = bench(&place, &extended);
    assert_eq!(extended["profile"], "extended");
    assert_eq!(extended["round_trip"], true);
    let shown = place.succeeds(&["bench", "model", "--piece", "4M", "--runs", "1"]);
    assert!(shown.contains("in pieces of 4194304 bytes"), "{shown}");
}

/// A file with a header needs a piece for the header, and the others follow its tensors.
#[test]
fn bench_plans_pieces_of_tensors() {
    let place = Place::new();
    place.write("model", &safetensors("F32", &sample("f32", 300_000), 4));
    for size in ["2K", "64K", "4M"] {
        let printed = bench(&place, &["model", "--piece", size]);
        assert_eq!(printed["dtypes"], serde_json::json!(["f32"]), "{size}");
        assert_eq!(printed["round_trip"], true, "{size}");
    }
}

#[test]
fn bench_rejects_pieces_that_cut_elements() {
    let place = Place::new();
    place.write("model", &sample("bf16", 1000));
    for (size, advice) in [
        ("0", "at least 8 bytes"),
        ("1", "use a multiple of 8, such as 8"),
        ("1001", "use a multiple of 8, such as 1008"),
        ("18446744073709551615", "use a multiple of 8, such as 18446744073709551608"),
        ("18446744073709551616", "give a number of bytes"),
        ("99999999999G", "give a number of bytes"),
        ("4m", "give a number of bytes"),
        ("+8", "give a number of bytes"),
        ("M", "give a number of bytes"),
        ("", "give a number of bytes"),
    ] {
        let message = place.fails(2, &["bench", "model", &format!("--piece={size}")]);
        assert!(message.contains(advice), "{size}: {message}");
    }
}

/// Runs the program with each level of vector instructions, all of which write the same file.
#[test]
fn vector_instructions_can_be_forced() {
    let place = Place::new();
    place.write("model", &sample("bf16", 200_000));
    place.succeeds(&["compress", "model", "--dtype", "bf16"]);
    let expected = place.read("model.znn");
    let run = |level: &str, arguments: &[&str]| {
        place.command(arguments).env("ZIPNN_SIMD", level).output().unwrap()
    };
    let mut forced = 0;
    for level in zipnn::simd::Level::ALL {
        let arguments = ["compress", "model", "--dtype", "bf16", "-o", "again.znn", "--force"];
        let output = run(level.name(), &arguments);
        let message = text(&output.stderr);
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(2), "{message}");
            assert!(message.contains(&format!("this processor lacks {level}")), "{message}");
            continue;
        }
        assert!(place.read("again.znn") == expected, "{level}");
        let output = run(level.name(), &["bench", "model", "--runs", "1", "--json"]);
        let told: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
        assert_eq!(told["simd"], level.name());
        forced += 1;
    }
    assert!(forced > 0);
    let output = run("mmx", &["bench", "model"]);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("ZIPNN_SIMD") && message.contains("use one of scalar"), "{message}");
}

#[test]
fn rejects_invalid_arguments() {
    let place = Place::new();
    for arguments in [
        &[][..],
        &["compress"],
        &["compress", "a", "--dtype", "int4"],
        &["compress", "a", "--threads", "0"],
        &["extract", "a"],
    ] {
        place.fails(2, arguments);
    }
    let help = place.succeeds(&["--help"]);
    assert!(help.contains("Exit status:") && help.contains("130"), "{help}");
}

#[test]
fn help_fits_the_terminal() {
    let place = Place::new();
    for command in ["compress", "decompress", "info", "bench"] {
        let shown = |columns: &str| {
            let output = place.command(&[command, "--help"]).env("COLUMNS", columns).output();
            text(&output.unwrap().stdout)
        };
        let width = |help: &str| help.lines().map(str::len).max();
        let [narrow, wide] = ["60", "90"].map(shown);
        assert!(width(&narrow) <= Some(60) && width(&wide) <= Some(90), "{narrow}{wide}");
        assert!(width(&narrow) < width(&wide), "{narrow}{wide}");
    }
}

#[test]
#[cfg(unix)]
fn reports_directories_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.write("model", &sample("bf16", 1000)).write("file", b"");
    let message = place.fails(1, &["compress", "model", "-o", "missing/x"]);
    assert!(message.contains("missing/x: cannot be written"), "{message}");
    assert!(message.contains("directory does not exist"), "{message}");
    assert!(!message.contains(".tmp") && !message.contains("at path"), "{message}");
    assert!(place.fails(1, &["compress", "model", "-o", "file/x"]).contains("cannot be written"));
    let locked = place.path("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, PermissionsExt::from_mode(0o500)).unwrap();
    // Nothing is locked for the superuser.
    if File::create(locked.join("probe")).is_err() {
        assert!(place.fails(1, &["compress", "model", "-o", "locked"]).contains("permissions"));
    }
    fs::set_permissions(&locked, PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn reports_a_full_disk() {
    let place = Place::new();
    place.write("model", &sample("bf16", 1000));
    assert!(
        place.fails(1, &["compress", "model", "-o", "/dev/full"]).contains("cannot be written")
    );
    assert!(Path::new("/dev/full").exists());
}

/// A reader may close the pipe early.
#[test]
#[cfg(unix)]
fn ends_silently_when_the_reader_closes_the_pipe() {
    let place = Place::new();
    place.write("model", &sample("bf16", 3_000_000));
    let mut child = place
        .command(&["compress", "model", "-o", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 100]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(text(&output.stderr), "");
}

/// The program waits for input that does not come.
#[test]
#[cfg(unix)]
fn ends_when_the_reader_closes_the_pipe_while_input_is_pending() {
    let place = Place::new();
    let mut child = place
        .command(&["compress", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    drop(child.stdout.take());
    // It may have stopped reading by then.
    let _ = stdin.write_all(&sample("bf16", 3_000_000));
    let status = wait(&mut child);
    assert_eq!(status, Some(141));
}

/// Waits for a child that must end soon, and returns its exit status.
#[cfg(unix)]
fn wait(child: &mut std::process::Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[cfg(unix)]
fn signals_leave_no_temporary_files() {
    let data = sample("bf16", 3_000_000);
    let signals = [("INT", 130), ("TERM", 143)];
    for (signal, status) in
        signals.into_iter().filter(|(_, status)| !program::is_ignored(status - 128))
    {
        for command in ["compress", "decompress"] {
            let place = Place::new();
            place.write("old", b"precious");
            let input = match command {
                "compress" => data.clone(),
                _ => {
                    let file = place.run_with_input(&["compress", "-"], &data).stdout;
                    file[..file.len() - 1].to_vec()
                }
            };
            let mut child = place
                .command(&[command, "-", "-o", "old", "--force"])
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(&input).unwrap();
            let start = Instant::now();
            while place.names().len() < 2 {
                assert!(start.elapsed() < Duration::from_secs(20), "no temporary file");
                std::thread::sleep(Duration::from_millis(5));
            }
            let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
            assert!(kill.unwrap().success());
            assert_eq!(wait(&mut child), Some(status), "{command}, SIG{signal}");
            assert_eq!(place.names(), ["old"], "{command}, SIG{signal}");
            assert_eq!(place.read("old"), b"precious");
            drop(stdin);
        }
    }
}

/// `nohup` starts programs with an ignored signal.
#[test]
#[cfg(target_os = "linux")]
fn ignored_signals_stay_ignored() {
    let place = Place::new();
    let script =
        format!("trap '' HUP; exec {} compress - -o model.znn", env!("CARGO_BIN_EXE_zipnn"));
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .current_dir(place.path(""))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&sample("bf16", 1_000_000)).unwrap();
    let start = Instant::now();
    while place.names().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "no temporary file");
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = Command::new("kill").args(["-s", "HUP", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    drop(stdin);
    assert_eq!(wait(&mut child), Some(0));
    assert_eq!(place.names(), ["model.znn"]);
}

/// Returns the peak memory of a process in bytes.
#[cfg(target_os = "linux")]
fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Returns the peak memory of a run, after reading almost all of its output.
#[cfg(target_os = "linux")]
fn peak_memory_of(place: &Place, arguments: &[&str], output_len: usize) -> u64 {
    let mut child = place.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let most = (output_len - (1 << 20)) as u64;
    let read = std::io::copy(&mut (&mut stdout).take(most), &mut std::io::sink()).unwrap();
    assert_eq!(read, most);
    let peak = peak_memory(child.id());
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert!(child.wait().unwrap().success());
    peak
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded() {
    let place = Place::new();
    let data = sample("bf16", 1 << 20).repeat(80);
    place.write("single.znn", &zipnn::compress(&data, &Options::new(DType::BF16).plain()).unwrap());
    place.write("model", &data).succeeds(&["compress", "model", "--dtype", "bf16"]);
    let compressed = place.read("model.znn").len();
    for (arguments, len) in [
        (&["decompress", "single.znn", "-o", "-", "--threads", "2"][..], data.len()),
        (&["decompress", "model.znn", "-o", "-", "--threads", "2"], data.len()),
        (&["compress", "model", "-o", "-", "--threads", "2"], compressed),
    ] {
        let peak = peak_memory_of(&place, arguments, len);
        assert!(peak < 64 << 20, "{arguments:?}: {peak} bytes");
    }
}

/// The state of a chunk takes more memory than a tiny chunk itself.
#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded_for_tiny_chunks() {
    let place = Place::new();
    let options = Options::new(DType::BF16).plain().chunk_log2(2);
    let data = sample("bf16", 1 << 21);
    let file = zipnn::compress(&data, &options).unwrap();
    place.write("tiny.znn", &file);
    let arguments = ["decompress", "tiny.znn", "-o", "-", "--threads", "2"];
    let peak = peak_memory_of(&place, &arguments, data.len());
    let index = file.len() - data.len();
    assert!(peak < (2 * index + (48 << 20)) as u64, "{peak} bytes, for an index of {index}");
}

/// Returns the folder of the golden files: the whole collection beside the repository, or the part
/// in it. The part is enough on Windows, where each of the many processes takes long to start.
fn golden_files() -> (PathBuf, Value) {
    let folders = golden::folders().take(if cfg!(unix) { 2 } else { 1 });
    let folder = folders.last().unwrap();
    let manifest = golden::manifest(&folder);
    (folder, manifest)
}

#[test]
fn decompresses_golden_files() {
    let (folder, manifest) = golden_files();
    let place = Place::new();
    let path = |entry: &Value, key: &str| {
        folder.join(entry[key].as_str().unwrap()).to_str().unwrap().to_owned()
    };
    let mut failures = Vec::new();
    let mut tried = 0;
    let step = program::CASE_STEP;
    let entries = ["cases", "synthetic"].iter().flat_map(|list| manifest[list].as_array().unwrap());
    for entry in entries.step_by(step) {
        let file = path(entry, "file");
        let mut original = fs::read(path(entry, "original")).unwrap();
        original.truncate(entry["original_len"].as_u64().unwrap() as usize);
        tried += 1;
        let mut arguments = vec!["decompress", &file, "-o", "-", "--threads", "1"];
        if let Some(base) = entry["delta"].as_str() {
            let mut base = fs::read(folder.join(base)).unwrap();
            base.truncate(entry["delta_len"].as_u64().unwrap() as usize);
            place.write("base", &base);
            arguments.extend(["--delta", "base"]);
        }
        let output = place.run(&arguments);
        if !output.status.success() || output.stdout != original {
            failures.push(format!("{file}: {}", text(&output.stderr)));
        }
        let [printed, verified] = ["info", "verify"].map(|command| place.run(&[command, &file]));
        if !printed.status.success() || !verified.status.success() {
            failures.push(format!("{file}: info or verify"));
        }
        let has_more = file.ends_with("c-nonstream-trail.znn");
        for said in [output.stderr, printed.stdout, verified.stdout] {
            if text(&said).contains("only frame") != has_more {
                failures.push(format!("{file}: {}", text(&said)));
            }
        }
    }
    assert!(tried * step > 100, "only {tried}");
    assert!(failures.is_empty(), "{} of {tried}: {failures:#?}", failures.len());
}

#[test]
fn restores_a_real_model() {
    let Some(model) = skipped::shared("models/minilm-part.bf16.safetensors") else { return };
    let data = fs::read(model).unwrap();
    let place = Place::new();
    place.write("model.safetensors", &data);
    place.succeeds(&["compress", "model.safetensors", "--rm"]);
    assert!(place.read("model.safetensors.znn").len() < data.len() * 67 / 100);
    place.succeeds(&["decompress", "model.safetensors.znn", "--rm"]);
    assert_eq!(place.names(), ["model.safetensors"]);
    assert!(place.read("model.safetensors") == data);
}
