//! `sendfile(2)` to a socket that the kernel encrypts: pages of the page cache are encrypted
//! into new pages, and nothing else is copied.

use std::net::{TcpListener, TcpStream};

use zcprof_common::names::transfer;

use super::sendfile::Sendfile;
use super::{Layer, TransferSpec, sendfile};
use crate::claim::TRANSFORMED;
use crate::fetch::tls;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::KTLS_SENDFILE,
    summary: "sendfile(2) from the segment to a socket with TLS in the kernel",
    claim: &TRANSFORMED,
    make: || Ok(Box::new(Sendfile { encrypted: true })),
    arguments: sendfile::ROW.arguments,
    needs: || {
        try_attach().map_err(|error| format!("no TLS in this kernel ({error}); try: modprobe tls"))
    },
    layer: Layer::KernelTls,
};

/// Attaches TLS to a connection of this process with itself.
fn try_attach() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    tls::attach(&TcpStream::connect(listener.local_addr()?)?)
}
