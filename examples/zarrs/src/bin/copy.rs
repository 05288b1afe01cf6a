//! Copies an array: decodes each chunk, and encodes it again with the codecs of the array.
//!
//! ```sh
//! cargo run --bin copy -- SOURCE.zarr TARGET.zarr
//! ```

use std::error::Error;
use std::sync::Arc;

use zarrs::array::{Array, ArrayBytes, ArraySubset};
use zarrs::filesystem::FilesystemStore;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, target] = &arguments[..] else {
        return Err("usage: copy SOURCE.zarr TARGET.zarr".into());
    };
    zipnn_zarrs::register();
    let source = Array::open(Arc::new(FilesystemStore::new(source)?), "/")?;
    let store = Arc::new(FilesystemStore::new(target)?);
    let target = Array::new_with_metadata(store, "/", source.metadata().clone())?;
    target.store_metadata()?;
    let chunks = ArraySubset::new_with_shape(source.chunk_grid_shape().to_vec());
    for chunk in &chunks.indices() {
        let data: ArrayBytes<'_> = source.retrieve_chunk(&chunk)?;
        target.store_chunk(&chunk, data)?;
    }
    println!("{:?} {}", source.shape(), source.data_type());
    Ok(())
}
