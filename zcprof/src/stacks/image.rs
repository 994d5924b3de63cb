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

#[cfg(test)]
pub(super) mod tests {
    use std::process::{Child, Command};

    use super::*;

    /// A process that sleeps, and what tells it from others.
    pub(in super::super) fn sleeping() -> (Child, Image) {
        let child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
        // It is another run until it sleeps.
        let stat = || fs::read_to_string(format!("/proc/{}/stat", child.id()));
        while !stat().expect("it lives").contains("(sleep) S") {
            std::thread::yield_now();
        }
        let image = image_of(child.id()).expect("it lives");
        (child, image)
    }
}
