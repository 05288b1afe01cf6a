//! Embeds the golden files in the program.

use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=EXPECTED_DIGEST");
    let data = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../data");
    let mut cases = String::from("const CASES: &[Case] = &[\n");
    for folder in ["golden", "differences", "max"] {
        add_cases(&data.join(folder), &mut cases)?;
    }
    cases.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("cases.rs"), cases)?;
    Ok(())
}

/// Appends the cases in a folder.
fn add_cases(folder: &Path, cases: &mut String) -> Result<(), Box<dyn Error>> {
    let manifest = folder.join("manifest.json");
    println!("cargo:rerun-if-changed={}", manifest.display());
    let manifest: Value = serde_json::from_slice(&fs::read(manifest)?)?;
    let include = |name: &Value| {
        let path = folder.join(name.as_str().expect("the name of a file"));
        format!("include_bytes!({path:?})")
    };

    for list in ["cases", "synthetic"] {
        for case in manifest[list].as_array().ok_or("no list of cases")? {
            let base = match &case["delta"] {
                Value::Null => "None".to_owned(),
                base => format!("Some({})", include(base)),
            };
            writeln!(
                cases,
                "Case {{ name: {}, file: {}, original: {}, original_len: {}, base: {base} }},",
                case["file"],
                include(&case["file"]),
                include(&case["original"]),
                case["original_len"],
            )?;
        }
    }
    Ok(())
}
