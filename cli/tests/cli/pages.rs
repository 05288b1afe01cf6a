//! The commands in the documentation do what it says.
//!
//! Every line of every block of commands runs in a folder that has the files which the pages name.
//! Where a block of output follows, all lines of the commands together print exactly that.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::root;
use crate::program::{Place, text};

/// Commands that are not run, and why.
const NOT_RUN: [(&str, &str); 2] = [
    ("cargo test", "would start this test program again"),
    ("python tests/hub_cache.py", "needs the Python package huggingface_hub"),
];

/// Commands that fail as their page says, and their exit statuses.
const FAILING: [(&str, i32); 1] = [("--no-verify damaged.znn", 1)];

/// Words that stand for others, and words that the commands here use.
const PLACEHOLDERS: [(&str, &str); 4] = [
    ("NAME", "encoder.layer.0.attention.self.query.weight"),
    ("BASE", "base.safetensors"),
    ("DIRECTORY", "models"),
    ("CACHE", "cache"),
];

/// Names of files that hold the model.
const MODELS: [&str; 6] = [
    "model.safetensors",
    "minilm/model.safetensors",
    "base.safetensors",
    "old.safetensors",
    "models/base.safetensors",
    "checkpoints/step-1/model.pt",
];
/// Names of files that hold the model after a training step.
const STEPS: [&str; 6] = [
    "step-1.safetensors",
    "step-2.safetensors",
    "new.safetensors",
    "models/tuned.safetensors",
    "tuned/model.safetensors",
    "checkpoints/model.safetensors",
];

/// A block of commands.
struct Block {
    page: &'static str,
    lines: Vec<String>,
    /// What the page says that they print.
    output: Option<String>,
}

/// Returns the blocks of commands of a page.
fn blocks(page: &'static str) -> Vec<Block> {
    let markdown = fs::read_to_string(root().join(page)).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = markdown.lines().peekable();
    // Whether the last block is one of commands, with nothing but blank lines after it.
    let mut awaits_output = false;
    while let Some(line) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            awaits_output &= line.trim().is_empty();
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let content: Vec<String> = lines
            .by_ref()
            .take_while(|line| !line.trim_start().starts_with("```"))
            .map(|line| line.get(indent..).unwrap_or_default().to_owned())
            .collect();
        match language {
            "sh" => {
                let lines = content.join("\n").replace("\\\n", " ");
                let lines = lines.lines().filter(|line| !line.trim().is_empty());
                let lines = lines.map(str::to_owned).collect();
                blocks.push(Block { page, lines, output: None });
            }
            "text" if awaits_output => {
                blocks.last_mut().unwrap().output = Some(content.join("\n") + "\n");
            }
            _ => {}
        }
        awaits_output = language == "sh";
    }
    blocks
}

/// A folder with all files that the pages name.
struct Folder {
    place: Place,
    /// The files, from which the folder is filled again.
    files: Place,
}

impl Folder {
    fn new() -> Self {
        let files = Place::new();
        let model = fs::read(root().join("tests/data/minilm-slice.bf16.safetensors")).unwrap();
        let mut step = model.clone();
        step[model.len() / 2..].iter_mut().step_by(50).for_each(|byte| *byte ^= 1);
        for (names, bytes) in [(&MODELS[..], &model), (&STEPS, &step)] {
            for name in names {
                files.write(name, bytes);
                files.succeeds(&["compress", "-q", name]);
            }
        }
        files.succeeds(&["compress", "-q", "--inside-safetensors", "model.safetensors"]);
        let base = ["compress", "-q", "-f", "--base", "step-1.safetensors", "step-2.safetensors"];
        files.succeeds(&base);
        let mut damaged = files.read("model.safetensors.znn");
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        files.write("damaged.znn", &damaged).write("data", &model);
        Self { place: Place::new(), files }
    }

