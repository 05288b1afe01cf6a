//! Detects vector instructions and chooses the kernels that use them.
//!
//! With the feature `dispatch`, the library detects the processor's instructions at run time.
//! Without it, the library uses the instructions that every processor of the target has. All levels
//! write the same bytes.
//!
//! For tests and measurements, the environment variable `ZIPNN_SIMD` forces a level by its
//! [name](Level::name). The library reads it once, and only with the feature `dispatch`. It ignores
//! a level that does not exist or that the processor lacks: call [`from_environment`] to detect one.

use core::fmt;
#[cfg(feature = "dispatch")]
use std::sync::LazyLock;

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use fearless_simd::Simd;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use fearless_simd::x86::{Avx2, Avx512, Sse4_2};

/// A set of vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// No explicit vector instructions.
    Scalar,
    /// SSE2, which every x86-64 processor has.
    Sse2,
    /// SSE4.2, with `popcnt` (x86-64-v2).
    Sse4_2,
    /// AVX2, with the other instructions of x86-64-v3.
    Avx2,
    /// AVX-512, with the extensions of Ice Lake and Zen 4, which permute and compress bytes.
    Avx512,
    /// NEON of aarch64.
    Neon,
    /// WebAssembly's `simd128`.
    Simd128,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 7] = [
        Self::Scalar,
        Self::Sse2,
        Self::Sse4_2,
        Self::Avx2,
        Self::Avx512,
        Self::Neon,
        Self::Simd128,
    ];

    /// Returns the name, as in `ZIPNN_SIMD`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Sse2 => "sse2",
            Self::Sse4_2 => "sse4.2",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
            Self::Simd128 => "simd128",
        }
    }

    /// Returns the level of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The level that the compiler may use everywhere.
    const BASELINE: Self = if !cfg!(all(feature = "simd", target_endian = "little")) {
        Self::Scalar
    } else if cfg!(target_feature = "sse2") {
        Self::Sse2
    } else if cfg!(all(target_arch = "aarch64", target_feature = "neon")) {
        Self::Neon
    } else if cfg!(all(target_family = "wasm", target_feature = "simd128")) {
        Self::Simd128
    } else {
        Self::Scalar
    };
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why `ZIPNN_SIMD` is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg(feature = "dispatch")]
pub enum LevelError {
    /// No level has this name.
    Unknown,
    /// The processor lacks the level.
    Absent(Level),
}

#[cfg(feature = "dispatch")]
impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("vector instructions of an unknown name; use one of")?,
            Self::Absent(level) => write!(f, "this processor lacks {level}; use one of")?,
        }
        Level::ALL.into_iter().filter(|level| is_present(*level)).try_for_each(|level| {
            f.write_str(" ")?;
            level.fmt(f)
        })
    }
}

#[cfg(feature = "dispatch")]
impl core::error::Error for LevelError {}

/// Returns the level that the library uses.
pub fn level() -> Level {
    #[cfg(feature = "dispatch")]
    return from_environment().unwrap_or_else(|_| detect());
    #[cfg(not(feature = "dispatch"))]
    Level::BASELINE
}

/// Returns the level that `ZIPNN_SIMD` names, or the processor's best if the variable is not set.
///
/// # Errors
///
/// Returns an error if the variable names no level, or one that the processor lacks.
#[cfg(feature = "dispatch")]
pub fn from_environment() -> Result<Level, LevelError> {
    static LEVEL: LazyLock<Result<Level, LevelError>> = LazyLock::new(|| {
        std::env::var_os("ZIPNN_SIMD").map_or_else(|| Ok(detect()), |name| forced(name.to_str()))
    });
    *LEVEL
}

/// Returns the level of this name if it can be used.
#[cfg(feature = "dispatch")]
fn forced(name: Option<&str>) -> Result<Level, LevelError> {
    let level = name.and_then(Level::from_name).ok_or(LevelError::Unknown)?;
    if is_present(level) { Ok(level) } else { Err(LevelError::Absent(level)) }
}

/// Returns the best level of the processor.
#[cfg(feature = "dispatch")]
fn detect() -> Level {
    #[cfg(target_arch = "x86_64")]
    for level in [Level::Avx512, Level::Avx2, Level::Sse4_2] {
        if is_present(level) {
            return level;
        }
    }
    Level::BASELINE
}

