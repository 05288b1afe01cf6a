//! State of the list of compressed tensors.

/// Whether a file has a list of its compressed tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListState {
    /// The file has a matching list.
    Present,
    /// The file has frames but no list.
    Lost,
    /// The list, or other metadata of compressed tensors, belongs to another file.
    Stale,
    /// The file has neither frames nor a list.
    NotNeeded,
}
