//! Splits ranges of data into windows.

use core::ops::Range;

use crate::layout_search::candidate::WORD;

/// Number of bytes that one sample represents: the default length of a chunk.
pub(super) const WINDOW: usize = 256 * 1024;

/// Splits a range into windows of about `len` bytes.
///
/// The windows cover the range without gaps, and start at multiples of a word from its start. Their
/// lengths are equal, except that the last window may be shorter.
pub(super) fn windows(
    range: Range<usize>,
    len: usize,
) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = (range.len() / len).max(1);
    let len = range.len().div_ceil(count).next_multiple_of(WORD);
    (0..count).map(move |number| {
        let start = |number: usize| (range.start + number * len).min(range.end);
        start(number)..start(number + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_range_in_whole_words() {
        for start in [0, 4, 1000] {
            for len in (0..3000).chain([WINDOW - 1, WINDOW, 2 * WINDOW + 3]) {
                let range = start..start + len;
                let mut end = range.start;
                for window in windows(range.clone(), 100) {
                    assert_eq!(window.start, end);
                    assert!(window.is_empty() || (window.start - start).is_multiple_of(WORD));
                    assert!(window.len() < 200 + WORD);
                    end = window.end;
                }
                assert_eq!(end, range.end);
            }
        }
    }
}
