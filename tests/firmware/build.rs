//! Links the program for the device or for this machine.

use std::env;
use std::error::Error;

mod layout;

/// What `SECURITY.md` says is enough. `tests/firmware/measure.sh` finds the least that is.
const STACK: &str = "6400";

fn main() -> Result<(), Box<dyn Error>> {
    if env::var("CARGO_CFG_TARGET_OS")? != "none" {
        // Links the C library's entry point, as Rust's `std` would do.
        println!("cargo:rustc-link-arg-bins=-lc");
        return Ok(());
    }
    Ok(layout::write(STACK)?)
}
