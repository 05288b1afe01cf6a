//! Recovering and reading damaged and incomplete files, and reading parts of a difference.

use std::ops::Range;

use program::{Place, text};
use serde_json::Value;
use zipnn::file::Frames;
use zipnn::tensor::Metadata;
use zipnn::{DType, DecodeErrorKind, Limits, Options};

use crate::common::{data, golden};
use crate::{program, tensor_files};

/// A `.safetensors` file: two tensors of over 4 MiB, and a small one at the end.
fn model() -> Vec<u8> {
    let part = data::weights(DType::BF16, 1 << 20, 1);
    let weights = |len: usize| part.iter().copied().cycle().take(len).collect::<Vec<u8>>();
    tensor_files::file_of(&[
        ("first", "BF16", &[1_250_000, 2], weights(5_000_000)),
        ("second", "BF16", &[1_250_000, 2], weights(5_000_000)),
        ("third", "F32", &[1000], data::weights(DType::F32, 4000, 2)),
    ])
}

/// Returns the range of a tensor in the model.
fn range(model: &[u8], name: &str) -> Range<usize> {
    let layout = Metadata::parse(model, model.len() as u64).unwrap();
    let range = layout.tensor(name).unwrap().range.clone();
    range.start as usize..range.end as usize
}

/// Returns the range of each frame in the file, and of its data.
fn frames(file: &[u8]) -> Vec<(Range<usize>, Range<usize>)> {
    let (mut start, mut decoded) = (0, 0);
    let frames = Frames::without_annexes(file).map(|frame| {
        let frame = frame.unwrap();
        let stored = start..start + frame.bytes().len();
        let data = decoded..decoded + frame.decoded_len() as usize;
        (start, decoded) = (stored.end, data.end);
        (stored, data)
    });
    frames.collect()
}

/// A directory with the model, compressed with these options.
fn compressed(options: &[&str]) -> (Place, Vec<u8>, Vec<u8>) {
    let (place, model) = (Place::new(), model());
    place.write("model.safetensors", &model);
    place.succeeds(&[&["compress", "model.safetensors"], options].concat());
    let file = place.read("model.safetensors.znn");
    (place, model, file)
}

/// Returns the offset of the last stored byte of a chunk.
fn last_byte(file: &[u8], frame: usize, chunk: usize) -> usize {
    let (stored, _) = frames(file)[frame].clone();
    let parsed = zipnn::frame::Frame::parse(&file[stored.clone()]).unwrap();
    let range = parsed.index().chunk(chunk).unwrap().plane_ranges().last().unwrap();
    stored.start + range.end as usize - 1
}

#[test]
fn recovers_the_beginning_of_a_cut_file() {
    let (place, model, file) = compressed(&[]);
    let cut = file[..file.len() * 6 / 10].to_vec();
    place.write("cut.znn", &cut);
    let whole = frames(&file);
    let whole = whole.iter().take_while(|(stored, _)| stored.end <= cut.len()).last().unwrap();
    let expected = &model[..whole.1.end];
    assert!(expected.len() > 4 << 20);

    let message = place.fails(1, &["decompress", "--no-verify", "cut.znn", "-o", "saved"]);
    assert!(place.read("saved") == expected);
    let shown = format!("{} of {} bytes saved in saved", expected.len(), model.len());
    assert!(message.contains(&shown) && message.contains("the rest is lost"), "{message}");
    assert!(message.contains("frame 3") && message.contains("truncated"), "{message}");
    let lost = format!("lost: bytes {} to {}, in ", expected.len(), model.len());
    assert!(message.contains(&lost) && message.contains("third"), "{message}");
    assert!(place.read("cut.znn") == cut);

    place.fails(1, &["decompress", "--no-verify", "cut.znn"]);
    assert!(place.read("cut") == expected);
    let output = place.run(&["decompress", "--no-verify", "cut.znn", "-o", "-"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout == expected);
    let output = place.run_with_input(&["decompress", "--no-verify", "-"], &cut);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout == expected);
    assert!(text(&output.stderr).contains(&shown[..20]), "{}", text(&output.stderr));
    // Without the option, as ever, nothing is written.
    let message = place.fails(1, &["decompress", "cut.znn", "-o", "strict"]);
    assert!(message.contains("--no-verify"), "{message}");
    assert!(!place.exists("strict"));
}

