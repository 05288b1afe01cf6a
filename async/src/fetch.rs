//! Fetches the bytes of several parts of frames.

use std::io;
use std::iter::Peekable;
use std::ops::Range;

use bytes::Bytes;
use futures_util::future::try_join_all;
use zipnn::ArchiveError;
use zipnn::seek::FramePart;

use crate::limiter::Limiter;
use crate::source::AsyncReadAt;

/// Maximum distance between ranges that one request fetches.
const GAP: u64 = 64 << 10;
/// Maximum length in bytes of a request that joins the ranges of several parts.
const MAX_REQUEST: u64 = 8 << 20;
/// Maximum number of decoded bytes of parts that are fetched together.
const MAX_DECODED: u64 = 32 << 20;

/// Groups parts whose first ranges are close to each other.
pub(crate) struct Groups<I: Iterator<Item = FramePart<Bytes>>>(Peekable<I>);

impl<I: Iterator<Item = FramePart<Bytes>>> Groups<I> {
    pub(crate) fn new(parts: I) -> Self {
        Self(parts.peekable())
    }
}

impl<I: Iterator<Item = FramePart<Bytes>>> Iterator for Groups<I> {
    type Item = Vec<FramePart<Bytes>>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.0.next()?;
        let mut request = first.wanted().unwrap_or_default();
        let mut decoded_len = first.decoded_len();
        let mut group = vec![first];
        while let Some(part) = self.0.next_if(|part| {
            let decoded_len = decoded_len + part.decoded_len();
            let wanted = part.wanted().unwrap_or_default();
            decoded_len <= MAX_DECODED && is_near(&request, &wanted)
        }) {
            request.end = request.end.max(part.wanted().unwrap_or_default().end);
            decoded_len += part.decoded_len();
            group.push(part);
        }
        Some(group)
    }
}

/// Fetches all ranges that parts need for decoding.
pub(crate) async fn fetch<S: AsyncReadAt>(
    source: &S,
    limiter: &Limiter,
    mut parts: Vec<FramePart<Bytes>>,
) -> Result<Vec<FramePart<Bytes>>, ArchiveError> {
    loop {
        let wanted = parts.iter().flat_map(FramePart::all_wanted).collect();
        let requests = merge(wanted);
        if requests.is_empty() {
            return Ok(parts);
        }
        let fetches = requests.into_iter().map(|range| fetch_range(source, limiter, range));
        let fetched = try_join_all(fetches).await?;
        for part in &mut parts {
            // Feeding a part can add ranges, which the next round fetches.
            for wanted in part.all_wanted().collect::<Vec<_>>() {
                part.feed(slice_of(&fetched, &wanted)?)?;
            }
        }
    }
}

/// Bytes of the source with their position.
struct Fetched {
    start: u64,
    bytes: Bytes,
}

async fn fetch_range<S: AsyncReadAt>(
    source: &S,
    limiter: &Limiter,
    range: Range<u64>,
) -> Result<Fetched, ArchiveError> {
    let start = range.start;
    let bytes = limiter.run(read_exact_at(source, range)).await?;
    Ok(Fetched { start, bytes })
}

/// Reads a range, and checks that the source has returned exactly this range.
pub(crate) async fn read_exact_at<S: AsyncReadAt>(
    source: &S,
    range: Range<u64>,
) -> Result<Bytes, ArchiveError> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let needed = range.end - range.start;
    let bytes = source.read_at(range).await?;
    match bytes.len() as u64 {
        have if have == needed => Ok(bytes),
        have => Err(wrong_length(needed, have)),
    }
}

/// Reads the last bytes of a source, and checks that the source has not returned too few.
pub(crate) async fn read_suffix<S: AsyncReadAt>(
    source: &S,
    len: u64,
) -> Result<(Bytes, u64), ArchiveError> {
    let (suffix, size) = source.read_suffix(len).await?;
    let (needed, have) = (len.min(size), suffix.len() as u64);
    if have < needed {
        return Err(wrong_length(needed, have));
    }
    Ok((suffix, size))
}

fn wrong_length(needed: u64, have: u64) -> ArchiveError {
    let message = format!("the source returned {have} bytes instead of {needed}");
    io::Error::new(io::ErrorKind::UnexpectedEof, message).into()
}

/// Returns a range from the fetched bytes.
fn slice_of(fetched: &[Fetched], range: &Range<u64>) -> io::Result<Bytes> {
    let slice = fetched.iter().find_map(|Fetched { start, bytes }| {
        let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(*start)?).ok()?;
        (to <= bytes.len()).then(|| bytes.slice(from..to))
    });
    slice.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Joins ranges that are near to each other.
fn merge(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if is_near(last, &range) => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Returns whether a range is fetched together with one that does not begin after it.
fn is_near(request: &Range<u64>, next: &Range<u64>) -> bool {
    let is_inside = next.end <= request.end;
    let is_behind = request.start <= next.start && next.start <= request.end.saturating_add(GAP);
    is_behind && (is_inside || next.end - request.start <= MAX_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ranges_are_one_request() {
        let check = |ranges: &[Range<u64>], expected: &[Range<u64>]| {
            assert_eq!(merge(ranges.to_vec()), expected);
        };
        check(&[10..20, 0..5, 0..5, 20..30, 1 << 20..2 << 20], &[0..30, 1 << 20..2 << 20]);
        check(&[0..5, GAP + 5..GAP + 6, 2 << 20..3 << 20], &[0..GAP + 6, 2 << 20..3 << 20]);
        check(&[0..5, GAP + 6..GAP + 7], &[0..5, GAP + 6..GAP + 7]);
        let half = MAX_REQUEST / 2 + 1;
        check(&[0..half, half..2 * half], &[0..half, half..2 * half]);
        let long = 2 * MAX_REQUEST;
        check(&[0..long, 5..6, 2 * long..3 * long], &[0..long, 2 * long..3 * long]);
        check(&[], &[]);
    }
}
