//! Plans never lead a shader out of its buffers.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::delta;
use crate::dtype::DType;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::frames::Frames;
use crate::frame::{DecodeScratch, Frame};
use crate::gpu::{Binding, ChunkInput, Pass, Plan, Shader};
use crate::options::Options;

/// A batch with its uploaded bytes as words.
struct Batch<'p, 'a> {
    plan: &'p Plan<'a>,
    words: Vec<u32>,
}

impl<'p, 'a> Batch<'p, 'a> {
    fn new(plan: &'p Plan<'a>) -> Self {
        let mut words = vec![0; plan.upload_len().div_ceil(4) as usize];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        plan.upload(|at, piece| bytes[at as usize..][..piece.len()].copy_from_slice(piece));
        words.iter_mut().for_each(|word| *word = u32::from_le(*word));
        Self { plan, words }
    }

    /// Returns the words of the upload that a pass binds.
    fn bound(&self, pass: &Pass, number: usize) -> &[u32] {
        let Some(Binding::Upload(range)) = &pass.bindings[number] else {
            panic!("{pass:?} does not bind the upload as {number}");
        };
        assert!(range.start.is_multiple_of(256) && range.end.is_multiple_of(4), "{range:?}");
        &self.words[range.start as usize / 4..range.end as usize / 4]
    }

    /// Returns the number of bytes of a buffer that is not uploaded.
    fn len(&self, binding: &Option<Binding>) -> u64 {
        let range_len = |range: Range<u64>| range.end - range.start;
        match binding {
            Some(Binding::Scratch) => self.plan.scratch_len(),
            Some(Binding::Spare) => self.plan.spare_len(),
            Some(Binding::Output) => range_len(self.plan.output_window()),
            Some(Binding::Base) => range_len(self.plan.base_window().unwrap()),
            Some(Binding::Report) => self.plan.checks().report_len(),
            Some(Binding::Upload(range)) => range_len(range.clone()),
            None => 0,
        }
    }

    /// Checks every job of every pass.
    fn check(&self) {
        for pass in self.plan.passes() {
            assert!(pass.workgroups.iter().all(|count| (1..=65_535).contains(count)));
            match pass.shader {
                Shader::Decode | Shader::DecodePairs => self.check_decode(&pass),
                Shader::Merge => self.check_merge(&pass),
                Shader::ApplyBase => self.check_apply(&pass),
                Shader::Move => self.check_move(&pass),
                Shader::Checksum => self.check_checksum(&pass),
                Shader::Widen => panic!("no plan widens"),
            }
        }
    }

    fn check_decode(&self, pass: &Pass) {
        let (input, codes) = (self.bound(pass, 0), self.bound(pass, 2));
        let (jobs, []) = self.bound(pass, 1).as_chunks::<16>() else { panic!("whole jobs") };
        assert_eq!(jobs.len() as u32, pass.workgroups[0]);
        for job in jobs {
            for bounds in job[..8].chunks(2) {
                // Two words before a stream are read ahead.
                assert!(bounds[0] >= 128 && bounds[0] <= bounds[1], "{job:?}");
                assert!(bounds[1] < input.len() as u32 * 32, "{job:?}");
            }
            let [symbols, codes_at, code_count, longest, to, report, raw_at, _] = job[8..] else {
                panic!("eight fields");
            };
            let codes = &codes[codes_at as usize..][..code_count as usize];
            let mut cell = 0;
            for code in codes {
                let len = (code >> 8) & 0xff;
                assert_eq!(code >> 16, cell, "the codes fill the cells");
                assert!((1..=longest).contains(&len) && longest <= 12);
                cell += 1 << (longest - len);
            }
            assert_eq!(cell, 1 << longest);
            let quarter = symbols.div_ceil(4);
            let mut words = 4 * quarter.div_ceil(4);
            if pass.shader == Shader::DecodePairs {
                assert!(symbols.is_multiple_of(16));
                words = symbols / 2;
                // A word after the raw plane is read, too.
                assert!(raw_at + symbols + 4 <= input.len() as u32 * 4);
            }
            assert!(u64::from(to + words) * 4 <= self.len(&pass.bindings[3]));
            assert!(u64::from(report) * 4 < self.len(&pass.bindings[4]));
        }
    }

    fn check_merge(&self, pass: &Pass) {
        let input = self.bound(pass, 0);
        let (jobs, []) = self.bound(pass, 1).as_chunks::<20>() else { panic!("whole jobs") };
        assert_eq!(jobs.len() as u32, pass.workgroups[1]);
        for job in jobs {
            let [to, bytes, planes, _] = job[..4] else { panic!("four fields") };
            assert!([1, 2, 4].contains(&planes));
            assert!(u64::from(to + bytes.div_ceil(4)) * 4 <= self.len(&pass.bindings[3]));
            for (plane, source) in job[4..].chunks(4).take(planes as usize).enumerate() {
                let len = bytes / planes + u32::from((plane as u32) < bytes % planes);
                match *source {
                    [0, at, ..] => assert!(at + len <= input.len() as u32 * 4),
                    [1, byte, ..] => assert!(byte < 256),
                    [2, at, symbols, words] => {
                        assert!(symbols > 0 && words == symbols.div_ceil(4));
                        assert!(len <= 4 * symbols);
                        assert!(u64::from(at + 4 * words) * 4 <= self.plan.scratch_len());
                    }
                    _ => panic!("{source:?}"),
                }
            }
        }
    }

