//! Zip archives of arrays: `.npz` files of NumPy, and files of PyTorch.
//!
//! A zip archive ends with a directory of its entries. An entry has a header of its own before its
//! data. Arrays are located in entries that are stored without compression: `.npy` files, and the
//! storages of tensors that the pickle of a PyTorch file describes.

mod directory;
mod reader;
mod storages;

pub(crate) use directory::is_zip;
pub(crate) use reader::ZipReader;