/// The recovered part is the beginning of the data, and holds all whole frames.
#[test]
fn recovers_whole_frames_wherever_a_file_is_cut() {
    for options in [&[][..], &["--plain"]] {
        let (place, model, file) = compressed(options);
        let frames = frames(&file);
        let mut lens = vec![0, 1, 31, 32, 33, file.len() / 3, file.len() - 1, file.len() - 40];
        lens.extend(frames.iter().flat_map(|(stored, _)| {
            [stored.start, stored.start + 20, stored.end - 1, stored.start + stored.len() * 9 / 10]
        }));
        for len in lens {
            place.write("cut.znn", &file[..len]);
            let output = place.run(&["decompress", "--no-verify", "cut.znn"]);
            let whole = frames.iter().take_while(|(stored, _)| stored.end <= len).last();
            let whole = whole.map_or(0, |(_, data)| data.end);
            let at_frame = frames.iter().any(|(stored, _)| stored.start == len && len > 0);
            // Without an index, a cut between two frames shows in the data alone.
            let is_failure = options.is_empty() || !at_frame;
            let message = text(&output.stderr);
            assert_eq!(output.status.code(), Some(i32::from(is_failure)), "{len}");
            let is_warned = at_frame && message.contains("before its last tensor");
            assert!(is_failure || is_warned, "{len}: {message}");
            if place.exists("cut") {
                let saved = place.read("cut");
                assert!(saved.len() >= whole && model.starts_with(&saved), "{len}");
                place.remove("cut");
            } else {
                assert_eq!(whole, 0, "{len}: {}", text(&output.stderr));
            }
        }
        assert_eq!(place.names(), ["cut.znn", "model.safetensors", "model.safetensors.znn"]);
    }
}

/// A file of a single frame, as the original writes it, stores one plane after another. A chunk can
/// be recovered if all of its planes are there.
#[test]
fn recovers_whole_chunks_of_a_cut_frame() {
    let data = data::weights(DType::BF16, 5_000_000, 4);
    let file = zipnn::compress(&data, &Options::new(DType::BF16).plain()).unwrap();
    let cut = &file[..last_byte(&file, 0, 7)];
    let expected = &data[..7 << 18];
    let place = Place::new();
    place.write("cut.znn", cut);
    let message = place.fails(1, &["decompress", "--no-verify", "cut.znn"]);
    assert!(message.contains("1835008 of 5000000 bytes"), "{message}");
    assert!(message.contains("frame 0, chunk 7, plane 1"), "{message}");
    assert!(place.read("cut") == expected);
    let piped = place.run_with_input(&["decompress", "--no-verify", "-"], cut);
    assert!(piped.stdout == expected);
    // The upper plane is missing altogether.
    place.write("cut.znn", &file[..file.len() / 2]);
    let message = place.fails(1, &["decompress", "--no-verify", "cut.znn", "-o", "nothing"]);
    assert!(message.contains("nothing can be recovered"), "{message}");
    assert!(!place.exists("nothing"));
}

#[test]
fn damaged_chunks_do_not_move_others() {
    let (place, model, mut file) = compressed(&[]);
    let second = frames(&file)[1].1.clone();
    let at = last_byte(&file, 1, 3);
    file[at] = 0;
    place.write("damaged.znn", &file);
    let lost = second.start + 3 * (1 << 18)..second.start + 4 * (1 << 18);
    let mut expected = model.clone();
    expected[lost.clone()].fill(0);
    for threads in ["1", "4"] {
        let arguments = ["decompress", "--no-verify", "--force", "--threads", threads];
        let message = place.fails(1, &[&arguments[..], &["damaged.znn"]].concat());
        assert!(place.read("damaged") == expected);
        let shown = format!("{} of {} bytes saved", model.len() - lost.len(), model.len());
        assert!(message.contains(&shown), "{message}");
        assert!(message.contains("frame 1, chunk 3, plane 1: corrupt data"), "{message}");
        let shown = format!("lost: bytes {} to {}, in first\n", lost.start, lost.end);
        assert!(message.contains(&shown), "{message}");
        assert!(message.contains("zeros"), "{message}");
    }
    let piped = place.run_with_input(&["decompress", "--no-verify", "-"], &file);
    assert!(piped.status.code() == Some(1) && piped.stdout == expected);
}

