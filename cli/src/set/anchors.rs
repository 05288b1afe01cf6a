//! Chooses which files of a set are stored whole, so that the set is small.

/// Whether a file can be stored whole or as a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Either.
    Free,
    /// Only whole.
    Whole,
    /// Only as a difference, which exists already.
    Difference,
}

/// The estimated lengths of a file.
#[derive(Debug, Clone)]
pub struct Costs {
    pub state: State,
    /// The length of the whole file, or 0 if it is stored already.
    pub whole: u64,
    /// The length as a difference to another file, by the number of that file.
    pub differences: Vec<(usize, u64)>,
}

/// Returns for each file whether other files should be differences to it.
///
/// Begins with all files whole. Then, as long as the set becomes shorter, a file becomes a
/// difference or whole, or two files change places. Earlier files stay whole where both choices are
/// equally good.
pub fn choose(files: &[Costs]) -> Vec<bool> {
    let mut search = Search::new(files);
    while search.improve(false) || search.improve(true) {}
    search.used()
}

struct Search<'f> {
    files: &'f [Costs],
    is_whole: Vec<bool>,
    /// The files that can be differences to each file.
    dependents: Vec<Vec<usize>>,
}

impl<'f> Search<'f> {
    fn new(files: &'f [Costs]) -> Self {
        let is_whole = files.iter().map(|file| file.state != State::Difference).collect();
        let mut dependents = vec![Vec::new(); files.len()];
        for (number, file) in files.iter().enumerate() {
            file.differences.iter().for_each(|&(base, _)| dependents[base].push(number));
        }
        Self { files, is_whole, dependents }
    }

    /// Returns the length of a file, whole or as the shortest difference to a whole file.
    fn len(&self, number: usize) -> i64 {
        /// Longer than any file.
        const IMPOSSIBLE: i64 = 1 << 50;
        let file = &self.files[number];
        let len = match (self.is_whole[number], file.state) {
            (true, _) => Some(file.whole),
            // It exists, whatever is chosen for others.
            (false, State::Difference) => Some(0),
            (false, _) => self.base(number).map(|(_, len)| len),
        };
        len.and_then(|len| i64::try_from(len).ok()).unwrap_or(IMPOSSIBLE).min(IMPOSSIBLE)
    }

    /// Returns the whole file to which a difference is shortest, and the length of the difference.
    fn base(&self, number: usize) -> Option<(usize, u64)> {
        let differences = self.files[number].differences.iter().copied();
        differences.filter(|&(base, _)| self.is_whole[base]).min_by_key(|&(base, len)| (len, base))
    }

    /// Makes the change that saves most, of one file or of a pair. Returns whether there was one.
    fn improve(&mut self, pairs: bool) -> bool {
        let is_free = |number: usize| self.files[number].state == State::Free;
        let mut changes = Vec::new();
        for number in (0..self.files.len()).rev().filter(|&number| is_free(number)) {
            if !pairs {
                changes.push(vec![number]);
                continue;
            }
            let bases = self.files[number].differences.iter().map(|&(base, _)| base);
            let partners =
                bases.filter(|&base| is_free(base) && self.is_whole[base] != self.is_whole[number]);
            changes.extend(partners.map(|partner| vec![number, partner]));
        }
        let mut best = (0, None);
        for change in changes {
            let saved = self.saved(&change);
            if saved > best.0 {
                best = (saved, Some(change));
            }
        }
        if let Some(change) = &best.1 {
            self.flip(change);
        }
        best.1.is_some()
    }

    /// Returns how much shorter the set becomes if these files change from whole to differences, or
    /// the reverse.
    fn saved(&mut self, change: &[usize]) -> i64 {
        let dependents = change.iter().flat_map(|&number| &self.dependents[number]);
        let mut affected: Vec<usize> = change.iter().chain(dependents).copied().collect();
        affected.sort_unstable();
        affected.dedup();
        let len = |search: &Self| affected.iter().map(|&number| search.len(number)).sum::<i64>();
        let before = len(self);
        self.flip(change);
        let after = len(self);
        self.flip(change);
        before - after
    }

    fn flip(&mut self, change: &[usize]) {
        change.iter().for_each(|&number| self.is_whole[number] = !self.is_whole[number]);
    }

    /// Returns which whole files are the base of a difference, or must be whole.
    fn used(&self) -> Vec<bool> {
        let mut used: Vec<bool> =
            self.files.iter().map(|file| file.state == State::Whole).collect();
        for number in 0..self.files.len() {
            if !self.is_whole[number]
                && let Some((base, _)) = self.base(number)
            {
                used[base] = true;
            }
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns files of a length, of which the differences grow with the distance.
    fn series(count: usize, step: u64) -> Vec<Costs> {
        let file = |number: usize| Costs {
            state: State::Free,
            whole: 1000,
            differences: (0..count)
                .filter(|&other| other != number)
                .map(|other| (other, number.abs_diff(other) as u64 * step))
                .collect(),
        };
        (0..count).map(file).collect()
    }

    fn chosen(files: &[Costs]) -> Vec<usize> {
        let used = choose(files);
        (0..files.len()).filter(|&number| used[number]).collect()
    }

    #[test]
    fn the_middle_of_a_series_is_the_base() {
        assert_eq!(chosen(&series(5, 100)), [2]);
        assert_eq!(chosen(&series(7, 20)), [3]);
        // Distant files are better whole.
        assert_eq!(chosen(&series(10, 400)).len(), 3);
    }

    #[test]
    fn the_first_of_equal_files_is_the_base() {
        assert_eq!(chosen(&series(4, 0)), [0]);
    }

    #[test]
    fn nothing_is_the_base_of_unrelated_files() {
        assert!(chosen(&series(3, 5000)).is_empty());
        assert!(chosen(&[]).is_empty());
    }

    #[test]
    fn stored_files_are_bases() {
        let mut files = series(5, 100);
        files[4] = Costs { state: State::Whole, whole: 0, ..files[4].clone() };
        assert_eq!(chosen(&files), [4]);
        files[2].state = State::Difference;
        assert_eq!(chosen(&files), [4]);
        files[0].state = State::Whole;
        assert_eq!(chosen(&files), [0, 4]);
    }
}
