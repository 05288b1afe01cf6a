//! The objects that a pickle builds.

use alloc::string::String;
use alloc::vec::Vec;

/// Number of an object. Objects refer to others by number, because several can share one.
pub(super) type Id = usize;

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node<'p> {
    /// An object that leads to no tensor.
    Other,
    Int(u64),
    Text(&'p str),
    /// A function or class: module and name.
    Global(&'p str, &'p str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// A dictionary, or an object with its state. The state has no key.
    Dict(Vec<(Option<Id>, Id)>),
    Storage(Storage<'p>),
    Tensor(Tensor<'p>),
}

/// Elements in a file of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storage<'p> {
    /// Name of the file.
    pub(super) key: &'p str,
    /// Type of the elements, unless the storage consists of bytes of any type.
    pub(super) dtype: Option<DType>,
}

/// Name of a type in safetensors files, and the length of an element.
pub(super) type DType = (&'static str, u64);

/// A view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor<'p> {
    pub(super) key: &'p str,
    pub(super) dtype: DType,
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) is_contiguous: bool,
}

/// Classes of storages, names of types in PyTorch and in safetensors files, lengths of elements.
const TYPES: [(&str, &str, DType); 20] = [
    ("FloatStorage", "float32", ("F32", 4)),
    ("HalfStorage", "float16", ("F16", 2)),
    ("BFloat16Storage", "bfloat16", ("BF16", 2)),
    ("DoubleStorage", "float64", ("F64", 8)),
    ("LongStorage", "int64", ("I64", 8)),
    ("IntStorage", "int32", ("I32", 4)),
    ("ShortStorage", "int16", ("I16", 2)),
    ("CharStorage", "int8", ("I8", 1)),
    ("ByteStorage", "uint8", ("U8", 1)),
    ("BoolStorage", "bool", ("BOOL", 1)),
    ("ComplexFloatStorage", "complex64", ("C64", 8)),
    ("", "uint16", ("U16", 2)),
    ("", "uint32", ("U32", 4)),
    ("", "uint64", ("U64", 8)),
    ("", "float8_e4m3fn", ("F8_E4M3", 1)),
    ("", "float8_e5m2", ("F8_E5M2", 1)),
    ("", "float8_e4m3fnuz", ("F8_E4M3FNUZ", 1)),
    ("", "float8_e5m2fnuz", ("F8_E5M2FNUZ", 1)),
    ("", "float8_e8m0fnu", ("F8_E8M0", 1)),
    ("UntypedStorage", "", ("", 0)),
];

/// Returns the type that a class of storages has; `Some(None)` for storages of bytes of any type.
pub(super) fn of_storage(class: &str) -> Option<Option<DType>> {
    let found = TYPES.into_iter().find(|known| !class.is_empty() && known.0 == class)?;
    Some(Some(found.2).filter(|dtype| dtype.1 > 0))
}

/// Returns a type by its name in PyTorch.
pub(super) fn of_name(name: &str) -> Option<DType> {
    let found = TYPES.into_iter().find(|known| !name.is_empty() && known.1 == name)?;
    Some(found.2)
}

/// A tensor in a pickle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pickled {
    /// Keys and numbers that lead to the tensor, joined by dots.
    pub(crate) name: String,
    /// Name of the file that stores the elements.
    pub(crate) key: String,
    /// Type by its name in safetensors files.
    pub(crate) dtype: &'static str,
    /// Length of an element in bytes.
    pub(crate) element_len: u64,
    /// Number of elements before the first.
    pub(crate) offset: u64,
    pub(crate) shape: Vec<u64>,
    /// Whether the elements follow one another, outermost dimension first.
    pub(crate) is_contiguous: bool,
}