/// If the end of the file is there, the result is as long as the data, so that loaders accept it.
#[test]
fn damage_at_the_end_keeps_the_length() {
    for options in [&[][..], &["--plain"]] {
        let (place, model, mut file) = compressed(options);
        let frames = frames(&file);
        let last = frames.iter().rposition(|(_, data)| !data.is_empty()).unwrap();
        let at = last_byte(&file, last, 0);
        file[at] = 0;
        place.write("damaged.znn", &file);
        let message = place.fails(1, &["decompress", "--no-verify", "damaged.znn"]);
        let mut expected = model.clone();
        expected[frames[last].1.clone()].fill(0);
        assert!(place.read("damaged") == expected, "{message}");
        assert!(message.contains(&format!("to {}, in third", model.len())), "{message}");
    }
}

/// The header of a frame, or the index of the file, gives the length of lost data.
#[test]
fn damaged_frames_do_not_move_others() {
    // Within the magic bytes, the lengths, and the index of the frame.
    let sealed = [0, 18, 26, 30, 40].map(|at| (&[][..], at, true));
    let plain = [0, 30, 40].map(|at| (&["--plain"][..], at, true));
    let cut = (&["--plain"][..], 0, false);
    for (options, in_frame, is_found) in sealed.into_iter().chain(plain).chain([cut]) {
        let (place, model, mut file) = compressed(options);
        let frames = frames(&file);
        let (stored, lost) = frames[1].clone();
        file[stored.start + in_frame] ^= 0x5a;
        if !is_found {
            file.truncate(frames.last().unwrap().0.end - 1);
        }
        place.write("damaged.znn", &file);
        let message = place.fails(1, &["decompress", "--no-verify", "damaged.znn"]);
        assert!(message.contains("frame 1"), "{message}");
        let saved = place.read("damaged");
        if is_found {
            let mut expected = model.clone();
            expected[lost.clone()].fill(0);
            assert!(saved == expected, "{in_frame}");
            let shown = format!("lost: bytes {} to {}, in first\n", lost.start, lost.end);
            assert!(message.contains(&shown), "{message}");
        } else {
            assert!(saved == model[..lost.start], "{in_frame}");
            let shown = format!("lost: bytes {} to {}", lost.start, model.len());
            assert!(message.contains(&shown), "{message}");
        }
    }
}

/// Without an index, only the tensors show the offsets of frames after the damage.
#[test]
fn bytes_after_the_last_tensor_do_not_move_others() {
    let (place, model, _) = compressed(&[]);
    let source = [&model[..], &[7; 1000]].concat();
    place.write("t", &source).succeeds(&["compress", "--plain", "t"]);
    let file = place.read("t.znn");
    let frames = frames(&file);
    assert!(frames.len() > 3);
    for (stored, lost) in &frames[1..] {
        let mut damaged = file.clone();
        damaged[stored.start] ^= 0x5a;
        place.write("damaged.znn", &damaged);
        place.fails(1, &["decompress", "--no-verify", "--force", "damaged.znn"]);
        let mut expected = source.clone();
        expected[lost.clone()].fill(0);
        let saved = place.read("damaged");
        assert!(saved == expected || saved == source[..lost.start], "{lost:?}");
    }
    let mut damaged = file.clone();
    damaged[frames[1].0.start] ^= 0x5a;
    place.write("damaged.znn", &damaged);
    place.fails(1, &["decompress", "--no-verify", "--force", "damaged.znn"]);
    assert!(place.read("damaged")[frames[1].1.end..] == source[frames[1].1.end..]);
}

/// A damaged raw plane decodes to wrong bytes.
#[test]
fn keeps_chunks_with_wrong_checksums() {
    let (place, model, mut file) = compressed(&[]);
    let (stored, data) = frames(&file)[1].clone();
    let frame = zipnn::frame::Frame::parse(&file[stored.clone()]).unwrap();
    let raw = frame.index().chunk(2).unwrap();
    assert_eq!(raw.methods().next(), Some(zipnn::frame::Method::Raw));
    let at = stored.start + raw.plane_ranges().next().unwrap().start as usize;
    file[at] ^= 1;
    let wrong = data.start + 2 * (1 << 18)..data.start + 3 * (1 << 18);
    place.write("damaged.znn", &file);
    let message = place.fails(1, &["decompress", "--no-verify", "damaged.znn"]);
    let shown = format!("{} of {} bytes saved", model.len() - wrong.len(), model.len());
    assert!(message.contains(&shown) && message.contains("lost or wrong"), "{message}");
    let shown =
        format!("checksum differs; wrong: bytes {} to {}, in first\n", wrong.start, wrong.end);
    assert!(message.contains(&shown) && !message.contains("zeros"), "{message}");
    let saved = place.read("damaged");
    let differing: Vec<_> = (0..model.len()).filter(|&at| saved[at] != model[at]).collect();
    assert!(differing.len() == 1 && wrong.contains(&differing[0]), "{differing:?}");
    place.fails(1, &["decompress", "--no-verify", "--rm", "damaged.znn", "-o", "x"]);
    assert!(place.exists("damaged.znn") && !place.exists("x"));
}

