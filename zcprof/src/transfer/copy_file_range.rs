//! `copy_file_range(2)` from the segment to a file. A file system that can share extents copies
//! nothing (xfs, btrfs); on ext4 it is a splice and one copy.

use std::fs::File;
use std::io;

use nix::fcntl::copy_file_range;
use zcprof_common::names::transfer;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary;

use super::replica::Replica;
use super::{Argument, ArgumentSize, TransferSpec, sendfile};
use crate::claim::REPLICA;
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::COPY_FILE_RANGE,
    summary: "copy_file_range(2) from the segment to a replica, then sendfile(2) to the socket",
    claim: &REPLICA,
    make: || Ok(Box::new(Replica::new(copy))),
    arguments: &[
        Argument {
            syscall: Syscall::CopyFileRange,
            file: vocabulary::File::Regular,
            // fs/read_write.c, SYSCALL_DEFINE6(copy_file_range): copy_from_user() of off_in, and
            // copy_to_user() of it after. The same in 6.1, 6.12 and 7.3.
            size: ArgumentSize::PerCall(16),
            what: "file offsets in and out",
        },
        sendfile::OFFSETS,
    ],
    ..TransferSpec::PLAIN
};

fn copy(segment: &Segment, from: &mut i64, to: &File, length: usize) -> io::Result<usize> {
    Ok(copy_file_range(&segment.file, Some(from), to, None, length)?)
}
