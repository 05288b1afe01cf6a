//! Links, devices, descriptors, owners, permissions and terminals.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use program::{Place, is_ignored, text};
use zipnn::DType;

use crate::common::{data, skipped};
use crate::{program, tensor_files};

const PROGRAM: &str = env!("CARGO_BIN_EXE_zipnn");

/// A model of one tensor, `w`.
fn model() -> Vec<u8> {
    let data = data::weights(DType::BF16, 60_000, 3);
    tensor_files::file_of(&[("w", "BF16", &[data.len() / 4, 2], data)])
}

fn tensor_len() -> usize {
    data::weights(DType::BF16, 60_000, 3).len()
}

/// Returns a model that the original damaged.
fn rotated() -> Vec<u8> {
    let golden = crate::common::root().join("tests/data/golden/reference_damaged");
    let mut names: Vec<_> =
        fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let damaged = names.iter().map(|path| fs::read(path).unwrap()).find(|file| {
        let place = Place::new();
        place.write("x.safetensors", file);
        place.run(&["repair", "-q", "x.safetensors"]).status.code() == Some(1)
    });
    damaged.expect("a file that can be repaired")
}

fn link(place: &Place, target: &str, name: &str) {
    symlink(target, place.path(name)).unwrap();
}

fn is_link(place: &Place, name: &str) -> bool {
    place.path(name).is_symlink()
}

fn fifo(place: &Place, name: &str) {
    assert!(Command::new("mkfifo").arg(place.path(name)).status().unwrap().success());
}

fn shell(place: &Place, script: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("ZIPNN", PROGRAM).current_dir(place.path(""));
    command.stdin(Stdio::null()).output().unwrap()
}

