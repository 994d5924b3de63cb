//! `sendfile(2)` from the segment to a file: through a pipe of the kernel's own and into the
//! file's page cache, which is one copy.

use std::fs::File;
use std::io;

use nix::sys::sendfile::sendfile;

use zcprof_common::names::transfer;

use super::replica::Replica;
use super::{TransferSpec, sendfile};
use crate::claim::REPLICA;
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::SENDFILE_TO_FILE,
    summary: "sendfile(2) from the segment to a replica, and from there to the socket",
    claim: &REPLICA,
    make: || Ok(Box::new(Replica::new(copy))),
    arguments: sendfile::ROW.arguments,
    ..TransferSpec::PLAIN
};

fn copy(segment: &Segment, from: &mut i64, to: &File, length: usize) -> io::Result<usize> {
    Ok(sendfile(to, &segment.file, Some(from), length)?)
}
