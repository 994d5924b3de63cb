//! The stream sockets that connect server and consumer: TCP, MPTCP, or Unix. What is spoken over
//! them is the same. To add a kind is to add a row and its two arms here.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net as unix;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use zcprof_common::names;

/// Connections that may wait to be accepted (the kernel's own limit is `somaxconn`, 4096). What
/// overflows this queue is tried again by TCP a second later.
const BACKLOG: i32 = 4096;

/// A kind of stream socket.
#[derive(Debug)]
pub struct SocketKind {
    /// Name on the command line and in records.
    pub name: &'static str,
    /// What reports call it.
    pub title: &'static str,
    /// Whether sendfile's pages are handed over to it; else they are copied.
    pub takes_pages: bool,
    /// Whether it has an address of the Internet, so that it can cross a network.
    pub crosses_networks: bool,
    /// Where a listener is for a transfer, given the address that the user chose.
    address: fn(SocketAddr, &str) -> Address,
}

/// Every kind.
pub const SOCKETS: &[SocketKind] = &[
    SocketKind {
        name: names::socket::TCP,
        title: "TCP",
        takes_pages: true,
        crosses_networks: true,
        address: |wanted, _| Address::Tcp(wanted),
    },
    SocketKind {
        name: names::socket::MPTCP,
        title: "MPTCP",
        takes_pages: false, // mptcp_sendmsg() knows no MSG_SPLICE_PAGES, 6.1 to 7.3
        crosses_networks: true,
        address: |wanted, _| Address::Mptcp(wanted),
    },
    SocketKind {
        name: names::socket::UNIX,
        title: "a Unix stream socket",
        takes_pages: true,
        crosses_networks: false,
        // Abstract names belong to a network namespace and vanish with their socket (unix(7)).
        address: |_, transfer| Address::Unix(format!("zcprof-{}-{transfer}", std::process::id())),
    },
];

impl SocketKind {
    /// TCP.
    pub const TCP: &'static Self = &SOCKETS[0];

    /// The kind called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        SOCKETS.iter().find(|row| row.name == name)
    }

    /// Where a transfer's listener is.
    #[must_use]
    pub fn address(&self, wanted: SocketAddr, transfer: &str) -> Address {
        (self.address)(wanted, transfer)
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// An MPTCP port (`IPPROTO_MPTCP`).
    Mptcp(SocketAddr),
    /// An abstract name of a Unix socket.
    Unix(String),
}

/// As it is written on a worker's command line, `mptcp:127.0.0.1:0`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Mptcp(address) => write!(f, "mptcp:{address}"),
            Self::Unix(name) => write!(f, "unix:{name}"),
        }
    }
}