/// A missing part of a download: zeros over several frames.
#[test]
fn recovers_frames_around_a_hole() {
    for options in [&[][..], &["--plain"]] {
        let (place, model, mut file) = compressed(options);
        let frames = frames(&file);
        assert!(frames.len() > 5);
        let hole = frames[1].0.end - 1000..frames[3].0.start + 10;
        file[hole].fill(0);
        place.write("damaged.znn", &file);
        let message = place.fails(1, &["decompress", "--no-verify", "damaged.znn"]);
        let saved = place.read("damaged");
        assert_eq!(saved.len(), model.len());
        assert!(saved[frames[4].1.start..] == model[frames[4].1.start..], "{message}");
        let chunk = 1 << 18;
        let damaged = frames[1].1.end - chunk..frames[3].1.end;
        assert!(saved[..damaged.start] == model[..damaged.start], "{message}");
        assert!(saved[frames[2].1.start..damaged.end].iter().all(|&byte| byte == 0));
        assert!(message.contains("in first, second"), "{message}");
    }
}

#[test]
fn reports_much_damage_in_few_lines() {
    let data = data::weights(DType::BF16, 400_000, 3);
    let options = Options::new(DType::BF16).chunk_log2(10);
    let mut file = zipnn::compress(&data, &options).unwrap();
    let place = Place::new();
    let ends: Vec<_> = (0..390).step_by(2).map(|chunk| last_byte(&file, 0, chunk)).collect();
    ends.iter().for_each(|&end| file[end] = 0);
    place.write("damaged.znn", &file);
    let message = place.fails(1, &["decompress", "--no-verify", "damaged.znn"]);
    assert!(message.lines().count() < 30, "{message}");
    assert!(message.contains("and 175 more"), "{message}");
    let saved = place.read("damaged");
    assert_eq!(saved.len(), data.len());
    assert!(saved[1 << 10..2 << 10] == data[1 << 10..2 << 10]);
    assert!(saved[..1 << 10].iter().all(|&byte| byte == 0));
}

#[test]
fn rm_keeps_a_source_with_lost_data() {
    let (place, _, file) = compressed(&[]);
    let cut = &file[..file.len() / 2];
    place.write("cut.znn", cut);
    let message = place.fails(1, &["decompress", "--no-verify", "--rm", "cut.znn"]);
    assert!(message.contains("nothing was written") && message.contains("--rm"), "{message}");
    assert!(place.read("cut.znn") == cut);
    assert!(!place.exists("cut"));
    place.write("whole.znn", &file);
    place.succeeds(&["decompress", "--no-verify", "--rm", "whole.znn"]);
    assert!(!place.exists("whole.znn"));
}

