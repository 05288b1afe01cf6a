//! One tensor out of an object store: `object_store FILE.znn TENSOR`.
//!
//! The store is one in memory, into which the file is put first. One in a cloud is used alike: the
//! crate `object_store` has them behind features.

use std::ops::Range;

use futures::executor::block_on;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use zipnn::Limits;
use zipnn::frame::DecodeScratch;
use zipnn::seek::Seeker;
use zipnn::tensor::safetensors::{Metadata, MetadataError};
use zipnn_ranges::Error;

fn main() -> Result<(), Error> {
    block_on(run())
}

async fn run() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, name] = &arguments[..] else {
        return Err("usage: object_store FILE.znn TENSOR".into());
    };
    let store = InMemory::new();
    let path = Path::from("model.safetensors.znn");
    store.put(&path, std::fs::read(file)?.into()).await?;

    let mut seeker = Seeker::new(store.head(&path).await?.size, Limits::default());
    while let Some(range) = seeker.wanted() {
        seeker.feed(&store.get_range(&path, range).await?)?;
    }
    let layout = layout(&seeker, &store, &path).await?;
    let tensor = layout.tensor(name).ok_or("there is no such tensor")?;
    let data = read(&seeker, &store, &path, tensor.range.clone()).await?;
    println!("{name}: {} {:?}, {} bytes", tensor.dtype, tensor.shape, data.len());
    Ok(())
}

/// Decodes a range of the data.
async fn read(
    seeker: &Seeker,
    store: &impl ObjectStore,
    path: &Path,
    range: Range<u64>,
) -> Result<Vec<u8>, Error> {
    let mut data = Vec::new();
    let mut scratch = DecodeScratch::new();
    for mut part in seeker.covering(range)? {
        while let Some(wanted) = part.wanted() {
            part.feed(&store.get_range(path, wanted).await?)?;
        }
        let start = data.len();
        data.resize(start + usize::try_from(part.decoded_len())?, 0);
        part.decode_into(&mut data[start..], &mut scratch)?;
    }
    Ok(data)
}

/// Names, types and places of the tensors.
async fn layout(seeker: &Seeker, store: &impl ObjectStore, path: &Path) -> Result<Metadata, Error> {
    let directory = seeker.directory().ok_or("the file is not open")?;
    let data_len = directory.decoded_len();
    let first_len = directory.entries().first().map_or(0, |frame| frame.decoded_len.min(1 << 16));
    let mut beginning = read(seeker, store, path, 0..first_len).await?;
    loop {
        match Metadata::parse(&beginning, data_len) {
            Err(MetadataError::Truncated { needed, .. }) => {
                beginning = read(seeker, store, path, 0..needed.min(data_len)).await?;
            }
            layout => return Ok(layout?),
        }
    }
}
