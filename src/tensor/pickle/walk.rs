//! Finds the tensors in the objects that a pickle has built.

use alloc::borrow::Cow;
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
/// Maximum length of all names, of tensors and of their storages, in bytes. Names repeat the keys of
/// containers, and tensors share storages, so a short pickle could have long names.
const MAX_NAMES_LEN: usize = 64 << 20;
const TOO_LONG: &str = "the names of the tensors are too long";
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
            names_len += tensor.key.len();
            if names_len > MAX_NAMES_LEN {
                return Err(TOO_LONG);
            }
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
                return Err(TOO_LONG);
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
///
/// Keys are borrowed, because many objects can share a long one.
fn children<'p>(machine: &Machine<'p>, id: Id) -> Vec<(Option<Cow<'p, str>>, Id)> {
    let is_open = |child: Id| {
        matches!(
            machine.node(child),
            Node::Tuple(_) | Node::List(_) | Node::Dict(_) | Node::Tensor(_)
        )
    };
    match machine.node(id) {
        Node::Tuple(items) | Node::List(items) => {
            let items = items.iter().enumerate().filter(|(_, child)| is_open(**child));
            items.map(|(number, &child)| (Some(Cow::Owned(number.to_string())), child)).collect()
        }
        Node::Dict(items) => {
            let items = items.iter().filter(|(_, child)| is_open(*child));
            items.map(|&(key, child)| (key.and_then(|key| text(machine, key)), child)).collect()
        }
        _ => Vec::new(),
    }
}

fn text<'p>(machine: &Machine<'p>, key: Id) -> Option<Cow<'p, str>> {
    match *machine.node(key) {
        Node::Text(text) => (!HIDDEN.contains(&text)).then_some(Cow::Borrowed(text)),
        Node::Int(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

fn join(name: &str, key: Option<Cow<'_, str>>) -> String {
    match key {
        None => name.to_string(),
        Some(key) if name.is_empty() => key.into_owned(),
        Some(key) => format!("{name}.{key}"),
    }
}
