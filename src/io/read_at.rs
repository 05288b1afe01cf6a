//! Reads at any position of a source.

use core::ops::Range;
use std::boxed::Box;
use std::fs::File;
use std::io::{self, Cursor, Empty, ErrorKind, Read, Seek, SeekFrom};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::Vec;

/// Reads bytes at any position of a source through a shared reference.
///
/// An [`Archive`](crate::Archive) reads from it, also from several threads at once. It is
/// implemented for
///
/// | source | |
/// |---|---|
/// | [`File`] | on Unix and Windows |
/// | `[u8]`, `[u8; N]`, `Vec<u8>` | nothing is copied |
/// | [`Cursor<T>`](Cursor), at any position | any memory: `Cursor::new(mmap)`, `Cursor::new(bytes)`; nothing is copied |
/// | [`Mutex<R>`](Mutex) | any `R: Read + Seek`: `Mutex::new(reader)` |
/// | `&T`, `Box<T>`, `Rc<T>`, `Arc<T>` | any `T` from this table |
///
/// ```
/// use zipnn::io::ReadAt;
///
/// let source = b"0123456789";
/// let mut bytes = [0; 4];
/// source.read_exact_at(&mut bytes, 3)?;
/// assert_eq!(&bytes, b"3456");
/// assert_eq!(source.read_at(&mut bytes, 8)?, 2);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait ReadAt {
    /// Returns the length of the source in bytes.
    ///
    /// # Errors
    ///
    /// Errors of the source.
    fn size(&self) -> io::Result<u64>;

    /// Reads bytes at `offset` into `buf`, and returns their number.
    ///
    /// May read fewer bytes than `buf` holds. Returns 0 only if `buf` is empty or the source ends
    /// at or before `offset`.
    ///
    /// # Errors
    ///
    /// Errors of the source.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Fills `buf` with the bytes at `offset`.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the source ends before `buf` is full, and errors of the source. After an
    /// error, the contents of `buf` are unspecified.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let (mut rest, mut offset) = (buf, offset);
        while !rest.is_empty() {
            match self.read_at(rest, offset) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => {
                    rest = rest.get_mut(len..).ok_or(ErrorKind::InvalidData)?;
                    offset = offset.checked_add(len as u64).ok_or(ErrorKind::UnexpectedEof)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns a range of the source without reading it, if the source is in memory.
    ///
    /// The default returns `None`. A source that returns a slice for one range must do so for every
    /// range within its length.
    fn slice(&self, range: Range<u64>) -> Option<&[u8]> {
        let _ = range;
        None
    }
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.get(start..).unwrap_or_default();
        let len = bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn slice(&self, range: Range<u64>) -> Option<&[u8]> {
        self.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }
}

/// Implements the trait for pointers, which read from their target.
macro_rules! read_through {
    ($([$($generics:tt)*] $type:ty, |$self:ident| $inner:expr;)*) => {$(
        impl<$($generics)*> ReadAt for $type {
            fn size(&self) -> io::Result<u64> {
                let $self = self;
                ReadAt::size($inner)
            }

            fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
                let $self = self;
                ReadAt::read_at($inner, buf, offset)
            }

            fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
                let $self = self;
                ReadAt::read_exact_at($inner, buf, offset)
            }

            fn slice(&self, range: Range<u64>) -> Option<&[u8]> {
                let $self = self;
                ReadAt::slice($inner, range)
            }
        }
    )*};
}

read_through! {
    [const N: usize] [u8; N], |array| &array[..];
    [] Vec<u8>, |vec| &vec[..];
    [T: AsRef<[u8]>] Cursor<T>, |cursor| cursor.get_ref().as_ref();
    [] Empty, |_empty| &[][..];
    [T: ReadAt + ?Sized] &T, |source| &**source;
    [T: ReadAt + ?Sized] Box<T>, |source| &**source;
    [T: ReadAt + ?Sized] Rc<T>, |source| &**source;
    [T: ReadAt + ?Sized] Arc<T>, |source| &**source;
}

/// Reads with the lock held, so that reads of several threads wait for each other.
impl<R: Read + Seek> ReadAt for Mutex<R> {
    fn size(&self) -> io::Result<u64> {
        self.lock().unwrap_or_else(PoisonError::into_inner).seek(SeekFrom::End(0))
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut reader = self.lock().unwrap_or_else(PoisonError::into_inner);
        reader.seek(SeekFrom::Start(offset))?;
        reader.read(buf)
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut reader = self.lock().unwrap_or_else(PoisonError::into_inner);
        reader.seek(SeekFrom::Start(offset))?;
        reader.read_exact(buf)
    }
}

/// Never moves the position of the file on Unix; on Windows, every read does.
#[cfg(any(unix, windows))]
impl ReadAt for File {
    fn size(&self) -> io::Result<u64> {
        // The metadata of a block device has no length.
        let metadata = self.metadata()?;
        if metadata.is_file() { Ok(metadata.len()) } else { (&mut &*self).seek(SeekFrom::End(0)) }
    }

    #[cfg(unix)]
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buf, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buf, offset)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const BYTES: &[u8] = b"0123456789";

    fn check(source: &impl ReadAt, is_in_memory: bool) {
        assert_eq!(source.size().unwrap(), 10);
        let mut buf = [0; 4];
        source.read_exact_at(&mut buf, 3).unwrap();
        assert_eq!(&buf, b"3456");
        source.read_exact_at(&mut buf, 6).unwrap();
        assert_eq!(&buf, b"6789");
        for offset in [7, 10, 11, 1 << 40] {
            let error = source.read_exact_at(&mut buf, offset).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{offset}");
        }
        assert_eq!(source.read_at(&mut buf, 10).unwrap(), 0);
        source.read_exact_at(&mut [], 10).unwrap();
        assert_eq!(source.slice(2..5), is_in_memory.then_some(&b"234"[..]));
        assert_eq!(source.slice(2..11), None);
        assert_eq!(source.slice(u64::MAX - 1..u64::MAX), None);
    }

    #[test]
    fn every_source() {
        check(&BYTES, true);
        check(&BYTES.to_vec(), true);
        check(b"0123456789", true);
        check(&Rc::new(Arc::new(Box::<[u8]>::from(BYTES))), true);
        let mut cursor = Cursor::new(BYTES);
        cursor.set_position(4);
        check(&cursor, true);
        check(&Mutex::new(cursor), false);
    }

    #[test]
    #[cfg(any(unix, windows))]
    fn a_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(BYTES).unwrap();
        check(&file, false);
    }

    /// Returns one byte at a time, and an interruption before each.
    struct Slow(std::cell::Cell<bool>);

    impl ReadAt for Slow {
        fn size(&self) -> io::Result<u64> {
            Ok(10)
        }

        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
            if !self.0.replace(!self.0.get()) {
                return Err(ErrorKind::Interrupted.into());
            }
            let len = buf.len().min(1);
            BYTES.read_at(&mut buf[..len], offset)
        }
    }

    #[test]
    fn short_and_interrupted_reads() {
        let slow = Slow(std::cell::Cell::new(false));
        let mut buf = [0; 4];
        slow.read_exact_at(&mut buf, 3).unwrap();
        assert_eq!(&buf, b"3456");
        assert_eq!(slow.read_exact_at(&mut buf, 8).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