#[cfg(unix)]
#[test]
fn hub_keeps_damaged_files_unchanged() {
    let place = Place::new();
    let name = "cache/models--org--name/snapshots/0123/model.safetensors";
    place.write("cache/models--org--name/blobs/first", &model());
    place.write("cache/models--org--name/refs/main", b"0123");
    std::fs::create_dir_all(place.path(name).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("../../blobs/first", place.path(name)).unwrap();
    let hub = ["--hub", "org/name", "--cache", "cache"];
    place.succeeds(&[&["compress"], &hub[..]].concat());
    let blob = "cache/models--org--name/blobs/first.znn";
    let file = place.read(blob);
    place.write(blob, &file[..file.len() / 2]);
    let names = place.names();
    let message = place.fails(1, &[&["decompress", "--no-verify"], &hub[..]].concat());
    assert!(message.contains("nothing was written"), "{message}");
    assert_eq!(place.names(), names);
}

/// Bytes of unknown length may follow the last tensor.
#[test]
fn counts_bytes_after_the_last_tensor_once() {
    let (place, model, _) = compressed(&[]);
    let source = [&model[..], &[7; 100_000]].concat();
    place.write("t.safetensors", &source).succeeds(&["compress", "t.safetensors"]);
    let file = place.read("t.safetensors.znn");
    let all = frames(&file);
    // Without the index, and without the bytes behind the last tensor.
    for (cut, saved) in [(file.len() - 1, source.len()), (all[all.len() - 2].0.start, model.len())]
    {
        place.write("cut.safetensors.znn", &file[..cut]);
        let message =
            place.fails(1, &["decompress", "--no-verify", "--force", "cut.safetensors.znn"]);
        assert!(place.read("cut.safetensors") == source[..saved]);
        let is_all = saved == model.len();
        assert!(message.contains(&format!("{saved} bytes saved")), "{message}");
        assert_eq!(message.contains("up to the end of the last tensor"), is_all, "{message}");
    }
}

/// If only the index is missing, all data is recovered, and the file is reported as incomplete.
#[test]
fn a_cut_index_loses_no_data() {
    let (place, model, file) = compressed(&[]);
    let last = frames(&file).last().unwrap().0.clone();
    for len in [last.start, last.start + 10, last.start + 60, last.end - 1] {
        place.write("cut.safetensors.znn", &file[..len]);
        let saved = ["decompress", "--no-verify", "--force", "cut.safetensors.znn"];
        let message = place.fails(1, &saved);
        let shown = format!("all {} bytes saved", model.len());
        assert!(message.contains(&shown), "{message}");
        assert!(place.read("cut.safetensors") == model, "{len}");
        let output = place.run(&["cat", "cut.safetensors.znn", "third"]);
        assert!(output.status.success() && output.stdout == model[range(&model, "third")]);
        assert!(text(&output.stderr).contains("warning"), "{}", text(&output.stderr));
    }
}

/// A partial result has the permissions of its source, but another time: the next run on the
/// directory must not treat it as complete.
#[test]
fn recovers_files_of_directories() {
    let (place, model, file) = compressed(&[]);
    let place = &place;
    place.write("models/good.safetensors.znn", &file);
    place.write("models/cut.safetensors.znn", &file[..file.len() / 2]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(place.path("models/cut.safetensors.znn"), private).unwrap();
    }
    let message = place.fails(1, &["decompress", "--no-verify", "models"]);
    assert!(message.contains("1 file decompressed, 1 failed"), "{message}");
    let saved = std::path::Path::new("models").join("cut.safetensors");
    let expected = format!("bytes saved in {}", saved.display());
    assert!(message.contains(&expected), "{message}");
    assert!(place.read("models/good.safetensors") == model);
    let saved = place.read("models/cut.safetensors");
    assert!(saved.len() > 4 << 20 && model.starts_with(&saved));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let found = std::fs::metadata(place.path("models/cut.safetensors")).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
    }
    let message = place.fails(1, &["decompress", "--no-verify", "models"]);
    assert!(message.contains("1 done before, 1 failed"), "{message}");
    let message = place.fails(1, &["decompress", "--no-verify", "--rm", "models"]);
    assert!(message.contains("1 failed"), "{message}");
    assert!(place.exists("models/cut.safetensors.znn"));
}

#[test]
fn recovers_files_of_old_layouts() {
    let cases = golden::cases();
    let old = cases.iter().filter(|case| !case.is_current() && case.base().is_none());
    let place = Place::new();
    let (mut saved, mut lost) = (0, 0);
    for case in old.filter(|case| case.original_len() > 1000) {
        let file = case.file();
        place.write("cut.znn", &file[..file.len() * 9 / 10]);
        let message = place.fails(1, &["decompress", "--no-verify", "--force", "cut.znn"]);
        if place.exists("cut") {
            saved += 1;
            assert!(message.contains("bytes saved in cut; the rest is lost"), "{message}");
            assert!(case.original().starts_with(&place.read("cut")), "{}", case.name());
            place.remove("cut");
        } else {
            lost += 1;
            assert!(message.contains("nothing can be recovered"), "{}: {message}", case.name());
        }
    }
    assert!(lost > 0, "{saved} saved, {lost} lost");
}

#[test]
fn no_verify_reports_nothing_about_whole_files() {
    for options in [&[][..], &["--plain"]] {
        let (place, model, file) = compressed(options);
        place.succeeds(&["decompress", "--no-verify", "model.safetensors.znn", "-o", "saved"]);
        assert!(place.read("saved") == model);
        let piped = place.run_with_input(&["decompress", "--no-verify", "-"], &file);
        assert!(piped.status.success() && piped.stdout == model && piped.stderr.is_empty());
    }
}

