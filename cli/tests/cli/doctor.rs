//! `zipnn doctor`.

use serde_json::Value;
use zipnn::{DType, Options};

use crate::common::data::{noise, weights};
use crate::common::golden;
use crate::program::{Place, text};
use crate::tensor_files::{entry, file, file_of};

/// The report on a file, which is not broken.
fn report(place: &Place, name: &str) -> Value {
    serde_json::from_str(&place.succeeds(&["doctor", "--json", name])).unwrap()
}

/// The report on a broken file.
fn broken(place: &Place, name: &str) -> Value {
    let report = place.run(&["doctor", "--json", name]);
    assert_eq!(report.status.code(), Some(1), "{}", text(&report.stderr));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["broken"], true);
    report
}

fn findings(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["finding"].as_str().unwrap()).collect()
}

/// All commands that a report suggests.
fn commands(report: &Value) -> Vec<&str> {
    let steps = report["next"].as_array().unwrap().iter();
    let commands = steps.flat_map(|step| step["commands"].as_array().unwrap());
    commands.map(|command| command.as_str().unwrap()).collect()
}

/// Runs suggested commands, whose arguments contain no spaces. All succeed.
fn run_all(place: &Place, commands: &[&str]) {
    for command in commands {
        place.succeeds(&command.split(' ').skip(1).collect::<Vec<_>>());
    }
}

fn model(seed: u64) -> Vec<u8> {
    file_of(&[
        ("w", "BF16", &[400, 500], weights(DType::BF16, 400_000, seed)),
        ("x", "I8", &[40_000], noise(40_000, seed)),
    ])
}

