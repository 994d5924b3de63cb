//! An XDP program at a device: the kernel prepares each packet for it, and it lets all of them pass.
#![expect(
    unsafe_code,
    reason = "bpf(2), for which no crate here has a safe form of what this makes"
)]

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::libc;
use nix::net::if_::if_nametoindex;

// Commands, types and results: include/uapi/linux/bpf.h.
const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
const TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const PASS: u64 = 2;

/// `r0 = XDP_PASS; exit`: each instruction is its code, registers, offset and value.
const PROGRAM: [u64; 2] = [0xb7 | PASS << 32, 0x95];

/// `union bpf_attr` of BPF_PROG_LOAD, as far as it is used.
#[repr(C)]
struct LoadAttributes {
    kind: u32,
    instructions: u32,
    program: u64,
    license: u64,
    log: [u32; 4],
    version: u32,
    flags: u32,
}

/// `union bpf_attr` of BPF_LINK_CREATE, as far as it is used.
#[repr(C)]
struct LinkAttributes {
    program: u32,
    device: u32,
    attach: u32,
    flags: u32,
}

/// Attaches the program to a device of the current namespace; it is gone when what this returns is
/// closed.
pub(super) fn let_pass(device: &str) -> Result<OwnedFd> {
    let index = if_nametoindex(device).with_context(|| format!("finding {device}"))?;
    let load = LoadAttributes {
        kind: TYPE_XDP,
        instructions: u32::try_from(PROGRAM.len())?,
        program: PROGRAM.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log: [0; 4],
        version: 0,
        flags: 0,
    };
    let program = ask(PROG_LOAD, &load).context("loading an XDP program, which takes CAP_BPF")?;
    let program = u32::try_from(program.as_raw_fd())?;
    let link = LinkAttributes { program, device: index, attach: ATTACH_XDP, flags: 0 };
    ask(LINK_CREATE, &link).with_context(|| format!("attaching an XDP program to {device}"))
}

fn ask<T>(command: libc::c_int, attributes: &T) -> Result<OwnedFd> {
    // SAFETY: the kernel reads no more than the size of the attributes, which point at memory that
    // outlives the call; it returns a new descriptor.
    unsafe {
        let at = std::ptr::from_ref(attributes);
        let made = libc::syscall(libc::SYS_bpf, command, at, size_of::<T>());
        let made = libc::c_int::try_from(Errno::result(made)?)?;
        Ok(OwnedFd::from_raw_fd(made))
    }
}
