//! Where memory is, and how much of it is stack.

use std::path::PathBuf;
use std::{env, fs, io};

/// Writes the memory map for the linker. The stack has as many bytes as the environment variable
/// `STACK` says, or else the default.
pub fn write(default_stack: &str) -> io::Result<()> {
    println!("cargo:rerun-if-env-changed=STACK");
    let stack = env::var("STACK").unwrap_or_else(|_| default_stack.into());
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    // The stack grows downwards from the statics to where there is no memory: one that is too small
    // is a fault, not another variable overwritten.
    let layout = format!(
        "MEMORY {{
            FLASH : ORIGIN = 0x00000000, LENGTH = 4M
            RAM : ORIGIN = 0x20000000 + {stack}, LENGTH = 4M - {stack}
        }}
        _stack_start = ORIGIN(RAM);
        _stack_end = 0x20000000;\n"
    );
    fs::write(out.join("memory.x"), layout)?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    Ok(())
}
