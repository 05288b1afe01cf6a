//! Tensors of a PyTorch file, located in the entries that store their elements.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::tensor::info::TensorInfo;
use crate::tensor::pickle::Pickled;

/// Returns the tensors of a pickle in the ranges of their storages, by key.
///
/// A storage without a tensor whose elements follow one another, such as the storage of a transposed
/// matrix, becomes a tensor of one dimension that is named after the entry.
pub(super) fn locate(
    pickled: Vec<Pickled>,
    storages: &BTreeMap<String, Range<u64>>,
) -> Vec<TensorInfo> {
    let mut located = Vec::new();
    let mut names = BTreeSet::new();
    let mut strided = Vec::new();
    let mut covered = BTreeSet::new();
    for tensor in pickled {
        let Some(storage) = storages.get(&tensor.key) else { continue };
        match view(&tensor, storage) {
            Some(range) if tensor.is_contiguous => {
                covered.insert(storage.start);
                let is_new = names.insert(tensor.name.clone());
                let tensor = TensorInfo::new(tensor.name, tensor.dtype, tensor.shape, range);
                located.extend(is_new.then_some(tensor));
            }
            Some(_) => strided.push((tensor, storage)),
            None => {}
        }
    }
    for (tensor, storage) in strided {
        let name = format!("data/{}", tensor.key);
        let len = storage.end - storage.start;
        if covered.insert(storage.start)
            && len.is_multiple_of(tensor.element_len)
            && names.insert(name.clone())
        {
            let elements = len / tensor.element_len;
            located.push(TensorInfo::new(name, tensor.dtype, [elements], storage.clone()));
        }
    }
    located
}

/// Returns the bytes of a tensor if its elements follow one another, or `None` if its storage does
/// not contain them.
fn view(tensor: &Pickled, storage: &Range<u64>) -> Option<Range<u64>> {
    let elements = tensor.shape.iter().try_fold(1_u64, |len, &dim| len.checked_mul(dim))?;
    let start = storage.start.checked_add(tensor.offset.checked_mul(tensor.element_len)?)?;
    let end = start.checked_add(elements.checked_mul(tensor.element_len)?)?;
    // Elements of other tensors also lie within the storage if they are not more than it has.
    (end <= storage.end).then_some(start..end)
}
