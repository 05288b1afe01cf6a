//! Compressing and decompressing files: many at a time, frame by frame, in bounded memory.

pub mod batch;
pub mod commit;
pub mod comparison;
pub mod decode;
pub mod frames;
pub mod framing;
pub mod inside;
pub mod pipeline;
pub mod run;
