//! Writes a file without its long runs of zeros, which then take no space on the disk.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// Number of zeros that are left out at a time: a multiple of the blocks of file systems.
const BLOCK: usize = 16 << 10;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// The length of a file that is being written, and the zeros that are not written yet.
#[derive(Debug, Default)]
pub struct Sparse {
    len: u64,
    /// Zeros at the end that are not in the file yet.
    pending: u64,
}

impl Sparse {
    /// Appends `bytes` to a file that was empty at first.
    pub fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        // The start of the data before `rest` that is not written yet.
        let mut data = 0;
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let to_boundary = BLOCK - ((self.len % BLOCK as u64) as usize + at - data) % BLOCK;
            let (block, behind) = rest.split_at(to_boundary.min(rest.len()));
            // Comparing stops at the first different byte, which comes early in weights.
            if *block == ZEROS[..block.len()] {
                self.put(file, &bytes[data..at])?;
                data = at + block.len();
                self.pending += block.len() as u64;
                self.len += block.len() as u64;
            }
            rest = behind;
        }
        self.put(file, &bytes[data..])
    }

    /// Gives the file its full length.
    pub fn settle(&mut self, file: &mut File) -> io::Result<()> {
        if self.pending == 0 {
            return Ok(());
        }
        file.set_len(self.len)?;
        file.seek(SeekFrom::Start(self.len))?;
        self.pending = 0;
        Ok(())
    }

    fn put(&mut self, file: &mut File, data: &[u8]) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        if self.pending > 0 {
            file.seek(SeekFrom::Start(self.len))?;
            self.pending = 0;
        }
        file.write_all(data)?;
        self.len += data.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Writes parts of the data, and returns the file and its contents.
    fn written(data: &[u8], part: usize) -> (tempfile::NamedTempFile, Vec<u8>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut sparse = Sparse::default();
        for part in data.chunks(part) {
            sparse.write(file.as_file_mut(), part).unwrap();
        }
        sparse.settle(file.as_file_mut()).unwrap();
        sparse.settle(file.as_file_mut()).unwrap();
        let contents = fs::read(file.path()).unwrap();
        (file, contents)
    }

    #[test]
    fn contents_stay_the_same() {
        let mut data = vec![0; 9 * BLOCK + 77];
        for (start, len) in [(5, 1), (BLOCK, BLOCK), (3 * BLOCK - 1, 2), (6 * BLOCK + 9, BLOCK)] {
            data[start..start + len].fill(7);
        }
        for len in [0, 1, 5, 6, BLOCK, 2 * BLOCK, 3 * BLOCK, 8 * BLOCK, data.len()] {
            for part in [1000, BLOCK, BLOCK + 1, 3 * BLOCK - 5, data.len()] {
                assert!(written(&data[..len], part).1 == data[..len], "{len} by {part}");
            }
        }
    }

    #[test]
    #[cfg(unix)]
    fn zeros_take_no_space() {
        use std::os::unix::fs::MetadataExt;
        let mut data = vec![0; 256 * BLOCK];
        data[..100].fill(1);
        let (file, contents) = written(&data, 100_000);
        assert!(contents == data);
        let room = file.as_file().metadata().unwrap().blocks() * 512;
        assert!(room <= 4 * BLOCK as u64, "{room}");
    }
}
