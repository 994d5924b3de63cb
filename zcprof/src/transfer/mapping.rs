//! A mapping of the segment that is being sent, for the transfers that hand user memory to the
//! kernel.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use memmap2::Mmap;

use crate::fetch::log::Segment;

/// Holds the mapping of the segment that was sent last, until another one is sent or the
/// connection closes.
#[derive(Default)]
pub(super) struct SegmentMapping {
    mapped: Option<(PathBuf, Arc<Mmap>)>,
}

impl SegmentMapping {
    /// The bytes of `range`.
    ///
    /// # Errors
    /// `UnexpectedEof` if the segment is shorter, and what keeps it from being mapped.
    pub(super) fn bytes(&mut self, segment: &Segment, range: &Range<u64>) -> io::Result<&[u8]> {
        if self.mapped.as_ref().is_none_or(|(path, _)| *path != segment.path) {
            self.mapped = Some((segment.path.clone(), segment.shared_map()?));
        }
        let bytes = self.mapped.as_ref().and_then(|(_, map)| {
            map.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
        });
        bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