#[test]
fn explains_what_each_type_shrinks_to() {
    let place = Place::new();
    place.write("my model.safetensors", &model(1));
    let found = report(&place, "my model.safetensors");
    assert_eq!(found["kind"], "a safetensors file with 2 tensors");
    let types = found["types"].as_array().unwrap();
    assert_eq!([&types[0]["type"], &types[1]["type"]], ["BF16", "I8"]);
    let explained = types[0]["explanation"].as_str().unwrap();
    assert!(explained.contains("exponents take few different values"), "{explained}");
    assert_eq!(types[1]["reason"], "int8");
    assert_eq!(found["planes"][1]["content"], "exponents");
    assert_eq!(commands(&found)[0], "zipnn compress 'my model.safetensors'");

    // All of a small file is compressed, so that the estimates are right.
    assert_eq!(found["sampled_bytes"], found["bytes"]);
    for (level, options) in [&[][..], &["--extended"], &["--max"]].iter().enumerate() {
        let compress = ["compress", "-f", "my model.safetensors", "-o", "x"];
        place.succeeds(&[&compress[..], options].concat());
        let expected = place.read("x").len() as f64;
        let estimate = found["estimates"][level]["compressed_bytes"].as_f64().unwrap();
        assert!((estimate - expected).abs() < expected / 500.0, "{estimate} {expected}");
    }
    let shown = place.succeeds(&["doctor", "my model.safetensors"]);
    for part in ["BF16, 90.", "###", "--max", "next: ", "zipnn compress 'my model.safetensors'"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn leaves_alone_what_does_not_shrink() {
    let place = Place::new();
    for (name, bytes, finding) in [
        ("random", noise(300_000, 1), "random_bytes"),
        ("a.gz", [b"\x1f\x8b\x08", &noise(300_000, 1)[..]].concat(), "already_compressed"),
        ("a.png", [b"\x89PNG", &noise(300_000, 1)[..]].concat(), "already_compressed"),
        ("f8.safetensors", file_of(&[("q", "F8_E5M2", &[90_000], noise(90_000, 1))]), ""),
        ("int8.safetensors", file_of(&[("q", "I8", &[90_000], noise(90_000, 1))]), ""),
        ("i32.safetensors", file_of(&[("q", "I32", &[9000], noise(36_000, 1))]), "packed_values"),
        ("empty", Vec::new(), "empty"),
        ("tiny", b"abc".to_vec(), "tiny"),
    ] {
        place.write(name, &bytes);
        let found = report(&place, name);
        assert!(commands(&found).is_empty(), "{name}: {found}");
        assert!(finding.is_empty() || findings(&found).contains(&finding), "{name}: {found}");
        assert!(place.succeeds(&["doctor", name]).contains("next: nothing"), "{name}");
    }
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4200000\n";
    place.write("pointer", pointer);
    let found = report(&place, "pointer");
    assert_eq!(commands(&found), ["git lfs pull"]);
    assert!(found["findings"][0]["explanation"].as_str().unwrap().contains("4.20 MB"));
    place.write("page.safetensors", b"<!DOCTYPE html><html>not found</html>");
    assert!(findings(&report(&place, "page.safetensors")).contains(&"web_page"));
}

/// Shells read the commands as they are shown.
#[cfg(unix)]
#[test]
fn commands_can_be_pasted() {
    let place = Place::new();
    for (name, argument) in [
        ("$(id) it's.safetensors", r"'$(id) it'\''s.safetensors'"),
        ("-a.safetensors", "./-a.safetensors"),
        ("a\nb\u{1b}[31m.safetensors", r"$'a\012b\033[31m.safetensors'"),
    ] {
        place.write(name, &model(1));
        let command = format!("zipnn compress {argument}");
        let output = place.succeeds(&["doctor", "--", name]);
        assert!(output.contains(&format!("\n    {command}\n")), "{output}");
        place.remove(name);
    }
}

/// The same file has no difference to itself.
#[cfg(unix)]
#[test]
fn links_are_not_similar() {
    let place = Place::new();
    place.write("m.safetensors", &model(1));
    std::os::unix::fs::symlink("m.safetensors", place.path("link.safetensors")).unwrap();
    std::fs::hard_link(place.path("m.safetensors"), place.path("hard.safetensors")).unwrap();
    for name in ["m.safetensors", "link.safetensors", "hard.safetensors"] {
        assert!(!findings(&report(&place, name)).contains(&"similar_file"), "{name}");
    }
}

#[test]
fn names_the_level_that_pays() {
    let place = Place::new();
    let mut sparse = weights(DType::BF16, 400_000, 1);
    sparse.chunks_mut(1000).step_by(2).for_each(|row| row.fill(0));
    place.write("sparse.safetensors", &file_of(&[("w", "BF16", &[200, 1000], sparse)]));
    let found = report(&place, "sparse.safetensors");
    assert_eq!(commands(&found)[0], "zipnn compress --extended sparse.safetensors");
    place.succeeds(&["compress", "sparse.safetensors"]);
    assert!(findings(&report(&place, "sparse.safetensors")).contains(&"result_exists"));
    // The original is kept, perhaps with other content.
    let found = report(&place, "sparse.safetensors.znn");
    assert_eq!(
        commands(&found)[..2],
        [
            "zipnn decompress sparse.safetensors.znn -o sparse.safetensors.data",
            "zipnn compress --force --extended sparse.safetensors.data -o sparse.safetensors.znn"
        ]
    );
    place.remove("sparse.safetensors");
    let found = report(&place, "sparse.safetensors.znn");
    let again = [
        "zipnn decompress sparse.safetensors.znn",
        "zipnn compress --force --extended sparse.safetensors",
    ];
    assert_eq!(commands(&found)[..2], again);
    let all = commands(&found);
    run_all(&place, &all[all.len() - 2..]);
    let found = report(&place, "sparse.safetensors.znn");
    assert!(found["kind"].as_str().unwrap().contains("--max"), "{found}");
    assert!(commands(&found).is_empty(), "{found}");
}

#[test]
fn reads_compressed_files_of_all_kinds() {
    let place = Place::new();
    place.write("m.safetensors", &model(1)).succeeds(&["compress", "m.safetensors"]);
    let found = report(&place, "m.safetensors.znn");
    let kind = "a .znn file with 2 tensors, compressed with the default level";
    assert_eq!(found["kind"], kind);
    assert!(found["sampled_bytes"] == found["original_bytes"], "{found}");

    // One type for the whole file, without checksums, as the original writes.
    let options = Options::new(DType::F32).plain();
    place.write("one.znn", &zipnn::compress(&model(1), &options).unwrap());
    let found = report(&place, "one.znn");
    assert!(findings(&found).starts_with(&["no_checksums", "worse_layout"]), "{found}");
    assert_eq!(commands(&found)[..2], ["zipnn decompress one.znn", "zipnn compress --force one"]);

    place.succeeds(&["compress", "--inside-safetensors", "m.safetensors"]);
    let found = report(&place, "m.znn.safetensors");
    assert!(found["kind"].as_str().unwrap().contains("zipnn has compressed inside"));
    assert!(found["estimates"][0]["ratio"].as_f64().unwrap() < 0.8, "{found}");

    let old = golden::cases().into_iter().find(|case| !case.is_current()).unwrap();
    place.write("old.znn", &old.file());
    let found = report(&place, "old.znn");
    assert!(findings(&found).contains(&"old_layout"), "{found}");
}

#[test]
fn detects_damage() {
    let place = Place::new();
    place.write("m.safetensors", &model(1)).succeeds(&["compress", "m.safetensors"]);
    let sound = place.read("m.safetensors.znn");
    let mut damaged = sound.clone();
    damaged[sound.len() / 2] ^= 1;
    place.remove("m.safetensors");
    for file in [&damaged[..], &sound[..sound.len() / 2]] {
        place.write("m.safetensors.znn", file);
        let found = broken(&place, "m.safetensors.znn");
        assert!(findings(&found).contains(&"damaged"), "{found}");
        assert_eq!(commands(&found), ["zipnn decompress --no-verify m.safetensors.znn"]);
    }
    // Nothing can be recovered.
    for file in [&sound[..20], &[&b"ZN\0\x05"[..], &[0xff; 900]].concat(), b""] {
        place.write("m.safetensors.znn", file);
        let found = broken(&place, "m.safetensors.znn");
        assert!(findings(&found).contains(&"damaged"), "{found}");
        assert!(commands(&found).is_empty(), "{found}");
        place.fails(1, &["decompress", "--no-verify", "m.safetensors.znn"]);
    }
    place.write("m.safetensors", &model(1)[..200_000]);
    assert!(findings(&broken(&place, "m.safetensors")).contains(&"incomplete"));
    // The name of a compressed file, but not its content.
    place.write("x.znn", &model(1));
    let found = report(&place, "x.znn");
    assert!(findings(&found).contains(&"not_compressed"));
    assert_eq!(commands(&found)[0], "zipnn compress x.znn -o x.znn.znn");
    run_all(&place, &commands(&found)[..1]);
    let said = place.fails(1, &["doctor", "missing"]);
    assert!(said.contains("missing"), "{said}");
    place.fails(1, &["doctor", "."]);
}

#[test]
fn explains_differences() {
    let place = Place::new();
    let mut tuned = model(1);
    tuned[250_000] ^= 1;
    place.write("base.safetensors", &model(1)).write("tuned.safetensors", &tuned);
    place.write("other.safetensors", &model(7));
    let found = report(&place, "tuned.safetensors");
    assert!(findings(&found).contains(&"similar_file"), "{found}");
    let command = "zipnn compress --base base.safetensors tuned.safetensors";
    assert_eq!(commands(&found)[0], command);
    place.succeeds(&["compress", "--base", "base.safetensors", "tuned.safetensors"]);
    let found = report(&place, "tuned.safetensors.znn");
    assert_eq!(findings(&found), ["difference", "difference_gain"]);
    assert!(commands(&found).is_empty(), "{found}");
    // The file is no base, because it is kept as a difference.
    assert!(!findings(&report(&place, "base.safetensors")).contains(&"similar_file"));
    let output = place.run_with_input(&["doctor", "-"], &place.read("tuned.safetensors.znn"));
    assert!(output.status.success(), "{}", text(&output.stdout));
    let mut changed = model(1);
    changed[100_000..350_000].fill(1);
    place.write("base.safetensors", &changed);
    let found = broken(&place, "tuned.safetensors.znn");
    assert!(findings(&found).contains(&"unusable_base"), "{found}");
    place.remove("base.safetensors");
    let found = broken(&place, "tuned.safetensors.znn");
    assert!(findings(&found).contains(&"unusable_base"), "{found}");

    place.write("base", &model(1));
    place.succeeds(&["compress", "--delta", "base", "tuned.safetensors", "-o", "d.znn"]);
    let found = report(&place, "d.znn");
    assert!(found["findings"][0]["explanation"].as_str().unwrap().contains("--delta BASE"));
}

#[test]
fn explains_unusual_headers() {
    let place = Place::new();
    let tensor = entry("a", "BF16", &[20_000], 0, 40_000);
    let data = [&weights(DType::BF16, 40_000, 1)[..], &[0; 9]].concat();
    place.write("odd.safetensors", &file(&format!("{{{tensor}}}\0\0"), &data));
    let found = report(&place, "odd.safetensors");
    assert_eq!(findings(&found), ["padded_header", "unused_bytes"]);
    assert_eq!(commands(&found)[0], "zipnn compress odd.safetensors");
    for bad in [&file("{\"a\":{}}", &data)[..], &file(&format!("{{{tensor}}}"), &data)[..30]] {
        place.write("bad.safetensors", bad);
        assert!(findings(&broken(&place, "bad.safetensors")).contains(&"invalid_header"));
    }
    // Gaps between all tensors.
    let entries: Vec<String> = (0..10)
        .map(|at| entry(&at.to_string(), "U8", &[1000], at * 1010, at * 1010 + 1000))
        .collect();
    place.write("gaps.safetensors", &file(&format!("{{{}}}", entries.join(",")), &data));
    assert_eq!(findings(&report(&place, "gaps.safetensors"))[4], "more_oddities");
}

#[test]
fn reads_standard_input() {
    let place = Place::new();
    place.write("m.safetensors", &model(1)).succeeds(&["compress", "m.safetensors"]);
    for (name, kind) in [("m.safetensors", "a safetensors file"), ("m.safetensors.znn", "a .znn")] {
        let output = place.run_with_input(&["doctor", "-", "--json"], &place.read(name));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["file"], "-");
        assert!(found["kind"].as_str().unwrap().starts_with(kind), "{found}");
    }
    let mut damaged = place.read("m.safetensors.znn");
    damaged.truncate(9000);
    let output = place.run_with_input(&["doctor", "-"], &damaged);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(said.contains("damaged") && !said.contains("/tmp"), "{said}");
    let output = place.run_with_input(&["doctor", "-"], &model(1));
    let said = text(&output.stdout);
    assert!(said.contains("\n    zipnn compress - -o data.znn\n"), "{said}");
    let output = place.run_with_input(&["doctor", "-"], b"");
    assert!(text(&output.stdout).contains("an empty file"));
}

#[test]
fn examines_the_files_of_directories() {
    let place = Place::new();
    place.write("dir/a/m.safetensors", &model(1)).write("dir/config.json", b"{}");
    place.succeeds(&["compress", "-o", "dir/m.safetensors.znn", "dir/a/m.safetensors"]);
    let printed = place.succeeds(&["doctor", "--json", "dir"]);
    let mut files: Vec<_> = printed
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["file"]
                .as_str()
                .unwrap()
                .replace('\\', "/")
        })
        .collect();
    files.sort();
    let expected = ["dir/a/m.safetensors", "dir/m.safetensors.znn"];
    assert_eq!(files, expected);
    let said = place.succeeds(&["doctor", "dir"]);
    assert!(said.ends_with("dir: 2 files without faults\n"), "{said}");
    let said = place.succeeds(&["doctor", "--match", "m.*", "dir"]);
    assert!(said.contains("2 files"), "{said}");

    let mut damaged = place.read("dir/m.safetensors.znn");
    damaged.truncate(9000);
    place.write("dir/m.safetensors.znn", &damaged);
    let said = place.fails(1, &["doctor", "dir"]);
    assert!(said.contains("dir: 1 of 2 files without faults, 1 failed\n"), "{said}");
    place.write("empty/config.json", b"{}");
    assert!(place.fails(1, &["doctor", "empty"]).contains("has no files to read"));
}

