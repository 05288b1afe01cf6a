//! Messages, and the fields of them that lead to tensors.

/// A message that is read field by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    Model,
    Graph,
    Tensor,
    /// One entry of the description of a tensor in another file.
    External,
}

/// What to do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Its value is a message that leads to tensors.
    Open(Message),
    /// Its value is short, and describes a tensor.
    Take,
    /// Its value holds the elements of a tensor.
    Locate,
    Skip,
}

pub(super) mod tensor {
    pub(crate) const DIMS: u64 = 1;
    pub(crate) const DATA_TYPE: u64 = 2;
    pub(crate) const FLOAT_DATA: u64 = 4;
    pub(crate) const NAME: u64 = 8;
    pub(crate) const RAW_DATA: u64 = 9;
    pub(crate) const DOUBLE_DATA: u64 = 10;
    pub(crate) const EXTERNAL_DATA: u64 = 13;
    pub(crate) const DATA_LOCATION: u64 = 14;
}

pub(super) mod external {
    pub(crate) const KEY: u64 = 1;
    pub(crate) const VALUE: u64 = 2;
}

impl Message {
    /// Returns what to do with a field, or `None` if the message has no such field.
    pub(super) fn action(self, field: u64) -> Option<Action> {
        Some(match (self, field) {
            (Self::Model, 7) => Action::Open(Message::Graph),
            (Self::Model, 1..=6 | 8 | 14 | 20 | 25 | 26) => Action::Skip,
            (Self::Graph, 5) => Action::Open(Message::Tensor),
            (Self::Graph, 1..=16) => Action::Skip,
            (Self::Tensor, tensor::EXTERNAL_DATA) => Action::Open(Message::External),
            (Self::Tensor, tensor::FLOAT_DATA | tensor::RAW_DATA | tensor::DOUBLE_DATA) => {
                Action::Locate
            }
            (
                Self::Tensor,
                tensor::DIMS | tensor::DATA_TYPE | tensor::NAME | tensor::DATA_LOCATION,
            ) => Action::Take,
            (Self::Tensor, 3..=16) => Action::Skip,
            (Self::External, external::KEY | external::VALUE) => Action::Take,
            _ => return None,
        })
    }
}
