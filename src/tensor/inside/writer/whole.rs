//! Writes tensors that are in memory.

use std::io::{Seek, Write};

use crate::checksum::checksum;
use crate::frame::write::geometry::Geometry;
use crate::options::Options;
use crate::tensor::info::TensorInfo;
use crate::tensor::inside::coder::{Coder, reserve};
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::result_header::Written;
use crate::tensor::inside::writer::TensorWriter;
use crate::tensor::inside::writer::check::{envelope, options_for};

impl<W: Write + Seek> TensorWriter<W> {
    pub(super) fn write_with(
        &mut self,
        data: &[u8],
        options: Option<&Options>,
        coder: &impl Coder,
    ) -> Result<(), TensorError> {
        self.reserve_header()?;
        let tensor = self.header.metadata.tensors().get(self.written.len());
        let (expected, found) = (tensor.map(TensorInfo::len), Some(data.len() as u64));
        let Some(tensor) = tensor.filter(|_| found == expected) else {
            return Err(TensorError::WrongTensor { expected, found });
        };
        let has_checksums = self.header.has_checksums;
        let costs = self.header.costs(tensor);
        let mut stored = data;
        let mut compressed = None;
        if let Some(options) = options_for(tensor, options, has_checksums)? {
            let envelope = envelope(tensor);
            let bound = Geometry::new(data.len(), options, &envelope).bound();
            let frame = &mut self.frame;
            let len = reserve(frame, bound)
                .and_then(|()| coder.compress(data, frame, options, &envelope, &mut self.scratch))
                .map_err(|error| TensorError::Encode { name: tensor.name.clone(), error })?;
            if costs.is_worth(data.len() as u64, len as u64) {
                stored = &frame[..len];
                compressed = options.dtype();
            }
        }
        self.dst.write_all(stored)?;
        let checksum = (has_checksums && compressed.is_none()).then(|| checksum(data));
        self.written.push(Written { len: stored.len() as u64, compressed, checksum });
        Ok(())
    }
}
