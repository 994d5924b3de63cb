//! What `measure` and `time` serve, and to whom.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use super::words;
use crate::fetch::consumer::mode::ModeSpec;
use crate::fetch::socket::SocketKind;
use crate::network::NetworkSpec;
use crate::patience::Patience;
use crate::transfer::TransferSpec;

/// What is served to whom.
#[derive(Clone, Debug, Args)]
pub struct WorkloadArgs {
    /// Folder of the log's segments, on the file system to be measured. zcprof fills a new or empty
    /// folder; it verifies and uses a folder that holds segments. It serves a file as it is, as if
    /// the file were a segment. Without this option zcprof makes a log in /var/tmp and removes it
    /// again.
    #[arg(long, value_name = "PATH")]
    pub log_dir: Option<PathBuf>,
    /// Payload of each pass; at most the size of the file, if --log-dir names one.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = words::size)]
    pub bytes: u64,
    /// Most record bytes in one fetch.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = words::size)]
    pub fetch_size: u64,
    /// Size at which a segment of a new log is full.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = words::size)]
    pub segment_bytes: u64,
    /// Connections fetching at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Address of the first transfer's listener; the next listeners get the next ports. Port 0
    /// lets the kernel choose.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The network between server and consumer: loopback, or veth (a pair between two network
    /// namespaces, made for the run); veth-no-tso, veth-no-checksum, veth-no-sg or veth-neither,
    /// whose device lacks TCP segmentation, checksums, scatter-gather or the last two;
    /// veth-nocache, whose device asks for copies past the CPU's cache; wireguard, vxlan and
    /// macsec, tunnels over veth; veth-loss, which loses packets; veth-tap, on which a packet socket
    /// listens; veth-ring, the same with a ring; veth-xdp, with an XDP program on the receiver's
    /// device; virtio and virtio-tap, two otherwise unused virtio-net devices that are connected
    /// outside this machine.
    #[arg(long, value_name = "NAME", default_value = "loopback", value_parser = words::network())]
    pub network: &'static NetworkSpec,
    /// The sockets between server and consumer: tcp, mptcp or unix. The transfers keep their
    /// claims, which are made for TCP. zcprof skips a transfer that such a socket refuses, and says
    /// why (msg_zerocopy and uring_send_zc).
    #[arg(long, value_name = "KIND", default_value = "tcp", value_parser = words::socket())]
    pub socket: &'static SocketKind,
    /// Transfers, comma-separated (default: all).
    #[arg(long = "transfer", value_name = "NAMES", value_delimiter = ',', value_parser = words::transfer())]
    pub transfers: Vec<&'static TransferSpec>,
    /// How the built-in consumer receives: copy, or slow, which copies in small pieces with pauses
    /// between them.
    #[arg(long, value_name = "MODE", default_value = "copy", value_parser = words::verifying())]
    pub consumer: &'static ModeSpec,
    /// A kcat that consumes the whole log instead of the built-in consumer, over one connection.
    /// zcprof then watches only the server. `time` does not support kcat.
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["connections", "consumer"])]
    pub kcat: Option<PathBuf>,
    /// Give up, with an error, when the server, the consumer or kcat does nothing for this many
    /// seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::SECONDS)]
    pub patience: u64,
}

impl WorkloadArgs {
    /// How long who takes part may do nothing.
    pub(crate) fn patience(&self) -> Patience {
        Patience(std::time::Duration::from_secs(self.patience))
    }

    /// Whether the options go together.
    ///
    /// # Errors
    /// Sockets that cannot cross the network, or that the client cannot use.
    pub fn check(&self) -> Result<()> {
        let (socket, network) = (self.socket, self.network);
        ensure!(
            socket.crosses_networks || network.is_loopback(),
            "--socket {} stays on one host; leave --network {} out",
            socket.name,
            network.name
        );
        ensure!(
            self.kcat.is_none() || socket.name == SocketKind::TCP.name,
            "kcat speaks TCP; leave --socket {} out",
            socket.name
        );
        Ok(())
    }
}

/// Which cache states to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CacheChoice {
    /// Every segment page is resident.
    Warm,
    /// No segment page is resident.
    Cold,
    /// Cold first, then warm.
    Both,
}
