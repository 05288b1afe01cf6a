//! `zipnn doctor`.

mod compressed;
mod extent;
mod kind;
mod plain;
mod report;
mod rotated;
mod shell;
mod similar;
mod subject;
mod trial;

use std::io::{BufWriter, Write};

use zipnn::Limits;

use crate::args::Doctor;
use crate::commands::doctor::report::Report;
use crate::commands::doctor::subject::Subject;
use crate::content::beginning;
use crate::content::tensor_source::TensorSource;
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::fs::selection::Purpose;
use crate::job::read_only::ReadOnly;
use crate::report::failure::Failure;
use crate::report::terminal;

/// Examines all files, and returns the exit status.
pub fn run(arguments: &Doctor) -> u8 {
    let participle = (!arguments.json).then_some("without faults");
    let status = |source: &Endpoint| match examine_file(source, arguments.json) {
        Ok(is_broken) => u8::from(is_broken),
        Err(failure) => failure.report(),
    };
    ReadOnly { purpose: Purpose::ReadAny, search: &arguments.search, participle }
        .for_each(&arguments.files, status)
}

/// Prints a report on a file, and returns whether the file is broken.
fn examine_file(source: &Endpoint, json: bool) -> Result<bool, Failure> {
    let subject = Subject::open(source)?;
    let mut report = examine(&subject).map_err(|failure| match subject.path() {
        Some(_) => failure,
        None => failure.about(&subject.shown),
    })?;
    if subject.is_beginning {
        report.find("beginning", "only the beginning of the data was examined");
    }
    let mut out = BufWriter::new(terminal::output());
    match json {
        true => report.write_json(&mut out, &subject.shown),
        false => report.write_text(&mut out, &subject.shown),
    }
    .and_then(|()| out.flush())
    .map_err(|error| Failure::writing("-", error))?;
    Ok(report.is_broken)
}

fn examine(subject: &Subject) -> Result<Report, Failure> {
    let local = &subject.local;
    let mut input = Input::open_any(local)?;
    if input.is_pointer().map_err(|error| input.failure(error))? {
        return plain::pointer(&mut input);
    }
    if beginning::is_znn(local) {
        return compressed::whole(subject);
    }
    if beginning::is_safetensors(local)
        && let Ok(source) = TensorSource::open(local, Limits::default())
        && (source.reader.is_compressed() || source.reader.list_problem().is_some())
    {
        return compressed::inside(subject, source);
    }
    plain::examine(subject, input)
}
