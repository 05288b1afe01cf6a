//! Bars, colours and sizes in the output of `info`.

use serde_json::Value;
use zipnn::DType;

use crate::common::data::{noise, weights};
use crate::program::{Place, text};
use crate::tensor_files::file_of;

/// A model with tensors of three types, compressed.
fn place() -> Place {
    let place = Place::new();
    place.write(
        "m.safetensors",
        &file_of(&[
            ("w", "BF16", &[200, 1000], weights(DType::BF16, 400_000, 1)),
            ("v", "F32", &[100, 1000], weights(DType::F32, 400_000, 2)),
            ("x", "U8", &[200_000], noise(200_000, 3)),
        ]),
    );
    place.succeeds(&["compress", "m.safetensors"]);
    place
}

fn shown(place: &Place, variables: &[(&str, &str)]) -> String {
    shown_by("info", place, variables)
}

fn shown_by(command: &str, place: &Place, variables: &[(&str, &str)]) -> String {
    let mut command = place.command(&[command, "m.safetensors.znn"]);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success());
    text(&output.stdout)
}

#[test]
fn a_bar_shows_what_remains_of_each_plane() {
    let place = place();
    let plain = shown(&place, &[]);
    let line = |text: &str, content: &str| {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(content)).collect();
        lines[0].to_owned()
    };
    let exponents = line(&plain, "exponents ");
    assert!(exponents.contains("#..") && exponents.ends_with(" %"), "{plain}");
    assert!(line(&plain, "low mantissas").contains("####"), "{plain}");
    assert!(plain.is_ascii(), "{plain}");
    for variables in [[("LC_ALL", "C.UTF-8")], [("LC_ALL", "de_DE.utf8")]] {
        let unicode = shown(&place, &variables);
        assert!(line(&unicode, "exponents ").contains('░'), "{unicode}");
        assert!(unicode.contains('█') && unicode.contains(" → "), "{unicode}");
    }
    let dumb = shown(&place, &[("LC_ALL", "C.UTF-8"), ("TERM", "dumb")]);
    assert!(dumb.contains('#') && !dumb.contains('█'), "{dumb}");
}

#[test]
fn bars_fit_the_width() {
    let place = place();
    for (columns, command) in
        [60, 80, 100].into_iter().flat_map(|columns| [(columns, "info"), (columns, "doctor")])
    {
        let shown = shown_by(command, &place, &[("COLUMNS", &columns.to_string())]);
        let bars = shown.lines().filter(|line| line.contains("##"));
        let widths: Vec<usize> = bars.map(|line| line.chars().count()).collect();
        assert!(!widths.is_empty() && widths.iter().all(|&width| width <= columns), "{shown}");
    }
    // There is no room for bars.
    let narrow = shown(&place, &[("COLUMNS", "20")]);
    assert!(narrow.contains("exponents") && !narrow.contains('#'), "{narrow}");
}

