//! Profiles, the readers that a file is compatible with, and the codes of planes.

/// The readers that a file is compatible with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// The original reads the file. Planes are stored raw or with Huffman codes.
    #[default]
    Original,
    /// Readers of this crate read the file. The original rejects most frames.
    ///
    /// Planes for which Huffman codes would pay are stored with the [`PlaneCode`] of the options.
    /// With the feature `zstd`, planes of a chunk that are clearly smaller as a Zstandard frame are
    /// stored so, as is common for data that repeats: differences, sparse data and integers. Only
    /// readers that are built with that feature decode those.
    #[cfg(feature = "extended")]
    Extended,
    /// Readers of this crate read the file, which is as small as possible. The original rejects
    /// most frames.
    ///
    /// Floats in a matrix are stored relative to the scales of their row and column, and rows that
    /// resemble each other relative to one another. Frames for which that is not the smallest form
    /// are stored in the smallest form of the other profiles. Compressing takes 10 to 25 times as
    /// long as with [`Self::Original`], and decompressing 4 to 9 times.
    #[cfg(feature = "extended")]
    Max,
}

impl Profile {
    /// Returns whether planes may be stored in ways that the original rejects.
    pub(crate) const fn is_extended(self) -> bool {
        match self {
            Self::Original => false,
            #[cfg(feature = "extended")]
            Self::Extended | Self::Max => true,
        }
    }

    /// Returns whether only the length of a file counts.
    pub(crate) const fn is_max(self) -> bool {
        match self {
            Self::Original => false,
            #[cfg(feature = "extended")]
            Self::Extended => false,
            #[cfg(feature = "extended")]
            Self::Max => true,
        }
    }
}

/// How [`Profile::Extended`] stores planes that Huffman codes would make smaller.
///
/// Both have the same size, within 0.05 %.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlaneCode {
    /// With a pivot code, for readers with vector instructions, which decode it up to three times
    /// as fast. Readers without them take many times as long.
    #[default]
    Pivot,
    /// With Huffman codes, as the original does.
    Huffman,
}

/// How the planes of a chunk are coded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaneCoding {
    /// Part of a plane's length below which coding pays.
    pub(crate) threshold: f32,
    pub(crate) profile: Profile,
    plane_code: PlaneCode,
}

impl PlaneCoding {
    pub(crate) const fn new(threshold: f32, profile: Profile, plane_code: PlaneCode) -> Self {
        let coding = Self { threshold, profile, plane_code };
        if profile.is_max() { coding.of_parts() } else { coding }
    }

    /// Returns how the parts of records are coded.
    ///
    /// Quantised weights shrink by a few hundredths only, but their parts are coded quickly. The
    /// threshold is therefore closer to 1: 0.9975 instead of 0.95.
    pub(crate) const fn of_parts(self) -> Self {
        Self { threshold: self.threshold * (2.0 - self.threshold), ..self }
    }

    /// Returns whether planes may be pivot-coded.
    pub(crate) fn allows_pivot(self) -> bool {
        self.profile.is_extended() && self.plane_code == PlaneCode::Pivot
    }
}
