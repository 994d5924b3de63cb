//! MACsec over the way between server and consumer: IEEE 802.1AE, whose frames the kernel encrypts
//! (drivers/net/macsec.c). Its keys come by generic netlink, include/uapi/linux/if_macsec.h.

use anyhow::{Context as _, Result};
use neli::consts::nl::{NlmF, NlmFFlags};
use neli::consts::socket::NlFamily;
use neli::genl::{Genlmsghdr, Nlattr};
use neli::nl::{NlPayload, Nlmsghdr};
use neli::socket::NlSocketHandle;
use neli::types::{Buffer, GenlBuffer};
use nix::net::if_::if_nametoindex;
use rtnetlink::LinkMacSec;

use super::End;
use super::link::netlink;

/// A value of a message.
type Attribute = Nlattr<u16, Buffer>;

/// `macsec_nl_commands`: a channel that is received, a key to send with, and one to receive with.
const ADD_RXSC: u8 = 1;
const ADD_TXSA: u8 = 4;
const ADD_RXSA: u8 = 7;

/// `macsec_attrs`.
const IFINDEX: u16 = 1;
const RXSC_CONFIG: u16 = 2;
const SA_CONFIG: u16 = 3;

/// `macsec_rxsc_attrs`.
const RXSC_SCI: u16 = 1;
const RXSC_ACTIVE: u16 = 2;

/// `macsec_sa_attrs`: association number, whether it is active, packet number, key and its name.
const SA_AN: u16 = 1;
const SA_ACTIVE: u16 = 2;
const SA_PN: u16 = 3;
const SA_KEY: u16 = 4;
const SA_KEYID: u16 = 5;

/// Each end's channel, as it stands in its frames.
const CHANNELS: [u64; 2] = [0x0253_0000_0001_0001, 0x0253_0000_0002_0001];

/// Each end's key to send with. They keep no secret: both ends belong to one measurement.
const KEYS: [[u8; 16]; 2] = [[0x5a; 16], [0xa5; 16]];

/// Makes the device of an end over another one of the current namespace.
///
/// # Errors
/// The kernel lacks the module, or the privilege is missing.
pub(super) fn set_up(device: &str, below: &str, end: End) -> Result<()> {
    let below = if_nametoindex(below).with_context(|| format!("finding {below}"))?;
    let (own, other) = (end as usize, 1 - end as usize);
    netlink(async |handle| {
        let link = LinkMacSec::new(device, below).sci(CHANNELS[own].to_be()).encrypt(true);
        Ok(handle.link().add(link.build()).execute().await?)
    })?;
    let index = if_nametoindex(device).with_context(|| format!("finding {device}"))?;
    let sci = || value(RXSC_SCI, &CHANNELS[other].to_be_bytes());
    let mut macsec = MacSec::connect(index)?;
    macsec.ask(ADD_RXSC, [nested(RXSC_CONFIG, [sci(), value(RXSC_ACTIVE, &[1])])?])?;
    macsec.ask(ADD_RXSA, [nested(RXSC_CONFIG, [sci()])?, key(KEYS[other])?])?;
    macsec.ask(ADD_TXSA, [key(KEYS[own])?])
}

/// The first association of a channel, with its key.
fn key(key: [u8; 16]) -> Result<Attribute> {
    let values = [
        value(SA_AN, &[0]),
        value(SA_ACTIVE, &[1]),
        value(SA_PN, &1_u32.to_ne_bytes()),
        value(SA_KEY, &key),
        value(SA_KEYID, &key),
    ];
    nested(SA_CONFIG, values)
}

fn value(kind: u16, bytes: &[u8]) -> Result<Attribute> {
    Ok(Nlattr::new(false, false, kind, bytes)?)
}

fn nested(kind: u16, values: impl IntoIterator<Item = Result<Attribute>>) -> Result<Attribute> {
    let mut attribute = Nlattr::new(true, false, kind, Buffer::new())?;
    for value in values {
        attribute.add_nested_attribute(&value?)?;
    }
    Ok(attribute)
}

/// The kernel's MACsec, asked about one device.
struct MacSec {
    socket: NlSocketHandle,
    family: u16,
    index: u32,
}

impl MacSec {
    fn connect(index: u32) -> Result<Self> {
        let mut socket = NlSocketHandle::connect(NlFamily::Generic, None, &[])?;
        let family = socket.resolve_genl_family("macsec")?;
        Ok(Self { socket, family, index })
    }

    /// Sends a command, and waits until the kernel has done it.
    fn ask(&mut self, command: u8, values: impl IntoIterator<Item = Attribute>) -> Result<()> {
        let mut attributes = GenlBuffer::new();
        attributes.push(value(IFINDEX, &self.index.to_ne_bytes())?);
        for value in values {
            attributes.push(value);
        }
        let flags = NlmFFlags::new(&[NlmF::Request, NlmF::Ack]);
        let message = NlPayload::Payload(Genlmsghdr::new(command, 1, attributes));
        self.socket.send(Nlmsghdr::new(None, self.family, flags, None, None, message))?;
        let _answer: Option<Nlmsghdr<u16, Genlmsghdr<u8, u16>>> =
            self.socket.recv().with_context(|| format!("MACsec's command {command}"))?;
        Ok(())
    }
}
