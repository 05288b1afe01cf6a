//! Sources of ranges of bytes.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

/// Reads ranges of a source asynchronously.
///
/// The futures need not be `Send`, so that sources in a browser can implement this trait. The
/// futures of an [`Archive`](crate::Archive) are `Send` if the futures of its source are `Send` and
/// the source is `Sync`.
///
/// ```
/// use std::io;
/// use std::ops::Range;
/// use bytes::Bytes;
/// use zipnn_async::AsyncReadAt;
///
/// struct Memory(Bytes);
///
/// impl AsyncReadAt for Memory {
///     async fn size(&self) -> io::Result<u64> {
///         Ok(self.0.len() as u64)
///     }
///
///     async fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
///         Ok(self.0.slice(range.start as usize..range.end as usize))
///     }
/// }
/// ```
pub trait AsyncReadAt {
    /// Returns the length of the source in bytes.
    fn size(&self) -> impl Future<Output = io::Result<u64>>;

    /// Returns the bytes of a range that lies within the source.
    ///
    /// The range is never empty. Several reads can be in progress at the same time.
    fn read_at(&self, range: Range<u64>) -> impl Future<Output = io::Result<Bytes>>;

    /// Returns the last `len` bytes of the source, or all if it has fewer, and its length.
    ///
    /// The default implementation requests the length first. Over HTTP, a single request suffices:
    /// the response to `Range: bytes=-16384` states the length in `Content-Range`.
    fn read_suffix(&self, len: u64) -> impl Future<Output = io::Result<(Bytes, u64)>> {
        async move {
            let size = self.size().await?;
            let range = size.saturating_sub(len)..size;
            let bytes = if range.is_empty() { Bytes::new() } else { self.read_at(range).await? };
            Ok((bytes, size))
        }
    }
}

/// Implements the trait for pointers, which read from their target.
macro_rules! read_through {
    ($($pointer:ty),*) => {$(
        impl<S: AsyncReadAt + ?Sized> AsyncReadAt for $pointer {
            fn size(&self) -> impl Future<Output = io::Result<u64>> {
                (**self).size()
            }

            fn read_at(&self, range: Range<u64>) -> impl Future<Output = io::Result<Bytes>> {
                (**self).read_at(range)
            }

            fn read_suffix(&self, len: u64) -> impl Future<Output = io::Result<(Bytes, u64)>> {
                (**self).read_suffix(len)
            }
        }
    )*};
}

read_through!(&S, Box<S>, Arc<S>);

impl AsyncReadAt for Bytes {
    async fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    async fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        let end = self.len().min(usize::try_from(range.end).unwrap_or(usize::MAX));
        let start = end.min(usize::try_from(range.start).unwrap_or(usize::MAX));
        Ok(self.slice(start..end))
    }
}
