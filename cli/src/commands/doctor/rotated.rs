//! Finds tensors that the original stored with rotated bits.

use crate::commands::doctor::report::Report;
use crate::commands::doctor::subject::Subject;
use crate::content::tensor_source::TensorSource;
use crate::repair::diagnosis::Verdict;
use crate::repair::examination::{examine, suspect};
use crate::report::failure::Failure;
use crate::report::units;

/// Number of bytes of uncompressed tensors up to which they are examined.
const MAX_EXAMINED: u64 = 256 << 20;

/// What is known about rotated tensors of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    None,
    Some,
    /// Examining them takes too long.
    Unknown,
}

/// Adds rotated tensors to a report.
pub fn find(report: &mut Report, source: &mut TensorSource) -> Result<Rotated, Failure> {
    let suspects = source.reader.tensors().iter().filter(|tensor| suspect(tensor).is_some());
    let len = suspects.fold(0_u64, |len, tensor| len.saturating_add(tensor.decoded_len));
    if len > MAX_EXAMINED {
        return Ok(Rotated::Unknown);
    }
    let found = examine(&mut source.reader).map_err(|error| source.failure(error))?;
    let rotated = found.iter().filter(|one| one.verdict == Verdict::Rotated).count() as u64;
    if rotated == 0 {
        return Ok(Rotated::None);
    }
    report.find(
        "rotated",
        format!(
            "contains {} with bits that seem to be rotated: the script of the original stores \
             uncompressed tensors in this form",
            units::count(rotated, "tensor")
        ),
    );
    Ok(Rotated::Some)
}

/// Adds the command that repairs a file, and marks it as broken.
pub fn suggest_repair(report: &mut Report, subject: &Subject) {
    report.is_broken = true;
    report.suggest(
        vec![format!("zipnn repair {}", subject.quoted())],
        "shows what is wrong, and repairs it with --output or --write",
    );
}
