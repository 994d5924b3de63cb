//! Kafka's clients for Python, in an environment of their own in the cache.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::found::Found;
use crate::cache::CacheFolder;
use crate::process;

/// What is installed: the client on librdkafka, the one that is Python all through, and the one for
/// asyncio.
const PACKAGES: [&str; 3] = [
    "confluent-kafka==2.16.1",
    "kafka-python[crc32c,lz4,snappy,zstd]==3.0.12",
    "aiokafka[lz4,snappy,zstd]==0.14.0",
];

/// Says the versions, and fails unless every client and every codec can be loaded.
const CHECK: &str = "import confluent_kafka, kafka, aiokafka, lz4, snappy, zstandard, crc32c; \
    print(confluent_kafka.__version__, kafka.__version__, aiokafka.__version__)";

/// The environment's interpreter, whether it is there or not.
pub(super) fn python(cache: &CacheFolder) -> PathBuf {
    cache.path("tools/kafka-clients-2.16.1-3.0.12-0.14.0/bin/python3")
}

/// Whether every client can be used.
pub(super) fn find(cache: &CacheFolder) -> Found {
    let python = python(cache);
    if !python.is_file() {
        return Found::Missing;
    }
    match process::output(Command::new(&python).args(["-c", CHECK])) {
        Ok(said) => Found::Ready(said.trim().to_owned()),
        Err(error) => Found::Unfit(format!("{error:#}")),
    }
}

/// Makes the environment anew.
pub(super) fn install(cache: &CacheFolder) -> Result<()> {
    let python = python(cache);
    let folder = python.parent().and_then(|bin| bin.parent()).context("a folder")?;
    let log = cache.path("logs/kafka-clients.log");
    let mut venv = process::command("python3");
    process::logged(venv.args(["-m", "venv", "--clear"]).arg(folder), &log)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    process::logged(pip.args(PACKAGES), &log)
}
