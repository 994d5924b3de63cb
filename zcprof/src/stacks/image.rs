//! What tells one run of a program from others, although process numbers are given again.

use std::fs;

/// Two addresses of a run ([`zcprof_common::layout::Sample::image`]): the kernel chooses both at random
/// when the program is run, and a fork keeps them.
pub(super) type Image = [u64; 2];

/// The fields 26 and 28 of `/proc/PID/stat` (do_task_stat(), fs/proc/array.c, 5.15 to 7.3); none if the
/// process is gone.
pub(super) fn image_of(process: u32) -> Option<Image> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in brackets, which may have anything in it.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(23);
    let mut next = |skipped: usize| fields.nth(skipped)?.parse().ok();
    Some([next(0)?, next(1)?])
}
