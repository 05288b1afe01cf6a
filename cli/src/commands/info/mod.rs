//! `zipnn info`.

pub mod file_info;
pub mod inside;
mod old;
mod passing;
mod tensors;

use std::io::{BufWriter, Write};

use zipnn::{Limits, legacy};

use crate::args::Info;
use crate::commands::info::file_info::FileInfo;
use crate::commands::info::inside::InsideInfo;
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::fs::selection::Purpose;
use crate::job::frames::Opened;
use crate::job::read_only::ReadOnly;
use crate::report::failure::{self, Failure};
use crate::report::{terminal, units};

/// Describes all files, and returns the exit status.
pub fn run(arguments: &Info) -> u8 {
    let participle = (!arguments.json).then_some("shown");
    ReadOnly { purpose: Purpose::Read, search: &arguments.search, participle }
        .for_each(&arguments.files, |source| failure::status(show_file(source, arguments)))
}

fn show_file(source: &Endpoint, arguments: &Info) -> Result<(), Failure> {
    let mut out = BufWriter::new(terminal::output());
    let mut checked = Ok(());
    if crate::content::beginning::is_safetensors(source) {
        let inside = InsideInfo::read(source)?;
        checked = inside.check(source);
        match arguments.json {
            true => inside.write_json(&mut out, source),
            false => inside.write_text(&mut out, source),
        }
    } else {
        match Opened::new(Input::open(source)?, Limits::default())? {
            Opened::Frames(frames) => {
                let mut summary = FileInfo::read(*frames, source)?;
                let written = match arguments.json {
                    true => summary.write_json(&mut out, source),
                    false => summary.write_text(&mut out, source),
                };
                checked = summary.failure.take().map_or(Ok(()), Err);
                written
            }
            Opened::Whole(bytes) => {
                let summary = legacy::summary(&bytes, &Limits::default())
                    .map_err(|error| Failure::decoding(source, error))?;
                match arguments.json {
                    true => {
                        units::write_json(&mut out, &old::json(source, &summary, &bytes), &mut [])
                    }
                    false => write!(out, "{}", old::text(source, &summary, &bytes)),
                }
            }
        }
    }
    .and_then(|()| out.flush())
    .map_err(|error| Failure::writing("-", error))?;
    checked
}
