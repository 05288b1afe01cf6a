//! Types of tensors in GGUF files.

/// A type of tensors, which are sequences of blocks.
pub(crate) struct Type {
    /// Number of the type in a file.
    pub(crate) code: u32,
    pub(crate) name: &'static str,
    /// Number of elements of a block.
    pub(crate) elements: u64,
    /// Length of a block in bytes.
    pub(crate) len: u64,
}

const fn block(code: u32, name: &'static str, elements: u64, len: u64) -> Type {
    Type { code, name, elements, len }
}

/// All known types, from `ggml_type` and the structs of ggml.
pub(crate) const TYPES: [Type; 35] = [
    block(0, "F32", 1, 4),
    block(1, "F16", 1, 2),
    block(2, "Q4_0", 32, 18),
    block(3, "Q4_1", 32, 20),
    block(6, "Q5_0", 32, 22),
    block(7, "Q5_1", 32, 24),
    block(8, "Q8_0", 32, 34),
    block(9, "Q8_1", 32, 36),
    block(10, "Q2_K", 256, 84),
    block(11, "Q3_K", 256, 110),
    block(12, "Q4_K", 256, 144),
    block(13, "Q5_K", 256, 176),
    block(14, "Q6_K", 256, 210),
    block(15, "Q8_K", 256, 292),
    block(16, "IQ2_XXS", 256, 66),
    block(17, "IQ2_XS", 256, 74),
    block(18, "IQ3_XXS", 256, 98),
    block(19, "IQ1_S", 256, 50),
    block(20, "IQ4_NL", 32, 18),
    block(21, "IQ3_S", 256, 110),
    block(22, "IQ2_S", 256, 82),
    block(23, "IQ4_XS", 256, 136),
    block(24, "I8", 1, 1),
    block(25, "I16", 1, 2),
    block(26, "I32", 1, 4),
    block(27, "I64", 1, 8),
    block(28, "F64", 1, 8),
    block(29, "IQ1_M", 256, 56),
    block(30, "BF16", 1, 2),
    block(34, "TQ1_0", 256, 54),
    block(35, "TQ2_0", 256, 66),
    block(39, "MXFP4", 32, 17),
    block(40, "NVFP4", 64, 36),
    block(41, "Q1_0", 128, 18),
    block(42, "Q2_0", 64, 18),
];

/// Returns the type with a number, or `None` if it is unknown.
pub(crate) fn from_code(code: u32) -> Option<&'static Type> {
    TYPES.iter().find(|known| known.code == code)
}
