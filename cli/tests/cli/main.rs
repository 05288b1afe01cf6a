//! The program, run as a process.

#[path = "../../../tests/common/mod.rs"]
mod common;
#[path = "../../../tests/common/containers.rs"]
mod container_files;
mod program;
#[path = "../../../tests/common/tensors.rs"]
mod tensor_files;

mod bars;
mod commands;
mod containers;
mod cut;
mod differences;
mod directories;
mod doctor;
mod evenness;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(unix)]
mod files;
mod generated;
mod gguf;
mod inside;
mod layouts;
#[cfg(target_os = "linux")]
mod memory;
mod odd_safetensors;
#[cfg(unix)]
mod pages;
mod salvage;
mod seals;
mod sets;
mod tensors;
