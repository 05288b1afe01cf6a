//! Stores a map in the first frame of a file.

use alloc::vec::Vec;

use crate::base::map::BaseMap;
use crate::base::{BaseId, Delta};
use crate::checksum::checksum;
use crate::dtype::DType;
use crate::format::{DEFAULT_CHUNK_LOG2, FRAME_CHECKSUM_LEN, HEADER_LEN, RECORD_HEADER_LEN, kind};
use crate::frame::annex::Annex;
use crate::frame::header::Header;
use crate::frame::write::annex::Records;

/// Length of the body of the record that identifies a base.
const BASE_LEN: usize = 2 * size_of::<u64>();

impl BaseMap {
    /// Returns the frame that begins the file of a difference to the mapped base.
    ///
    /// It contains no data, only the map, and `id`, the identity of the mapped base. The file must
    /// end with an index.
    ///
    /// ```
    /// use zipnn::Limits;
    /// use zipnn::delta::{BaseId, BaseMap};
    /// use zipnn::frame::Frame;
    ///
    /// let map = BaseMap::new(100, vec![]);
    /// let bytes = map.to_frame(BaseId::of(&[0; 100]));
    /// assert_eq!(Frame::parse(&bytes)?.annex().base_map()?, Some(map));
    /// # Ok::<(), zipnn::DecodeError>(())
    /// ```
    pub fn to_frame(&self, id: BaseId) -> Vec<u8> {
        let map = self.to_bytes();
        let bodies = [BASE_LEN, map.len(), 0, FRAME_CHECKSUM_LEN];
        let annex_len = bodies.iter().map(|len| RECORD_HEADER_LEN + len).sum::<usize>();
        let mut frame = alloc::vec![0; HEADER_LEN + Annex::MAGIC.len() + annex_len];
        let header = Header {
            delta: Delta::File,
            streaming: true,
            frame_len: frame.len() as u64,
            ..Header::new(DType::F16, DEFAULT_CHUNK_LOG2, 0)
        };
        let (prefix, annex) = frame.split_at_mut(HEADER_LEN);
        prefix.copy_from_slice(&header.to_bytes(0));
        let mut records = Records::new(annex);
        records.begin(kind::BASE, BASE_LEN);
        records.number(id.len);
        records.number(id.checksum);
        records.begin(kind::BASE_MAP, map.len());
        records.bytes(&map);
        records.begin(kind::SEALED, 0);
        records.frame_checksum(0, prefix, checksum(&[]));
        frame
    }
}
