//! Finds the tensors in the objects that a pickle has built.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::tensor::error::MetadataError;
use crate::tensor::pickle::machine::Machine;
use crate::tensor::pickle::node::{Id, Node, Pickled, Tensor};

/// Longest pickle to read, in bytes. Each tensor takes about 100.
pub(crate) const MAX_LEN: u64 = 8 << 20;

/// Maximum depth of containers in containers.
const MAX_DEPTH: usize = 64;
/// Maximum length of all names in bytes. Names repeat the keys of containers, so a short pickle
/// could have long names.
const MAX_NAMES_LEN: usize = 64 << 20;
/// Keys under which modules of PyTorch keep their tensors, which are no part of a name.
const HIDDEN: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// Returns all tensors in a pickle, in the order in which it lists them.
pub(crate) fn tensors(pickle: &[u8]) -> Result<Vec<Pickled>, MetadataError> {
    let invalid = |reason: &'static str| MetadataError::InvalidHeader { reason: reason.into() };
    let machine = Machine::run(pickle).map_err(invalid)?;
    named(&machine).map_err(invalid)
}

/// Returns all tensors with their names. Containers that occur several times count once.
fn named(machine: &Machine<'_>) -> Result<Vec<Pickled>, &'static str> {
    let mut found = Vec::new();
    let mut is_seen = vec![false; machine.len()];
    let mut open: Vec<(Id, String, usize)> =
        machine.root().map(|root| (root, String::new(), 0)).into_iter().collect();
    let mut names_len = 0_usize;
    while let Some((id, name, depth)) = open.pop() {
        if let Node::Tensor(tensor) = machine.node(id) {
            found.push(pickled(tensor, name));
            continue;
        }
        if depth > MAX_DEPTH || core::mem::replace(&mut is_seen[id], true) {
            continue;
        }
        let first = open.len();
        for (key, child) in children(machine, id) {
            let name = join(&name, key);
            names_len += name.len();
            if names_len > MAX_NAMES_LEN {
                return Err("the names of the tensors are too long");
            }
            open.push((child, name, depth + 1));
        }
        open[first..].reverse();
    }
    Ok(found)
}

fn pickled(tensor: &Tensor<'_>, name: String) -> Pickled {
    Pickled {
        name,
        key: tensor.key.to_string(),
        dtype: tensor.dtype.0,
        element_len: tensor.dtype.1,
        offset: tensor.offset,
        shape: tensor.shape.clone(),
        is_contiguous: tensor.is_contiguous,
    }
}

/// Returns the objects in a container with their keys. The state of an object has no key.
fn children(machine: &Machine<'_>, id: Id) -> Vec<(Option<String>, Id)> {
    let is_open = |child: Id| {
        matches!(
            machine.node(child),
            Node::Tuple(_) | Node::List(_) | Node::Dict(_) | Node::Tensor(_)
        )
    };
    match machine.node(id) {
        Node::Tuple(items) | Node::List(items) => {
            let items = items.iter().enumerate().filter(|(_, child)| is_open(**child));
            items.map(|(number, &child)| (Some(number.to_string()), child)).collect()
        }
        Node::Dict(items) => {
            let items = items.iter().filter(|(_, child)| is_open(*child));
            items.map(|&(key, child)| (key.and_then(|key| text(machine, key)), child)).collect()
        }
        _ => Vec::new(),
    }
}

fn text(machine: &Machine<'_>, key: Id) -> Option<String> {
    match machine.node(key) {
        Node::Text(text) => Some((*text).to_string()).filter(|text| !HIDDEN.contains(&&**text)),
        Node::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

fn join(name: &str, key: Option<String>) -> String {
    match key {
        None => name.to_string(),
        Some(key) if name.is_empty() => key,
        Some(key) => format!("{name}.{key}"),
    }
}
