//! A program without `std` and without an allocator decodes: it would not link if anything in the
//! decoder asked for one.
//!
//! What is built is `tests/firmware`, here for this machine; `tests/firmware/measure.sh` runs it on
//! an emulated microcontroller.

use std::path::Path;
use std::process::Command;

#[test]
fn decodes_where_there_is_no_allocator() {
    let root = crate::common::root();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("core_only");
    let build = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(root.join("tests/firmware/Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));

    let program = folder.join("release/zipnn-firmware");
    // The C library that starts it has one, which is not called.
    let bytes = std::fs::read(&program).unwrap();
    for name in ["malloc", "__rust_alloc", "__rdl_alloc"] {
        let is_named = bytes.windows(name.len()).any(|window| window == name.as_bytes());
        assert!(!is_named, "{name} is linked");
    }
    let status = Command::new(&program).status().unwrap();
    assert!(status.success(), "{status}: see Failure in tests/firmware");
}
