//! `zcprof make-log`.

use std::io::Write as _;

use anyhow::{Context as _, Result};

use crate::fetch::log::{MakeLog, make_topic};
use crate::verdict::Exit;
use crate::{cli, measure, output};

pub(super) fn make_log(options: &cli::MakeLogArgs) -> Result<Exit> {
    measure::interrupt::take_over()?;
    let bytes = |size: u64| usize::try_from(size).context("a size that no memory has");
    let wanted = MakeLog {
        records: Some(options.records),
        segment_bytes: options.segment_bytes,
        batch_bytes: bytes(options.batch_bytes)?,
        record_bytes: bytes(options.record_bytes)?,
        codec: options.codec,
        seed: options.seed,
        ..MakeLog::DEFAULT
    };
    let (directory, topic) = (&options.directory, &options.topic);
    let interrupted = &measure::interrupt::interrupted;
    let made = make_topic(directory, topic, options.partitions, &wanted, interrupted)?;
    let mut out = Vec::new();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &made)?;
        writeln!(out)?;
    } else {
        write!(out, "{made}")?;
    }
    output::print(&out)?;
    Ok(Exit::Holds)
}
