//! The passes of a batch: which shader runs with which buffers.

use core::ops::Range;

/// A compute shader. Its entry point is `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shader {
    /// Decodes Huffman-coded planes.
    Decode,
    /// Decodes the coded planes of elements of two bytes, and merges them with their raw planes.
    DecodePairs,
    /// Merges planes and undoes the rotation.
    Merge,
    /// Applies the base of a difference.
    ApplyBase,
    /// Copies bytes that do not begin or end with a word.
    Move,
    /// Computes checksums.
    Checksum,
    /// Widens elements of 16 bits to 32 bits. No plan uses it.
    Widen,
}

impl Shader {
    /// All shaders.
    pub const ALL: [Self; 7] = [
        Self::Decode,
        Self::DecodePairs,
        Self::Merge,
        Self::ApplyBase,
        Self::Move,
        Self::Checksum,
        Self::Widen,
    ];

    /// Returns the source text in WGSL.
    ///
    /// [`Self::Decode`] and [`Self::DecodePairs`] have the same text, and take the pipeline-overridable
    /// constants `PAIRS`, which is 1 for the latter, and `LANES`: the number of threads for each
    /// stream, a power of two up to 16.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Decode | Self::DecodePairs => include_str!("shaders/decode.wgsl"),
            Self::Merge => include_str!("shaders/merge.wgsl"),
            Self::ApplyBase => include_str!("shaders/apply_base.wgsl"),
            Self::Move => include_str!("shaders/move.wgsl"),
            Self::Checksum => include_str!("shaders/checksum.wgsl"),
            Self::Widen => include_str!("shaders/widen.wgsl"),
        }
    }
}

/// A buffer, or a part of it, that a pass binds in group 0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binding {
    /// A range of the uploaded bytes. It begins at a multiple of 256.
    Upload(Range<u64>),
    /// Memory for decoded planes, [`Plan::scratch_len`](crate::gpu::Plan::scratch_len) bytes.
    Scratch,
    /// Memory for whole chunks, [`Plan::spare_len`](crate::gpu::Plan::spare_len) bytes.
    Spare,
    /// The caller's buffer, in the range [`Plan::output_window`](crate::gpu::Plan::output_window).
    Output,
    /// The base, in the range [`Plan::base_window`](crate::gpu::Plan::base_window).
    Base,
    /// The report, [`Checks::report_len`](crate::gpu::Checks::report_len) bytes.
    Report,
}

/// A dispatch of a shader.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pass {
    /// The shader.
    pub shader: Shader,
    /// The buffers of group 0, by their numbers.
    pub bindings: [Option<Binding>; Pass::MAX_BINDINGS],
    /// The number of workgroups in x and y.
    pub workgroups: [u32; 2],
}

impl Pass {
    /// The largest number of bindings.
    pub const MAX_BINDINGS: usize = 5;
}

/// A kind of job. Each kind has one pass, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    DecodeToScratch,
    DecodeToOutput,
    DecodePairs,
    MergeToOutput,
    MergeToSpare,
    ApplyUploadToOutput,
    ApplyUploadToSpare,
    ApplyBufferToOutput,
    ApplyBufferToSpare,
    Move,
    ChecksumOutput,
    ChecksumSpare,
}

/// What a kind of job binds besides its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Input,
    Codes,
    Jobs,
    Scratch,
    Spare,
    Output,
    Base,
    Report,
}

impl Step {
    pub(crate) const ALL: [Self; 12] = [
        Self::DecodeToScratch,
        Self::DecodeToOutput,
        Self::DecodePairs,
        Self::MergeToOutput,
        Self::MergeToSpare,
        Self::ApplyUploadToOutput,
        Self::ApplyUploadToSpare,
        Self::ApplyBufferToOutput,
        Self::ApplyBufferToSpare,
        Self::Move,
        Self::ChecksumOutput,
        Self::ChecksumSpare,
    ];

    pub(crate) const fn shader(self) -> Shader {
        match self {
            Self::DecodeToScratch | Self::DecodeToOutput => Shader::Decode,
            Self::DecodePairs => Shader::DecodePairs,
            Self::MergeToOutput | Self::MergeToSpare => Shader::Merge,
            Self::ApplyUploadToOutput
            | Self::ApplyUploadToSpare
            | Self::ApplyBufferToOutput
            | Self::ApplyBufferToSpare => Shader::ApplyBase,
            Self::Move => Shader::Move,
            Self::ChecksumOutput | Self::ChecksumSpare => Shader::Checksum,
        }
    }

    /// Returns the slots of group 0, in order.
    pub(crate) const fn slots(self) -> &'static [Slot] {
        use Slot::*;
        match self {
            Self::DecodeToScratch => &[Input, Jobs, Codes, Scratch, Report],
            Self::DecodeToOutput | Self::DecodePairs => &[Input, Jobs, Codes, Output, Report],
            Self::MergeToOutput => &[Input, Jobs, Scratch, Output],
            Self::MergeToSpare => &[Input, Jobs, Scratch, Spare],
            Self::ApplyUploadToOutput => &[Input, Jobs, Output],
            Self::ApplyUploadToSpare => &[Input, Jobs, Spare],
            Self::ApplyBufferToOutput => &[Base, Jobs, Output],
            Self::ApplyBufferToSpare => &[Base, Jobs, Spare],
            Self::Move => &[Spare, Jobs, Output],
            Self::ChecksumOutput => &[Output, Jobs, Report],
            Self::ChecksumSpare => &[Spare, Jobs, Report],
        }
    }

    /// Returns whether each job is one workgroup. Otherwise the words of a job are divided among a
    /// row of workgroups.
    pub(crate) const fn is_by_group(self) -> bool {
        matches!(self.shader(), Shader::Decode | Shader::DecodePairs | Shader::Checksum)
    }
}
