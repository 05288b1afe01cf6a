//! The program on whole directories, and on models in the cache of the Hugging Face Hub: what is
//! taken and what is left, names, links and indexes; and that a run may be killed at any moment,
//! so that the next one completes it.

#[path = "common/data.rs"]
mod data;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;
use zipnn::DType;

/// A directory of our own, and the program run in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, with the directories above it.
    fn write(&self, name: &str, bytes: &[u8]) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn exists(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zipnn"));
        command.current_dir(self.0.path()).args(arguments).stdin(Stdio::null());
        for variable in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it says on standard output, and nothing else.
    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "");
        text(&output.stdout)
    }

    /// What it says on standard error when it fails with this status.
    #[track_caller]
    fn fails(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {message}");
        message
    }

    /// Everything in the directory: contents, targets of links, and permissions.
    fn tree(&self) -> BTreeMap<String, Entry> {
        let mut tree = BTreeMap::new();
        add_to_tree(self.0.path(), "", &mut tree);
        tree
    }

    /// The paths of everything but directories.
    fn names(&self) -> Vec<String> {
        let is_listed = |(name, entry)| (entry != Entry::Directory).then_some(name);
        self.tree().into_iter().filter_map(is_listed).collect()
    }
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
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
fn a_directory_and_back() {
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
    let before = place.tree();

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
    assert_eq!(place.tree(), before);
    assert_eq!(place.succeeds(&["compress", "models", "--quiet"]), "");
}

#[test]
fn what_is_selected() {
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
    assert_eq!(compressed(&["--match", "*.safetensors"]), "");
    assert!(place.fails(2, &["compress", "m", "--match", "["]).contains("--match"));

    place.succeeds(&["compress", "m", "--rm", "--match", "*"]);
    place.succeeds(&["decompress", "m", "--rm", "--match", "*.bin", "--match", "x.txt"]);
    assert!(place.exists("m/b.pt.znn") && place.exists("m/x.txt") && place.exists("m/part/a.bin"));
}

#[test]
#[cfg(unix)]
fn links_are_not_followed() {
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
    assert_eq!(
        place.names(),
        ["elsewhere/a.bin", "m/a.bin", "m/b.bin.znn", "m/c.bin", "m/directory", "m/loop", "named"]
    );
}

#[test]
fn results_elsewhere() {
    let place = Place::new();
    place.write("m/a.bin", &[1; 1000]).write("m/deep/a.bin", &[2; 1000]);
    let before = place.tree();
    let message = place.fails(2, &["compress", "m", "-o", "results"]);
    assert!(message.contains("a directory that exists"), "{message}");
    assert!(place.fails(2, &["compress", "m", "-o", "-"]).contains("a directory that exists"));
    fs::create_dir(place.path("results")).unwrap();
    fs::create_dir(place.path("again")).unwrap();
    place.succeeds(&["compress", "m", "-o", "results"]);
    assert!(place.exists("results/a.bin.znn") && place.exists("results/deep/a.bin.znn"));
    place.succeeds(&["decompress", "results", "-o", "again", "--rm"]);
    assert_eq!(place.names(), ["again/a.bin", "again/deep/a.bin", "m/a.bin", "m/deep/a.bin"]);
    assert_eq!(place.tree()["again/deep/a.bin"], before["m/deep/a.bin"]);
}

#[test]
fn results_that_are_there() {
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
        assert!(message.contains("b.bin.znn: exists already, and is not what"), "{message}");
        assert!(message.contains("--force"), "{message}");
        assert!(place.exists("m/b.bin"));
    }
    assert!(!place.exists("m/a.bin"), "its result was there and is right");
    place.succeeds(&["compress", "m", "--rm", "--force"]);
    assert_eq!(place.names(), ["m/a.bin.znn", "m/b.bin.znn"]);
    assert_eq!(decoded(&place.read("m/b.bin.znn")), model(50_000, 2));
}

/// A result of the same time that is wrong must not cost the source.
#[test]
fn nothing_is_removed_for_its_time_alone() {
    let place = Place::new();
    place.write("m/a.bin", &model(50_000, 1)).write("m/b.bin", &model(50_000, 2));
    place.succeeds(&["compress", "m"]);
    fs::copy(place.path("m/b.bin.znn"), place.path("m/a.bin.znn")).unwrap();
    for name in ["a.bin", "a.bin.znn", "b.bin", "b.bin.znn"] {
        set_time(&place.path(&format!("m/{name}")), 1_000_000_000);
    }
    for command in ["compress", "decompress"] {
        let message = place.fails(1, &[command, "m", "--rm", "--match", "a.bin"]);
        assert!(message.contains("exists already, and is not what"), "{message}");
        assert_eq!(place.names(), ["m/a.bin", "m/a.bin.znn", "m/b.bin", "m/b.bin.znn"]);
    }
}

#[test]
fn one_failure_does_not_stop_the_others() {
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

/// What follows the only frame of a file is nowhere else, however far an earlier run came.
#[test]
fn bytes_behind_the_only_frame_are_kept() {
    let place = Place::new();
    let data = data::weights(DType::BF16, 10_000, 1);
    let mut file = zipnn::compress(&data, &zipnn::Options::new(DType::BF16)).unwrap();
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
fn wrong_command_lines() {
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
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hf_index").join(name);
    fs::read_to_string(path).unwrap()
}

/// Which file holds which tensor.
fn weight_map(index: &[u8]) -> Value {
    serde_json::from_slice::<Value>(index).unwrap()["weight_map"].take()
}

const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
const INDEX: &str = "model.safetensors.index.json";

#[test]
fn indexes_name_what_is_there() {
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
    assert_eq!(
        weight_map(&index()),
        json!({"w1": SHARDS[0], "w2": format!("{}.znn", SHARDS[1])})
    );
    place.write(&format!("m/{}.znn", SHARDS[1]), &damaged);
    place.succeeds(&["decompress", "m", "--rewrite-index", "--rm"]);
    assert_eq!(text(&index()), before);
}

#[test]
fn indexes_of_files_with_compressed_tensors() {
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
