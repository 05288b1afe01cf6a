//! Behaviour that is the same for all commands: accepted inputs, tables, names, types and hints.

use std::fs;

use program::{Place, text};
use serde_json::{Value, json};
use zipnn::DType;

use crate::common::data;
use crate::program;

/// A `.safetensors` file of these tensors: of each its name, its type, its shape and its bytes.
fn safetensors(tensors: &[(&str, &str, &[u64], &[u8])]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data: Vec<u8> = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets });
        header.insert((*name).to_owned(), entry);
        data.extend_from_slice(bytes);
    }
    let header = Value::from(header).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// A `.safetensors` file of one bfloat16 tensor "w".
fn model(elements: usize, seed: u64) -> Vec<u8> {
    let data = data::weights(DType::BF16, elements * 2, seed);
    safetensors(&[("w", "BF16", &[elements as u64], &data)])
}

fn json_of(place: &Place, command: &str, file: &str) -> Value {
    serde_json::from_str(&place.succeeds(&[command, "--json", file])).unwrap()
}

mod tables {
    use super::*;

    /// Names, types and shapes that are too wide for any terminal.
    fn odd() -> Vec<u8> {
        let wide = "n".repeat(70_000);
        let dims: Vec<u64> = std::iter::repeat_n(1, 30_000).chain([4]).collect();
        let long_type = "T".repeat(70_000);
        safetensors(&[
            (&wide, "BF16", &[4], &[0; 8]),
            ("dims", "BF16", &dims, &[0; 8]),
            ("type", &long_type, &[4], &[0; 8]),
            ("x\u{1b}[31m\u{202e}\u{2028}", "BF16", &[4], &[0; 8]),
        ])
    }

    #[test]
    fn shortens_long_names_in_text() {
        let place = Place::new();
        place.write("m.safetensors", &odd()).succeeds(&["compress", "m.safetensors"]);
        place.write("plain.safetensors", &odd());
        for arguments in [
            &["ls", "m.safetensors.znn"][..],
            &["info", "m.safetensors.znn"],
            &["repair", "--all", "plain.safetensors"],
        ] {
            let table = place.succeeds(arguments);
            let widest = table.lines().map(|line| line.chars().count()).max();
            assert!(widest < Some(260), "{arguments:?}: {widest:?} columns");
            assert!(table.contains("nnn…nnn") && table.contains("[1, 1"), "{table}");
            assert!(table.contains(r"x\u{1b}[31m\u{202e}\u{2028}"), "{table}");
        }
    }

    #[test]
    fn json_holds_exact_names() {
        let place = Place::new();
        let name = "odd \u{9b}\u{202e}é.safetensors.znn";
        place.write("m.safetensors", &odd());
        place.succeeds(&["compress", "m.safetensors", "-o", name]);
        for command in ["ls", "info"] {
            let said = place.succeeds(&[command, "--json", name]);
            assert!(!said.contains(['\u{9b}', '\u{202e}', '\u{1b}']), "{command}");
            let printed: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(printed["file"], name, "{command}");
            let tensors = printed["tensors"].as_array().unwrap();
            assert_eq!(tensors.len(), 4);
            let find = |name: &str| tensors.iter().find(|tensor| tensor["name"] == name).unwrap();
            find(&"n".repeat(70_000));
            find("x\u{1b}[31m\u{202e}\u{2028}");
            assert_eq!(find("dims")["shape"].as_array().unwrap().len(), 30_001);
            assert_eq!(find("type")["dtype"], "T".repeat(70_000));
        }
    }

    #[test]
    fn a_wide_name_does_not_widen_every_row() {
        let place = Place::new();
        let names: Vec<String> =
            (0..2000).map(|n| if n == 0 { "n".repeat(60_000) } else { format!("t{n}") }).collect();
        let tensors: Vec<(&str, &str, &[u64], &[u8])> =
            names.iter().map(|name| (&**name, "BF16", &[4][..], &[0; 8][..])).collect();
        place.write("m.safetensors", &safetensors(&tensors));
        place.succeeds(&["compress", "m.safetensors"]);
        let table = place.succeeds(&["ls", "m.safetensors.znn"]);
        assert_eq!(table.lines().count(), 2000 + 3);
        assert!(table.len() < 600_000, "{} bytes", table.len());
    }

    /// Every frame holds all of the small tensors, and not all of their names need to be read.
    #[test]
    fn reports_of_damage_name_a_few_tensors() {
        let place = Place::new();
        let names: Vec<String> = (0..3000).map(|number| format!("tensor{number:04}")).collect();
        let data = data::weights(DType::BF16, 2000, 1);
        let tensors: Vec<(&str, &str, &[u64], &[u8])> =
            names.iter().map(|name| (&**name, "BF16", &[1000][..], &data[..])).collect();
        place.write("m.safetensors", &safetensors(&tensors));
        place.succeeds(&["compress", "m.safetensors"]);
        let mut file = place.read("m.safetensors.znn");
        let middle = file.len() / 2;
        file[middle] ^= 255;
        place.write("m.safetensors.znn", &file);
        let message = place.fails(1, &["verify", "m.safetensors.znn"]);
        assert!(message.contains("tensor") && message.contains(" more"), "{message}");
        assert!(message.len() < 2000, "{} bytes", message.len());
    }
}

