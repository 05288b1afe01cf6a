//! Directories, and models in the cache of the Hugging Face Hub: selected files, names, links and
//! indexes, and completing the work of killed runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use program::{Place, text};
use serde_json::{Value, json};
use zipnn::DType;

use crate::common::data;
use crate::program;

/// Everything in the directory: contents, targets of links, and permissions.
fn tree(place: &Place) -> BTreeMap<String, Entry> {
    let mut tree = BTreeMap::new();
    add_to_tree(&place.path(""), "", &mut tree);
    tree
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Directory,
    /// Contents, permissions and time of modification.
    File(Vec<u8>, u32, SystemTime),
    Link(PathBuf),
}

fn add_to_tree(directory: &Path, prefix: &str, tree: &mut BTreeMap<String, Entry>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        let kind = entry.file_type().unwrap();
        let entry = if kind.is_dir() {
            add_to_tree(&entry.path(), &format!("{name}/"), tree);
            Entry::Directory
        } else if kind.is_symlink() {
            Entry::Link(fs::read_link(entry.path()).unwrap())
        } else {
            let time = entry.metadata().unwrap().modified().unwrap();
            Entry::File(fs::read(entry.path()).unwrap(), mode(&entry.path()), time)
        };
        tree.insert(name, entry);
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> u32 {
    0
}

/// A `.safetensors` file of one tensor, of about `len` bytes.
fn model(len: usize, seed: u64) -> Vec<u8> {
    let data = data::weights(DType::BF16, len & !1, seed);
    let header = format!(
        r#"{{"weight":{{"dtype":"BF16","shape":[{}],"data_offsets":[0,{}]}}}}"#,
        data.len() / 2,
        data.len()
    );
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

fn decoded(file: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut decoder = zipnn::Decoder::new(file, zipnn::Limits::default()).unwrap();
    std::io::Read::read_to_end(&mut decoder, &mut decoded).unwrap();
    decoded
}

fn set_time(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn restores_a_directory() {
    let place = Place::new();
    place
        .write("models/a.safetensors", &model(300_000, 1))
        .write("models/deep/er/b.bin", &data::weights(DType::F32, 200_000, 2))
        .write("models/deep/c.pt", b"")
        .write("models/config.json", b"{}")
        .write("models/safetensors", b"has no ending")
        .write("models/.hidden/d.bin", b"hidden")
        .write("models/.e.bin", b"hidden");
    set_time(&place.path("models/a.safetensors"), 1_000_000_000);
    let before = tree(&place);

    let said = place.succeeds(&["compress", "models", "--rm"]);
    assert!(said.starts_with("models: 3 files compressed; 500 kB -> "), "{said}");
    assert_eq!(said.lines().count(), 1);
    assert_eq!(
        place.names(),
        [
            "models/.e.bin",
            "models/.hidden/d.bin",
            "models/a.safetensors.znn",
            "models/config.json",
            "models/deep/c.pt.znn",
            "models/deep/er/b.bin.znn",
            "models/safetensors",
        ]
    );
    assert_eq!(decoded(&place.read("models/a.safetensors.znn")), model(300_000, 1));
    let said = place.succeeds(&["compress", "models", "--rm"]);
    assert_eq!(said, "models: 0 files compressed\n");

    let said = place.succeeds(&["decompress", "models", "--rm"]);
    assert!(said.starts_with("models: 3 files decompressed; "), "{said}");
    assert_eq!(tree(&place), before);
    assert_eq!(place.succeeds(&["compress", "models", "--quiet"]), "");
}

#[test]
fn selects_files_by_patterns() {
    let place = Place::new();
    for name in ["a.bin", "b.pt", "part/a.bin", "part/er/c.bin", ".h/a.bin", "x.txt"] {
        place.write(&format!("m/{name}"), &[1; 100]);
    }
    let all = place.names().len();
    let compressed = |arguments: &[&str]| {
        place.succeeds(&[&["compress", "m"], arguments].concat());
        let names = place.names();
        let results: Vec<_> = names
            .iter()
            .filter(|name| name.ends_with(".znn"))
            .map(|name| {
                place.remove(name);
                name.strip_prefix("m/").unwrap().strip_suffix(".znn").unwrap().to_owned()
            })
            .collect();
        assert_eq!(place.names().len(), all);
        results.join(" ")
    };
    assert_eq!(compressed(&[]), "a.bin b.pt part/a.bin part/er/c.bin");
    assert_eq!(compressed(&["--hidden"]), ".h/a.bin a.bin b.pt part/a.bin part/er/c.bin");
    assert_eq!(compressed(&["--match", "a.*"]), "a.bin part/a.bin");
    assert_eq!(compressed(&["--match", "*.txt", "--match", "b*"]), "b.pt x.txt");
    assert_eq!(compressed(&["--match", "part/*"]), "part/a.bin");
    assert_eq!(compressed(&["--match", "part/**"]), "part/a.bin part/er/c.bin");
    place.fails(1, &["compress", "m", "--match", "*.safetensors"]);
    assert!(place.fails(2, &["compress", "m", "--match", "["]).contains("--match"));

    place.succeeds(&["compress", "m", "--rm", "--match", "*"]);
    place.succeeds(&["decompress", "m", "--rm", "--match", "*.bin", "--match", "x.txt"]);
    assert!(place.exists("m/b.pt.znn") && place.exists("m/x.txt") && place.exists("m/part/a.bin"));
}

#[test]
#[cfg(unix)]
fn does_not_follow_links() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    place.write("elsewhere/a.bin", &[1; 100]).write("m/b.bin", &[2; 100]);
    symlink("../elsewhere", place.path("m/directory")).unwrap();
    symlink("..", place.path("m/loop")).unwrap();
    symlink("../elsewhere/a.bin", place.path("m/a.bin")).unwrap();
    symlink("nowhere", place.path("m/c.bin")).unwrap();
    symlink("m", place.path("named")).unwrap();
    let output = place.run(&["compress", "named", "--rm"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("named: 1 file compressed"));
    assert!(text(&output.stderr).contains("2 links are not followed; "), "{output:?}");
    fs::remove_file(place.path("m/c.bin")).unwrap();
    let output = place.run(&["compress", "named", "--rm"]);
    assert!(text(&output.stderr).contains("1 link is not followed; "), "{output:?}");
    symlink("nowhere", place.path("m/c.bin")).unwrap();
    assert_eq!(
        place.names(),
        ["elsewhere/a.bin", "m/a.bin", "m/b.bin.znn", "m/c.bin", "m/directory", "m/loop", "named"]
    );
}

#[test]
fn writes_results_to_another_directory() {
    let place = Place::new();
    place.write("m/a.bin", &[1; 1000]).write("m/deep/a.bin", &[2; 1000]);
    let before = tree(&place);
    let message = place.fails(2, &["compress", "m", "-o", "results"]);
    assert!(message.contains("an existing directory"), "{message}");
    assert!(place.fails(2, &["compress", "m", "-o", "-"]).contains("an existing directory"));
    fs::create_dir(place.path("results")).unwrap();
    fs::create_dir(place.path("again")).unwrap();
    place.succeeds(&["compress", "m", "-o", "results"]);
    assert!(place.exists("results/a.bin.znn") && place.exists("results/deep/a.bin.znn"));
    place.succeeds(&["decompress", "results", "-o", "again", "--rm"]);
    assert_eq!(place.names(), ["again/a.bin", "again/deep/a.bin", "m/a.bin", "m/deep/a.bin"]);
    assert_eq!(tree(&place)["again/deep/a.bin"], before["m/deep/a.bin"]);
}

#[test]
fn continues_with_existing_results() {
    let place = Place::new();
    let data = model(50_000, 1);
    place.write("m/a.bin", &data).write("m/b.bin", &data);
    place.succeeds(&["compress", "m"]);
    let said = place.succeeds(&["compress", "m"]);
    assert_eq!(said, "m: 0 files compressed, 2 done before\n");
    // Time tells nothing any more, but the contents do.
    set_time(&place.path("m/a.bin.znn"), 1_000_000_000);
    let said = place.succeeds(&["compress", "m"]);
    assert_eq!(said, "m: 0 files compressed, 2 done before\n");

    place.write("m/b.bin", &model(50_000, 2));
    set_time(&place.path("m/b.bin"), 1_100_000_000);
    for arguments in [&["compress", "m"][..], &["compress", "m", "--rm"]] {
        let message = place.fails(1, arguments);
        assert!(message.contains("b.bin.znn: already exists, and is not the result"), "{message}");
        assert!(message.contains("--force"), "{message}");
        assert!(place.exists("m/b.bin"));
    }
    assert!(!place.exists("m/a.bin"), "its result was there and is right");
    place.succeeds(&["compress", "m", "--rm", "--force"]);
    assert_eq!(place.names(), ["m/a.bin.znn", "m/b.bin.znn"]);
    assert_eq!(decoded(&place.read("m/b.bin.znn")), model(50_000, 2));
}

#[test]
fn detects_a_source_that_changed_right_after_a_run() {
    let place = Place::new();
    place.write("m/a.bin", &model(50_000, 1));
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_700);
    let set = |time| {
        let file = File::options().write(true).open(place.path("m/a.bin")).unwrap();
        file.set_modified(time).unwrap();
    };
    set(time);
    place.succeeds(&["compress", "m"]);
    place.write("m/a.bin", &model(50_000, 2));
    set(time + Duration::from_millis(20));
    let message = place.fails(1, &["compress", "m"]);
    assert!(message.contains("a.bin.znn: already exists, and is not the result"), "{message}");
}

/// A wrong result may have the time of its source.
#[test]
fn rm_compares_results_with_equal_times() {
    let place = Place::new();
    place.write("m/a.bin", &model(50_000, 1)).write("m/b.bin", &model(50_000, 2));
    place.succeeds(&["compress", "m"]);
    fs::copy(place.path("m/b.bin.znn"), place.path("m/a.bin.znn")).unwrap();
    for name in ["a.bin", "a.bin.znn", "b.bin", "b.bin.znn"] {
        set_time(&place.path(&format!("m/{name}")), 1_000_000_000);
    }
    for command in ["compress", "decompress"] {
        let message = place.fails(1, &[command, "m", "--rm", "--match", "a.bin"]);
        assert!(message.contains("already exists, and is not the result"), "{message}");
        assert_eq!(place.names(), ["m/a.bin", "m/a.bin.znn", "m/b.bin", "m/b.bin.znn"]);
    }
}

#[test]
fn continues_after_a_failed_file() {
    let place = Place::new();
    let names: Vec<_> = (0..9).map(|number| format!("m/{number}.bin")).collect();
    for name in &names {
        place.write(name, &model(20_000, 1));
    }
    place.succeeds(&["compress", "m", "--rm"]);
    place.write("m/3.bin.znn", b"garbage").write("m/6.bin.znn", b"garbage");
    let mut trailing = place.read("m/7.bin.znn");
    trailing.push(0);
    place.write("m/7.bin.znn", &trailing);
    let output = place.run(&["decompress", "m", "--rm", "--threads", "3"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).starts_with("m: 6 files decompressed, 3 failed; "), "{output:?}");
    let message = text(&output.stderr);
    let places = ["3.bin.znn: ", "6.bin.znn: ", "7.bin.znn: "].map(|name| message.find(name));
    assert!(places.is_sorted() && places[0].is_some(), "{message}");
    for name in &names {
        let is_left = ["3", "6", "7"].iter().any(|number| name.contains(number));
        assert_eq!(place.exists(name), !is_left, "{name}");
        assert_eq!(place.exists(&format!("{name}.znn")), is_left, "{name}");
    }
}

/// Bytes after the only frame of a file exist nowhere else, even if an earlier run wrote a result.
#[test]
fn rm_keeps_sources_with_bytes_after_the_only_frame() {
    let place = Place::new();
    let data = data::weights(DType::BF16, 10_000, 1);
    let mut file = zipnn::compress(&data, &zipnn::Options::new(DType::BF16).plain()).unwrap();
    file.extend(b"and more");
    place.write("m/a.bin.znn", &file);
    let output = place.run(&["decompress", "m"]);
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("warning: 8 bytes follow the only frame"), "{output:?}");
    let message = place.fails(1, &["decompress", "m", "--rm"]);
    assert!(message.contains("8 bytes follow the only frame"), "{message}");
    assert_eq!(place.read("m/a.bin.znn"), file);
}

#[test]
fn rejects_invalid_arguments() {
    let place = Place::new();
    place.write("m/a.bin", b"data").write("base", b"data");
    assert!(place.fails(2, &["compress", "m", "--delta", "base"]).contains("--delta"));
    place.fails(2, &["compress"]);
    place.fails(2, &["compress", "m", "--hub", "org/name"]);
    place.fails(2, &["compress", "--hub", "org/name", "--keep"]);
    place.fails(2, &["compress", "--hub", "org/name", "-o", "m"]);
    place.fails(2, &["compress", "m", "--cache", "m"]);
    assert!(place.fails(2, &["compress", "--hub", "../m", "--cache", "."]).contains("ORG/NAME"));
    assert!(place.fails(1, &["compress", "--hub", "org/m", "--cache", "."]).contains("--cache"));
    assert_eq!(place.names(), ["base", "m/a.bin"]);
}

/// The index that the original's scripts rewrite, and what they make of it.
fn hf_index(name: &str) -> String {
    let path = crate::common::root().join("tests/data/hf_index").join(name);
    fs::read_to_string(path).unwrap()
}

/// Returns the map from tensors to files.
fn weight_map(index: &[u8]) -> Value {
    serde_json::from_slice::<Value>(index).unwrap()["weight_map"].take()
}

const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
const INDEX: &str = "model.safetensors.index.json";

#[test]
fn indexes_name_existing_files() {
    let place = Place::new();
    let before = hf_index("before.json");
    place.write(&format!("m/{INDEX}"), before.as_bytes());
    for shard in SHARDS {
        place.write(&format!("m/{shard}"), &model(8000, 1));
    }
    let index = || place.read(&format!("m/{INDEX}"));
    place.succeeds(&["compress", "m"]);
    assert_eq!(text(&index()), before, "only on request");
    place.succeeds(&["compress", "m", "--rewrite-index", "--rm"]);
    assert_eq!(weight_map(&index()), weight_map(hf_index("after-file.json").as_bytes()));
    let expected = before.replace(".safetensors\"", ".safetensors.znn\"");
    assert_eq!(text(&index()), expected, "nothing else has changed");

    // A shard that cannot be restored keeps its name.
    let damaged = place.read(&format!("m/{}.znn", SHARDS[1]));
    place.write(&format!("m/{}.znn", SHARDS[1]), b"garbage");
    place.fails(1, &["decompress", "m", "--rewrite-index", "--rm"]);
    assert_eq!(weight_map(&index()), json!({"w1": SHARDS[0], "w2": format!("{}.znn", SHARDS[1])}));
    place.write(&format!("m/{}.znn", SHARDS[1]), &damaged);
    place.succeeds(&["decompress", "m", "--rewrite-index", "--rm"]);
    assert_eq!(text(&index()), before);
}

#[test]
fn indexes_name_files_with_compressed_tensors() {
    let place = Place::new();
    place.write(&format!("m/{INDEX}"), hf_index("before.json").as_bytes());
    for shard in SHARDS {
        place.write(&format!("m/{}", shard.replace(".safe", ".znn.safe")), &model(8000, 1));
    }
    let said = place.succeeds(&["compress", "m", "--rewrite-index"]);
    assert_eq!(said, "m: 0 files compressed\n", "they are compressed already");
    let index = place.read(&format!("m/{INDEX}"));
    assert_eq!(weight_map(&index), weight_map(hf_index("after-tensor.json").as_bytes()));
}

/// Returns the highest memory that was observed in a run.
#[cfg(target_os = "linux")]
fn peak_memory(mut child: Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        peak = peak.max(number.map_or(0, |number| number.parse().unwrap()));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    peak * 1024
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded_for_many_files() {
    let place = Place::new();
    let data = model(1 << 20, 1);
    for (number, mebibytes) in [40, 12, 12, 12, 12, 7, 7, 7, 1, 1].into_iter().enumerate() {
        place.write(&format!("m/{number}.bin"), &data.repeat(mebibytes));
    }
    for command in ["compress", "decompress"] {
        let mut command = place.command(&[command, "m", "--rm", "--threads", "2"]);
        let peak = peak_memory(command.stdout(Stdio::null()).spawn().unwrap());
        assert!(0 < peak && peak < 128 << 20, "{command:?}: {peak} bytes");
    }
}

/// Files of killed runs are removed, and files of other running processes are not.
#[test]
#[cfg(unix)]
fn removes_abandoned_temporary_files() {
    let place = Place::new();
    place.write("m/a.bin", &model(9000, 1));
    fs::create_dir(place.path("m/deep")).unwrap();
    let mut child = place
        .command(&["compress", "-", "-o", "m/deep/b.bin.znn"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let data = data::weights(DType::BF16, 9 << 20, 1);
    stdin.write_all(&data).unwrap();
    let start = Instant::now();
    while place.names().len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(20), "no temporary file");
        std::thread::sleep(Duration::from_millis(5));
    }
    place.write("m/deep/.zipnn-x1y2z3.tmp", b"abandoned");
    place.succeeds(&["compress", "m"]);
    assert!(!place.exists("m/deep/.zipnn-x1y2z3.tmp"));
    assert_eq!(place.names().len(), 3, "{:?}", place.names());
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(place.names(), ["m/a.bin", "m/a.bin.znn", "m/deep/b.bin.znn"]);
    assert_eq!(decoded(&place.read("m/deep/b.bin.znn")), data);
}

/// Kills a run after `delay`. Returns whether it was still running.
#[cfg(unix)]
fn kill_after(mut command: Command, delay: Duration) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

/// Compresses and decompresses repeatedly, and kills nearly every run. `files` are the paths of all
/// files to compress.
#[cfg(unix)]
fn survives_kills(place: &Place, compress: &[&str], decompress: &[&str], files: &[&str]) {
    let before = contents(place);
    let originals: Vec<_> = files.iter().map(|file| place.read(file)).collect();
    let start = Instant::now();
    place.succeeds(compress);
    let compress_time = start.elapsed();
    let compressed = contents(place);
    let start = Instant::now();
    place.succeeds(decompress);
    let decompress_time = start.elapsed();
    assert_eq!(contents(place), before);

    // An index, for example, whose link is replaced.
    let always: Vec<_> = before.keys().filter(|name| compressed.contains_key(*name)).collect();
    let mut random = data::Random(7);
    let mut killed = 0;
    for round in 0..15 {
        for (arguments, time, end) in
            [(compress, compress_time, &compressed), (decompress, decompress_time, &before)]
        {
            // In some rounds the run that resumes is killed as well.
            for _ in 0..1 + round % 2 {
                let micros = time.as_micros() as usize;
                let delay = Duration::from_micros(random.below(micros) as u64);
                killed += usize::from(kill_after(place.command(arguments), delay));
                for (file, original) in files.iter().zip(&originals) {
                    let plain = place.path(file);
                    let whole = if plain.exists() {
                        fs::read(plain).unwrap()
                    } else {
                        decoded(&place.read(&format!("{file}.znn")))
                    };
                    assert!(whole == *original, "{file}, round {round}");
                }
                for name in &always {
                    assert!(place.path(name).exists(), "{name}, round {round}");
                }
            }
            place.succeeds(arguments);
            assert!(contents(place) == *end, "round {round}: {:?}", place.names());
        }
    }
    assert!(killed >= 5, "only {killed} runs were killed");
}

/// Returns everything except times, which a changed index does not keep.
fn contents(place: &Place) -> BTreeMap<String, Entry> {
    let mut tree = tree(place);
    for entry in tree.values_mut() {
        if let Entry::File(_, _, time) = entry {
            *time = SystemTime::UNIX_EPOCH;
        }
    }
    tree
}

#[test]
#[cfg(unix)]
fn a_directory_survives_killed_runs() {
    let place = Place::new();
    let files = ["m/a.safetensors", "m/b.bin", "m/deep/c.pt", "m/deep/d.pt"];
    for (file, seed) in files.iter().zip(1..) {
        place.write(file, &model(2_000_000 >> seed, seed));
    }
    survives_kills(&place, &["compress", "m", "--rm"], &["decompress", "m", "--rm"], &files);
}

#[cfg(unix)]
mod hub {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const REPOSITORY: &str = "cache/models--org--name";
    /// Two revisions.
    const OLD: &str = "0123456789abcdef0123456789abcdef01234567";
    const NEW: &str = "89abcdef0123456789abcdef0123456789abcdef";
    const COMPRESS: [&str; 5] = ["compress", "--hub", "org/name", "--cache", "cache"];
    const DECOMPRESS: [&str; 5] = ["decompress", "--hub", "org/name", "--cache", "cache"];

    fn blob(name: &str) -> String {
        format!("{REPOSITORY}/blobs/{name}")
    }

    fn entry(revision: &str, name: &str) -> String {
        format!("{REPOSITORY}/snapshots/{revision}/{name}")
    }

    /// Makes an entry of a revision's tree that leads to a blob.
    fn link(place: &Place, revision: &str, name: &str, blob: &str) {
        let path = place.path(&entry(revision, name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let up = "../".repeat(2 + name.matches('/').count());
        symlink(format!("{up}blobs/{blob}"), path).unwrap();
    }

    fn target(place: &Place, revision: &str, name: &str) -> String {
        let path = place.path(&entry(revision, name));
        fs::read_link(&path).unwrap().into_os_string().into_string().unwrap()
    }

    /// A model of two revisions that share most files, with everything that a cache may have.
    fn cached_model() -> Place {
        let place = Place::new();
        for (name, contents) in [
            ("first", model(60_000, 1)),
            ("second", model(70_000, 2)),
            ("changed", model(70_000, 3)),
            ("unet", model(50_000, 4)),
            ("unlinked", model(50_000, 5)),
            ("part.incomplete", model(1000, 6)),
            ("config", b"{}".to_vec()),
            ("index", hf_index("before.json").into_bytes()),
        ] {
            place.write(&blob(name), &contents);
            let permissions =
                PermissionsExt::from_mode(if name == "second" { 0o444 } else { 0o640 });
            fs::set_permissions(place.path(&blob(name)), permissions).unwrap();
        }
        for (revision, second) in [(OLD, "second"), (NEW, "changed")] {
            link(&place, revision, "config.json", "config");
            link(&place, revision, INDEX, "index");
            link(&place, revision, SHARDS[0], "first");
            link(&place, revision, SHARDS[1], second);
        }
        link(&place, NEW, "unet/model.safetensors", "unet");
        let listing = json!({"format_version": 1, "files": {
            SHARDS[0]: {"size": 1, "blob_id": "x"},
            "unet/model.safetensors": {"size": 1, "blob_id": "y"},
            "not-fetched.safetensors": {"size": 1, "blob_id": "z"},
        }});
        place
            .write(&format!("{REPOSITORY}/refs/main"), NEW.as_bytes())
            .write(&format!("{REPOSITORY}/trees/{NEW}.json"), listing.to_string().as_bytes())
            .write(&format!("{REPOSITORY}/.no_exist/{NEW}/model.safetensors"), b"")
            // Where links could not be made.
            .write(&entry(OLD, "copied.safetensors"), &model(5000, 7));
        place
    }

    /// Asserts that the model is compressed.
    fn assert_compressed(place: &Place) {
        for (revision, name, target_blob) in [
            (OLD, SHARDS[0], "../../blobs/first.znn"),
            (OLD, SHARDS[1], "../../blobs/second.znn"),
            (NEW, SHARDS[0], "../../blobs/first.znn"),
            (NEW, SHARDS[1], "../../blobs/changed.znn"),
            (NEW, "unet/model.safetensors", "../../../blobs/unet.znn"),
        ] {
            assert!(!place.exists(&entry(revision, name)), "{revision}/{name}");
            assert_eq!(target(place, revision, &format!("{name}.znn")), target_blob);
        }
        for (name, seed, len) in [("first", 1, 60_000), ("changed", 3, 70_000)] {
            assert!(!place.exists(&blob(name)));
            assert_eq!(decoded(&place.read(&blob(&format!("{name}.znn")))), model(len, seed));
        }
        let index = place.read(&entry(OLD, INDEX));
        assert_eq!(weight_map(&index), weight_map(hf_index("after-file.json").as_bytes()));
        assert_eq!(target(place, NEW, INDEX), "../../blobs/index.znn.json");
        assert!(!place.exists(&blob("index")));
        assert!(place.exists(&blob("unlinked")) && place.exists(&blob("part.incomplete")));
        assert_eq!(target(place, NEW, "config.json"), "../../blobs/config");
        assert!(place.exists(&entry(OLD, "copied.safetensors.znn")));
        assert!(!place.exists(&entry(OLD, "copied.safetensors")));
        let listing = place.read(&format!("{REPOSITORY}/trees/{NEW}.json"));
        let listing: Value = serde_json::from_slice(&listing).unwrap();
        let names: Vec<_> = listing["files"].as_object().unwrap().keys().collect();
        let first = format!("{}.znn", SHARDS[0]);
        assert_eq!(names, [&first, "not-fetched.safetensors", "unet/model.safetensors.znn"]);
        assert!(place.names().iter().all(|name| !name.ends_with(".tmp")));
    }

    #[test]
    fn restores_a_cached_model() {
        let place = cached_model();
        let before = contents(&place);
        let said = place.succeeds(&COMPRESS);
        assert!(said.starts_with("org/name: 5 files compressed; "), "{said}");
        assert_compressed(&place);
        assert_eq!(mode(&place.path(&blob("second.znn"))), 0o444);
        let compressed = tree(&place);
        assert_eq!(place.succeeds(&COMPRESS), "org/name: 0 files compressed\n");
        assert!(tree(&place) == compressed);
        let said = place.succeeds(&DECOMPRESS);
        assert!(said.starts_with("org/name: 5 files decompressed; "), "{said}");
        assert_eq!(contents(&place), before);
    }

    /// The files of one revision stay whole, and similar files of others become differences to them.
    #[test]
    fn stores_differences_to_a_revision() {
        let place = cached_model();
        let mut changed = place.read(&blob("second"));
        changed.iter_mut().skip(10_000).step_by(100).for_each(|byte| *byte ^= 1);
        place.write(&blob("changed"), &changed);
        let before = contents(&place);
        let revision = format!("{REPOSITORY}/snapshots/{OLD}");
        place.succeeds(&[&COMPRESS[..], &["--base", &revision]].concat());
        let info = |name: &str| -> Value {
            let name = blob(name);
            serde_json::from_str(&place.succeeds(&["info", "--json", &name])).unwrap()
        };
        assert_eq!(info("second.znn")["delta"], false);
        let difference = info("changed.znn");
        assert_eq!(difference["delta"], true);
        assert_eq!(difference["bases"][0]["path"], "second");
        let [whole, difference] =
            ["second.znn", "changed.znn"].map(|name| place.read(&blob(name)).len());
        assert!(difference < whole / 2, "{difference} {whole}");
        place.succeeds(&["verify", &format!("{REPOSITORY}/snapshots/{NEW}")]);
        // What others need is kept until they are whole again.
        place.succeeds(&DECOMPRESS);
        assert_eq!(contents(&place), before);
    }

    /// The library records which files the Hub does not have.
    #[test]
    fn removes_the_record_of_absent_files() {
        let place = cached_model();
        let absent = format!("{REPOSITORY}/.no_exist/{NEW}/unet/model.safetensors.znn");
        place.write(&absent, b"");
        place.succeeds(&COMPRESS);
        assert!(!place.exists(&absent));
        assert!(place.exists(&format!("{REPOSITORY}/.no_exist/{NEW}/model.safetensors")));
    }

    #[test]
    fn finds_the_cache_by_environment_variables() {
        let place = cached_model();
        let cache = place.path("cache");
        for (variable, value) in [
            ("HF_HUB_CACHE", cache.clone()),
            ("HUGGINGFACE_HUB_CACHE", cache.clone()),
            ("HF_HOME", place.path("home/.cache/huggingface")),
            ("XDG_CACHE_HOME", place.path("home/.cache")),
            ("HOME", place.path("home")),
        ] {
            let hub = place.path("home/.cache/huggingface/hub");
            let _ = fs::remove_dir_all(place.path("home"));
            fs::create_dir_all(hub.parent().unwrap()).unwrap();
            symlink(&cache, &hub).unwrap();
            for command in ["compress", "decompress"] {
                let output = place
                    .command(&[command, "--hub", "org/name"])
                    .env(variable, &value)
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{variable}: {}", text(&output.stderr));
                assert!(text(&output.stdout).contains("5 files"), "{variable}");
            }
        }
    }

    /// A blob is kept while a link needs it.
    #[test]
    fn processes_selected_files_of_a_cached_model() {
        let place = cached_model();
        link(&place, OLD, "same/as.bin", "first");
        let before = contents(&place);
        place.succeeds(&[&COMPRESS[..], &["--match", "unet/*", "--match", "same/*"]].concat());
        assert_eq!(target(&place, NEW, "unet/model.safetensors.znn"), "../../../blobs/unet.znn");
        assert_eq!(target(&place, OLD, "same/as.bin.znn"), "../../../blobs/first.znn");
        assert_eq!(target(&place, OLD, SHARDS[0]), "../../blobs/first");
        assert!(place.exists(&blob("first")) && !place.exists(&blob("unet")));
        assert_eq!(target(&place, NEW, INDEX), "../../blobs/index");
        place.succeeds(&COMPRESS);
        assert!(!place.exists(&blob("first")));
        place.succeeds(&DECOMPRESS);
        assert_eq!(contents(&place), before);
    }

    /// The original's scripts keep the name of the blob, write absolute links and change the index
    /// in place.
    #[test]
    fn decompresses_a_cache_that_the_original_compressed() {
        for is_killed in [false, true] {
            let place = cached_model();
            let before = contents(&place);
            for shard in SHARDS {
                let path = place.path(&entry(NEW, shard));
                let blob_path = path.canonicalize().unwrap();
                let data = fs::read(&blob_path).unwrap();
                let mut encoder =
                    zipnn::Encoder::new(Vec::new(), zipnn::Options::new(DType::BF16).plain())
                        .unwrap();
                encoder.write_all(&data).unwrap();
                fs::write(&blob_path, encoder.finish().unwrap()).unwrap();
                fs::remove_file(&path).unwrap();
                symlink(&blob_path, place.path(&entry(NEW, &format!("{shard}.znn")))).unwrap();
            }
            place.write(&blob("index"), hf_index("after-file.json").as_bytes());
            if is_killed {
                fs::hard_link(place.path(&blob("first")), place.path(&blob("first.znn"))).unwrap();
                place.remove(&entry(NEW, &format!("{}.znn", SHARDS[0])));
                link(&place, NEW, &format!("{}.znn", SHARDS[0]), "first.znn");
            }
            place.succeeds(&DECOMPRESS);
            let mut after = contents(&place);
            let index = blob("index");
            assert_eq!(
                weight_map(&place.read(&index)),
                weight_map(hf_index("before.json").as_bytes())
            );
            // Its blind replacement has changed a note as well.
            after.insert(index.clone(), before[&index].clone());
            assert_eq!(after, before);
        }
    }

    /// A repository of files that were compressed before they were published.
    /// A model of which two revisions differ in some weights, and a model that was tuned from it.
    fn revisions() -> (Place, [Vec<u8>; 3]) {
        let place = Place::new();
        let old = data::weights(DType::BF16, 100_000, 5);
        let changed = |step: usize| {
            let mut weights = old.clone();
            weights.chunks_exact_mut(2).step_by(step).for_each(|element| element[0] ^= 1);
            weights
        };
        let files = [old.clone(), changed(40), changed(20)].map(|weights| {
            crate::tensor_files::file_of(&[("w", "BF16", &[500, 100][..], weights)])
        });
        for (revision, (name, file)) in [OLD, NEW].iter().zip(["one", "two"].iter().zip(&files)) {
            place.write(&blob(name), file);
            link(&place, revision, "model.safetensors", name);
        }
        place.write("tuned/model.safetensors", &files[2]);
        (place, files)
    }

    #[test]
    fn revisions_are_differences_to_each_other() {
        let (place, files) = revisions();
        let before = contents(&place);
        place.succeeds(&[&COMPRESS[..], &["--dedup"]].concat());
        let lens = ["one.znn", "two.znn"].map(|name| place.read(&blob(name)).len());
        assert!(lens[0].min(lens[1]) * 8 < lens[0].max(lens[1]), "{lens:?}");
        // Both are found through their links.
        for (revision, file) in [OLD, NEW].iter().zip(&files) {
            let compressed = entry(revision, "model.safetensors.znn");
            place.succeeds(&["verify", &compressed]);
            place.succeeds(&["decompress", "-o", "out", "--force", &compressed]);
            assert!(place.read("out") == *file);
        }
        place.remove("out");
        // A revision can be the base of a model elsewhere.
        let revisions = format!("{REPOSITORY}/snapshots");
        place.succeeds(&["compress", "--rm", "--base", &revisions, "tuned"]);
        assert!(place.read("tuned/model.safetensors.znn").len() < files[2].len() / 5);
        place.succeeds(&["decompress", "--rm", "tuned"]);
        place.succeeds(&DECOMPRESS);
        assert_eq!(contents(&place), before);
        // And a model elsewhere the base of all revisions.
        place.succeeds(&[&COMPRESS[..], &["--base", "tuned"]].concat());
        for name in ["one.znn", "two.znn"] {
            assert!(place.read(&blob(name)).len() < files[0].len() / 5);
        }
        place.succeeds(&DECOMPRESS);
        assert_eq!(contents(&place), before);
    }

    #[test]
    fn revisions_survive_killed_runs() {
        let (place, _) = revisions();
        let files = ["one", "two"].map(blob);
        let files = files.each_ref().map(|file| &**file);
        let compress = [&COMPRESS[..], &["--dedup"]].concat();
        let before = contents(&place);
        for round in 0..6 {
            let delay = Duration::from_millis(8 * round);
            kill_after(place.command(&compress), delay);
            place.succeeds(&compress);
            assert!(files.iter().all(|file| !place.exists(file)), "{round}");
            kill_after(place.command(&DECOMPRESS), delay);
            place.succeeds(&DECOMPRESS);
            assert_eq!(contents(&place), before, "{round}");
        }
    }

    #[test]
    fn keeps_files_that_are_compressed_on_the_hub() {
        let place = cached_model();
        let data = model(50_000, 1);
        let file = zipnn::compress(&data, &zipnn::Options::new(DType::BF16).plain()).unwrap();
        place.write(&blob("published"), &file);
        link(&place, NEW, "published.safetensors.znn", "published");
        let before = contents(&place);
        place.succeeds(&COMPRESS);
        let output = place.run(&DECOMPRESS);
        assert!(output.status.success());
        assert!(text(&output.stderr).contains("is compressed on the Hub"), "{output:?}");
        assert_eq!(contents(&place), before);
    }

    /// The states in which a killed run may leave a blob and its links.
    #[test]
    fn resumes_after_every_step() {
        let place = cached_model();
        let before = contents(&place);
        place.succeeds(&COMPRESS);
        let compressed = contents(&place);
        let znn = place.read(&blob("first.znn"));
        let index = place.read(&blob("index.znn.json"));
        place.succeeds(&DECOMPRESS);
        let plain = place.read(&blob("first"));
        let plain_index = place.read(&blob("index"));

        let make = |name: &str, contents: &[u8]| {
            place.write(&blob(name), contents);
            let permissions = PermissionsExt::from_mode(0o640);
            fs::set_permissions(place.path(&blob(name)), permissions).unwrap();
        };
        let both = |revision, name: &str, blob: &str| {
            link(&place, revision, &format!("{name}.znn"), &format!("{blob}.znn"));
        };
        let switch_index = |revision, blob: &str| {
            place.remove(&entry(revision, INDEX));
            link(&place, revision, INDEX, blob);
        };
        for step in 0..6 {
            make("first.znn", &znn);
            if step > 0 {
                both(OLD, SHARDS[0], "first");
            }
            if step > 1 {
                place.remove(&entry(OLD, SHARDS[0]));
            }
            if step > 2 {
                both(NEW, SHARDS[0], "first");
                place.remove(&entry(NEW, SHARDS[0]));
            }
            if step > 3 {
                make("index.znn.json", &index);
                switch_index(OLD, "index.znn.json");
            }
            if step > 4 {
                switch_index(NEW, "index.znn.json");
            }
            place.succeeds(&COMPRESS);
            assert_eq!(contents(&place), compressed, "step {step}");
            make("first", &plain);
            if step > 0 {
                link(&place, OLD, SHARDS[0], "first");
            }
            if step > 1 {
                place.remove(&entry(OLD, &format!("{}.znn", SHARDS[0])));
            }
            if step > 2 {
                link(&place, NEW, SHARDS[0], "first");
                place.remove(&entry(NEW, &format!("{}.znn", SHARDS[0])));
            }
            if step > 3 {
                make("index", &plain_index);
                switch_index(OLD, "index");
            }
            if step > 4 {
                switch_index(NEW, "index");
            }
            place.succeeds(&DECOMPRESS);
            assert_eq!(contents(&place), before, "step {step}");
        }
    }

    #[test]
    fn a_wrong_existing_result_loses_no_data() {
        let place = cached_model();
        place.write(&blob("first.znn"), b"garbage");
        let before = tree(&place);
        let message = place.fails(1, &COMPRESS);
        assert!(message.contains("first.znn: already exists, and is not the result"), "{message}");
        for name in [blob("first"), entry(OLD, SHARDS[0]), entry(NEW, SHARDS[0])] {
            assert_eq!(tree(&place)[&name], before[&name]);
        }
        assert!(place.exists(&blob("second.znn")), "the others have been done");
        let index = place.read(&entry(NEW, INDEX));
        let second = format!("{}.znn", SHARDS[1]);
        assert_eq!(weight_map(&index), json!({"w1": SHARDS[0], "w2": second}));
        place.succeeds(&[&COMPRESS[..], &["--force"]].concat());
        assert_compressed(&place);
    }

    /// Several revisions share an index, and in one of them a shard keeps its name.
    #[test]
    fn an_index_gets_names_that_all_revisions_have() {
        let place = cached_model();
        place.write(&blob("changed.znn"), b"garbage");
        place.fails(1, &COMPRESS);
        assert_eq!(target(&place, OLD, &format!("{}.znn", SHARDS[1])), "../../blobs/second.znn");
        assert_eq!(target(&place, NEW, SHARDS[1]), "../../blobs/changed");
        let index = place.read(&entry(NEW, INDEX));
        let first = format!("{}.znn", SHARDS[0]);
        assert_eq!(weight_map(&index), json!({"w1": first, "w2": SHARDS[1]}));
        place.remove(&blob("changed.znn"));
        place.succeeds(&COMPRESS);
        assert_compressed(&place);
    }

    #[test]
    fn locks_a_model_against_other_runs() {
        let place = cached_model();
        let repository = File::open(place.path(REPOSITORY)).unwrap();
        repository.lock().unwrap();
        let before = tree(&place);
        assert!(place.fails(1, &COMPRESS).contains("is being processed by another run"));
        assert!(tree(&place) == before);
        // Other tests start processes, which can hold copies of the descriptor for a moment.
        repository.unlock().unwrap();
        // The library's lock on one blob.
        place.write("cache/.locks/models--org--name/first.lock", b"");
        let lock = File::open(place.path("cache/.locks/models--org--name/first.lock")).unwrap();
        lock.lock().unwrap();
        assert!(place.fails(1, &COMPRESS).contains("first: is being fetched"));
        assert_eq!(target(&place, OLD, SHARDS[0]), "../../blobs/first");
        lock.unlock().unwrap();
        place.succeeds(&COMPRESS);
        assert_compressed(&place);
    }

    /// Models may share data: then blobs are links themselves.
    #[test]
    fn processes_blobs_in_the_shared_store() {
        let place = cached_model();
        let data = place.read(&blob("first"));
        place.write("cache/blobs/ab/abcd", &data);
        place.remove(&blob("first"));
        symlink("../../blobs/ab/abcd", place.path(&blob("first"))).unwrap();
        let output = place.run(&COMPRESS);
        assert!(output.status.success());
        assert!(text(&output.stderr).contains("hf cache prune"), "{output:?}");
        assert_compressed(&place);
        assert_eq!(place.read("cache/blobs/ab/abcd"), data, "others may need it");
        place.succeeds(&DECOMPRESS);
        assert_eq!(place.read(&entry(NEW, SHARDS[0])), data);
    }

    #[test]
    fn a_cached_model_survives_killed_runs() {
        let place = cached_model();
        for (name, seed) in [("first", 1), ("second", 2), ("changed", 3)] {
            let permissions = PermissionsExt::from_mode(0o644);
            fs::set_permissions(place.path(&blob(name)), permissions).unwrap();
            place.write(&blob(name), &model(1_000_000, seed));
        }
        let files: Vec<_> = [
            (OLD, SHARDS[0]),
            (OLD, SHARDS[1]),
            (OLD, "copied.safetensors"),
            (NEW, SHARDS[0]),
            (NEW, SHARDS[1]),
            (NEW, "unet/model.safetensors"),
        ]
        .map(|(revision, name)| entry(revision, name))
        .into();
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        survives_kills(&place, &COMPRESS, &DECOMPRESS, &files);
    }
}
