//! io_uring's SEND_ZC from a mapping of the segment: MSG_ZEROCOPY without its error queue. A
//! notice comes on the ring when the pages are free again, and says whether they were copied.
#![expect(unsafe_code, reason = "the kernel is told addresses that it uses until it answers")]

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use io_uring::{opcode, types::Fd};

use zcprof_common::names::transfer;

use super::mapping::SegmentMapping;
use super::ring::{self, Ring};
use super::{Notices, Transfer, TransferSpec, settled};
use crate::claim::DEFERRED;
use crate::fetch::log::Segment;

/// include/uapi/linux/io_uring.h, since 6.2. Before, EINVAL.
const IORING_SEND_ZC_REPORT_USAGE: u16 = 1 << 3;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::URING_SEND_ZC,
    summary: "io_uring's SEND_ZC from a mapping of the segment",
    claim: &DEFERRED,
    make: || {
        let (ring, mapping) = (Ring::new()?, SegmentMapping::default());
        Ok(Box::new(UringSendZc { ring, mapping, flags: IORING_SEND_ZC_REPORT_USAGE }))
    },
    needs: || ring::has("SEND_ZC (Linux 6.0)", opcode::SendZc::CODE),
    ..TransferSpec::PLAIN
};

struct UringSendZc {
    ring: Ring,
    mapping: SegmentMapping,
    flags: u16,
}

impl Transfer for UringSendZc {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let bytes = self.mapping.bytes(segment, &range)?;
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let operation = opcode::SendZc::new(Fd(socket.as_raw_fd()), bytes.as_ptr(), length)
            .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        // SAFETY: pinned pages of a read-only mapping outlive it; it is not written to.
        let sent = unsafe { self.ring.run(&operation.zc_flags(self.flags).build()) };
        if matches!(&sent, Err(error) if error.raw_os_error() == Some(libc::EINVAL))
            && self.flags != 0
        {
            self.flags = 0;
            self.ring.notices.untold = true;
            return self.send(segment, range, socket);
        }
        sent
    }

    fn settle(&mut self, _: BorrowedFd<'_>) -> io::Result<()> {
        self.ring.reap();
        settled(&self.ring.notices)
    }

    fn notices(&self) -> Notices {
        self.ring.notices
    }
}