#[cfg(unix)]
#[test]
fn colours_are_only_for_terminals() {
    let place = place();
    assert!(!shown(&place, &[]).contains('\u{1b}'));
    let forced = shown(&place, &[("CLICOLOR_FORCE", "1")]);
    assert!(forced.contains("\u{1b}[36m#"), "{forced:?}");
    let none = shown(&place, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
    assert!(!none.contains('\u{1b}'), "{none:?}");
    let help = |variables: &[(&str, &str)]| {
        let mut command = place.command(&["--help"]);
        text(&command.envs(variables.iter().copied()).output().unwrap().stdout)
    };
    assert!(help(&[("CLICOLOR_FORCE", "1")]).contains('\u{1b}'));
    assert!(!help(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
}

/// Runs the program on a terminal, where `script` exists. Returns what it shows.
#[cfg(target_os = "linux")]
fn on_terminal(place: &Place, command: &str, variables: &[(&str, &str)]) -> Option<String> {
    let line = format!("stty rows 24 cols 70; {} {command}", env!("CARGO_BIN_EXE_zipnn"));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(place.path(""));
    // Services that run tests set `CI`, and show colours whatever `TERM` is.
    for variable in ["CI", "CLICOLOR", "CLICOLOR_FORCE", "NO_COLOR"] {
        script.env_remove(variable);
    }
    script.env("LC_ALL", "C.UTF-8").env("TERM", "xterm");
    let output = script.envs(variables.iter().copied()).stdin(std::process::Stdio::null()).output();
    let output = output.ok()?;
    output.status.success().then(|| text(&output.stdout))
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_colours_and_its_width() {
    let place = place();
    let info = |variables: &[_]| on_terminal(&place, "info m.safetensors.znn", variables);
    let Some(shown) = info(&[]) else {
        return crate::common::skipped::skipped("the program script");
    };
    let bar = shown.lines().find(|line| line.contains('█')).unwrap();
    assert!(bar.contains("\u{1b}[36m█"), "{bar:?}");
    let codes = ["\u{1b}[36m", "\u{1b}[2m", "\u{1b}[0m", "\r"];
    let bare = codes.iter().fold(bar.to_owned(), |bar, code| bar.replace(code, ""));
    assert!(bare.chars().count() <= 70 && !bare.contains('\u{1b}'), "{bare:?}");
    for variables in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        let shown = info(&variables).unwrap();
        assert!(!shown.contains('\u{1b}'), "{variables:?} {shown:?}");
    }
    let summary = on_terminal(&place, "compress -f m.safetensors", &[]).unwrap();
    assert!(
        summary.contains("m.safetensors → m.safetensors.znn  1.00 MB → ")
            && summary.contains(" %), "),
        "{summary}"
    );
    let summary = on_terminal(&place, "decompress -f m.safetensors.znn", &[]).unwrap();
    let ratio = summary.split(['(', '%']).nth(1).unwrap().trim().parse::<f64>().unwrap();
    assert!(ratio < 100.0, "of the uncompressed length: {summary}");
}

#[test]
fn json_has_the_numbers_of_the_bars() {
    let place = place();
    for (option, name) in [(None, "m.safetensors.znn"), (Some("--max"), "max.znn")] {
        if let Some(option) = option {
            place.succeeds(&["compress", option, "m.safetensors", "-o", name]);
        }
        let info: Value = serde_json::from_str(&place.succeeds(&["info", "--json", name])).unwrap();
        let planes = info["planes"].as_array().unwrap();
        let sum = |name: &str| planes.iter().map(|plane| plane[name].as_u64().unwrap()).sum();
        let (original, compressed): (u64, u64) = (sum("original_bytes"), sum("compressed_bytes"));
        assert_eq!(Some(original), info["original_bytes"].as_u64());
        let file = info["compressed_bytes"].as_u64().unwrap();
        assert!(compressed < file && file < compressed + 4000, "{compressed} {file}");
        let has = |key: &str, value: &str| planes.iter().any(|plane| plane[key] == value);
        assert!(has("dtype", "U8") && has("dtype", "BF16") && has("content", "bytes"));
        assert_eq!(has("coding", "scales"), option.is_some(), "{planes:?}");
    }
}

#[test]
fn a_pipe_is_described_like_a_file() {
    let place = place();
    let file: Value =
        serde_json::from_str(&place.succeeds(&["info", "--json", "m.safetensors.znn"])).unwrap();
    let piped = place.run_with_input(&["info", "--json", "-"], &place.read("m.safetensors.znn"));
    let mut piped: Value = serde_json::from_slice(&piped.stdout).unwrap();
    piped["file"] = file["file"].clone();
    assert_eq!(piped, file);
    // So are the reasons why data hardly shrinks.
    for (name, bytes, reason) in [
        ("random", noise(300_000, 1), "random_bytes"),
        ("gzip", [b"\x1f\x8b\x08", &noise(300_000, 1)[..]].concat(), "already_compressed"),
        ("png", [b"\x89PNG", &noise(300_000, 1)[..]].concat(), "already_compressed"),
        ("tiny", b"abc".to_vec(), "tiny"),
        ("int8", file_of(&[("q", "I8", &[300_000], noise(300_000, 1))]), "int8"),
    ] {
        place.write(name, &bytes).succeeds(&["compress", name]);
        let znn = format!("{name}.znn");
        let piped = place.run_with_input(&["info", "--json", "-"], &place.read(&znn));
        let piped: Value = serde_json::from_slice(&piped.stdout).unwrap();
        let file: Value = serde_json::from_str(&place.succeeds(&["info", "--json", &znn])).unwrap();
        for found in [&piped, &file] {
            assert_eq!(found["hardly_shrinks"][0]["reason"], reason, "{name}: {found}");
        }
    }
    let shown = place.succeeds(&["info", "png.znn"]);
    assert!(shown.contains("an image in the format PNG") && shown.contains("leave"), "{shown}");
    let shown = place.succeeds(&["info", "tiny.znn"]);
    assert!(shown.contains("so few bytes"), "{shown}");
}

#[test]
fn tensors_inside_are_described_too() {
    let place = place();
    place.succeeds(&["compress", "--inside-safetensors", "m.safetensors"]);
    let shown = place.succeeds(&["info", "m.znn.safetensors"]);
    assert!(shown.contains("exponents ") && shown.contains("not compressed"), "{shown}");
    assert!(!shown.contains("hardly shrinks"), "{shown}");
    place.write(
        "q.safetensors",
        &file_of(&[
            ("q", "I8", &[300_000], noise(300_000, 3)),
            ("w", "BF16", &[8000], weights(DType::BF16, 16_000, 1)),
        ]),
    );
    place.succeeds(&["compress", "--inside-safetensors", "q.safetensors"]);
    let info = place.succeeds(&["info", "--json", "q.znn.safetensors"]);
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["hardly_shrinks"][0]["reason"], "int8", "{info}");
    assert_eq!(info["planes"][0]["coding"], "uncompressed", "{info}");
}