    fn check_apply(&self, pass: &Pass) {
        let (jobs, []) = self.bound(pass, 1).as_chunks::<3>() else { panic!("whole jobs") };
        for &[to, at, bytes] in jobs {
            assert!(u64::from(to + bytes.div_ceil(4)) * 4 <= self.len(&pass.bindings[2]));
            assert!(u64::from(at + bytes) <= self.len(&pass.bindings[0]));
        }
    }

    fn check_move(&self, pass: &Pass) {
        let (jobs, []) = self.bound(pass, 1).as_chunks::<3>() else { panic!("whole jobs") };
        let mut end = 0;
        for &[at, to, bytes] in jobs {
            assert!(bytes > 0 && to >= end, "the sections are in order");
            end = to + bytes;
            assert!(u64::from(at + bytes) <= self.plan.spare_len());
            assert!(u64::from(end) <= self.len(&pass.bindings[2]));
        }
    }

    fn check_checksum(&self, pass: &Pass) {
        let words = self.bound(pass, 1);
        let (jobs, []) = words[48..].as_chunks::<3>() else { panic!("whole jobs") };
        assert_eq!(jobs.len() as u32, pass.workgroups[0]);
        for &[at, bytes, report] in jobs {
            assert!(u64::from(at + bytes.div_ceil(4)) * 4 <= self.len(&pass.bindings[0]));
            let reported = if bytes <= 240 { bytes.div_ceil(4) } else { 2 };
            assert!(u64::from(report + reported) * 4 <= self.plan.checks().report_len());
        }
    }
}

/// Plans a frame at an offset, and checks the plan.
fn check(frame: &Frame<'_>, offset: u64, has_base: bool) -> Result<(), DecodeError> {
    let mut scratch = DecodeScratch::new();
    let mut plan = Plan::new(offset);
    if has_base {
        plan = plan.with_base(offset / 3);
    }
    for chunk in ChunkInput::of_frame(frame, 7) {
        assert!(plan.has_room_for(&chunk));
        plan.push(chunk, &mut scratch)?;
    }
    assert_eq!(plan.decoded_len(), frame.decoded_len());
    Batch::new(&plan).check();
    Ok(())
}

/// Returns data of which every method occurs in some planes.
fn data(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    let mut data: Vec<u8> =
        (0..len / 2).flat_map(|_| [random() as u8, (random() % 7) as u8]).collect();
    data[..len / 5].fill(3);
    data
}

#[test]
fn sound_frames() {
    for len in [0, 1, 2, 3, 5, 31, 300, 5000, 40_000] {
        for dtype in DType::ALL {
            for chunk_log2 in [2, 10, 18] {
                let options = Options::new(dtype).chunk_log2(chunk_log2).checksums(len % 2 == 0);
                let file = crate::compress(&data(len), &options).unwrap();
                for offset in [0, 3, 1000, 1 << 40] {
                    check(&Frame::parse(&file).unwrap(), offset, false).unwrap();
                }
            }
        }
    }
}

#[test]
fn damaged_frames() {
    let (data, base) = (data(20_000), data(20_001));
    let (mut refused, mut planned) = (0, 0);
    for dtype in [DType::BF16, DType::F32, DType::F8E4M3] {
        let options = Options::new(dtype).chunk_log2(12).checksums(false);
        let files = [
            crate::compress(&data, &options).unwrap(),
            delta::compress(&data, &base[..data.len()], &options).unwrap(),
        ];
        for (file, is_delta) in files.iter().zip([false, true]) {
            for at in (0..file.len()).step_by(3) {
                for flip in [1, 0x80, 0xff] {
                    let mut damaged = file.clone();
                    damaged[at] ^= flip;
                    let Some(Ok(frame)) = Frames::without_annexes(&damaged).next() else {
                        continue;
                    };
                    match check(&frame, 5, is_delta) {
                        Ok(()) => planned += 1,
                        Err(error) => {
                            assert_eq!(error.location().frame, Some(7));
                            assert!(error.location().chunk.is_some());
                            refused += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(refused > 200 && planned > 1000, "{refused} refused, {planned} planned");
}

#[test]
fn a_difference_needs_a_base() {
    let data = data(1000);
    let options = Options::new(DType::BF16);
    let file = delta::compress(&data, &vec![1; data.len()], &options).unwrap();
    let frame = Frame::parse(&file).unwrap();
    let error = check(&frame, 0, false).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::BaseRequired);
    check(&frame, 0, true).unwrap();
}

#[test]
fn long_chunks_are_refused() {
    let len = Plan::MAX_CHUNK_LEN as usize + 1;
    let options = Options::new(DType::BF16).chunk_log2(30);
    let file = crate::compress(&vec![1; len], &options).unwrap();
    let error = check(&Frame::parse(&file).unwrap(), 0, false).unwrap_err();
    let (requested, limit) = (len as u64, Plan::MAX_CHUNK_LEN);
    assert_eq!(error.kind(), DecodeErrorKind::LimitExceeded { requested, limit });
}

#[test]
fn a_report_names_what_fails() {
    let options = Options::new(DType::F8E4M3).chunk_log2(12).checksums(true);
    let file = crate::compress(&data(8000), &options).unwrap();
    let mut plan = Plan::new(0);
    for chunk in ChunkInput::of_frame(&Frame::parse(&file).unwrap(), 2) {
        plan.push(chunk, &mut DecodeScratch::new()).unwrap();
    }
    // A report that no shader has written.
    let report = vec![0; plan.checks().report_len() as usize];
    let error = plan.checks().verify(&report).unwrap_err();
    assert_eq!((error.location().frame, error.location().chunk), (Some(2), Some(0)));
    let error = plan.checks().verify(&report[1..]).unwrap_err();
    assert!(matches!(error.kind(), DecodeErrorKind::Truncated { .. }));
}