impl FromStr for Address {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("unix", name)) => Ok(Self::Unix(name.to_owned())),
            Some(("mptcp", address)) => address.parse().map(Self::Mptcp),
            _ => text.parse().map(Self::Tcp),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl Address {
    /// The Internet address; of a Unix socket the loopback one without a port, which is what its
    /// clients are told that they reached.
    #[must_use]
    pub fn internet(&self) -> SocketAddr {
        match self {
            Self::Tcp(address) | Self::Mptcp(address) => *address,
            Self::Unix(_) => SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }

    /// Listens there, inside a runtime. Every connection that is accepted has its listener's
    /// options (`sk_clone_lock()`, net/core/sock.c): no delay, because a header must not wait for
    /// the records behind it, as Kafka has it; and keep-alive, because a client whose host is gone
    /// must be noticed.
    ///
    /// # Errors
    /// The kernel's own: the address is taken, or the kernel has no such sockets.
    pub fn listen(&self) -> io::Result<Listener> {
        let inner = match self {
            Self::Tcp(address) => Inner::Internet(bound(*address, Protocol::TCP)?),
            Self::Mptcp(address) => Inner::Internet(bound(*address, Protocol::MPTCP)?),
            Self::Unix(name) => {
                let name = unix::SocketAddr::from_abstract_name(name)?;
                let listener = unix::UnixListener::bind_addr(&name)?;
                listener.set_nonblocking(true)?;
                Inner::Unix(UnixListener::from_std(listener)?)
            }
        };
        let address = match (&inner, self) {
            (Inner::Internet(listener), Self::Tcp(_)) => Self::Tcp(listener.local_addr()?),
            (Inner::Internet(listener), _) => Self::Mptcp(listener.local_addr()?),
            (Inner::Unix(_), _) => self.clone(),
        };
        Ok(Listener { inner, address })
    }

    /// Connects to it, inside a runtime.
    ///
    /// # Errors
    /// Nobody listens there, or the kernel has no such sockets.
    pub async fn connect(&self) -> io::Result<TcpStream> {
        let stream = match self {
            Self::Tcp(address) => TcpStream::connect(address).await?,
            Self::Mptcp(address) => {
                let socket = open(*address, Protocol::MPTCP)?;
                socket.connect(&(*address).into())?;
                stream(socket.into())?
            }
            Self::Unix(name) => {
                let name = unix::SocketAddr::from_abstract_name(name)?;
                return stream(unix::UnixStream::connect_addr(&name)?.into());
            }
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// A socket that connections come to.
#[derive(Debug)]
pub struct Listener {
    inner: Inner,
    /// Where it listens, with the port that the kernel chose.
    pub address: Address,
}

#[derive(Debug)]
enum Inner {
    Internet(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// The next connection, and who it is from as far as that is known.
    ///
    /// # Errors
    /// The kernel's own.
    pub async fn accept(&self) -> io::Result<(TcpStream, String)> {
        match &self.inner {
            Inner::Internet(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((stream, peer.to_string()))
            }
            Inner::Unix(listener) => {
                let (accepted, _) = listener.accept().await?;
                Ok((stream(accepted.into_std()?.into())?, "a Unix socket".to_owned()))
            }
        }
    }
}

fn open(address: SocketAddr, protocol: Protocol) -> io::Result<Socket> {
    Socket::new(Domain::for_address(address), Type::STREAM, Some(protocol))
}

fn bound(address: SocketAddr, protocol: Protocol) -> io::Result<TcpListener> {
    let socket = open(address, protocol)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// A connected socket in the form that all have here: tokio's type for TCP. Only its
/// readiness, `recv`, `send` and `shutdown` are used, which any stream socket has.
fn stream(socket: OwnedFd) -> io::Result<TcpStream> {
    let stream = std::net::TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn addresses_are_written_and_read() {
        let port = SocketAddr::from(([127, 0, 0, 1], 9));
        for address in [Address::Tcp(port), Address::Mptcp(port), Address::Unix("a:b".to_owned())] {
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        "mptcp:nowhere".parse::<Address>().unwrap_err();
    }

    #[test]
    fn every_kind_carries_bytes_and_tells_the_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            for row in SOCKETS {
                let wanted = row.address(SocketAddr::from(([127, 0, 0, 1], 0)), row.name);
                let listener = match wanted.listen() {
                    Ok(listener) => listener,
                    // CONFIG_MPTCP is a choice, and so is net.mptcp.enabled.
                    Err(error) if row.name == "mptcp" => {
                        println!("skipped: no MPTCP here ({error})");
                        continue;
                    }
                    Err(error) => panic!("{}: {error}", row.name),
                };
                let (near, far) = tokio::join!(listener.address.connect(), listener.accept());
                let (mut near, (mut far, _)) = (near.expect("connects"), far.expect("accepted"));
                near.write_all(b"there").await.expect("sent");
                near.shutdown().await.expect("shut down");
                let mut all = Vec::new();
                far.read_to_end(&mut all).await.expect("received");
                assert_eq!(all, b"there", "{}", row.name);
            }
        });
    }
}
