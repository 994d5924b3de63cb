//! Addresses that are translated, by nf_tables' netlink messages as in
//! include/uapi/linux/netfilter/nf_tables.h and nfnetlink.h: guests have no `nft`.

use std::net::Ipv4Addr;

use nix::errno::Errno;
use nix::libc;

use crate::netlink::{self, CREATE, NetlinkSocket, REQUEST, attribute};

/// The subsystem of nf_tables, and the messages that begin and end what is done at once.
const NF_TABLES: u16 = 10;
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;

const NEW_TABLE: u16 = NF_TABLES << 8;
const DELETE_TABLE: u16 = NF_TABLES << 8 | 2;
const NEW_CHAIN: u16 = NF_TABLES << 8 | 3;
const NEW_RULE: u16 = NF_TABLES << 8 | 6;

const NESTED: u16 = 0x8000;
const TABLE: &[u8] = b"zcprof\0";
const IPV4: u8 = 2; // NFPROTO_IPV4
const REGISTER: u32 = 1; // NFT_REG_1
const IN: u32 = 6; // NFT_META_IIFNAME
const OUT: u32 = 7; // NFT_META_OIFNAME
const DESTINATION: u32 = 1; // NFT_NAT_DNAT

/// Translation in the current network namespace; it ends with this.
pub(super) struct Nat(NetlinkSocket);

impl Nat {
    /// Connections that come by a device are given to `inside`, and those that leave by it have its
    /// address.
    pub(super) fn new(device: &str, inside: Ipv4Addr) -> Self {
        let nat = Self(NetlinkSocket::open(libc::NETLINK_NETFILTER).expect("netfilter"));
        nat.ask(&[
            (NEW_TABLE, attribute(1, TABLE)),
            chain(b"in\0", 0, -100), // NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST
            chain(b"out\0", 4, 100), // NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC
            rule(b"in\0", &[named(IN, device), to(inside)].concat()),
            rule(b"out\0", &[named(OUT, device), expression(b"masq\0", &[])].concat()),
        ])
        .expect("the modules nft_chain_nat, nft_nat and nft_masq");
        nat
    }

    /// Has all of it done, or none.
    fn ask(&self, messages: &[(u16, Vec<u8>)]) -> Result<(), Errno> {
        const APPEND: u16 = CREATE | 0x800; // NLM_F_APPEND
        let mut batch = message(BEGIN, REQUEST, 0, NF_TABLES, &[]);
        for (kind, body) in messages {
            batch.extend(message(*kind, APPEND, IPV4, 0, body));
        }
        batch.extend(message(END, REQUEST, 0, NF_TABLES, &[]));
        self.0.ask(&batch, messages.len())
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        let _ = self.ask(&[(DELETE_TABLE, attribute(1, TABLE))]);
    }
}

/// A base chain of translation, at a hook and with a priority.
fn chain(name: &[u8], hook: u32, priority: i32) -> (u16, Vec<u8>) {
    let hook = [number(1, hook), number(2, priority.cast_unsigned())].concat();
    let parts = [
        attribute(1, TABLE),
        attribute(3, name),
        attribute(NESTED | 4, &hook),
        attribute(7, b"nat\0"),
    ];
    (NEW_CHAIN, parts.concat())
}

fn rule(chain: &[u8], expressions: &[u8]) -> (u16, Vec<u8>) {
    let parts = [attribute(1, TABLE), attribute(2, chain), attribute(NESTED | 4, expressions)];
    (NEW_RULE, parts.concat())
}

fn expression(name: &[u8], data: &[u8]) -> Vec<u8> {
    attribute(NESTED | 1, &[attribute(1, name), attribute(NESTED | 2, data)].concat())
}

/// Whether a device that the packet has is called so.
fn named(which: u32, device: &str) -> Vec<u8> {
    const NAME: usize = 16; // IFNAMSIZ
    let mut name = device.as_bytes().to_vec();
    name.resize(NAME, 0);
    let value = attribute(NESTED | 3, &attribute(1, &name));
    let compare = [number(1, REGISTER), number(2, 0), value].concat(); // NFT_CMP_EQ
    let load = [number(1, REGISTER), number(2, which)].concat();
    [expression(b"meta\0", &load), expression(b"cmp\0", &compare)].concat()
}

/// Changes the destination.
fn to(address: Ipv4Addr) -> Vec<u8> {
    let value = attribute(NESTED | 2, &attribute(1, &address.octets()));
    let load = [number(1, REGISTER), value].concat();
    let change = [number(1, DESTINATION), number(2, u32::from(IPV4)), number(3, REGISTER)].concat();
    [expression(b"immediate\0", &load), expression(b"nat\0", &change)].concat()
}

/// A message that begins with a `struct nfgenmsg`.
fn message(kind: u16, flags: u16, family: u8, subsystem: u16, body: &[u8]) -> Vec<u8> {
    let head = [[family, 0], subsystem.to_be_bytes()].concat();
    netlink::message(kind, flags, &[&head, body].concat())
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}
