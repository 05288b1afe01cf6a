//! `Write` and `Read` adaptors: files of any size in bounded memory.

mod reader;
mod writer;

pub use reader::Decoder;
pub use writer::Encoder;
