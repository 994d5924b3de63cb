//! What was typed after `zcprof serve`, `make-log` and the hidden `server`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::words;
use crate::fetch::log::Codec;
use crate::fetch::socket::Address;
use crate::server::Advertised;
use crate::transfer::TransferSpec;

/// Options of `serve`.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Folder of topic-partition folders (such as orders-0), or one such folder. zcprof serves it
    /// as the only broker of a cluster would after a start. Nobody may write to the folder
    /// meanwhile. zcprof serves verified partitions while it verifies the rest.
    #[arg(long, value_name = "DIR")]
    pub log_dir: PathBuf,
    /// How the records leave.
    #[arg(long, value_name = "NAME", default_value = "sendfile", value_parser = words::transfer())]
    pub transfer: &'static TransferSpec,
    /// Address to listen on. Everybody who can reach this address can read everything.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092", value_parser = words::resolve)]
    pub listen: SocketAddr,
    /// Address that the server tells clients to connect to (default: the address that they have
    /// connected to).
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<Advertised>,
    /// File for the certificate that an encrypted transfer generates; clients must trust it.
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Serve nothing unless everything can be served as it is: a damaged or torn segment, or one in
    /// an older format, is an error, as in a measurement.
    #[arg(long)]
    pub strict: bool,
    /// Hold back records from the high watermark on, as replication-offset-checkpoint says.
    /// Without this option the high watermark is the log's end, as for a leader that is alone.
    #[arg(long)]
    pub high_watermark: bool,
    /// Only verify, and print a table of the partitions and what is wrong with them.
    #[arg(long)]
    pub check: bool,
}

/// Options of `make-log`.
#[derive(Clone, Debug, Args)]
pub struct MakeLogArgs {
    /// Folder for the topic's partitions (DIR/TOPIC-0 and so on); it must be empty or new.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Name of the topic.
    #[arg(long, value_name = "NAME", value_parser = words::topic)]
    pub topic: String,
    /// Partitions.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: i32,
    /// Records of all partitions together, distributed as evenly as possible.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub records: u64,
    /// Size of one record's value.
    #[arg(long, value_name = "SIZE", default_value = "1KiB", value_parser = words::size)]
    pub record_bytes: u64,
    /// Size of one batch's values, before compression.
    #[arg(long, value_name = "SIZE", default_value = "16KiB", value_parser = words::size)]
    pub batch_bytes: u64,
    /// Size that no segment exceeds.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = words::size)]
    pub segment_bytes: u64,
    /// How batches are compressed: none, gzip, snappy, lz4 or zstd.
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = words::codec())]
    pub codec: Codec,
    /// Seed of the values: the same seed and options make the same log.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `server`.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// The log to serve.
    #[arg(long)]
    pub log_dir: PathBuf,
    /// Transfer and address of a listener, as NAME=ADDR.
    #[arg(long = "listen", value_parser = words::listener, required = true)]
    pub listeners: Vec<(String, Address)>,
}