/// Waits for a child that must end soon.
fn end(mut child: Child) -> Output {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it did not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

fn wait_for_unfinished(place: &Place) -> String {
    let start = Instant::now();
    loop {
        if let Some(name) = place.names().into_iter().find(|name| name.ends_with(".tmp")) {
            return name;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "no temporary file");
        thread::sleep(Duration::from_millis(5));
    }
}

fn metadata(place: &Place, name: &str) -> Metadata {
    fs::symlink_metadata(place.path(name)).unwrap()
}

fn mode(place: &Place, name: &str) -> u32 {
    metadata(place, name).mode() & 0o7777
}

fn is_root(place: &Place) -> bool {
    metadata(place, "").uid() == 0 && chown(place.path(""), Some(0), Some(0)).is_ok()
}

// Outputs that are links.

#[test]
fn writes_results_to_the_targets_of_links() {
    let place = Place::new();
    place.write("m.safetensors", &model()).write("disk/old", b"old");
    link(&place, "disk/old", "near");
    link(&place, "../near", "disk/chain");
    link(&place, "disk", "directory");
    link(&place, "disk/new", "dangling");
    place.succeeds(&["compress", "m.safetensors"]);
    let compressed = place.read("m.safetensors.znn");
    for output in ["near", "disk/chain", "directory/chain", "directory/old"] {
        let message = place.fails(1, &["compress", "m.safetensors", "-o", output]);
        assert!(message.contains("already exists"), "{message}");
        assert_eq!(place.read("disk/old"), b"old");
        place.succeeds(&["compress", "m.safetensors", "-f", "-o", output]);
        assert!(place.read("disk/old") == compressed, "{output}");
        place.succeeds(&["decompress", "m.safetensors.znn", "-f", "-o", output]);
        assert!(place.read("disk/old") == model(), "{output}");
        place.succeeds(&["cat", "m.safetensors.znn", "w", "-f", "-o", output]);
        assert!(place.read("disk/old") == model()[model().len() - tensor_len()..], "{output}");
        let inside = ["compress", "--inside-safetensors", "m.safetensors", "-f", "-o", output];
        place.succeeds(&inside);
        assert!(place.read("disk/old") == tensor_files::compress(&model(), true), "{output}");
        place.write("disk/old", b"old");
    }
    place.succeeds(&["compress", "m.safetensors", "-o", "dangling"]);
    assert!(place.read("disk/new") == compressed);
    for name in ["near", "disk/chain", "directory", "dangling"] {
        assert!(is_link(&place, name), "{name}");
    }
    link(&place, "loop", "loop");
    link(&place, "missing/x", "nowhere");
    for output in ["loop", "nowhere"] {
        let message = place.fails(1, &["compress", "m.safetensors", "-f", "-o", output]);
        assert!(message.contains("cannot be written"), "{message}");
        assert!(is_link(&place, output), "{output}");
    }
    assert!(place.names().iter().all(|name| !name.ends_with(".tmp")));
}

#[test]
fn writes_results_to_a_directory_of_links() {
    let place = Place::new();
    place.write("m/a.bin", &[1; 5000]).write("m/b.bin", &[2; 5000]);
    place.write("disk/a", b"old").write("out/x", b"");
    link(&place, "../disk/a", "out/a.bin.znn");
    link(&place, "../disk/b", "out/b.bin.znn");
    place.fails(1, &["compress", "m", "-o", "out"]);
    assert_eq!(place.read("disk/a"), b"old");
    assert_eq!(zipnn::decompress(&place.read("disk/b"), &Default::default()).unwrap(), [2; 5000]);
    place.succeeds(&["compress", "m", "-o", "out", "-f"]);
    assert_eq!(zipnn::decompress(&place.read("disk/a"), &Default::default()).unwrap(), [1; 5000]);
    assert!(is_link(&place, "out/a.bin.znn") && is_link(&place, "out/b.bin.znn"));
    // What is there is the result: nothing to do, and then the sources go.
    place.succeeds(&["compress", "m", "-o", "out", "--rm"]);
    assert_eq!(place.names(), ["disk/a", "disk/b", "out/a.bin.znn", "out/b.bin.znn", "out/x"]);
}

#[test]
fn refuses_links_to_the_source_as_output() {
    let place = Place::new();
    let data = vec![3; 5000];
    place.write("m/a.bin", &data).write("base", &data);
    link(&place, "a.bin", "m/a.bin.znn");
    link(&place, "base", "to-base");
    for arguments in [
        &["compress", "m", "-f"][..],
        &["compress", "m", "-f", "--rm"],
        &["compress", "m/a.bin", "-f"],
        &["compress", "m/a.bin", "-f", "--delta", "base", "-o", "to-base"],
    ] {
        assert!(place.fails(2, arguments).contains("at the same time"), "{arguments:?}");
        assert!(place.read("m/a.bin") == data && place.read("base") == data, "{arguments:?}");
    }
    place.remove("m/a.bin.znn");
    place.succeeds(&["compress", "m/a.bin"]);
    place.remove("m/a.bin");
    link(&place, "a.bin.znn", "m/a.bin");
    let compressed = place.read("m/a.bin.znn");
    for arguments in [&["decompress", "m", "-f", "--rm"][..], &["decompress", "m/a.bin.znn", "-f"]]
    {
        assert!(place.fails(2, arguments).contains("at the same time"), "{arguments:?}");
        assert!(place.read("m/a.bin.znn") == compressed);
    }
}

#[test]
fn refuses_two_results_that_link_to_one_file() {
    let place = Place::new();
    let (a, b) = (vec![1; 5000], vec![2; 5000]);
    place.write("m/a.bin", &a).write("m/b.bin", &b);
    link(&place, "b.bin.znn", "m/a.bin.znn");
    let message = place.fails(1, &["compress", "m", "-f", "--rm"]);
    assert!(message.contains("another source"), "{message}");
    let kept = ["m/a.bin", "m/b.bin"].map(|name| fs::read(place.path(name)).ok());
    let result = zipnn::decompress(&place.read("m/b.bin.znn"), &Default::default()).unwrap();
    assert!(
        kept == [Some(a), None] && result == b || kept == [None, Some(b)] && result == [1; 5000]
    );
}

#[test]
fn writes_repaired_files_to_the_targets_of_links() {
    let place = Place::new();
    place.write("blobs/x", &rotated());
    for revision in ["r1", "r2"] {
        fs::create_dir_all(place.path(revision)).unwrap();
        link(&place, "../blobs/x", &format!("{revision}/m.safetensors"));
    }
    assert_eq!(place.run(&["repair", "-q", "r2/m.safetensors"]).status.code(), Some(1));
    place.succeeds(&["repair", "-q", "--write", "r1/m.safetensors"]);
    place.succeeds(&["repair", "-q", "r2/m.safetensors"]);
    assert!(is_link(&place, "r1/m.safetensors") && is_link(&place, "r2/m.safetensors"));
    let repaired = place.read("blobs/x");
    assert_ne!(repaired, rotated());
    place.write("blobs/x", &rotated()).write("other", b"");
    link(&place, "other", "out");
    place.succeeds(&["repair", "-q", "-f", "r1/m.safetensors", "-o", "out"]);
    assert!(is_link(&place, "out") && place.read("other") == repaired);
    assert!(
        place.fails(2, &["repair", "-f", "blobs/x", "-o", "r1/m.safetensors"]).contains("--write")
    );
    // Nothing to replace: the file may be anybody's.
    link(&place, "/proc/self/fd/0", "input");
    let script = "\"$ZIPNN\" repair -q --write input < blobs/x";
    let output = shell(&place, script);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(place.read("blobs/x") == rotated());
}

// Outputs that are no files.

#[test]
#[cfg(target_os = "linux")]
fn writes_descriptors_as_streams() {
    let place = Place::new();
    place.write("m", &[7; 9000]);
    place.succeeds(&["compress", "m", "-o", "expected"]);
    let expected = place.read("expected");
    link(&place, "/proc/self/fd/1", "direct");
    link(&place, "/dev/stdout", "twice");
    // As root, a fault would replace links of the system: with --force only ours are tried.
    let system = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    for force in [&[][..], &["-f"]] {
        let system = system.into_iter().filter(|_| force.is_empty());
        for output in system.chain(["direct", "twice"]) {
            let arguments = [&["compress", "m", "-o", output][..], force].concat();
            assert!(place.run(&arguments).stdout == expected, "{arguments:?}: a pipe");
            place.write("into", b"before");
            let file = OpenOptions::new().append(true).open(place.path("into")).unwrap();
            assert!(place.command(&arguments).stdout(file).status().unwrap().success());
            assert!(place.read("into") == [b"before", &*expected].concat(), "{arguments:?}");
        }
        for (output, redirect) in [("/dev/fd/3", "3>into"), ("/proc/self/fd/3", "3>>into")] {
            place.write("into", b"");
            let force = force.concat();
            let script = format!("\"$ZIPNN\" compress {force} m -o {output} {redirect}");
            let result = shell(&place, &script);
            assert!(result.status.success(), "{script}: {}", text(&result.stderr));
            assert!(place.read("into") == expected, "{script}");
        }
    }
    assert!(is_link(&place, "direct") && is_link(&place, "twice"));
    for arguments in [&["cat", "m.znn", "w", "-o"][..], &["decompress", "m.znn", "-o"]] {
        place.write("m", &model());
        place.succeeds(&["compress", "m", "-f"]);
        let to_standard = place.run(&[arguments, &["-"]].concat()).stdout;
        assert!(!to_standard.is_empty());
        assert!(place.run(&[arguments, &["direct", "-f"]].concat()).stdout == to_standard);
    }
    assert!(is_link(&place, "direct") && Path::new("/dev/stdout").is_symlink());
}

#[test]
#[cfg(target_os = "linux")]
fn refuses_closed_descriptors() {
    let place = Place::new();
    place.write("m.safetensors", &model());
    place.succeeds(&["compress", "m.safetensors"]);
    place.succeeds(&["compress", "m.safetensors", "--inside-safetensors", "-f"]);
    let before: Vec<_> =
        place.names().into_iter().map(|name| (name.clone(), place.read(&name))).collect();
    // The program itself opens its source, among others, under these numbers.
    for number in 3..=9 {
        link(&place, &format!("/dev/fd/{number}"), "link");
        for command in [
            "compress m.safetensors -o /dev/fd/N",
            "compress m.safetensors -o /proc/self/fd/N",
            "compress m.safetensors --inside-safetensors -o link",
            "decompress m.safetensors.znn -f -o link",
            "decompress m.znn.safetensors -o /dev/fd/N",
            "cat m.safetensors.znn w -o /dev/fd/N",
            "cat m.znn.safetensors w -f -o link",
            "repair m.safetensors -q -o link",
            "compress m.safetensors -o result --delta /dev/fd/N",
            "decompress link -o result",
        ] {
            let command = command.replace('N', &number.to_string());
            let script = format!("exec {number}>&-; exec \"$ZIPNN\" {command}");
            let output = shell(&place, &script);
            let message = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{script}: {message}");
            assert!(message.contains("a descriptor that is not open"), "{script}: {message}");
        }
        place.remove("link");
        for (name, contents) in &before {
            assert!(place.read(name) == *contents, "{name} by way of {number}");
        }
        assert_eq!(place.names().len(), before.len());
    }
}

#[test]
fn reports_a_named_pipe_among_results_of_a_directory() {
    let place = Place::new();
    fs::create_dir(place.path("d")).unwrap();
    place.write("d/m.bin", &[7; 9000]).write("d/n.bin.znn", b"");
    fifo(&place, "d/m.bin.znn");
    fifo(&place, "d/n.bin");
    for arguments in [&["compress", "d"][..], &["compress", "--rm", "d"], &["decompress", "d"]] {
        let child = place.command(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let output = end(child);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(message.contains("already exists, and is not a file"), "{message}");
        if arguments.contains(&"decompress") {
            continue;
        }
        assert_eq!(place.read("d/m.bin"), [7; 9000]);
    }
}

#[test]
fn refuses_a_missing_directory_as_output() {
    let place = Place::new();
    place.write("m.safetensors", &model());
    place.succeeds(&["compress", "m.safetensors"]);
    for arguments in [
        &["compress", "m.safetensors", "-o", "new/"][..],
        &["decompress", "-f", "m.safetensors.znn", "-o", "new/"],
        &["cat", "m.safetensors.znn", "w", "-o", "new/"],
    ] {
        let message = place.fails(1, arguments);
        assert!(message.contains("new/: is a directory that does not exist"), "{message}");
        assert!(message.contains("create it, or name a file"), "{message}");
    }
    let long = format!("{}.bin", "n".repeat(251));
    place.write(&long, b"data");
    let message = place.fails(1, &["compress", &long]);
    assert!(message.contains("choose a shorter name with --output"), "{message}");
    assert!(place.names().len() == 3);
}

#[test]
fn writes_named_pipes_and_devices_as_streams() {
    let place = Place::new();
    place.write("m", &[7; 9000]);
    place.succeeds(&["compress", "m", "-o", "expected"]);
    fifo(&place, "pipe");
    link(&place, "pipe", "link");
    for arguments in [&["compress", "m", "-o", "link"][..], &["compress", "m", "-f", "-o", "pipe"]]
    {
        let child = place.command(arguments).spawn().unwrap();
        let read = fs::read(place.path("pipe")).unwrap();
        assert!(end(child).status.success());
        assert!(read == place.read("expected"));
    }
    link(&place, "/dev/null", "null");
    place.succeeds(&["compress", "m", "-f", "-o", "null"]);
    assert!(is_link(&place, "null") && is_link(&place, "link"));
}

#[test]
fn refuses_to_read_and_write_one_file() {
    let place = Place::new();
    place.write("m", &model());
    place.succeeds(&["compress", "m"]);
    let (plain, compressed) = (place.read("m"), place.read("m.znn"));
    link(&place, "m", "to-m");
    for script in [
        "\"$ZIPNN\" compress m -o - >> m",
        "\"$ZIPNN\" compress to-m -o - >> m",
        "\"$ZIPNN\" compress - < m >> m",
        "\"$ZIPNN\" compress - -f -o m < m",
        "\"$ZIPNN\" compress --inside-safetensors m -o - >> m",
        "\"$ZIPNN\" compress m -f -o to-m",
        "\"$ZIPNN\" compress m --delta m.znn -o - >> m.znn",
        "\"$ZIPNN\" decompress m.znn -o - >> m.znn",
        "\"$ZIPNN\" cat m.znn w >> m.znn",
        "\"$ZIPNN\" repair -q m -o - >> m",
    ] {
        let output = shell(&place, script);
        assert_eq!(output.status.code(), Some(2), "{script}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("at the same time"), "{script}");
        assert!(place.read("m") == plain && place.read("m.znn") == compressed, "{script}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn refuses_several_results_on_a_stream() {
    let place = Place::new();
    place.write("m.safetensors", &rotated());
    link(&place, "/proc/self/fd/0", "input");
    link(&place, "/proc/self/fd/1", "output");
    for output in ["-", "output", "/dev/stdout"] {
        let message = place.fails(2, &["repair", "m.safetensors", "-o", output]);
        assert!(message.contains("--quiet"), "{message}");
        let message = place.run(&["compress", "m.safetensors", "--rm", "-o", output]);
        assert!(!message.status.success() && message.stdout.is_empty());
        assert!(place.exists("m.safetensors"));
    }
    for input in ["input", "/dev/stdin", "/proc/self/fd/0"] {
        let output = place.run_with_input(&["compress", input], b"data");
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("--output"));
        let output = place.run_with_input(&["compress", input, "-o", "output"], b"data");
        assert_eq!(zipnn::decompress(&output.stdout, &Default::default()).unwrap(), b"data");
    }
    assert_eq!(place.names(), ["input", "m.safetensors", "output"]);
}

// What may be removed.

#[test]
fn rm_removes_only_regular_files() {
    let place = Place::new();
    place.write("real.safetensors", &model()).write("other", b"other");
    place.succeeds(&["compress", "other", "-o", "real.znn"]);
    link(&place, "real.safetensors", "link.safetensors");
    link(&place, "real.znn", "link.znn");
    // Never those of the system: as root, a fault would remove them.
    link(&place, "/proc/self/fd/0", "input");
    link(&place, "/dev/stdin", "linked");
    link(&place, "/dev/null", "null");
    fifo(&place, "pipe.safetensors");
    fifo(&place, "pipe.znn");
    let before = place.names();
    for arguments in [
        &["compress", "--rm", "link.safetensors"][..],
        &["compress", "--rm", "--inside-safetensors", "link.safetensors"],
        &["compress", "--rm", "other", "link.safetensors"],
        &["decompress", "--rm", "link.znn"],
        &["compress", "--rm", "pipe.safetensors"],
        &["compress", "--rm", "--inside-safetensors", "pipe.safetensors"],
        &["decompress", "--rm", "pipe.znn"],
        &["compress", "--rm", "-f", "input", "-o", "result"],
        &["compress", "--rm", "linked", "-o", "result"],
        &["compress", "--rm", "/proc/self/fd/0", "-o", "result"],
        &["compress", "--rm", "null", "-o", "result"],
    ] {
        let stdin = File::open(place.path("real.safetensors")).unwrap();
        let mut command = place.command(arguments);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = end(command.spawn().unwrap());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains("--rm"), "{message}");
        assert_eq!(place.names(), before, "{arguments:?}");
    }
    // Without it they are read like any other.
    place.succeeds(&["compress", "link.safetensors"]);
    place.succeeds(&["decompress", "link.safetensors.znn", "-o", "back"]);
    assert!(place.read("back") == model());
}

/// Runs a command that waits for a base in a pipe, and changes a file meanwhile.
fn disturbed(place: &Place, arguments: &[&str], change: impl FnOnce()) -> (Option<i32>, String) {
    if !place.exists("base") {
        fifo(place, "base");
    }
    let child = place.command(arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut base = File::options().write(true).open(place.path("base")).unwrap();
    wait_for_unfinished(place);
    change();
    let _ = base.write_all(&[1; 5000]);
    drop(base);
    let output = end(child);
    (output.status.code(), text(&output.stderr))
}

#[test]
fn keeps_a_changing_source_and_writes_nothing() {
    let place = Place::new();
    let past = SystemTime::now() - Duration::from_secs(1000);
    let append = || File::options().append(true).open(place.path("m")).unwrap();
    let changes: [(&str, &dyn Fn()); 4] = [
        ("longer", &|| append().write_all(b"more").unwrap()),
        ("other contents", &|| fs::write(place.path("m"), [9; 5000]).unwrap()),
        ("another file", &|| {
            fs::write(place.path("new"), [9; 5000]).unwrap();
            fs::rename(place.path("new"), place.path("m")).unwrap();
        }),
        ("a link", &|| {
            fs::rename(place.path("m"), place.path("new")).unwrap();
            fs::write(place.path("other"), [9; 5000]).unwrap();
            link(&place, "other", "m");
        }),
    ];
    for (name, change) in changes {
        for rm in [&[][..], &["--rm"]] {
            place.write("m", &[2; 5000]);
            append().set_modified(past).unwrap();
            let arguments =
                [&["compress", "m", "--dtype=bytes", "--delta", "base"][..], rm].concat();
            let (status, message) = disturbed(&place, &arguments, change);
            assert_eq!(status, Some(1), "{name}: {message}");
            assert!(message.contains("changed while it was read"), "{name}: {message}");
            assert!(!message.contains("disk or the memory"), "{name}: {message}");
            assert!(place.exists("m") && !place.exists("m.znn"), "{name}");
            for name in ["m", "new", "other"] {
                let _ = fs::remove_file(place.path(name));
            }
        }
    }
    // The only copy that is left is not thrown away.
    place.write("m", &[2; 5000]);
    let arguments = ["compress", "m", "--dtype=bytes", "--delta", "base"];
    let (status, message) = disturbed(&place, &arguments, || place.remove("m"));
    assert_eq!(status, Some(0), "{message}");
    assert!(place.exists("m.znn"));
}

#[test]
fn detects_a_changing_base() {
    let place = Place::new();
    place.write("base", &[1; 5000]);
    let mut child = place
        .command(&["compress", "-", "--dtype=bytes", "--delta", "base", "-o", "m.znn"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&[2; 4000]).unwrap();
    wait_for_unfinished(&place);
    let base = File::options().write(true).open(place.path("base")).unwrap();
    base.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    stdin.write_all(&[2; 1000]).unwrap();
    drop(stdin);
    let output = end(child);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("base: changed while"), "{}", text(&output.stderr));
    assert_eq!(place.names(), ["base"]);
}

// Who may read results.

#[test]
fn results_get_owner_and_group_of_their_sources() {
    let place = Place::new();
    if !is_root(&place) {
        return skipped::skipped("root, as only root may give files away");
    }
    let give = |name: &str, mode: u32| {
        chown(place.path(name), Some(12345), Some(777)).unwrap();
        fs::set_permissions(place.path(name), Permissions::from_mode(mode)).unwrap();
    };
    let rights = |name: &str| {
        let metadata = metadata(&place, name);
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
    };
    place.write("m.safetensors", &model());
    for (given, expected) in [(0o600, 0o600), (0o640, 0o640), (0o6755, 0o755), (0o1644, 0o644)] {
        give("m.safetensors", given);
        place.succeeds(&["compress", "m.safetensors", "-f"]);
        place.succeeds(&["compress", "--inside-safetensors", "m.safetensors", "-f"]);
        place.succeeds(&["decompress", "m.safetensors.znn", "-o", "back", "-f"]);
        place.succeeds(&["cat", "m.safetensors.znn", "w", "-o", "w", "-f"]);
        for name in ["m.safetensors.znn", "m.znn.safetensors", "back", "w"] {
            assert_eq!(rights(name), (12345, 777, expected), "{name}");
        }
    }
    place.write("rotated.safetensors", &rotated());
    give("rotated.safetensors", 0o600);
    place.succeeds(&["repair", "-q", "--write", "rotated.safetensors"]);
    assert_eq!(rights("rotated.safetensors"), (12345, 777, 0o600));
    place.write("d/a.safetensors", &model());
    place.write("d/x.index.json", br#"{"weight_map":{"w":"a.safetensors"}}"#);
    give("d/x.index.json", 0o640);
    place.succeeds(&["compress", "d", "--rewrite-index", "--rm"]);
    assert!(text(&place.read("d/x.index.json")).contains(".znn"));
    assert_eq!(rights("d/x.index.json"), (12345, 777, 0o640));
}

#[test]
fn a_group_that_cannot_be_set_gets_no_permissions() {
    let place = Place::new();
    let has_setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    if !is_root(&place) || !has_setpriv {
        return skipped::skipped("root and setpriv");
    }
    fs::set_permissions(place.path(""), Permissions::from_mode(0o777)).unwrap();
    place.write("m", &[1; 5000]);
    // Outside of directories that only root may enter.
    let program = place.path("zipnn");
    fs::copy(PROGRAM, &program).unwrap();
    let compress = |groups: &str| {
        let identity = ["--reuid", "12345", "--regid", "12345", "--groups", groups];
        let mut command = Command::new("setpriv");
        command.args(identity).arg(&program).args(["compress", "-f", "m"]);
        command.current_dir(place.path("")).status().unwrap()
    };
    if !compress("777").success() {
        return skipped::skipped("a temporary directory for all users");
    }
    for (given, groups, group, expected) in [
        (0o640, "777", 777, 0o640),
        (0o640, "888", 12345, 0o600),
        (0o644, "888", 12345, 0o604),
        (0o604, "888", 12345, 0o600),
        (0o664, "888", 12345, 0o604),
    ] {
        chown(place.path("m"), Some(12345), Some(777)).unwrap();
        fs::set_permissions(place.path("m"), Permissions::from_mode(given)).unwrap();
        assert!(compress(groups).success());
        let result = metadata(&place, "m.znn");
        assert_eq!((result.gid(), result.mode() & 0o777), (group, expected), "{given:o}, {groups}");
    }
    // Of a file of another owner: he stays whoever runs the program.
    chown(place.path("m"), Some(54321), Some(12345)).unwrap();
    fs::set_permissions(place.path("m"), Permissions::from_mode(0o640)).unwrap();
    assert!(compress("888").success());
    let result = metadata(&place, "m.znn");
    assert_eq!((result.uid(), result.gid(), result.mode() & 0o777), (12345, 12345, 0o640));
}

#[test]
fn a_tensor_of_a_private_file_is_private() {
    let place = Place::new();
    place.write("m.safetensors", &model());
    place.succeeds(&["compress", "m.safetensors"]);
    for permissions in [0o600, 0o644] {
        let file = place.path("m.safetensors.znn");
        fs::set_permissions(file, Permissions::from_mode(permissions)).unwrap();
        place.succeeds(&["cat", "m.safetensors.znn", "w", "-f", "-o", "w"]);
        assert_eq!(mode(&place, "w"), permissions);
    }
}

// Zeros.

#[test]
fn a_replaced_private_file_stays_private() {
    let place = Place::new();
    place.write("m.znn", b"old");
    fs::set_permissions(place.path("m.znn"), Permissions::from_mode(0o600)).unwrap();
    link(&place, "m.znn", "link");
    for output in ["m.znn", "link"] {
        let result = place.run_with_input(&["compress", "-", "-f", "-o", output], &[7; 9000]);
        assert!(result.status.success());
        assert_ne!(place.read("m.znn"), b"old");
        assert_eq!(mode(&place, "m.znn"), 0o600, "{output}");
    }
    place.run_with_input(&["compress", "-", "-o", "new"], &[7; 9000]);
    place.write("usual", b"");
    assert_eq!(mode(&place, "new"), mode(&place, "usual"));
}

#[test]
fn zeros_take_no_space_on_the_disk() {
    let place = Place::new();
    const LEN: usize = 20 << 20;
    let mut data = vec![0; LEN];
    data[LEN / 2 + 3..][..9000].fill(7);
    let file = tensor_files::file_of(&[("w", "BF16", &[LEN / 2], data)]);
    place.write("m.safetensors", &file);
    place.succeeds(&["compress", "m.safetensors"]);
    place.succeeds(&[
        "compress",
        "--inside-safetensors",
        "m.safetensors",
        "-o",
        "m.znn.safetensors",
    ]);
    // A file system that has no holes shows nothing.
    let probe = File::create(place.path("probe")).unwrap();
    probe.set_len(LEN as u64).unwrap();
    let has_holes = probe.metadata().unwrap().blocks() == 0;
    for arguments in [
        &["decompress", "m.safetensors.znn", "-f", "-o", "x"][..],
        &["decompress", "m.znn.safetensors", "-f", "-o", "x"],
        &["cat", "m.safetensors.znn", "w", "-f", "-o", "x"],
        &["cat", "m.znn.safetensors", "w", "-f", "-o", "x"],
    ] {
        place.succeeds(arguments);
        let skipped = if arguments[0] == "cat" { file.len() - LEN } else { 0 };
        assert!(place.read("x") == file[skipped..], "{arguments:?}");
        let room = metadata(&place, "x").blocks() * 512;
        assert!(!has_holes || room < 200_000, "{arguments:?}: {room} bytes");
    }
    // Also where the last bytes are a hole, and where the result is compared before it is named.
    place.write("z", &vec![0; LEN]);
    place.succeeds(&["compress", "z", "--rm"]);
    place.succeeds(&["decompress", "z.znn", "--rm"]);
    assert!(place.read("z") == vec![0; LEN]);
    assert!(!has_holes || metadata(&place, "z").blocks() * 512 < 100_000);
}

// Terminals.

/// Runs a shell script on its own terminal, without input. Returns `None` if no program can create
/// a terminal.
fn on_terminal(place: &Place, script: &str) -> Option<(Option<i32>, String)> {
    let child = Command::new("script")
        .args(["-qec", script, "/dev/null"])
        .env("ZIPNN", PROGRAM)
        .current_dir(place.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        skipped::skipped("the program `script`");
        return None;
    };
    let stdin = child.stdin.take();
    let mut stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        let _ = stdout.read_to_end(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    });
    let status = end(child).status.code();
    drop(stdin);
    Some((status, reader.join().unwrap()))
}

#[test]
#[cfg(target_os = "linux")]
fn refuses_to_write_data_to_a_terminal() {
    let place = Place::new();
    place.write("m.safetensors", &model());
    place.succeeds(&["compress", "m.safetensors"]);
    place.succeeds(&["compress", "--inside-safetensors", "m.safetensors"]);
    link(&place, "/dev/stdout", "link");
    for command in [
        "compress m.safetensors -o -",
        "compress --inside-safetensors m.safetensors -o -",
        "decompress m.safetensors.znn -o -",
        "decompress m.znn.safetensors -o -",
        "decompress m.safetensors.znn -o /dev/stdout",
        "decompress m.safetensors.znn -o /dev/fd/1",
        "decompress m.safetensors.znn -o /dev/tty",
        "decompress m.safetensors.znn -o link",
        "cat m.safetensors.znn w",
        "cat m.safetensors.znn w -o /dev/stdout",
        "repair -q m.safetensors -o -",
    ] {
        let script = format!("\"$ZIPNN\" {command}");
        let Some((status, shown)) = on_terminal(&place, &script) else { return };
        assert_eq!(status, Some(2), "{command}: {shown}");
        assert!(shown.contains("is a terminal") && shown.len() < 400, "{command}: {shown}");
    }
    let forced = on_terminal(&place, "\"$ZIPNN\" decompress m.safetensors.znn -o - -f").unwrap();
    assert!(forced.0 == Some(0) && forced.1.len() > tensor_len());
}

#[test]
#[cfg(target_os = "linux")]
fn refuses_to_read_data_from_a_terminal() {
    let place = Place::new();
    link(&place, "/dev/stdin", "link");
    for command in [
        "compress -",
        "compress - -o x",
        "compress --inside-safetensors -",
        "decompress -",
        "decompress /dev/stdin -o x",
        "decompress /dev/fd/0 -o x",
        "decompress /dev/tty -o x",
        "decompress link -o x",
        "info -",
        "verify -",
        "ls -",
        "cat - w -o x",
        "repair -",
        "bench -",
    ] {
        let script = format!("\"$ZIPNN\" {command}");
        let Some((status, shown)) = on_terminal(&place, &script) else { return };
        assert_eq!(status, Some(2), "{command}: {shown}");
        assert!(shown.contains("is a terminal"), "{command}: {shown}");
        assert_eq!(place.names(), ["link"]);
    }
    let script = "printf abc | \"$ZIPNN\" compress - -o x";
    assert_eq!(on_terminal(&place, script).unwrap().0, Some(0));
}

// Runs that end early.

#[test]
fn removes_temporary_files_of_killed_runs() {
    let place = Place::new();
    place.write("m", &[1; 5000]).write(".zipnn-a1B2c3.tmp", b"abandoned");
    place.write("disk/.zipnn-a1B2c3.tmp", b"abandoned").write("keep/.zipnn-a1B2c3.tmp", b"");
    // Names that this program does not give.
    place.write(".zipnn-notes.tmp", b"").write(".zipnn-.tmp", b"");
    let locked = File::create(place.path(".zipnn-d4E5f6.tmp")).unwrap();
    locked.lock().unwrap();
    link(&place, "disk/m", "link");
    place.succeeds(&["compress", "m"]);
    place.succeeds(&["compress", "m", "-o", "link"]);
    let mut expected = vec![
        ".zipnn-.tmp",
        ".zipnn-d4E5f6.tmp",
        ".zipnn-notes.tmp",
        "disk/m",
        "keep/.zipnn-a1B2c3.tmp",
        "link",
        "m",
        "m.znn",
    ];
    assert_eq!(place.names(), expected);
    drop(locked);
    place.succeeds(&["decompress", "m.znn", "-f"]);
    expected.remove(1);
    assert_eq!(place.names(), expected);
}

#[test]
fn every_signal_removes_temporary_files() {
    let signals = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ABRT", 6),
        ("USR1", 10),
        ("USR2", 12),
        ("ALRM", 14),
        ("TERM", 15),
        ("XCPU", 24),
        ("XFSZ", 25),
        ("VTALRM", 26),
        ("PROF", 27),
    ];
    let is_same_everywhere = |number| !(10..=13).contains(&number);
    let signals = signals.into_iter().filter(|&(_, number)| !is_ignored(number));
    for (signal, number) in signals {
        let place = Place::new();
        let mut child =
            place.command(&["compress", "-", "-o", "m.znn"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&vec![1; 6 << 20]).unwrap();
        wait_for_unfinished(&place);
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let status = end(child).status;
        let shown = status.code().or(status.signal().map(|signal| 128 + signal));
        if cfg!(target_os = "linux") || is_same_everywhere(number) {
            assert_eq!(shown, Some(128 + number), "SIG{signal}");
        }
        assert!(place.names().iter().all(|name| !name.contains("zipnn")), "SIG{signal}");
        drop(stdin);
    }
}

// Messages.

#[test]
fn detects_git_lfs_pointers() {
    let place = Place::new();
    let pointer = b"version https://git-lfs.github.com/spec/v1\n\
        oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n\
        size 4976698672\n";
    place.write("p.safetensors", pointer).write("p.safetensors.znn", pointer);
    place.write("p.znn.safetensors", pointer).write("m/p.safetensors", pointer);
    place.write("other", &[1; 134]);
    for arguments in [
        &["compress", "p.safetensors", "-o", "x"][..],
        &["compress", "--inside-safetensors", "p.safetensors", "-o", "x"],
        &["compress", "m"],
        &["compress", "other", "--delta", "p.safetensors", "-o", "x"],
        &["decompress", "p.safetensors.znn", "-o", "x"],
        &["decompress", "p.safetensors.znn", "-o", "x", "--force"],
        &["decompress", "p.znn.safetensors", "-o", "x"],
        &["info", "p.safetensors.znn"],
        &["info", "p.safetensors"],
        &["verify", "p.safetensors.znn"],
        &["verify", "p.znn.safetensors"],
        &["ls", "p.safetensors.znn"],
        &["ls", "p.znn.safetensors"],
        &["cat", "p.safetensors.znn", "w"],
        &["repair", "p.safetensors"],
        &["bench", "p.safetensors"],
    ] {
        let message = place.fails(1, arguments);
        assert!(message.contains("git lfs pull"), "{arguments:?}: {message}");
        assert!(!place.exists("x"), "{arguments:?}");
    }
    for command in ["compress", "decompress", "info", "verify", "repair"] {
        let output = place.run_with_input(&[command, "-"], pointer);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command}: {message}");
        assert!(message.contains("git lfs pull"), "{command}: {message}");
    }
    place.succeeds(&["compress", "p.safetensors", "--force", "--rm"]);
    place.succeeds(&["decompress", "p.safetensors.znn"]);
    assert_eq!(place.read("p.safetensors"), pointer);
    // Longer than any pointer, and so something else.
    let notes = [&pointer[..], &[b'x'; 2000]].concat();
    place.write("notes", &notes).succeeds(&["compress", "notes"]);
    let output = place.run_with_input(&["compress", "-"], &notes);
    assert_eq!(zipnn::decompress(&output.stdout, &Default::default()).unwrap(), notes);
    let short = place.run_with_input(&["compress", "-"], b"version");
    assert_eq!(zipnn::decompress(&short.stdout, &Default::default()).unwrap(), b"version");
}

#[test]
fn hints_match_the_arguments() {
    let place = Place::new();
    place.write("a", b"a").write("b", b"b");
    let message = place.fails(2, &["compress", "a", "b", "-o", "-"]);
    assert!(message.contains("several") && message.contains("directory"), "{message}");
    assert!(!message.contains("is not a directory"), "{message}");
    for (rows, hint) in
        [("7", "7..8"), ("5..3", "3..5"), ("0", "0..1"), ("x", "0..10"), ("1..", "0..10")]
    {
        let message = place.fails(2, &["cat", "a", "w", "--rows", rows]);
        assert!(message.contains(hint), "{rows}: {message}");
    }
}

// Standard streams that are closed.

#[test]
#[cfg(target_os = "linux")]
fn reports_closed_standard_output() {
    let place = Place::new();
    place.write("m.safetensors", &model());
    place.succeeds(&["compress", "m.safetensors"]);
    let commands = [
        "decompress m.safetensors.znn -o -",
        "decompress m.safetensors.znn -o /dev/stdout",
        "compress m.safetensors -o -",
        "compress - < m.safetensors",
        "cat m.safetensors.znn w",
        "ls m.safetensors.znn",
        "info m.safetensors.znn",
        "info --json m.safetensors.znn",
        "bench --runs 1 m.safetensors",
    ];
    for command in commands {
        for script in [
            format!("\"$ZIPNN\" {command} >&-; exit $?"),
            format!("exec >&-; \"$ZIPNN\" {command}; exit $?"),
            // Open, though not for writing.
            format!("\"$ZIPNN\" {command} 1</dev/null; exit $?"),
        ] {
            let output = shell(&place, &script);
            let message = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{script}: {message}");
            assert!(message.contains("standard output is closed"), "{script}: {message}");
        }
        let ignored = shell(&place, &format!("\"$ZIPNN\" {command} >/dev/null; exit $?"));
        assert!(ignored.status.success(), "{command}: {}", text(&ignored.stderr));
    }
    // What these are asked for is something else.
    for command in
        ["verify m.safetensors.znn", "compress m.safetensors -f", "compress -f m.safetensors -o x"]
    {
        let output = shell(&place, &format!("\"$ZIPNN\" {command} >&-; exit $?"));
        assert!(output.status.success(), "{command}: {}", text(&output.stderr));
    }
    let output = shell(&place, "\"$ZIPNN\" compress - <&-; exit $?");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("standard input is closed"));
}

/// Some programs open `/dev/null` as the standard library does in place of a closed stream.
#[test]
#[cfg(target_os = "linux")]
fn accepts_dev_null_as_standard_output() {
    let place = Place::new();
    place.write("m.safetensors", &model());
    place.succeeds(&["compress", "m.safetensors"]);
    let null = || OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
    for arguments in [
        &["ls", "m.safetensors.znn"][..],
        &["info", "m.safetensors.znn"],
        &["decompress", "m.safetensors.znn", "-o", "-"],
        &["decompress", "m.safetensors.znn", "-o", "/dev/stdout"],
        &["compress", "-"],
    ] {
        let mut command = place.command(arguments);
        let status = command.stdin(null()).stdout(null()).stderr(null()).status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }
    // The same by way of a shell, which passes on what it was given.
    for shell in ["sh", "bash"] {
        let status = Command::new(shell)
            .args(["-c", "\"$ZIPNN\" ls m.safetensors.znn; exit $?"])
            .env("ZIPNN", PROGRAM)
            .current_dir(place.path(""))
            .stdin(null())
            .stdout(null())
            .status();
        assert!(status.map_or(true, |status| status.success()), "{shell}");
    }
    let python = "import os, subprocess as s; \
        print(s.run([os.environ['ZIPNN'], 'ls', 'm.safetensors.znn'], stdout=s.DEVNULL).returncode)";
    let output = Command::new("python3")
        .args(["-c", python])
        .env("ZIPNN", PROGRAM)
        .current_dir(place.path(""))
        .output();
    match output {
        Ok(output) if output.status.success() => assert_eq!(text(&output.stdout).trim(), "0"),
        _ => skipped::skipped("Python"),
    }
}

/// Commands that read tensors do not copy a device without end.
#[test]
fn data_without_end_is_not_copied() {
    let place = Place::new();
    place.write("m.safetensors", &crate::tensor_files::file_of(&[("a", "U8", &[4], vec![7; 4])]));
    for arguments in [
        &["diff", "/dev/zero", "m.safetensors"][..],
        &["diff", "m.safetensors", "/dev/zero"],
        &["repair", "/dev/zero"],
        &["info", "/dev/zero"],
        &["ls", "/dev/zero"],
        &["verify", "/dev/zero"],
        &["compress", "--inside-safetensors", "/dev/zero", "-o", "out"],
    ] {
        place.fails(if arguments[0] == "ls" { 2 } else { 1 }, arguments);
    }
    // Its beginning is enough.
    let said = place.succeeds(&["doctor", "/dev/zero"]);
    assert!(said.contains("only the beginning"), "{said}");
}
