//! Responses: what is encoded, and the gaps in it where record bytes leave by the transfer.
//!
//! The codec is given records that stand for a range of a segment: a slice of address space
//! that nothing ever reads. It hands the slice to its buffer in one `put_slice`, and the buffer
//! notes a gap instead of copying. That leans on how kafka-protocol 0.18 encodes `records`, so
//! its version is pinned, and a test compares with a plain encoding.
#![expect(unsafe_code, reason = "BufMut is an unsafe trait, and address space comes from mmap")]

use std::num::NonZero;
use std::ops::Range;
use std::sync::OnceLock;

use bytes::buf::UninitSlice;
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::protocol::buf::ByteBufMut;
use kafka_protocol::protocol::{Encodable, HeaderVersion};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

use super::{SIZE, WireError, malformed};

/// Address space for the records of one response: more than the size of a frame can say.
const ADDRESSES: NonZero<usize> = NonZero::new(1 << 31).expect("not zero");

/// A whole frame.
#[derive(Clone, Debug)]
pub struct ResponseFrame {
    /// Everything but record bytes.
    pub encoded: Bytes,
    /// Where record bytes go, by rising position.
    pub gaps: Vec<RecordGap>,
}

/// Where record bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordGap {
    /// Position in the encoded bytes before which they go.
    pub at: usize,
    /// Where they begin in the row of all records of this response, as given to [`records`].
    pub from: usize,
    /// How many they are.
    pub bytes: usize,
}

/// Stands for the record bytes at such a place in the row of all records of a response.
///
/// # Errors
/// Records of 2 GiB or more, or a kernel that gives no address space.
pub fn records(range: Range<usize>) -> Result<Bytes, WireError> {
    let space = address_space()?;
    let slice = space.get(range).ok_or(WireError::TooLong)?;
    Ok(Bytes::from_static(slice))
}

impl ResponseFrame {
    /// Encodes a response, size included.
    ///
    /// # Errors
    /// The codec's own, and a frame of 2 GiB or more.
    pub fn encode<T: Encodable + HeaderVersion>(
        correlation_id: i32,
        version: i16,
        response: &T,
    ) -> Result<Self, WireError> {
        let mut buffer = Buffer { bytes: BytesMut::zeroed(SIZE), gaps: Vec::new() };
        let header = ResponseHeader::default().with_correlation_id(correlation_id);
        header.encode(&mut buffer, T::header_version(version)).map_err(malformed)?;
        response.encode(&mut buffer, version).map_err(malformed)?;
        let Buffer { mut bytes, gaps } = buffer;
        let records: usize = gaps.iter().map(|gap| gap.bytes).sum();
        let size = i32::try_from(bytes.len() - SIZE + records).map_err(|_| WireError::TooLong)?;
        bytes[..SIZE].copy_from_slice(&size.to_be_bytes());
        Ok(Self { encoded: bytes.freeze(), gaps })
    }
}

/// Reserved once, and never touched.
static SPACE: OnceLock<&[u8]> = OnceLock::new();

fn address_space() -> Result<&'static [u8], WireError> {
    if let Some(space) = SPACE.get() {
        return Ok(space);
    }
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let space = unsafe { mmap_anonymous(None, ADDRESSES, ProtFlags::PROT_READ, flags) };
    let space = space.map_err(WireError::AddressSpace)?;
    // SAFETY: it is mapped for so long, readable (as zeros), and never written or unmapped.
    let space = unsafe { std::slice::from_raw_parts(space.as_ptr().cast::<u8>(), ADDRESSES.get()) };
    Ok(SPACE.get_or_init(|| space))
}

/// Takes what the codec encodes.
struct Buffer {
    bytes: BytesMut,
    gaps: Vec<RecordGap>,
}

// SAFETY: everything about memory is done by BytesMut.
unsafe impl BufMut for Buffer {
    fn remaining_mut(&self) -> usize {
        self.bytes.remaining_mut()
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.bytes.advance_mut(count) }
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        self.bytes.chunk_mut()
    }

    fn put_slice(&mut self, slice: &[u8]) {
        let start = slice.as_ptr().addr();
        let space = SPACE.get().map_or(0..0, |space| {
            let space = space.as_ptr_range();
            space.start.addr()..space.end.addr()
        });
        if space.contains(&start) && !slice.is_empty() {
            let gap =
                RecordGap { at: self.bytes.len(), from: start - space.start, bytes: slice.len() };
            self.gaps.push(gap);
        } else {
            self.bytes.put_slice(slice);
        }
    }
}

impl ByteBufMut for Buffer {
    fn offset(&self) -> usize {
        self.bytes.len()
    }

    fn seek(&mut self, offset: usize) {
        self.bytes.resize(offset, 0);
    }

    fn range(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes[range]
    }
}
