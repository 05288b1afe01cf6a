//! Plans for decoding on a GPU, which JavaScript runs.

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::DecodeError;
use zipnn::frame::DecodeScratch;
use zipnn::gpu::{Binding, Checks, ChunkInput, Plan, Shader};

use crate::failure::Failure;

/// Returns the sources of all shaders, in the order of the numbers in [`Batch::passes`].
#[wasm_bindgen(js_name = shaderSources)]
pub fn shader_sources() -> Vec<String> {
    Shader::ALL.iter().map(|shader| shader.source().into()).collect()
}

/// A batch: bytes to upload, passes, and the checks of their report.
#[wasm_bindgen]
pub struct Batch {
    upload: Vec<u8>,
    passes: Vec<f64>,
    checks: Checks,
    lens: [f64; 3],
}

impl Batch {
    /// Plans batches of chunks.
    pub(crate) fn plan<'a>(
        chunks: impl Iterator<Item = Result<ChunkInput<'a>, DecodeError>>,
        offset: u64,
    ) -> Result<Vec<Self>, Failure> {
        let (mut batches, mut scratch) = (Vec::new(), DecodeScratch::new());
        let mut plan = Plan::new(offset);
        for chunk in chunks {
            let chunk = chunk?;
            if !plan.has_room_for(&chunk) {
                let next = Plan::new(plan.output_range().end);
                batches.push(Self::new(std::mem::replace(&mut plan, next)));
            }
            plan.push(chunk, &mut scratch)?;
        }
        if !plan.is_empty() {
            batches.push(Self::new(plan));
        }
        Ok(batches)
    }

    fn new(plan: Plan<'_>) -> Self {
        let mut upload = vec![0; plan.upload_len().next_multiple_of(4) as usize];
        plan.upload(|at, bytes| upload[at as usize..][..bytes.len()].copy_from_slice(bytes));
        let mut passes = Vec::new();
        let window = plan.output_window();
        for pass in plan.passes() {
            let shader = Shader::ALL.iter().position(|&shader| shader == pass.shader);
            let bindings = pass.bindings.iter().flatten();
            let [x, y] = pass.workgroups;
            let count = bindings.clone().count();
            passes.extend([shader.unwrap_or_default() as f64, x.into(), y.into(), count as f64]);
            for binding in bindings {
                let (buffer, range) = match binding {
                    Binding::Upload(range) => (0, range.clone()),
                    Binding::Scratch => (1, 0..0),
                    Binding::Spare => (2, 0..0),
                    Binding::Output => (3, window.clone()),
                    _ => (4, 0..0),
                };
                let len = range.end - range.start;
                passes.extend([f64::from(buffer), range.start as f64, len as f64]);
            }
        }
        let lens = [plan.scratch_len(), plan.spare_len(), plan.decoded_len()];
        let lens = lens.map(|len| len as f64);
        Self { upload, passes, checks: plan.into_checks(), lens }
    }
}

#[wasm_bindgen]
impl Batch {
    /// Returns the address and the length of the bytes to upload.
    pub fn upload(&self) -> Box<[f64]> {
        Box::new([self.upload.as_ptr() as usize as f64, self.upload.len() as f64])
    }

    /// Returns the lengths of the scratch memory, of the spare memory, of the decoded data and of the
    /// report.
    pub fn lengths(&self) -> Box<[f64]> {
        let [scratch, spare, decoded] = self.lens;
        Box::new([scratch, spare, decoded, self.checks.report_len() as f64])
    }

    /// Returns the passes, one after another: the number of the shader, the workgroups in x and y, the
    /// number of bindings, and for each of them the number of the buffer, an offset and a length. The
    /// buffers are upload, scratch, spare, output and report. The length is 0 for a whole buffer.
    pub fn passes(&self) -> Box<[f64]> {
        self.passes.clone().into()
    }

    /// Checks the report of the batch.
    pub fn verify(&self, report: &[u8]) -> Result<(), Failure> {
        Ok(self.checks.verify(report)?)
    }
}
