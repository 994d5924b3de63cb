//! IPsec on the loopback device: everything that this host sends to itself is encrypted. The messages
//! are as in include/uapi/linux/xfrm.h: guests have no `ip xfrm`.

use std::fs;
use std::net::Ipv4Addr;

use nix::errno::Errno;
use nix::libc;

use crate::netlink::{CREATE, NetlinkSocket, attribute, message};

const NEW_STATE: u16 = 0x10;
const DELETE_STATE: u16 = 0x11;
const NEW_POLICY: u16 = 0x13;
const DELETE_POLICY: u16 = 0x14;
const TEMPLATES: u16 = 5;
const AEAD: u16 = 18;
const ESP: u8 = 50;
const SPI: u32 = 0x2a_u32.to_be();
const FAMILY: u16 = 2; // AF_INET
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The settings that keep IPsec off the loopback device.
const SETTINGS: [&str; 2] = ["disable_xfrm", "disable_policy"];

/// It ends with this.
pub(super) struct Encrypted {
    netlink: NetlinkSocket,
}

impl Encrypted {
    pub(super) fn up() -> Self {
        for setting in SETTINGS {
            fs::write(format!("/proc/sys/net/ipv4/conf/lo/{setting}"), "0").expect("root may");
        }
        let encrypted = Self { netlink: NetlinkSocket::open(libc::NETLINK_XFRM).expect("XFRM") };
        encrypted
            .ask(NEW_STATE, &state())
            .expect("a state: the module esp4, and rfc4106(gcm(aes))");
        encrypted.ask(NEW_POLICY, &policy()).expect("a policy");
        encrypted
    }

    /// Sends a message, and reads what the kernel says to it.
    fn ask(&self, kind: u16, body: &[u8]) -> Result<(), Errno> {
        self.netlink.ask(&message(kind, CREATE, body), 1)
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // it may not be whole
        }
        let mut policy = selector();
        policy.extend([0_u32, 1].map(u32::to_ne_bytes).concat()); // index, and that it is for output
        self.ask(DELETE_POLICY, &policy).expect("there");
        let mut state = address(HERE);
        state.extend(SPI.to_ne_bytes());
        state.extend([FAMILY.to_ne_bytes(), [ESP, 0]].concat());
        self.ask(DELETE_STATE, &state).expect("there");
        for setting in SETTINGS {
            fs::write(format!("/proc/sys/net/ipv4/conf/lo/{setting}"), "1").expect("root may");
        }
    }
}

/// `xfrm_address_t`.
fn address(address: Ipv4Addr) -> Vec<u8> {
    let mut bytes = address.octets().to_vec();
    bytes.resize(16, 0);
    bytes
}

/// `struct xfrm_selector`: TCP from here to here.
fn selector() -> Vec<u8> {
    let mut bytes = [address(HERE), address(HERE)].concat();
    bytes.extend([0; 8]); // ports
    bytes.extend(FAMILY.to_ne_bytes());
    bytes.extend([32, 32, 6]); // lengths of the prefixes, TCP
    bytes.resize(56, 0);
    bytes
}

/// `struct xfrm_lifetime_cfg` and `xfrm_lifetime_cur`: no end.
fn lifetime() -> Vec<u8> {
    let mut bytes = vec![0xff; 32];
    bytes.resize(64 + 32, 0);
    bytes
}

/// `struct xfrm_usersa_info` in transport mode, and its key.
fn state() -> Vec<u8> {
    let mut bytes = vec![0; 56]; // for every packet that the policy sends here
    bytes[40..42].copy_from_slice(&FAMILY.to_ne_bytes());
    bytes.extend(address(HERE));
    bytes.extend(SPI.to_ne_bytes());
    bytes.extend([ESP, 0, 0, 0]);
    bytes.extend(address(HERE));
    bytes.extend(lifetime());
    bytes.extend([0; 12 + 8]); // statistics, numbers
    bytes.extend(FAMILY.to_ne_bytes());
    bytes.extend([0, 32]); // transport, window against replays
    bytes.resize(224, 0);
    // struct xfrm_algo_aead: 128 bits of key, 32 of salt, 128 of tag.
    let mut algorithm = b"rfc4106(gcm(aes))".to_vec();
    algorithm.resize(64, 0);
    algorithm.extend([160_u32, 128].map(u32::to_ne_bytes).concat());
    algorithm.extend([0x42; 20]);
    bytes.extend(attribute(AEAD, &algorithm));
    bytes
}

/// `struct xfrm_userpolicy_info` for output, and its template.
fn policy() -> Vec<u8> {
    let mut bytes = selector();
    bytes.extend(lifetime());
    bytes.extend([0_u32; 2].map(u32::to_ne_bytes).concat()); // priority, index
    bytes.extend([1, 0, 0, 0]); // output, allowed
    bytes.resize(168, 0);
    let mut template = address(HERE);
    template.extend(SPI.to_ne_bytes());
    template.extend([ESP, 0, 0, 0]);
    template.extend([FAMILY.to_ne_bytes(), [0; 2]].concat());
    template.extend(address(HERE));
    template.extend([0; 8]); // number; transport, unshared, required
    template.extend([0xff; 12]); // any algorithm
    bytes.extend(attribute(TEMPLATES, &template));
    bytes
}
