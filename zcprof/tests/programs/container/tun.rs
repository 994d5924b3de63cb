//! A tunnel that a process makes, as a VPN in user space does: packets leave by a TUN device, and a thread of
//! this process carries them to another.
#![expect(unsafe_code, reason = "a TUN device is made by ioctl")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::Ordering;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::background::Background;

/// `struct ifreq`, as far as a TUN device takes it (include/uapi/linux/if.h).
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

// include/uapi/linux/if_tun.h.
nix::ioctl_write_ptr_bad!(tun_set_interface, 0x4004_54ca, InterfaceRequest);
nix::ioctl_write_int_bad!(tun_set_offload, 0x4004_54d0);

/// Packets of IP, each after a header that says what is still to be done to it (`struct virtio_net_hdr`).
const TUN: u16 = 1;
const NO_PACKET_INFORMATION: u16 = 0x1000;
const HEADERS_OF_VIRTIO: u16 = 0x4000;

/// The process takes packets without a checksum, and such as are cut later (TCP over IPv4).
const CHECKSUM: i32 = 1;
const CUT_TCP: i32 = 2;

/// The largest packet, with its header.
const PACKET: usize = 65536 + 12;

/// A TUN device in the current network namespace. It is gone with this.
pub(super) fn device(name: &str) -> File {
    let opened =
        File::options().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun");
    let device = opened.expect("TUN devices; is the module loaded?");
    let mut request = InterfaceRequest {
        name: [0; 16],
        flags: TUN | NO_PACKET_INFORMATION | HEADERS_OF_VIRTIO,
        rest: [0; 22],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: the kernel reads and writes a `struct ifreq`, which is 40 bytes.
    unsafe { tun_set_interface(device.as_raw_fd(), &raw const request) }.expect("a device");
    // SAFETY: it takes a number.
    unsafe { tun_set_offload(device.as_raw_fd(), CHECKSUM | CUT_TCP) }.expect("it is told");
    device
}

/// Carries packets from each of two devices to the other.
pub(super) fn carry(devices: [File; 2]) -> Background {
    Background::begin(move |over| {
        let [one, other] = &devices;
        let mut packet = vec![0; PACKET];
        while !over.load(Ordering::Relaxed) {
            let mut wait = [one, other].map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN));
            poll(&mut wait, PollTimeout::from(100_u8)).expect("it waits");
            pass_on(one, other, &mut packet);
            pass_on(other, one, &mut packet);
        }
    })
}

/// Passes on what there is. A device that is not up yet has nothing, and takes nothing.
fn pass_on(mut from: &File, mut to: &File, packet: &mut [u8]) {
    while let Ok(bytes) = from.read(packet) {
        drop(to.write(&packet[..bytes]));
    }
}
