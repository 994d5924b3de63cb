//! What copies files: the bytes that are written into them are claimed of. The path is whole: by its bare
//! name the chroot of busybox would run its own cp, which copies by sendfile(2).

use super::{BASE, ProgramCase, Sends};

const FILES: ProgramCase = ProgramCase {
    process: "cp",
    load: "",
    direction: "file",
    sends: Sends::Once,
    truth: None,
    ..BASE
};

pub(super) const ROWS: &[ProgramCase] = &[
    // copy_file_range(2): ext4 has no clones, so that the kernel splices (do_splice_direct()).
    ProgramCase {
        name: "cp on ext4",
        command: &["/usr/bin/cp", "/www/body", "/www/copy"],
        claims: &[("copied<=1.001", "holds"), ("copied<=0.99", "refuted")],
        copies: Some(1.0),
        ..FILES
    },
    // Between two file systems that call fails with EXDEV (vfs_copy_file_range(), fs/read_write.c, since
    // 5.19), and cp reads and writes.
    ProgramCase {
        name: "cp from ext4 to tmpfs",
        command: &["/usr/bin/cp", "/www/body", "/dev/copy"],
        claims: &[("copied<=2.001", "holds"), ("copied<=0.99", "refuted")],
        copies: Some(2.0),
        ..FILES
    },
];
