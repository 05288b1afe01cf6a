//! Writes files of NumPy and PyTorch.
#![allow(dead_code, reason = "no program of tests uses everything")]

/// Returns a file of NumPy.
pub fn npy(descr: &str, shape: &[u64], data: &[u8]) -> Vec<u8> {
    let dims: String = shape.iter().map(|dim| format!("{dim}, ")).collect();
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}\n");
    let len = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], text.as_bytes(), data].concat()
}

/// Writes a zip archive.
#[derive(Default)]
pub struct Zip {
    pub file: Vec<u8>,
    pub directory: Vec<u8>,
}

impl Zip {
    /// Adds an entry, with `padding` more bytes in its header. The numbers of a large one are stored
    /// as those of entries over 4 GiB.
    pub fn add(&mut self, name: &str, data: &[u8], padding: usize, is_large: bool) {
        let offset = self.file.len() as u64;
        let len = data.len() as u64;
        let padding =
            [&[0x46, 0x42][..], &(padding as u16).to_le_bytes(), &vec![0; padding]].concat();
        let mut extra = padding.clone();
        if is_large {
            extra.extend([1, 0, 24, 0]);
            extra.extend([len, len, offset].map(u64::to_le_bytes).concat());
        }
        let short = |number: u64| if is_large { u32::MAX } else { number as u32 }.to_le_bytes();
        let names =
            |extra: &[u8]| [name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat();
        self.file.extend(b"PK\x03\x04\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0");
        self.file.extend([short(len), short(len)].concat());
        self.file.extend([&names(&padding)[..], name.as_bytes(), &padding, data].concat());
        self.directory.extend(b"PK\x01\x02\x2d\0\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0");
        self.directory.extend([short(len), short(len)].concat());
        self.directory.extend([&names(&extra)[..], &[0; 10]].concat());
        self.directory.extend([&short(offset)[..], name.as_bytes(), &extra].concat());
    }

    /// Adds the directory and a comment.
    pub fn finish(self, comment: &[u8]) -> Vec<u8> {
        let (offset, len) = (self.file.len() as u32, self.directory.len() as u32);
        let mut file = [self.file, self.directory].concat();
        file.extend(b"PK\x05\x06\0\0\0\0\0\0\0\0");
        file.extend([len.to_le_bytes(), offset.to_le_bytes()].concat());
        file.extend([&(comment.len() as u16).to_le_bytes()[..], comment].concat());
        file
    }
}

/// Returns a file of PyTorch with tensors of two-byte elements, each of one dimension.
pub fn pt(tensors: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let text =
        |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let int = |int: usize| [b"J", &(int as i32).to_le_bytes()[..]].concat();
    let mut pickle = b"\x80\x02}(".to_vec();
    for (number, (name, data)) in tensors.iter().enumerate() {
        let len = data.len() / 2;
        let storage =
            [&text("storage")[..], b"ctorch\nBFloat16Storage\n", &text(&number.to_string())]
                .concat();
        pickle.extend(text(name));
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        pickle.extend([&storage[..], &text("cpu"), &int(len), b"tQ"].concat());
        // The offset in the storage, the shape, the strides, and two arguments for gradients.
        pickle.extend([&int(0)[..], &int(len), b"\x85", &int(1), b"\x85\x89}tR"].concat());
    }
    pickle.extend(b"u.");
    let mut zip = Zip::default();
    zip.add("model/data.pkl", &pickle, 9, false);
    zip.add("model/byteorder", b"little", 3, false);
    for (number, (_, data)) in tensors.iter().enumerate() {
        // The data begin at a multiple of 64.
        let name = format!("model/data/{number}");
        let padding = (zip.file.len() + 30 + name.len() + 4).wrapping_neg() % 64;
        zip.add(&name, data, padding, false);
    }
    zip.finish(b"")
}