/// The program reads what headers announce, and not much more.
#[test]
fn endless_data_is_not_read_forever() {
    use std::io::Write;
    use std::process::Stdio;

    let place = Place::new();
    place.write("m.safetensors", &model(1)).succeeds(&["compress", "m.safetensors"]);
    for (beginning, kind) in [
        (b"text".to_vec(), "no known"),
        (place.read("m.safetensors"), "safetensors"),
        (place.read("m.safetensors.znn"), ".znn"),
    ] {
        let mut command = place.command(&["doctor", "--json", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || {
            let zeros = [0; 1 << 16];
            let mut written = stdin.write_all(&beginning);
            while written.is_ok() {
                written = stdin.write_all(&zeros);
            }
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(findings(&report).contains(&"beginning"), "{kind}: {report}");
    }
}

#[cfg(unix)]
#[test]
fn a_large_file_is_only_sampled() {
    use std::time::{Duration, Instant};
    let place = Place::new();
    let len: u64 = 40 << 30;
    let header = format!("{{{}}}", entry("a", "BF16", &[len as usize / 2], 0, len as usize));
    let path = place.path("large.safetensors");
    std::fs::write(&path, file(&header, &weights(DType::BF16, 1 << 20, 1))).unwrap();
    let sparse = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    if sparse.set_len(8 + header.len() as u64 + len).is_err() {
        return crate::common::skipped::skipped("a file system with large sparse files");
    }
    let start = Instant::now();
    let found = report(&place, "large.safetensors");
    assert!(found["sampled_bytes"].as_u64().unwrap() < 40 << 20, "{found}");
    let shown = place.succeeds(&["doctor", "large.safetensors"]);
    assert!(shown.contains("\n  planes of samples of "), "{shown}");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn reads_the_tensors_of_containers() {
    let place = Place::new();
    let data = crate::common::root().join("tests/data/containers");
    for (name, kind) in [
        ("arrays.npz", "a NumPy archive with "),
        ("matrix.npy", "a NumPy file with 1 tensor"),
        ("state.pt", "a PyTorch file with "),
        ("model.onnx", "ONNX data with "),
        ("compressed.npz", "a zip archive"),
    ] {
        place.write(name, &std::fs::read(data.join(name)).unwrap());
        let found = report(&place, name);
        assert!(found["kind"].as_str().unwrap().starts_with(kind), "{name}: {found}");
        assert!(!found["types"].as_array().unwrap().is_empty(), "{name}: {found}");
    }
}

#[test]
fn names_a_type_that_suits_all_data() {
    let place = Place::new();
    // Ids and weights, which take less space as one type than in frames of their own.
    let model = crate::common::root().join("tests/data/minilm-slice.bf16.safetensors");
    let weights = &std::fs::read(model).unwrap()[17_192..26_192];
    let ids = (0..100_u64).flat_map(u64::to_le_bytes);
    let mixed: Vec<u8> = ids.chain(weights.iter().copied()).collect();
    place.write("mixed", &mixed);
    let found = report(&place, "mixed");
    assert!(findings(&found).contains(&"better_type"), "{found}");
    let command = commands(&found)[0];
    assert!(command.starts_with("zipnn compress --dtype "), "{command}");
    place.succeeds(&["compress", "mixed", "-o", "default"]);
    place.succeeds(&command.split(' ').skip(1).collect::<Vec<_>>());
    assert!(place.read("mixed.znn").len() < place.read("default").len() * 99 / 100);
}

#[test]
fn data_of_several_types_has_no_type_of_its_own() {
    let place = Place::new();
    let halves = [weights(DType::F32, 4_000_000, 1), noise(4_000_000, 1)].concat();
    place.write("halves", &halves).write("one", &halves[..4_000_000]);
    assert_eq!(report(&place, "halves")["types"][0]["type"], "mixed types");
    assert_eq!(report(&place, "one")["types"][0]["type"], "f32");
}

/// Files that the original damaged, as `repair` judges them.
#[test]
fn names_what_the_original_damaged() {
    let folder = crate::common::root().join("tests/data/golden/reference_damaged");
    let place = Place::new();
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        place.write(name, &std::fs::read(&path).unwrap());
        let mut names = vec![name.to_owned()];
        if name.contains(".znn.") {
            place.run(&["decompress", "-f", name]);
            names.push(name.replace(".znn.", "."));
        }
        for name in names.iter().filter(|name| place.exists(name)) {
            let needs_repair = place.run(&["repair", "-q", name]).status.code() == Some(1);
            let status = place.run(&["doctor", name]).status.code();
            assert_eq!(status, Some(i32::from(needs_repair)), "{name}");
            if needs_repair {
                assert_eq!(commands(&broken(&place, name)), [format!("zipnn repair {name}")]);
                count += 1;
            }
        }
    }
    assert!(count >= 2, "{count} files");

    // A file that the original has decompressed.
    let elements = weights(DType::BF16, 16_000, 1);
    let rotated = elements.chunks_exact(2).flat_map(|element| {
        u16::from_le_bytes([element[0], element[1]]).rotate_left(1).to_le_bytes()
    });
    let tensors = [("w", "BF16", &[8000][..], rotated.collect())];
    place.write("plain.safetensors", &file_of(&tensors));
    let found = broken(&place, "plain.safetensors");
    assert_eq!(commands(&found), ["zipnn repair plain.safetensors"]);
}
