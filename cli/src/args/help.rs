//! Text after the options of each command: examples and exit statuses.

const EXIT_STATUS: &str = "\
Exit status:
  0    success
  1    a file is damaged or cannot be processed, or a pattern matches no file; all other files
       are processed
  2    the arguments are invalid
  130  interrupted (SIGINT); other signals exit with 128 plus their number. Incomplete results
       are removed
  141  the reader of standard output closed it";

const REPAIR_EXIT_STATUS: &str = "\
Exit status:
  0    the file needs no repair, or was repaired
  1    the file needs repair, or cannot be processed
  2    the arguments are invalid
  130  interrupted (SIGINT); other signals exit with 128 plus their number. Incomplete results
       are removed";

pub const FIRST_STEPS: &str = "\
First steps:
  zipnn doctor model.safetensors            explains what the file shrinks to
  zipnn compress model.safetensors          writes model.safetensors.znn
  zipnn decompress model.safetensors.znn    writes model.safetensors
  zipnn help compress                       lists the options of a command";

pub const COMPRESS: &str = "\
Examples:
  zipnn compress model.safetensors          writes model.safetensors.znn, keeps the source
  zipnn compress checkpoints --rm           replaces all files of weights in a directory
  zipnn compress --extended model.gguf      writes a smaller file, not for the original
  zipnn compress --dedup checkpoints        stores similar tensors of several files once
  zipnn compress --hub ORG/NAME             replaces a model in the Hugging Face cache
  curl URL | zipnn compress - -o model.znn  compresses a stream";

pub const DECOMPRESS: &str = "\
Examples:
  zipnn decompress model.safetensors.znn    writes model.safetensors, keeps the source
  zipnn decompress checkpoints --rm         replaces all compressed files in a directory
  zipnn decompress model.znn -o - | sha256sum
  zipnn decompress --no-verify damaged.znn  recovers the intact parts";

pub const INFO: &str = "\
Examples:
  zipnn info model.safetensors.znn          shows the sizes of planes and tensors
  zipnn info checkpoints --json | jq .ratio";

pub const DOCTOR: &str = "\
Examples:
  zipnn doctor model.safetensors            shows what each level of compression saves
  zipnn doctor model.gguf.znn               shows if another level would make it smaller
  zipnn doctor weights.bin --json | jq -r '.next[0].commands[]'";

pub const VERIFY: &str = "\
Examples:
  zipnn verify checkpoints                  decodes all compressed files in a directory
  zipnn verify model.safetensors.znn && rm model.safetensors";

pub const LS: &str = "\
Examples:
  zipnn ls model.safetensors.znn            lists names, types, shapes and lengths
  zipnn ls model.safetensors.znn --json | jq -r '.tensors[].name'";

pub const CAT: &str = "\
Examples:
  zipnn cat model.safetensors.znn lm_head.weight -o head.npy    for numpy.load
  zipnn cat model.safetensors.znn embed.weight --rows 0..10 | xxd | head";

pub const DIFF: &str = "\
Examples:
  zipnn diff base.safetensors tuned.safetensors
  zipnn diff step-1.safetensors.znn step-2.safetensors.znn --json";

const REPAIR: &str = "\
Examples:
  zipnn repair model.safetensors            reports rotated tensors, changes nothing
  zipnn repair model.safetensors -o repaired.safetensors";

pub const FLATTEN: &str = "\
Example:
  zipnn flatten step-2.safetensors.znn      makes the file independent of other files";

pub const BENCH: &str = "\
Examples:
  zipnn bench model.safetensors             measures ratio and speed on one core
  zipnn bench model.safetensors --extended --threads 8
  zipnn bench tuned.safetensors --delta base.safetensors --extended";

pub const COMPLETIONS: &str = "\
Examples:
  zipnn completions bash > ~/.local/share/bash-completion/completions/zipnn
  zipnn completions zsh > ~/.zfunc/_zipnn
  zipnn completions fish > ~/.config/fish/completions/zipnn.fish";

pub const MAN: &str = "\
Example:
  zipnn man ~/.local/share/man/man1         then: man zipnn-compress";

/// Returns examples, with the exit statuses of most commands.
pub fn examples(examples: &str) -> String {
    format!("{examples}\n\n{EXIT_STATUS}")
}

/// Returns examples, with the exit statuses of `repair`.
pub fn repair_examples() -> String {
    format!("{REPAIR}\n\n{REPAIR_EXIT_STATUS}")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::args::Cli;

    /// Returns the arguments of an example: everything before its description, a pipe or a file.
    fn arguments(line: &str) -> Option<Vec<&str>> {
        let command = line.trim().split("  ").next().unwrap();
        let start = command.find("zipnn ")?;
        let words = command[start..].split(' ');
        Some(words.take_while(|word| !["|", ">", "&&"].contains(word)).collect())
    }

    #[test]
    fn every_example_is_a_valid_command() {
        let mut count = 0;
        for command in Cli::command().get_subcommands().chain([&Cli::command()]) {
            let help = command.get_after_help().unwrap().to_string();
            let examples = help.split("\n\n").next().unwrap();
            for arguments in examples.lines().skip(1).filter_map(arguments) {
                if arguments[1] != "help" {
                    Cli::try_parse_from(&arguments).unwrap_or_else(|error| panic!("{error}"));
                    let names_itself = command.get_name() == arguments[1];
                    assert!(names_itself || command.get_name() == "zipnn", "{arguments:?}");
                }
                count += 1;
            }
        }
        assert!(count > 20, "{count} examples");
    }
}