    /// Puts every file in its place, except results that a command would have to overwrite, and
    /// sources that decompressing would.
    fn fill(&self, line: &str) {
        for name in self.place.names() {
            if !name.starts_with(".local/") {
                self.place.remove(&name);
            }
        }
        let line = line.split(" #").next().unwrap();
        let is_run = |command: &str| line.contains(&format!("zipnn {command} "));
        for name in self.files.names() {
            let plain = name.strip_suffix(".znn").unwrap_or(&name).replace(".znn.", ".");
            let is_compressed = plain != name;
            let is_in_the_way = match is_compressed {
                true => is_run("compress") && plain != "damaged",
                false => is_run("decompress") && self.files.exists(&format!("{name}.znn")),
            };
            if is_in_the_way && !line.split(' ').any(|word| word == name) {
                continue;
            }
            let path = self.place.path(&name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::hard_link(self.files.path(&name), path).unwrap();
        }
        if line.contains("--hub") || line.contains("cache") {
            self.fill_cache(is_run("decompress"));
        }
    }

    /// Makes a cache with a model of two revisions.
    fn fill_cache(&self, is_compressed: bool) {
        let model = "cache/models--org--name";
        let _ = fs::remove_dir_all(self.place.path("cache"));
        for (revision, blob, source) in
            [("1111", "aaaa", "base.safetensors"), ("2222", "bbbb", "new.safetensors")]
        {
            self.place.write(&format!("{model}/blobs/{blob}"), &self.files.read(source));
            let link = format!("{model}/snapshots/{revision}/model.safetensors");
            let link = self.place.path(&link);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(format!("../../blobs/{blob}"), link).unwrap();
        }
        self.place.write(&format!("{model}/refs/main"), b"2222");
        if is_compressed {
            let hub = ["compress", "-q", "--hub", "org/name", "--cache", "cache"];
            self.place.succeeds(&hub);
        }
    }

    /// Runs a line in a shell, and returns what it prints.
    fn run(&self, block: &Block, line: &str) -> String {
        let mut command = line.to_owned();
        for (placeholder, word) in PLACEHOLDERS {
            command = command.replace(placeholder, word);
        }
        self.fill(&command);
        let program = Path::new(env!("CARGO_BIN_EXE_zipnn")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let home = self.place.path("");
        let output = Command::new("sh")
            .args(["-e", "-c", &command])
            .current_dir(&home)
            .env("PATH", path)
            .env("HOME", &home)
            .env("HF_HUB_CACHE", self.place.path("cache"))
            .env("LC_ALL", "C.UTF-8")
            .env_remove("COLUMNS")
            .env_remove("CLICOLOR_FORCE")
            .output()
            .unwrap();
        let expected = FAILING.iter().find(|(part, _)| line.contains(part));
        let expected = expected.map_or(0, |(_, status)| *status);
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{}: {line}\n{}{}",
            block.page,
            String::from_utf8_lossy(&output.stdout),
            text(&output.stderr),
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Runs all commands of a page. At least `count` must run.
fn check(page: &'static str, count: usize) {
    let folder = Folder::new();
    let mut run = 0;
    for block in blocks(page) {
        let mut printed = String::new();
        for line in &block.lines {
            if NOT_RUN.iter().any(|(part, _)| line.contains(part)) {
                continue;
            }
            printed += &folder.run(&block, line);
            run += 1;
        }
        if let Some(output) = &block.output {
            assert_eq!(&printed, output, "{page}: {:?}", block.lines);
        }
    }
    assert!(run >= count, "{page}: {run} commands");
}

#[test]
fn commands_of_the_page_about_the_program() {
    check("docs/cli.md", 40);
}

#[test]
fn commands_of_the_page_about_the_hub() {
    check("docs/hub.md", 5);
}

#[test]
fn commands_of_the_page_about_safetensors() {
    check("docs/SAFETENSORS.md", 6);
}

#[test]
fn exceptions_are_still_needed() {
    let pages = ["docs/cli.md", "docs/hub.md", "docs/SAFETENSORS.md"];
    let lines: Vec<String> =
        pages.into_iter().flat_map(blocks).flat_map(|block| block.lines).collect();
    for part in NOT_RUN.map(|(part, _)| part).into_iter().chain(FAILING.map(|(part, _)| part)) {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}");
    }
}

#[test]
fn blocks_of_output_belong_to_the_commands_before_them() {
    let outputs = blocks("docs/cli.md").into_iter().filter(|block| block.output.is_some()).count();
    assert!(outputs >= 2, "{outputs} blocks of output");
}
