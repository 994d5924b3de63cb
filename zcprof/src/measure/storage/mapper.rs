//! The targets of a mapped device: DM_TABLE_STATUS (include/uapi/linux/dm-ioctl.h).
#![expect(unsafe_code, reason = "the device mapper's ioctls have no safe wrapper")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use super::number;

/// Room for what the kernel says, in bytes.
const ROOM: usize = 16 << 10;

/// Bytes of `struct dm_ioctl`, which is before it.
const HEAD: usize = 312;

/// `DM_STATUS_TABLE_FLAG`: the table, and not how the targets fare. `DM_BUFFER_FULL_FLAG`.
const TABLE: u32 = 1 << 4;
const FULL: u32 = 1 << 8;

/// `struct dm_ioctl` with room for targets.
#[repr(C)]
struct DmIoctl {
    version: [u32; 3],
    size: u32,
    start: u32,
    targets: u32,
    opened: i32,
    flags: u32,
    event: u32,
    padding: u32,
    device: u64,
    name: [u8; 128],
    uuid: [u8; 129],
    rest: [u8; 7],
    data: [u8; ROOM],
}

nix::ioctl_readwrite_bad!(
    /// DM_TABLE_STATUS; its number has the size of the part without targets.
    table_status,
    nix::request_code_readwrite!(0xfd, 12, HEAD),
    DmIoctl
);

/// The kinds of a mapped device's targets, each once: `crypt`, `linear`.
///
/// # Errors
/// The kernel's own: only root may ask.
pub(super) fn targets(device: (u32, u32)) -> io::Result<Vec<String>> {
    let control = File::options().read(true).write(true).open("/dev/mapper/control")?;
    let mut request = Box::new(DmIoctl {
        version: [4, 0, 0],
        size: u32::try_from(size_of::<DmIoctl>()).unwrap_or(u32::MAX),
        start: u32::try_from(HEAD).unwrap_or(u32::MAX),
        targets: 0,
        opened: 0,
        flags: TABLE,
        event: 0,
        padding: 0,
        device: number::encoded(device),
        name: [0; 128],
        uuid: [0; 129],
        rest: [0; 7],
        data: [0; ROOM],
    });
    // SAFETY: the kernel writes at most `size` bytes from the beginning of the request.
    unsafe { table_status(control.as_raw_fd(), &raw mut *request) }?;
    if request.flags & FULL != 0 {
        return Err(io::Error::other("the device has more targets than there is room for"));
    }
    Ok(parse(&request.data, request.targets))
}

/// Reads `struct dm_target_spec`s: start and length of 8 bytes each, a status of 4, where the next
/// one is from the first on (4), the kind's name in 16 bytes, and the parameters.
fn parse(data: &[u8], count: u32) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let Some(spec) = data.get(at..at + 40) else { break };
        let name = spec[24..].split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        if !kinds.contains(&name) {
            kinds.push(name);
        }
        at = u32::from_ne_bytes([spec[20], spec[21], spec[22], spec[23]]) as usize;
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::{DmIoctl, HEAD, parse};

    #[test]
    fn targets_are_told_apart_and_named_once() {
        assert_eq!(std::mem::offset_of!(DmIoctl, data), HEAD);
        let target = |name: &str, next: u32| {
            let mut spec = vec![0; 48];
            spec[20..24].copy_from_slice(&next.to_ne_bytes());
            spec[24..24 + name.len()].copy_from_slice(name.as_bytes());
            spec
        };
        let data = [target("linear", 48), target("crypt", 96), target("linear", 144)].concat();
        assert_eq!(parse(&data, 3), ["linear", "crypt"]);
        assert_eq!(parse(&data, 9), ["linear", "crypt"], "no more than there is");
        assert_eq!(parse(&[], 1), Vec::<String>::new());
    }
}
