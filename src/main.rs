//! The `zipnn` program: compresses files of model weights, and brings them back.

#![forbid(unsafe_code)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
