//! Reads one tensor from an object store.
//!
//! ```sh
//! cargo run -p zipnn-ranges --bin object_store [FILE.znn TENSOR]
//! ```
//!
//! The store is in memory, and the file is put into it first. Stores in a cloud are used alike: the
//! crate `object_store` has them behind features.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use zipnn::Limits;
use zipnn_async::{Archive, AsyncReadAt};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    block_on(run())
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (file, name) = zipnn_ranges::input()?;
    let (store, path) = (Arc::new(InMemory::new()), Path::from("model.safetensors.znn"));
    store.put(&path, file.into()).await?;

    let archive = Archive::open(Object { store, path }, Limits::default()).await?;
    let data = archive.read_tensor_bytes(&name).await?;
    let tensor = archive.tensor(&name).await?;
    println!("{name}: {} {:?}, {} bytes", tensor.dtype, tensor.shape, data.len());
    Ok(())
}

/// An object of a store.
struct Object {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

impl AsyncReadAt for Object {
    async fn size(&self) -> io::Result<u64> {
        Ok(self.store.head(&self.path).await?.size)
    }

    async fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        Ok(self.store.get_range(&self.path, range).await?)
    }

    /// Takes one request for the bytes and the length.
    async fn read_suffix(&self, len: u64) -> io::Result<(Bytes, u64)> {
        let options = GetOptions { range: Some(GetRange::Suffix(len)), ..Default::default() };
        let result = self.store.get_opts(&self.path, options).await?;
        let size = result.meta.size;
        Ok((result.bytes().await?, size))
    }
}
