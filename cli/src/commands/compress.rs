//! `zipnn compress`.

use std::sync::Arc;

use crate::args::Compress;
use crate::base::plan::SetPlan;
use crate::commands::inputs;
use crate::fs::endpoint::Endpoint;
use crate::fs::names::{Direction, Scope};
use crate::job::destination::destination;
use crate::job::{Job, commit, compress, inside};
use crate::report::failure::Failure;
use crate::report::progress::Progress;
use crate::set::files::Set;
use crate::set::members;
use crate::set::plan;

/// Compresses all inputs, and returns the exit status.
pub fn run(arguments: &Compress) -> u8 {
    let mut arguments = arguments.clone();
    if arguments.is_set() && arguments.files.many.hub.is_none() {
        match plan_of(&arguments) {
            Ok(plan) => arguments.plan = Arc::new(plan),
            Err(failure) => return failure.report(),
        }
    }
    inputs::run(Job::Compress(&arguments), |source| compress_file(source, &arguments))
}

/// Decides which inputs are stored as differences. The plan of a cached model is made with it.
fn plan_of(arguments: &Compress) -> Result<SetPlan, Failure> {
    let files = &arguments.files;
    let selection = inputs::selection(Job::Compress(arguments))?;
    let mut set = Set {
        bases: members::bases(files)?,
        is_deduplicated: arguments.dedup,
        replaces: files.force,
        ..Set::default()
    };
    for input in &files.inputs {
        let found = members::of_input(input, files, &selection)?;
        set.members.extend(found.members);
        if arguments.dedup {
            set.bases.extend(found.wholes);
        }
    }
    plan::plan(&set)
}

fn compress_file(source: &Endpoint, arguments: &Compress) -> Result<(), Failure> {
    let files = &arguments.files;
    if arguments.inside_safetensors {
        return inside::compress(source, files, !arguments.plain);
    }
    let destination =
        destination(source, files.output.as_deref(), Direction::Compress, Scope::File)?;
    let stats = compress::compress(source, &destination, arguments, |len| {
        Progress::new(source.to_string(), len, files.quiet)
    })?;
    commit::show(&commit::summary(source, &destination, &stats), files);
    Ok(())
}