#[cfg(unix)]
mod names {
    use super::*;

    const CONTROL: &str = "a\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}2J\u{202e}\n.safetensors";
    const SHOWN: &str = r"a\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}2J\u{202e}\n.safetensors";

    #[track_caller]
    fn is_clean(said: &str) {
        let is_wrong = |char: char| char != '\n' && (char.is_control() || char == '\u{202e}');
        assert!(!said.contains(is_wrong), "{said:?}");
    }

    /// Standard output and standard error.
    fn said_by(place: &Place, arguments: &[&str]) -> String {
        let output = place.run(arguments);
        text(&output.stdout) + &text(&output.stderr)
    }

    #[test]
    fn escapes_control_characters_in_file_names() {
        let place = Place::new();
        let directory = "d\u{1b}[1m\n";
        let compressed = format!("{CONTROL}.znn");
        let missing = format!("no{CONTROL}");
        place.write(CONTROL, &model(1000, 1)).write(&format!("{directory}/x.bin"), &[1; 5000]);
        place.succeeds(&["compress", CONTROL]);
        for arguments in [
            &["verify", &compressed][..],
            &["info", &compressed],
            &["ls", &compressed],
            &["bench", "--runs", "1", CONTROL],
            &["repair", CONTROL],
            &["compress", CONTROL],
            &["compress", CONTROL, "-o", "missing\u{1b}/x"],
            &["compress", &missing],
            &["decompress", &missing],
            &["decompress", CONTROL],
            &["verify", &missing],
            &["verify", CONTROL],
            &["cat", &compressed, "no\u{1b}[31mtensor", "-o", "x"],
            &["compress", directory, directory],
            &["verify", directory],
            &["compress", "--rm", CONTROL, "-f"],
            &["compress", "x", "--\u{1b}[31m"],
            &["compress", "x", "--dtype", "\u{1b}[31m"],
        ] {
            let said = said_by(&place, arguments);
            is_clean(&said);
            let is_named = arguments.iter().any(|argument| argument.contains(CONTROL));
            let is_shown = said.is_empty() || said.contains(SHOWN) || said.contains(r"g\u{1b}/x");
            assert!(!is_named || is_shown, "{said}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn accepts_file_names_that_are_not_unicode() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let place = Place::new();
        let path = place.path("").join(OsStr::from_bytes(b"m\xff.safetensors"));
        fs::write(&path, model(1000, 1)).unwrap();
        let with = |command: &[&str], suffix: &[u8]| {
            let mut name = b"m\xff.safetensors".to_vec();
            name.extend(suffix);
            place.command(command).arg(OsStr::from_bytes(&name)).output().unwrap()
        };
        for (command, suffix) in [
            (&["compress"][..], &b""[..]),
            (&["verify"], b".znn"),
            (&["info", "--json"], b".znn"),
            (&["ls", "--json"], b".znn"),
            (&["decompress", "--force"], b".znn"),
        ] {
            let output = with(command, suffix);
            assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
            text(&output.stdout);
        }
        assert!(place.succeeds(&["verify", "."]).contains(": 1 file sound"));
        assert!(fs::read(path).unwrap() == model(1000, 1));
    }
}

mod indexes {
    use super::*;

    const SHARDS: [&str; 2] =
        ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    const INDEX: &str = "model.safetensors.index.json";

    fn index_text() -> String {
        format!(
            "{{\"metadata\": {{\"total_size\": 8}},\n \"weight_map\": {{\"a\": \"{}\", \"b\": \"{}\"}}}}\n",
            SHARDS[0], SHARDS[1]
        )
    }

    fn renamed(which: &[usize]) -> String {
        which.iter().fold(index_text(), |text, &shard| {
            text.replace(SHARDS[shard], &format!("{}.znn", SHARDS[shard]))
        })
    }

    fn place(directory: &str) -> Place {
        let place = Place::new();
        place.write(&format!("{directory}{INDEX}"), index_text().as_bytes());
        for (shard, seed) in SHARDS.iter().zip(1..) {
            place.write(&format!("{directory}{shard}"), &model(4000, seed));
        }
        place
    }

    fn index(place: &Place, name: &str) -> String {
        text(&place.read(name))
    }

    #[test]
    fn updates_indexes_beside_single_files() {
        let place = place("");
        let unrelated = r#"{"weight_map": {"a": "other.safetensors"}}"#;
        place.write("other.safetensors.index.json", unrelated.as_bytes());
        place
            .write("other.safetensors", &model(100, 3))
            .succeeds(&["compress", "other.safetensors"]);
        place.succeeds(&["compress", "--rm", "--rewrite-index", SHARDS[0]]);
        assert_eq!(index(&place, INDEX), renamed(&[0]));
        place.succeeds(&["compress", "--rm", "--rewrite-index", &format!("./{}", SHARDS[1])]);
        assert_eq!(index(&place, INDEX), renamed(&[0, 1]));
        assert_eq!(index(&place, "other.safetensors.index.json"), unrelated, "it names others");
        let compressed = SHARDS.map(|shard| format!("{shard}.znn"));
        place.succeeds(&["decompress", "--rm", "--rewrite-index", &compressed[0], &compressed[1]]);
        assert_eq!(index(&place, INDEX), index_text());
    }

    #[test]
    fn updates_indexes_of_single_files_with_compressed_tensors() {
        let place = place("");
        place.succeeds(&["compress", SHARDS[0]]);
        place.succeeds(&["compress", "--inside-safetensors", "--rewrite-index", SHARDS[0]]);
        let inside = SHARDS[0].replace(".safe", ".znn.safe");
        assert_eq!(index(&place, INDEX), index_text().replace(SHARDS[0], &inside));
        place.remove(SHARDS[0]);
        place.succeeds(&["decompress", "--rm", "--rewrite-index", &inside]);
        assert_eq!(index(&place, INDEX), index_text());
    }

    #[test]
    fn writes_indexes_beside_results_in_another_directory() {
        for single in [false, true] {
            let place = place("m/");
            fs::create_dir(place.path("out")).unwrap();
            let sources = SHARDS.map(|shard| format!("m/{shard}"));
            let inputs = if single { vec![&*sources[0], &sources[1]] } else { vec!["m"] };
            let options = ["-o", "out", "--rewrite-index"];
            place.succeeds(&[&["compress"], &inputs[..], &options].concat());
            assert_eq!(index(&place, &format!("m/{INDEX}")), index_text(), "that of the sources");
            assert_eq!(index(&place, &format!("out/{INDEX}")), renamed(&[0, 1]));
            // Once more, and when the index there lags behind.
            place.write(&format!("out/{INDEX}"), renamed(&[1]).as_bytes());
            place.succeeds(&[&["compress", "--force"], &inputs[..], &options].concat());
            assert_eq!(index(&place, &format!("out/{INDEX}")), renamed(&[0, 1]));

            fs::create_dir(place.path("back")).unwrap();
            place.succeeds(&["decompress", "out", "-o", "back", "--rewrite-index"]);
            assert_eq!(index(&place, &format!("back/{INDEX}")), index_text());
        }
    }

    /// An index of the sources may name the results already.
    #[test]
    fn copies_an_index_that_names_the_results() {
        let place = place("m/");
        place.write(&format!("m/{INDEX}"), renamed(&[0, 1]).as_bytes());
        fs::create_dir(place.path("out")).unwrap();
        fs::create_dir(place.path("none")).unwrap();
        place.succeeds(&["compress", "m", "-o", "out", "--rewrite-index"]);
        assert_eq!(index(&place, &format!("out/{INDEX}")), renamed(&[0, 1]));
        place.fails(1, &["compress", "m", "-o", "none", "--rewrite-index", "--match", "*.typo"]);
        assert!(!place.exists(&format!("none/{INDEX}")), "it would name nothing");
    }

    #[test]
    fn does_not_overwrite_another_index() {
        let place = place("m/");
        let other = r#"{"weight_map": {"z": "z.safetensors"}}"#;
        place.write(&format!("out/{INDEX}"), other.as_bytes());
        let arguments = ["compress", "m", "-o", "out", "--rewrite-index", "--rm"];
        assert!(place.fails(1, &arguments).contains("--force"));
        assert_eq!(place.names().len(), 4, "nothing has been done: {:?}", place.names());
        place.succeeds(&[&arguments[..], &["--force"]].concat());
        assert_eq!(index(&place, &format!("out/{INDEX}")), renamed(&[0, 1]));
    }

    /// The directory of results may be inside the directory of sources.
    #[test]
    fn ignores_indexes_of_results_inside_the_directory() {
        let place = place("");
        fs::create_dir(place.path("o")).unwrap();
        for _ in 0..2 {
            place.succeeds(&["compress", ".", "-o", "o", "--rewrite-index"]);
            assert_eq!(index(&place, INDEX), index_text());
            assert_eq!(index(&place, &format!("o/{INDEX}")), renamed(&[0, 1]));
            assert!(!place.exists("o/o"));
        }
    }

    #[test]
    #[cfg(unix)]
    fn follows_links_to_indexes() {
        for arguments in [&["."][..], &SHARDS] {
            let place = place("");
            fs::rename(place.path(INDEX), place.path("real.json")).unwrap();
            std::os::unix::fs::symlink("real.json", place.path(INDEX)).unwrap();
            place.succeeds(&[&["compress", "--rm", "--rewrite-index"], arguments].concat());
            assert!(fs::symlink_metadata(place.path(INDEX)).unwrap().is_symlink());
            assert_eq!(index(&place, "real.json"), renamed(&[0, 1]));
        }
    }

    #[test]
    fn keeps_a_byte_order_mark() {
        let place = place("");
        place.write(INDEX, format!("\u{feff}{}", index_text()).as_bytes());
        place.succeeds(&["compress", "--rm", "--rewrite-index", "."]);
        assert_eq!(index(&place, INDEX), format!("\u{feff}{}", renamed(&[0, 1])));
        place.succeeds(&["decompress", "--rm", "--rewrite-index", "."]);
        assert_eq!(index(&place, INDEX), format!("\u{feff}{}", index_text()));
    }

    #[test]
    fn finds_indexes_in_any_case_and_names_with_directories() {
        let place = Place::new();
        let text_of = |name: &str| format!(r#"{{"weight_map": {{"w": "{name}"}}}}"#);
        let index_name = "Model.SafeTensors.INDEX.JSON";
        place.write("unet/model.safetensors", &model(4000, 1));
        place.write(index_name, text_of("unet/model.safetensors").as_bytes());
        place.succeeds(&["compress", "--rm", "--rewrite-index", "unet/model.safetensors"]);
        assert_eq!(index(&place, index_name), text_of("unet/model.safetensors.znn"));
        place.succeeds(&["decompress", "--rm", "--rewrite-index", "."]);
        assert_eq!(index(&place, index_name), text_of("unet/model.safetensors"));
        place.write(index_name, text_of("./unet/./model.safetensors").as_bytes());
        place.succeeds(&["compress", "--rm", "--rewrite-index", "unet/model.safetensors"]);
        assert_eq!(index(&place, index_name), text_of("./unet/./model.safetensors.znn"));
    }

    #[test]
    fn an_invalid_index_stops_the_command() {
        let utf16: Vec<u8> = index_text().encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (broken, message) in [
            (&b"{"[..], "is not a valid index"),
            (b"", "is not a valid index"),
            (&[&b"\xff\xfe"[..], &utf16].concat(), "not UTF-8"),
        ] {
            for arguments in [&["m"][..], &["m/model-00001-of-00002.safetensors"], &["other", "m"]]
            {
                let place = place("m/");
                place.write("other/x.bin", &[1; 9000]).write("m/deep/b.index.json", b"{}");
                place.write(&format!("m/{INDEX}"), broken);
                let before = place.names();
                let arguments = [&["compress", "--rm", "--rewrite-index"], arguments].concat();
                let said = place.fails(1, &arguments);
                assert!(said.contains(message) && said.contains(INDEX), "{said}");
                assert_eq!(place.names(), before);
                assert!(place.read(&format!("m/{INDEX}")) == broken);
            }
        }
        let place = place("m/");
        for name in ["m/deep/b.index.json", "m/a.index.json"] {
            place.write(name, b"{");
        }
        let said = place.fails(1, &["compress", "m", "--rewrite-index"]);
        assert!(said.contains("a.index.json") && said.contains("b.index.json"), "{said}");
    }

    #[test]
    #[cfg(unix)]
    fn reports_dangling_links_to_indexes() {
        let place = place("");
        std::os::unix::fs::symlink("gone", place.path("x.index.json")).unwrap();
        let before = place.names();
        place.fails(1, &["compress", ".", "--rm", "--rewrite-index"]);
        assert_eq!(place.names(), before);
    }

    #[test]
    fn does_not_name_files_that_are_not_results() {
        for input in [".", SHARDS[0]] {
            let place = place("");
            place.write(&format!("{}.znn", SHARDS[0]), b"something else");
            place.fails(1, &["compress", "--rewrite-index", input]);
            assert_eq!(index(&place, INDEX), index_text(), "{input}");
            place.fails(1, &["compress", "--rm", "--rewrite-index", input]);
            let done: &[usize] = if input == "." { &[1] } else { &[] };
            assert_eq!(index(&place, INDEX), renamed(done), "{input}");
            place.succeeds(&["compress", "--rm", "--force", "--rewrite-index", "."]);
            assert_eq!(index(&place, INDEX), renamed(&[0, 1]), "{input}");
        }
    }

    #[test]
    fn updates_several_indexes() {
        let place = place("");
        place.write("copy.index.json", index_text().as_bytes());
        place.succeeds(&["compress", "--rm", "--rewrite-index", SHARDS[1]]);
        for name in [INDEX, "copy.index.json"] {
            assert_eq!(index(&place, name), renamed(&[1]), "{name}");
        }
    }

    #[test]
    fn rejects_results_that_an_index_cannot_name() {
        let place = place("");
        for arguments in [
            &["compress", "-", "--rewrite-index", "-o", "x.znn"][..],
            &["compress", SHARDS[0], "--rewrite-index", "-o", "-"],
            &["compress", SHARDS[0], "--rewrite-index", "-o", "another.znn"],
        ] {
            place.fails(2, arguments);
            assert_eq!(place.names().len(), 3);
        }
        let result = format!("{}.znn", SHARDS[0]);
        place.succeeds(&["compress", SHARDS[0], "--rewrite-index", "-o", &result]);
        assert_eq!(index(&place, INDEX), renamed(&[0]));
    }

    /// The indexes of models in the cache are always updated.
    #[test]
    fn an_invalid_index_in_the_cache_stops_the_command() {
        let place = place("hub/models--org--name/snapshots/r/");
        let index_name = format!("hub/models--org--name/snapshots/r/{INDEX}");
        fs::create_dir(place.path("hub/models--org--name/blobs")).unwrap();
        place.write(&index_name, b"{");
        let before = place.names();
        let arguments = ["compress", "--hub", "org/name", "--cache", "hub"];
        assert!(place.fails(1, &arguments).contains("is not a valid index"));
        assert_eq!(place.names(), before);
        place.write(&index_name, format!("\u{feff}{}", index_text()).as_bytes());
        let typo = [&arguments[..], &["--match", "*.typo"]].concat();
        assert!(place.fails(1, &typo).contains("'*.typo'"));
        assert_eq!(place.names(), before);
        place.succeeds(&arguments);
        assert_eq!(index(&place, &index_name), format!("\u{feff}{}", renamed(&[0, 1])));
    }
}

mod directories {
    use super::*;

    fn place() -> Place {
        let place = Place::new();
        place
            .write("d/a.safetensors", &model(20_000, 1))
            .write("d/deep/b.safetensors", &model(10_000, 2))
            .write("d/deep/c.bin", &data::weights(DType::F32, 9000, 3))
            .write("d/notes.txt", b"text");
        place.succeeds(&["compress", "d", "--rm"]);
        place.write("d/e.safetensors", &model(5000, 4));
        place.succeeds(&["compress", "--inside-safetensors", "--rm", "d/e.safetensors"]);
        place
    }

    #[test]
    fn reading_commands_accept_directories() {
        let place = place();
        let verified = place.succeeds(&["verify", "d"]);
        assert_eq!(verified.lines().count(), 5, "{verified}");
        assert!(verified.ends_with("d: 4 files sound\n"), "{verified}");
        assert_eq!(place.succeeds(&["verify", "d", "--quiet"]), "");
        assert!(place.succeeds(&["info", "d"]).ends_with("d: 4 files shown\n"));
        let files = |command: &str, arguments: &[&str]| {
            let printed = place.succeeds(&[&[command, "--json", "d"], arguments].concat());
            let file = |line: &str| {
                let printed: Value = serde_json::from_str(line).unwrap();
                printed["file"].as_str().unwrap().replace('\\', "/")
            };
            printed.lines().map(file).collect::<Vec<_>>()
        };
        let all = [
            "d/a.safetensors.znn",
            "d/deep/b.safetensors.znn",
            "d/deep/c.bin.znn",
            "d/e.znn.safetensors",
        ];
        assert_eq!(files("info", &[]), all);
        assert_eq!(files("ls", &[]), [all[0], all[1], all[3]], "only what has tensors");
        assert_eq!(files("info", &["--match", "*.bin", "--match", "e*"]), [all[2], all[3]]);
        assert_eq!(files("ls", &["--match", "deep/*.safetensors"]), [all[1]]);

        // What a killed run has left goes with the next that writes.
        place.write("d/.zipnn-x1y2z3.tmp", b"abandoned");
        place.succeeds(&["verify", "d"]);
        assert!(place.exists("d/.zipnn-x1y2z3.tmp"));

        place.write("d/.h/x.bin", &[1; 4000]).succeeds(&["compress", "d/.h/x.bin", "--rm"]);
        assert!(place.succeeds(&["verify", "d"]).ends_with("d: 4 files sound\n"));
        assert!(place.succeeds(&["verify", "d", "--hidden"]).ends_with("d: 5 files sound\n"));
    }

    #[test]
    fn reports_failures_in_directories() {
        let place = place();
        let mut file = place.read("d/a.safetensors.znn");
        let middle = file.len() / 2;
        file[middle] ^= 1;
        place.write("d/a.safetensors.znn", &file).write("d/junk.znn", b"nothing");
        let output = place.run(&["verify", "d"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stdout).ends_with("d: 3 of 5 files sound, 2 failed\n"));
        let message = text(&output.stderr);
        assert!(message.contains("a.safetensors.znn: ") && message.contains("junk.znn: "));

        place.write("empty/notes.txt", b"text");
        for command in ["verify", "ls", "info"] {
            let message = place.fails(1, &[command, "empty"]);
            assert!(message.contains("empty: has no files to read"), "{message}");
            let message = place.fails(1, &[command, "d", "--match", "*.typo"]);
            assert!(message.contains("'*.typo'"), "{message}");
        }
        place.fails(2, &["verify", "d", "--delta", "d/notes.txt"]);
    }

    #[test]
    #[cfg(unix)]
    fn reading_commands_follow_links_to_files() {
        use std::os::unix::fs::symlink;
        let place = place();
        place.write("blobs/x", &place.read("d/a.safetensors.znn"));
        fs::create_dir(place.path("snapshot")).unwrap();
        symlink("../blobs/x", place.path("snapshot/m.safetensors.znn")).unwrap();
        assert!(place.succeeds(&["verify", "snapshot"]).ends_with("snapshot: 1 file sound\n"));
        symlink("../blobs/gone", place.path("snapshot/n.safetensors.znn")).unwrap();
        assert!(
            place.fails(1, &["verify", "snapshot"]).contains("link to a file that does not exist")
        );
    }

    #[test]
    fn decompresses_both_kinds_of_files() {
        let place = place();
        let said = place.succeeds(&["decompress", "d", "--rm"]);
        assert!(said.starts_with("d: 4 files decompressed; "), "{said}");
        let names = ["d/a.safetensors", "d/deep/b.safetensors", "d/deep/c.bin", "d/e.safetensors"];
        assert_eq!(place.names(), [&names[..], &["d/notes.txt"]].concat());
        assert!(place.read("d/a.safetensors") == model(20_000, 1));
        assert!(place.read("d/e.safetensors") == model(5000, 4));
    }

    #[test]
    fn compresses_tensors_inside_the_files_of_a_directory() {
        let place = Place::new();
        let files = ["d/a.safetensors", "d/deep/b.safetensors"];
        place.write(files[0], &model(20_000, 1)).write(files[1], &model(20_000, 2));
        place.write("d/c.bin", &[1; 5000]).write("d/x.znn.safetensors", b"done before");
        let arguments = ["compress", "--inside-safetensors", "d", "--rm"];
        let said = place.succeeds(&arguments);
        assert!(said.starts_with("d: 2 files compressed; "), "{said}");
        let results = ["d/a.znn.safetensors", "d/c.bin", "d/deep/b.znn.safetensors"];
        assert_eq!(place.names(), [&results[..], &["d/x.znn.safetensors"]].concat());
        assert_eq!(place.succeeds(&arguments), "d: 0 files compressed\n");
        place.remove("d/x.znn.safetensors");
        place.succeeds(&["decompress", "d", "--rm"]);
        assert!(place.read(files[0]) == model(20_000, 1));
        place.write("e/c.bin", b"c");
        let said = place.succeeds(&["compress", "--inside-safetensors", "e"]);
        assert!(said.contains("it holds no .safetensors files"), "{said}");
        place.fails(1, &["compress", "--inside-safetensors", "e", "--match", "*.bin"]);
    }

    /// Two files have the same result: the second is compared with the result of the first.
    #[test]
    fn two_files_with_the_same_result_do_not_overwrite_it() {
        let place = Place::new();
        let data = model(20_000, 1);
        place.write("d/a.safetensors", &data).succeeds(&["compress", "d"]);
        place.succeeds(&["compress", "--inside-safetensors", "--rm", "d/a.safetensors"]);
        let said = place.succeeds(&["decompress", "d", "--rm"]);
        assert!(said.starts_with("d: 1 file decompressed, 1 done before; "), "{said}");
        assert_eq!(place.names(), ["d/a.safetensors"]);
        assert!(place.read("d/a.safetensors") == data);

        place.write("d/a.safetensors", &model(20_000, 2));
        place.succeeds(&["compress", "--inside-safetensors", "--rm", "d/a.safetensors"]);
        place.write("d/a.safetensors", &data).succeeds(&["compress", "d", "--rm"]);
        let inputs = ["d/a.safetensors.znn", "d/a.znn.safetensors"];
        for more in [&["-f", "--rm"][..], &["-o", "d"]] {
            place.fails(2, &[&["decompress"], &inputs[..], more].concat());
            assert_eq!(place.names(), inputs);
        }
        let said = place.fails(1, &["decompress", "d", "--rm", "--force"]);
        assert!(said.contains("a.safetensors: already exists"), "{said}");
        assert!(
            said.contains("another file has the same result") && !said.contains("--force"),
            "{said}"
        );
        assert_eq!(place.names().len(), 2, "one of them is left: {:?}", place.names());
    }
}

mod advice {
    use super::*;

    #[test]
    fn refuses_to_compress_both_kinds_again() {
        let place = Place::new();
        place.write("a.safetensors", &model(20_000, 1)).succeeds(&["compress", "a.safetensors"]);
        place.succeeds(&["compress", "--inside-safetensors", "a.safetensors"]);
        let before = place.names();
        for name in ["a.safetensors.znn", "a.znn.safetensors"] {
            for more in [&[][..], &["--inside-safetensors"]] {
                let arguments = [&["compress", name][..], more].concat();
                assert!(place.fails(1, &arguments).contains("already compressed"));
            }
        }
        assert_eq!(place.names(), before);
        place.succeeds(&["compress", "a.znn.safetensors", "-o", "twice.znn"]);
    }

    #[test]
    fn reports_uncompressed_files() {
        let place = Place::new();
        place.write("a.safetensors", &model(1000, 1)).write("b.bin", b"some").write("empty", b"");
        for name in ["a.safetensors", "b.bin", "empty"] {
            let message = place.fails(1, &["decompress", name]);
            assert!(message.contains("is not compressed"), "{message}");
            assert!(!message.contains("--output"), "{message}");
        }
        assert!(place.fails(1, &["decompress", "missing"]).contains("cannot be read"));
        place.succeeds(&["compress", "b.bin", "-o", "compressed"]);
        assert!(place.fails(1, &["decompress", "compressed"]).contains("--output"));
        place.succeeds(&["compress", "--inside-safetensors", "a.safetensors", "-o", "inside"]);
        assert!(place.fails(1, &["decompress", "inside"]).contains("--output"));
    }

    #[test]
    fn rejects_empty_patterns() {
        let place = Place::new();
        place.write("d/a.safetensors", &model(1000, 1)).write("d/readme.txt", b"hi");
        for pattern in ["", " ", "\t\n"] {
            for command in ["compress", "decompress", "verify", "ls", "info"] {
                let message = place.fails(2, &[command, "d", "--match", pattern]);
                assert!(message.contains("pattern is empty"), "{message}");
            }
            place.fails(2, &["compress", "d", "--match", "*.safetensors", "--match", pattern]);
            place.fails(2, &["compress", "--hub", "org/name", "--match", pattern]);
        }
        assert_eq!(place.names(), ["d/a.safetensors", "d/readme.txt"]);
    }

    #[test]
    fn reports_patterns_that_match_no_file() {
        let place = Place::new();
        place.write("d/a.safetensors", &model(1000, 1)).write("d/b.bin", &[1; 5000]);
        fs::create_dir(place.path("none")).unwrap();
        for arguments in [
            &["compress", "d"][..],
            &["compress", "d", "--match", "*.bin"],
            &["compress", "none"],
            &["decompress", "d"],
        ] {
            let message = place.fails(1, &[arguments, &["--match", "*.safetensor"]].concat());
            assert!(message.contains("matches the pattern '*.safetensor'"), "{message}");
        }
        assert!(place.exists("d/b.bin.znn"), "the other pattern counts");

        // Done before is no failure.
        let arguments = ["compress", "d", "--rm", "--match", "*.safetensors"];
        place.succeeds(&arguments);
        assert_eq!(place.succeeds(&arguments), "d: 0 files compressed\n");
        let arguments = ["decompress", "d", "none", "--rm", "--match", "*.safetensors"];
        place.succeeds(&arguments);
        place.succeeds(&arguments);
    }

    #[test]
    fn explains_why_a_directory_has_no_selected_files() {
        let place = Place::new();
        place.write("d/readme.txt", b"hi");
        for (command, hint) in [("compress", "--match"), ("decompress", ".znn.safetensors")] {
            let said = place.succeeds(&[command, "d"]);
            assert!(said.starts_with("d: 0 files ") && said.contains(hint), "{said}");
            assert_eq!(place.succeeds(&[command, "d", "--quiet"]), "");
        }
    }
}

mod types {
    use super::*;

    #[test]
    fn names_bytes_in_every_output() {
        let place = Place::new();
        let text_data = "some text, over and over again. ".repeat(5000);
        place.write("r", text_data.as_bytes());
        for dtype in ["bytes", "auto"] {
            place.succeeds(&["compress", "r", "--dtype", dtype, "--force"]);
            let printed = json_of(&place, "info", "r.znn");
            assert_eq!(printed["dtypes"], json!(["bytes"]));
            assert_eq!(printed["frames"][0]["dtype"], "bytes");
            let shown = place.succeeds(&["info", "r.znn"]);
            assert!(shown.contains("frame 0: bytes, ") && !shown.contains("f8"), "{shown}");
            let printed =
                place.succeeds(&["bench", "r", "--runs", "1", "--json", "--dtype", dtype]);
            assert_eq!(
                serde_json::from_str::<Value>(&printed).unwrap()["dtypes"],
                json!(["bytes"])
            );
        }
    }

    #[test]
    fn does_not_name_integers_as_floats() {
        let place = Place::new();
        let id = |number: u32| (number.wrapping_mul(2_654_435_761) >> 8) % 30_000;
        let ids: Vec<u8> = (0..100_000).flat_map(|number| id(number).to_le_bytes()).collect();
        place.write("ids", &ids).succeeds(&["compress", "ids"]);
        let printed = json_of(&place, "info", "ids.znn");
        assert_eq!(printed["frames"][0]["planes"], 4);
        assert_eq!(printed["dtypes"], json!(["bytes"]));
        assert!(place.succeeds(&["info", "ids.znn"]).contains("in 4 planes"));
        let file = safetensors(&[("ids", "I32", &[100_000], &ids)]);
        place.write("m.safetensors", &file).succeeds(&["compress", "m.safetensors"]);
        let printed = json_of(&place, "info", "m.safetensors.znn");
        assert_eq!(printed["dtypes"], json!(["bytes"]));
        assert_eq!(printed["tensors"][0]["dtype"], "I32");
    }

    #[test]
    fn names_floats_of_eight_bits() {
        let place = Place::new();
        for (name, dtype) in [("F8_E4M3", DType::F8E4M3), ("F8_E5M2", DType::F8E5M2)] {
            let data = data::weights(dtype, 100_000, 1);
            let file = safetensors(&[("w", name, &[100_000], &data)]);
            let expected = json!([name.replace('_', "").to_lowercase()]);
            place.write("m.safetensors", &file);
            place.succeeds(&["compress", "m.safetensors", "--force"]);
            let printed = json_of(&place, "info", "m.safetensors.znn");
            assert_eq!(printed["dtypes"], expected);
            assert_eq!(printed["frames"][0]["dtype"], "bytes", "the header is text");
            assert_eq!(printed["frames"][1]["dtype"], expected[0]);
            place.succeeds(&["compress", "--inside-safetensors", "m.safetensors", "--force"]);
            assert_eq!(json_of(&place, "info", "m.znn.safetensors")["dtypes"], expected);
            let printed = place.succeeds(&["bench", "m.safetensors", "--runs", "1", "--json"]);
            assert_eq!(serde_json::from_str::<Value>(&printed).unwrap()["dtypes"], expected);
            let frame = zipnn::compress_tensor(
                &data,
                zipnn::frame::Form::Torch,
                &[100_000],
                &zipnn::Options::new(dtype),
            );
            place.write("tensor.znn", &frame.unwrap());
            assert_eq!(json_of(&place, "info", "tensor.znn")["dtypes"], expected);
        }
    }

    #[test]
    fn headers_and_empty_files_have_no_type() {
        let place = Place::new();
        place.write("m.safetensors", &model(200_000, 1)).succeeds(&["compress", "m.safetensors"]);
        assert_eq!(json_of(&place, "info", "m.safetensors.znn")["dtypes"], json!(["bf16"]));
        place.write("empty", b"").succeeds(&["compress", "empty"]);
        let printed = json_of(&place, "info", "empty.znn");
        assert_eq!(printed["dtypes"], json!([]));
        assert_eq!(printed["frames"][0]["dtype"], Value::Null);
        let shown = place.succeeds(&["info", "empty.znn"]);
        assert!(!shown.contains("f16") && !shown.contains("f8"), "{shown}");
        assert_eq!(place.succeeds(&["verify", "empty.znn"]), "empty.znn: sound, 0 B; sealed\n");
        place.write("none.safetensors", &safetensors(&[("e", "BF16", &[0], &[])]));
        place.succeeds(&["compress", "none.safetensors"]);
        assert_eq!(json_of(&place, "info", "none.safetensors.znn")["dtypes"], json!([]));
    }

    /// The form of frames is shown only if the types do not imply it.
    #[test]
    fn counts_of_one_are_singular() {
        let place = Place::new();
        place.write("m.safetensors", &model(200_000, 1)).succeeds(&["compress", "m.safetensors"]);
        let shown = place.succeeds(&["ls", "m.safetensors.znn"]);
        assert!(shown.contains("\n  1 tensor "), "{shown}");
        place.write("one", &[7; 1000]).succeeds(&["compress", "one"]);
        let shown = place.succeeds(&["info", "one.znn"]);
        assert!(shown.contains(", 1 chunk of "), "{shown}");
        assert!(shown.contains(" %), bytes, streaming\n"), "{shown}");
    }

    #[test]
    fn info_maps_tensors_to_frames() {
        let place = Place::new();
        let large = data::weights(DType::BF16, 9 << 20, 1);
        let small = data::weights(DType::BF16, 3000, 2);
        let elements = large.len() as u64 / 2;
        let file = safetensors(&[
            ("large", "BF16", &[elements], &large),
            ("none", "BF16", &[0, 7], &[]),
            ("small", "BF16", &[1500], &small),
            ("small2", "BF16", &[1500], &small),
        ]);
        place.write("m.safetensors", &file).succeeds(&["compress", "m.safetensors"]);
        let printed = json_of(&place, "info", "m.safetensors.znn");
        assert_eq!(printed["tensor_count"], 4);
        let of = |name: &str| {
            let tensors = printed["tensors"].as_array().unwrap();
            tensors.iter().find(|tensor| tensor["name"] == name).unwrap().clone()
        };
        assert_eq!(of("large")["first_frame"], 1);
        let count = of("large")["frame_count"].as_u64().unwrap();
        assert!(count > 1);
        assert_eq!(of("large")["original_bytes"], large.len());
        assert_eq!(of("none")["first_frame"], Value::Null);
        assert_eq!(of("small")["first_frame"], count + 1);
        assert_eq!(of("small2")["first_frame"], count + 1);
        let frames = printed["frames"].as_array().unwrap();
        let stored: u64 = frames[1..=count as usize]
            .iter()
            .map(|frame| frame["compressed_bytes"].as_u64().unwrap())
            .sum();
        assert_eq!(of("large")["compressed_bytes"], stored);
        let shown = place.succeeds(&["info", "m.safetensors.znn"]);
        assert!(shown.contains(&format!("frames 1 to {count}: ")), "{shown}");
        assert!(shown.contains(&format!("in frame {} with others", count + 1)), "{shown}");

        // Without a readable header, frames are all that is left.
        let mut damaged = place.read("m.safetensors.znn");
        let at = frames[0]["compressed_bytes"].as_u64().unwrap() as usize / 2;
        damaged[at..at + 8].fill(0);
        place.write("m.safetensors.znn", &damaged);
        let output = place.run(&["info", "--json", "m.safetensors.znn"]);
        if output.status.success() {
            let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(printed["tensors"], Value::Null);
            assert_eq!(printed["frame_count"], frames.len());
        }
    }

    #[test]
    fn info_describes_compressed_tensors_inside() {
        let place = Place::new();
        let data = data::weights(DType::BF16, 40_000, 1);
        let random: Vec<u8> = (0..64).map(|byte: u8| byte.wrapping_mul(167)).collect();
        let file = safetensors(&[("w", "BF16", &[20_000], &data), ("x", "U8", &[64], &random)]);
        place.write("m.safetensors", &file);
        place.succeeds(&["compress", "--inside-safetensors", "m.safetensors"]);
        let printed = json_of(&place, "info", "m.znn.safetensors");
        assert_eq!(printed["inside_safetensors"], true);
        assert_eq!(printed["dtypes"], json!(["bf16", "bytes"]));
        assert_eq!(printed["original_bytes"], file.len());
        assert_eq!(printed["compressed_bytes"], place.read("m.znn.safetensors").len());
        assert_eq!(printed["compressed_tensors"], 1);
        assert_eq!(printed["plain_tensors"], 1);
        assert_eq!(printed["checksums"], true);
        assert_eq!(printed["tensors"][0]["compressed"], true);
        assert_eq!(printed["tensors"][1]["compressed"], false);
        let shown = place.succeeds(&["info", "m.znn.safetensors"]);
        assert!(shown.contains("1 of 2 tensors compressed, with checksums"), "{shown}");
        let piped = place.run_with_input(&["info", "-"], &place.read("m.znn.safetensors"));
        assert!(text(&piped.stdout).contains("1 of 2 tensors compressed"));
        assert!(
            place.fails(1, &["info", "m.safetensors"]).contains("no tensor in it is compressed")
        );
    }
}
