//! Ways to break the promise of zero copies while the system calls look the same. Each has a twin
//! among the honest transfers. To add one is to add a file and a line.

mod sendfile_direct;
mod vmsplice_cow;
mod vmsplice_private;
mod vmsplice_reused;
mod wrapped_sendfile;
mod write_splice;

use super::TransferSpec;

pub(super) const ROWS: &[TransferSpec] = &[
    sendfile_direct::ROW,
    write_splice::ROW,
    vmsplice_reused::ROW,
    vmsplice_cow::ROW,
    vmsplice_private::ROW,
    wrapped_sendfile::ROW,
];