/// The names of the tensors that `ls` lists as complete, and of all.
fn listed(place: &Place, arguments: &[&str]) -> (Vec<String>, Vec<String>) {
    let output = place.run(&[&["ls", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tensors = listed["tensors"].as_array().unwrap();
    let names = |is_wanted: fn(&Value) -> bool| {
        let wanted = tensors.iter().filter(|tensor| is_wanted(tensor));
        wanted.map(|tensor| tensor["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let complete = names(|tensor| tensor["complete"] == true);
    let all = names(|_| true);
    assert_eq!(listed["complete"], complete.len() == all.len());
    (complete, all)
}

#[test]
fn reads_complete_tensors_of_a_cut_file() {
    for options in [&[][..], &["--plain"]] {
        let (place, model, file) = compressed(options);
        let frames = frames(&file);
        let second = range(&model, "second");
        // Within the second tensor, and at the end of one of its frames.
        let inner = frames.iter().find(|(_, data)| data.end > second.start + 1000).unwrap();
        for len in [inner.0.end - 1, inner.0.end] {
            assert!((second.start..second.end).contains(&inner.1.end));
            let name = "cut.safetensors.znn";
            place.write(name, &file[..len]);
            let output = place.run(&["cat", name, "first"]);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
            assert!(output.stdout == model[range(&model, "first")]);
            let warning = text(&output.stderr);
            assert!(warning.contains("warning: the file is not complete"), "{warning}");
            for lost in ["second", "third"] {
                let message = place.fails(1, &["cat", name, lost, "-o", "x"]);
                assert!(message.contains("not complete") && message.contains(lost), "{message}");
                assert!(
                    message.contains("missing") && message.contains("--no-verify"),
                    "{message}"
                );
                assert!(!place.exists("x"));
            }
            let all = ["first", "second", "third"].map(String::from).to_vec();
            assert_eq!(listed(&place, &[name]), (vec!["first".to_owned()], all));
            let output = place.run(&["ls", name]);
            assert!(output.status.success() && text(&output.stderr).contains("not complete"));
            let table = text(&output.stdout);
            let marked = |name: &str| {
                let line = table.lines().find(|line| line.contains(name)).unwrap();
                line.contains("incomplete")
            };
            assert!(!marked("first") && marked("second") && marked("third"), "{table}");
        }
        // Rows that are there, of a tensor that is not.
        let rows = ["cat", "cut.safetensors.znn", "second", "--rows", "0..10"];
        let output = place.run(&rows);
        assert!(
            output.stdout == model[second.start..second.start + 40],
            "{}",
            text(&output.stderr)
        );
        assert_eq!(listed(&place, &["model.safetensors.znn"]).0.len(), 3);
        place.succeeds(&["ls", "model.safetensors.znn"]);
    }
}

/// A tensor with damaged or missing checksums is not complete.
#[test]
fn verifies_tensors_of_a_cut_file() {
    let (place, _, file) = compressed(&[]);
    let frames = frames(&file);
    let mut cut = file[..frames[3].0.end - 1].to_vec();
    cut[frames[1].0.start + frames[1].0.len() / 2] ^= 1;
    place.write("cut.safetensors.znn", &cut);
    let message = place.fails(1, &["cat", "cut.safetensors.znn", "first", "-o", "x"]);
    assert!(message.contains("frame 1"), "{message}");
    assert!(!place.exists("x"));
}

#[test]
fn reports_files_that_are_cut_before_the_tensors() {
    let (place, _, file) = compressed(&[]);
    for (len, shown) in [(0, "empty"), (20, "truncated"), (40, "truncated"), (100, "truncated")] {
        place.write("cut.safetensors.znn", &file[..len]);
        for command in [&["ls"][..], &["cat"]] {
            let tensor = if command == ["cat"] { &["first"][..] } else { &[] };
            let message = place.fails(1, &[command, &["cut.safetensors.znn"], tensor].concat());
            assert!(message.contains(shown), "{message}");
            assert!(!message.contains("warning"), "{message}");
        }
    }
}

/// Without an index, frames do not show a cut between them.
#[test]
fn reports_data_that_ends_before_its_last_tensor() {
    let (place, model, file) = compressed(&["--plain"]);
    let (stored, data) = frames(&file)[2].clone();
    place.write("cut.safetensors.znn", &file[..stored.end]);
    let shown = format!("the data ends {} bytes before its last tensor", model.len() - data.end);
    let verified = place.succeeds(&["verify", "cut.safetensors.znn"]);
    assert!(verified.contains(&shown), "{verified}");
    let output = place.run(&["decompress", "cut.safetensors.znn"]);
    assert!(output.status.success());
    assert!(text(&output.stderr).contains(&shown), "{}", text(&output.stderr));
    assert!(place.read("cut.safetensors") == model[..data.end]);
    // A file that is sealed holds what was compressed, whatever its header says.
    place.write("short.safetensors", &model[..data.end]);
    place.succeeds(&["compress", "short.safetensors"]);
    let verified = place.succeeds(&["verify", "short.safetensors.znn"]);
    assert!(!verified.contains("the data ends"), "{verified}");
    place.succeeds(&["decompress", "--force", "short.safetensors.znn"]);
    place.succeeds(&["decompress", "--force", "--no-verify", "short.safetensors.znn"]);
}

#[test]
fn verify_lists_lost_ranges() {
    let (place, model, file) = compressed(&[]);
    let frames = frames(&file);
    let mut cut = file[..frames[3].0.end - 1].to_vec();
    place.write("cut.znn", &cut);
    let message = place.fails(1, &["verify", "cut.znn"]);
    let lost = format!("lost: bytes {} to {}, in second, third", frames[3].1.start, model.len());
    assert!(message.contains("frame 3") && message.contains(&lost), "{message}");
    // Damage before the cut is found, too.
    let at = last_byte(&file, 1, 2);
    cut[at] = 0;
    place.write("cut.znn", &cut);
    let message = place.fails(1, &["verify", "cut.znn"]);
    assert!(message.contains("frame 1, chunk 2") && message.contains(&lost), "{message}");
}

/// A model and its base, one as a difference to the other.
fn difference(options: &[&str]) -> (Place, Vec<u8>) {
    let (place, base) = (Place::new(), model());
    let mut tuned = base.clone();
    let start = range(&base, "first").start;
    tuned[start..].iter_mut().step_by(1000).for_each(|byte| *byte ^= 3);
    place.write("base.safetensors", &base).write("tuned.safetensors", &tuned);
    let compress = ["compress", "--delta", "base.safetensors", "tuned.safetensors"];
    place.succeeds(&[&compress[..], options].concat());
    (place, tuned)
}

const TUNED: &str = "tuned.safetensors.znn";
const DELTA: [&str; 2] = ["--delta", "base.safetensors"];

#[test]
fn reads_parts_of_a_difference() {
    for options in [&[][..], &["--plain"]] {
        let (place, tuned) = difference(options);
        let all = ["first", "second", "third"].map(String::from).to_vec();
        assert_eq!(listed(&place, &[&DELTA[..], &[TUNED]].concat()), (all.clone(), all.clone()));
        for name in all {
            let output = place.run(&[&["cat", TUNED, &name], &DELTA[..]].concat());
            assert!(output.status.success() && output.stderr.is_empty());
            assert!(output.stdout == tuned[range(&tuned, &name)], "{name}");
        }
        let rows = ["cat", TUNED, "second", "--rows", "900000..900001", "-o", "row"];
        place.succeeds(&[&rows[..], &DELTA].concat());
        let start = range(&tuned, "second").start + 4 * 900_000;
        assert!(place.read("row") == tuned[start..start + 4]);
        // What is to be done, the commands that say it can do.
        for command in [&["ls", TUNED][..], &["cat", TUNED, "first"]] {
            let message = place.fails(1, command);
            assert!(message.contains("difference") && message.contains("--delta"), "{message}");
        }
        let message = place
            .fails(2, &["cat", TUNED, "first", "-f", "-o", "base.safetensors", DELTA[0], DELTA[1]]);
        assert!(message.contains("read and written at the same time"), "{message}");
    }
}

#[test]
fn verifies_the_base_of_parts() {
    let (place, tuned) = difference(&[]);
    let mut wrong = place.read("base.safetensors");
    let second = range(&tuned, "second");
    wrong[second.start + 100] ^= 1;
    place.write("wrong", &wrong).write("shorter", &wrong[1..]);
    let cat = |name| ["cat", TUNED, name, "-o", "x", "--delta", "wrong"];
    let message = place.fails(1, &cat("second"));
    assert!(message.contains("checksum differs") && message.contains("wrong is not"), "{message}");
    assert!(!place.exists("x"));
    // Where the base is the same, there is nothing wrong with it.
    place.succeeds(&cat("third"));
    for command in [&["ls", TUNED][..], &["cat", TUNED, "first"]] {
        let message = place.fails(1, &[command, &["--delta", "shorter"]].concat());
        assert!(message.contains("bytes") && message.contains("--delta"), "{message}");
        let message = place.fails(1, &[command, &["--delta", "missing"]].concat());
        assert!(message.contains("missing"), "{message}");
    }
    place.succeeds(&["compress", "base.safetensors"]);
    let message = place.fails(1, &["ls", "base.safetensors.znn", DELTA[0], DELTA[1]]);
    assert!(message.contains("leave out --delta"), "{message}");
    place.succeeds(&["compress", "--inside-safetensors", "base.safetensors"]);
    let message = place.fails(1, &["ls", "base.znn.safetensors", DELTA[0], DELTA[1]]);
    assert!(message.contains("leave out --delta"), "{message}");
}

#[test]
fn verify_mentions_unverified_checksums_of_a_difference() {
    let (place, _) = difference(&[]);
    let shown = place.succeeds(&["verify", TUNED]);
    assert!(shown.contains("without its base") && shown.contains("--delta BASE"), "{shown}");
    assert!(!shown.contains("no checksums"), "{shown}");
    let shown = place.succeeds(&[&["verify", TUNED], &DELTA[..]].concat());
    assert!(shown.contains("all checksums match") && !shown.contains("--delta"), "{shown}");
    let (place, _) = difference(&["--plain"]);
    let shown = place.succeeds(&["verify", TUNED]);
    assert!(shown.contains("no checksums") && !shown.contains("--delta"), "{shown}");
}

#[test]
fn recovers_damaged_differences() {
    let (place, tuned) = difference(&[]);
    let file = place.read(TUNED);
    let frames = frames(&file);
    // What is cut off are the checksums: all chunks are there, and none of them can be verified.
    let saved = frames[3].1.end;
    let name = "cut.safetensors.znn";
    place.write(name, &file[..frames[3].0.end - 1]);
    place.fails(1, &[&["decompress", "--no-verify", name], &DELTA[..]].concat());
    assert!(place.read("cut.safetensors") == tuned[..saved]);
    let output = place.run(&[&["cat", name, "first"], &DELTA[..]].concat());
    assert!(output.status.success() && output.stdout == tuned[range(&tuned, "first")]);
    assert!(text(&output.stderr).contains("not complete"));
    place.fails(1, &[&["cat", name, "third", "-o", "x"], &DELTA[..]].concat());
    let (complete, all) = listed(&place, &[&[name], &DELTA[..]].concat());
    assert_eq!((complete.len(), all.len()), (1, 3));
    let message = place.fails(1, &[&["verify", name], &DELTA[..]].concat());
    assert!(message.contains("in second, third"), "{message}");

    // A frame in the middle, of which the base is passed over.
    let mut damaged = file.clone();
    damaged[frames[1].0.start] ^= 1;
    place.write("damaged.safetensors.znn", &damaged);
    let decompress = ["decompress", "--no-verify", "damaged.safetensors.znn"];
    place.fails(1, &[&decompress[..], &DELTA].concat());
    let mut expected = tuned.clone();
    expected[frames[1].1.clone()].fill(0);
    assert!(place.read("damaged.safetensors") == expected);
}

/// No zeros are written, and no memory is allocated, for lengths in a cut file.
#[test]
fn lengths_in_a_cut_file_are_not_trusted() {
    let (place, model, file) = compressed(&["--plain"]);
    let frames = frames(&file);
    let mut cut = file[..frames[2].0.end - 1].to_vec();
    // Decoded length, and length of the frame.
    cut[frames[2].0.start + 16..][..16].fill(0x3f);
    place.write("cut.znn", &cut);
    let message = place.fails(1, &["decompress", "--no-verify", "cut.znn"]);
    assert!(place.read("cut") == model[..frames[1].1.end], "{message}");
    let error = zipnn::decompress(&cut, &Limits::default()).unwrap_err();
    assert!(!matches!(error.kind(), DecodeErrorKind::OutOfMemory { .. }));
}
