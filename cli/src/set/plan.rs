//! Decides which files of a set are stored as differences, and to which files.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use crate::base::dependents::{self, Needed};
use crate::base::file::BaseError;
use crate::base::plan::{Difference, SetPlan, Source};
use crate::base::resolve;
use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;
use crate::set::anchors::{self, Costs, State};
use crate::set::contents::Contents;
use crate::set::costs::Sample;
use crate::set::files::{Distinct, Member, Set};
use crate::set::matching::{self, Parts};

/// Number of files for which a difference of a file is estimated.
const MAX_TRIALS: usize = 16;

/// Plans a set of files, so that it becomes small.
pub fn plan(set: &Set) -> Result<SetPlan, Failure> {
    let mut plan = SetPlan::default();
    let distinct = Distinct::new(set)?;
    let contents = distinct.bases.iter().map(|base| Contents::open(base.path));
    let bases = contents.collect::<Result<Vec<_>, _>>()?;
    let needed = needed(set);
    let mut members = Vec::new();
    for member in in_order(&set.members) {
        let state = match state(&member, &needed, set.replaces) {
            State::Difference => {
                plan.insert_existing(member.path);
                continue;
            }
            State::Free if distinct.whole_members.contains(&*member.path) => State::Whole,
            state => state,
        };
        let contents = Contents::open(&member.path)?;
        members.push(Planned { member, contents, state, is_base: false });
    }
    if set.is_deduplicated {
        choose_bases(&mut members, &bases)?;
        // The order is otherwise kept.
        members.sort_by_key(|planned| Reverse(planned.is_base));
    }
    let named = bases.iter().zip(&distinct.bases);
    let mut anchors: Vec<Anchor> = named
        .filter(|(_, base)| !plan.is_difference(base.path))
        .map(|(contents, base)| Anchor { contents, name: base.name.clone() })
        .collect();
    for Planned { member, contents, state, .. } in &members {
        let difference = match state {
            State::Free => {
                difference(contents, &anchors).map_err(|error| reading(contents, error))?
            }
            _ => None,
        };
        match difference {
            Some(difference) => plan.insert(member.path.clone(), difference),
            None if set.is_deduplicated => {
                anchors.push(Anchor { contents, name: member.result.with_extension("") });
            }
            None => {}
        }
        contents.close();
        anchors.iter().for_each(|anchor| anchor.contents.close());
    }
    Ok(plan)
}

fn reading(contents: &Contents, error: io::Error) -> Failure {
    BaseError::reading(&Endpoint::Path(contents.path().to_owned()), error)
}

/// A member whose result does not exist, or is whole.
struct Planned {
    member: Member,
    contents: Contents,
    state: State,
    /// Whether other members should be differences to it.
    is_base: bool,
}

/// A file that is stored whole.
struct Anchor<'c> {
    contents: &'c Contents,
    /// The uncompressed name under which readers find it.
    name: PathBuf,
}

/// Returns the files that existing differences need.
fn needed(set: &Set) -> Vec<Needed> {
    let members = set.members.iter().flat_map(|member| [&member.path, &member.result]);
    let directories: HashSet<_> = members.map(|path| dependents::directory_of(path)).collect();
    directories.into_iter().flat_map(dependents::needed_in).collect()
}

fn state(member: &Member, needed: &[Needed], replaces: bool) -> State {
    let result = member.result.is_file().then_some(&member.result);
    let is_needed = || needed.iter().any(|needed| needed.is_form_of(&member.path));
    match result {
        Some(result) if !replaces && resolve::is_difference(result) => State::Difference,
        Some(_) if !replaces => State::Whole,
        _ if is_needed() => State::Whole,
        _ => State::Free,
    }
}

