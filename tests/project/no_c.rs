//! The library and the program with all its features are Rust alone: nothing that they are built
//! from compiles or links C.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Crates that build C, or look for a library written in it.
const BUILDERS: [&str; 8] =
    ["cc", "cmake", "bindgen", "pkg-config", "vcpkg", "autotools", "nasm-rs", "cxx-build"];

/// Keys `links` behind which there is no library: the crate only wants to be there once.
const MERE_KEYS: [&str; 1] = ["rayon-core"];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked"])
        .current_dir(crate::common::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Names of all crates that the program consists of, and of those that their build scripts use.
fn crates() -> BTreeSet<String> {
    cargo(&[
        "tree",
        "--package",
        "zipnn-cli",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ])
    .lines()
    .filter_map(|line| line.split_whitespace().next())
    .map(String::from)
    .collect()
}

fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

#[test]
fn nothing_builds_c() {
    let crates = crates();
    assert!(crates.contains("zipnn") && crates.contains("clap"), "{crates:?}");
    let found: Vec<_> = BUILDERS.iter().filter(|&&name| crates.contains(name)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn nothing_links_c() {
    let crates = crates();
    let metadata = cargo(&["metadata", "--format-version", "1", "--filter-platform", &host()]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if let (true, Some(key)) = (crates.contains(name), package["links"].as_str()) {
            assert!(MERE_KEYS.contains(&key), "{name} links {key}");
        }
    }
}
