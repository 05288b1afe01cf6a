//! Decides which neighbouring contexts share a table.

use crate::format::difference::{CONTEXTS, SYMBOLS};
use crate::model::difference::context::MEANINGS;
use crate::model::groups;

/// The counts of the symbols of each context.
pub(crate) type Counts = [[u32; SYMBOLS]; CONTEXTS];

/// Estimated length of the description of a symbol in a table, in bits.
const SYMBOL_BITS: f32 = 7.0;

/// Returns for each context whether a new table begins with it, so that symbols and tables
/// together are short. There are at most `most` tables.
///
/// The counts of contexts that share a table are added to the counts of the first of them.
pub(crate) fn merge(counts: &mut Counts, most: usize) -> [bool; CONTEXTS] {
    let mut firsts = [0; CONTEXTS];
    let mut count = 0;
    for contexts in MEANINGS {
        let start = count;
        for context in contexts.clone() {
            if counts[context].iter().any(|&count| count > 0) {
                firsts[count] = context;
                count += 1;
            }
        }
        // Contexts without symbols belong to the group before them, or to the first one.
        if start < count && firsts[start] != contexts.start {
            counts[contexts.start] = core::mem::replace(&mut counts[firsts[start]], [0; _]);
            firsts[start] = contexts.start;
        }
    }
    groups::join(counts, &firsts[..count], most, SYMBOL_BITS, |context| {
        MEANINGS.iter().all(|contexts| contexts.start != context)
    })
}