/// Decides by estimates to which members others should be differences.
fn choose_bases(members: &mut [Planned], bases: &[Contents]) -> Result<(), Failure> {
    let all = members.iter().map(|planned| &planned.contents).chain(bases);
    let all: Vec<_> = all.map(|contents| (contents, shapes(contents))).collect();
    let mut costs = Vec::new();
    for (number, Planned { contents, state, .. }) in members.iter().enumerate() {
        let sample = Sample::new(contents).map_err(|error| reading(contents, error))?;
        let mut differences = Vec::new();
        for other in candidates(number, &all) {
            let anchor = all[other].0;
            let len = sample.difference_len(anchor).map_err(|error| reading(anchor, error))?;
            differences.extend(len.map(|len| (other, len)));
            anchor.close();
        }
        contents.close();
        // Files that are whole already take no more space.
        let whole = if *state == State::Whole { 0 } else { sample.whole_len() };
        costs.push(Costs { state: *state, whole, differences });
    }
    let stored = |_| Costs { state: State::Whole, whole: 0, differences: Vec::new() };
    costs.extend(bases.iter().map(stored));
    let chosen = anchors::choose(&costs);
    members.iter_mut().zip(chosen).for_each(|(planned, is_base)| planned.is_base = is_base);
    Ok(())
}

/// The number of bytes of the tensors with each shape.
type Shapes = HashMap<Vec<u64>, u64>;

/// Returns the number of bytes of tensors with each shape. A file without tensors has its length as
/// its shape.
fn shapes(contents: &Contents) -> Shapes {
    let mut shapes = Shapes::new();
    for tensor in contents.tensors() {
        *shapes.entry(tensor.shape.clone()).or_default() += tensor.len();
    }
    if shapes.is_empty() {
        shapes.insert(vec![u64::MAX, contents.len()], contents.len());
    }
    shapes
}

/// Returns the numbers of the files that a file resembles most, by the shapes of their tensors. Of
/// similar files, different files get the same ones.
fn candidates(number: usize, others: &[(&Contents, Shapes)]) -> Vec<usize> {
    let own = &others[number].1;
    let shared = |shapes: &Shapes| -> u64 {
        let len = |(shape, &len): (&Vec<u64>, &u64)| len.min(own.get(shape).copied().unwrap_or(0));
        shapes.iter().map(len).sum()
    };
    let mut candidates: Vec<_> = others
        .iter()
        .enumerate()
        .map(|(other, (_, shapes))| (shared(shapes), other))
        .filter(|&(shared, other)| shared > 0 && other != number)
        .collect();
    // The reversed bits of successive numbers are spread evenly over all numbers.
    candidates.sort_by_key(|&(shared, other)| (Reverse(shared), other.reverse_bits()));
    candidates.truncate(MAX_TRIALS);
    candidates.into_iter().map(|(_, other)| other).collect()
}

/// Returns the difference as which a file is stored, or `None` if hardly any of it is similar to an
/// anchor.
fn difference(contents: &Contents, anchors: &[Anchor<'_>]) -> io::Result<Option<Difference>> {
    /// Part of a file that a base must cover: one part of this many.
    const LEAST_PART: u64 = 100;
    let anchor_contents: Vec<_> = anchors.iter().map(|anchor| anchor.contents).collect();
    let Parts { mut segments, tensors } = matching::parts(contents, &anchor_contents)?;
    let covered: u64 = segments.iter().map(|segment| segment.range.end - segment.range.start).sum();
    if covered <= contents.len() / LEAST_PART {
        return Ok(None);
    }
    let mut numbers = HashMap::new();
    let mut sources = Vec::new();
    for segment in &mut segments {
        let Anchor { contents, name } = &anchors[segment.source];
        let number = *numbers.entry(segment.source).or_insert(sources.len());
        if number == sources.len() {
            let (len, path) = (contents.len(), contents.path().to_owned());
            let hash = contents.hash(&(0..len))?;
            sources.push(Source { path, name: name.clone(), len, hash });
        }
        segment.source = number;
    }
    Ok(Some(Difference { len: contents.len(), sources, segments, tensors }))
}

/// Returns files from the oldest to the newest: bases usually exist before models that are trained
/// from them. Files of the same age are ordered by their names.
fn in_order(members: &[Member]) -> Vec<Member> {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let mut members: Vec<Member> = members.to_vec();
    members.sort_by_cached_key(|member| {
        (modified(&member.path).unwrap_or(SystemTime::UNIX_EPOCH), member.path.clone())
    });
    members
}
