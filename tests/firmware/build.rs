//! Where memory is, and how much of it is stack.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

/// What `SECURITY.md` says is enough. `tests/firmware/measure.sh` finds the least that is.
const STACK: &str = "6400";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=STACK");
    if env::var("CARGO_CFG_TARGET_OS")? != "none" {
        // Links the C library's entry point, as Rust's `std` would do.
        println!("cargo:rustc-link-arg-bins=-lc");
        return Ok(());
    }
    let stack = env::var("STACK").unwrap_or_else(|_| STACK.into());
    let out = PathBuf::from(env::var("OUT_DIR")?);
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