#[cfg(feature = "dispatch")]
fn is_present(level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    let detected = fearless_simd::Level::new();
    match level {
        Level::Scalar => true,
        #[cfg(target_arch = "x86_64")]
        Level::Sse4_2 => detected.as_sse4_2().is_some(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => detected.as_avx2().is_some(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => detected.as_avx512().is_some(),
        level => level == Level::BASELINE,
    }
}

/// The kernels to use, with proofs that the processor can run them.
#[derive(Clone, Copy)]
pub(crate) enum Kernels {
    /// The reference.
    Scalar,
    /// Kernels on the types of `wide`, for the compiler's baseline.
    #[cfg(all(feature = "simd", target_endian = "little"))]
    Portable,
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    Sse4_2(Sse4_2),
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    Avx2(Avx2),
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    Avx512(Avx512, Avx2),
}

impl Kernels {
    /// Returns the kernels of [`level()`].
    pub(crate) fn new() -> Self {
        Self::of(level()).unwrap_or(Self::Scalar)
    }

    /// Returns the kernels that a level runs, or none if the processor lacks the level.
    pub(crate) fn of(level: Level) -> Option<Self> {
        #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
        let detected = fearless_simd::Level::new();
        match level {
            Level::Scalar => Some(Self::Scalar),
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Level::Sse4_2 => detected.as_sse4_2().map(Self::Sse4_2),
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Level::Avx2 => detected.as_avx2().map(Self::Avx2),
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Level::Avx512 => Some(Self::Avx512(detected.as_avx512()?, detected.as_avx2()?)),
            #[cfg(all(feature = "simd", target_endian = "little"))]
            level => (level == Level::BASELINE).then_some(Self::Portable),
            #[cfg(not(all(feature = "simd", target_endian = "little")))]
            _ => None,
        }
    }

    /// Calls a function that the compiler may vectorise with the instructions of the kernels.
    ///
    /// The function, and all that it calls, must be inlined. It must not look up tables: the
    /// compiler would vectorise that too, which is slower. Compilers use 32 bytes of a vector at
    /// most, because longer ones make loops of scalar instructions slower.
    #[inline(always)]
    pub(crate) fn vectorize<R>(self, function: impl FnOnce() -> R) -> R {
        match self {
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Self::Sse4_2(token) => token.vectorize(function),
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Self::Avx2(token) | Self::Avx512(_, token) => token.vectorize(function),
            _ => function(),
        }
    }

    /// Calls a function as [`Self::vectorize`] does, also with the instructions of AVX-512, for
    /// loops that consist of vector instructions only.
    #[inline(always)]
    pub(crate) fn vectorize_all<R>(self, function: impl FnOnce() -> R) -> R {
        match self {
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Self::Avx512(token, _) => token.vectorize(function),
            kernels => kernels.vectorize(function),
        }
    }

    /// Returns the kernels of all levels that this processor has.
    #[cfg(test)]
    pub(crate) fn all() -> impl Iterator<Item = (Level, Self)> {
        Level::ALL.into_iter().filter_map(|level| Some((level, Self::of(level)?)))
    }
}

#[cfg(all(test, feature = "dispatch"))]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for level in Level::ALL {
            assert_eq!(Level::from_name(level.name()), Some(level));
        }
    }

    #[test]
    fn the_environment_names_a_level_of_this_processor() {
        assert_eq!(from_environment(), Ok(level()));
    }

    #[test]
    fn only_levels_of_the_processor_can_be_forced() {
        assert_eq!(forced(Some("scalar")), Ok(Level::Scalar));
        assert_eq!(forced(Some("mmx")), Err(LevelError::Unknown));
        assert_eq!(forced(None), Err(LevelError::Unknown));
        let foreign = if cfg!(target_arch = "x86_64") { Level::Neon } else { Level::Avx512 };
        assert_eq!(forced(Some(foreign.name())), Err(LevelError::Absent(foreign)));
        for level in Level::ALL {
            assert_eq!(forced(Some(level.name())).is_ok(), is_present(level), "{level}");
        }
    }
}
