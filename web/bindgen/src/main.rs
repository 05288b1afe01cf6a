//! Generates the JavaScript bindings of a `.wasm` file.
//!
//! The `wasm-bindgen` crate and its generator must have the same version. The workspace depends on both,
//! so that the lock file keeps their versions equal.

use std::env;
use std::error::Error;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [input, out_dir, name] = &arguments[..] else {
        return Err("usage: zipnn-web-bindgen INPUT.wasm OUT_DIR NAME".into());
    };
    Bindgen::new()
        .input_path(input)
        .out_name(name)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(out_dir)?;
    Ok(())
}
