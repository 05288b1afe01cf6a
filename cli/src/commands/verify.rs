//! `zipnn verify`.

use std::io::{self, Write};

use crate::args::Verify;
use crate::content::data_header::DataHeader;
use crate::content::{beginning, tensors};
use crate::fs::endpoint::Endpoint;
use crate::fs::selection::Purpose;
use crate::job::decode::{Checks, Decoding};
use crate::job::read_only::ReadOnly;
use crate::job::{check, inside};
use crate::report::failure::{self, Failure};
use crate::report::progress::Progress;
use crate::report::units;

/// Decodes all files, and returns the exit status.
pub fn run(arguments: &Verify) -> u8 {
    if let Err(failure) = check::check_base(&arguments.files, arguments.delta.as_deref()) {
        return failure.report();
    }
    let participle = (!arguments.quiet).then_some("sound");
    ReadOnly { purpose: Purpose::Read, search: &arguments.search, participle }
        .for_each(&arguments.files, |source| failure::status(verify_file(source, arguments)))
}

fn verify_file(source: &Endpoint, arguments: &Verify) -> Result<(), Failure> {
    if beginning::is_safetensors(source) {
        return inside::verify(source, arguments);
    }
    let decoding = Decoding::open(
        source,
        arguments.search_bases.with(arguments.delta.as_deref()),
        Checks::Stored,
    )?;
    let note =
        if decoding.is_bare_difference() { "; a difference, decoded without its base" } else { "" };
    let mut progress = Progress::new(source.to_string(), decoding.file_len(), arguments.quiet);
    let threads = arguments.threads.count();
    let mut header = DataHeader::default();
    let totals = decoding
        .run(threads, &mut progress, |decoded| {
            header.push(decoded);
            Ok(())
        })
        .map_err(|failure| match failure.is_of_base() {
            true => failure,
            false => failure.details(tensors::damage(
                source,
                arguments.search_bases.with(arguments.delta.as_deref()),
            )),
        })?;
    drop(progress);
    if arguments.quiet {
        return Ok(());
    }
    let decoded = units::bytes(totals.decoded);
    let trailing = match totals.trailing {
        0 => String::new(),
        count => format!("; {}", units::trailing(count)),
    };
    let shortage = match totals.shortage(&header) {
        None => String::new(),
        Some(count) => format!("; but {}", units::shortage(count)),
    };
    let checks = match (totals.checksums, totals.unverified) {
        (0, 0) if totals.decoded == 0 => "",
        (0, 0) => "; it decodes, but has no checksums",
        (0, _) => "; its checksums can be verified with --delta BASE",
        _ => "; all checksums match",
    };
    let seal = match totals.is_sealed {
        None => "",
        Some(true) => "; sealed",
        Some(false) => "; not sealed: missing frames at its end cannot be detected",
    };
    writeln!(io::stdout(), "{source}: sound, {decoded}{checks}{seal}{note}{trailing}{shortage}")
        .map_err(|error| Failure::writing("-", error))
}
