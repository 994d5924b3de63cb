//! Ways to receive, each measured by itself: the log is served once more, and the consumer receives in
//! the mode whose promise is judged.

use anyhow::Result;

use super::bench::TestBench;
use super::{passes, refused};
use crate::fetch::consumer::mode::ModeSpec;
use crate::probe::Probes;
use crate::run::{Run, Skipped};
use crate::terminal;
use crate::transfer::{Layer, TransferSpec};

/// Measures every mode by every transfer that is sent as it is; what is encrypted for the program is
/// received by copy, whatever the mode.
///
/// # Errors
/// Whatever keeps the passes from being made.
pub(super) fn measure(
    bench: &mut TestBench,
    probes: &mut Probes,
    rows: &[&'static TransferSpec],
    modes: &[&'static ModeSpec],
    run: &mut Run,
) -> Result<()> {
    for row in rows {
        for mode in modes {
            let why = bench.not_received().or_else(|| encrypted(row));
            if let Some(reason) = why {
                let reason = format!("received by {}: {reason}", mode.name);
                log::warn!("{} is not {reason}", row.name);
                run.skipped.push(Skipped { transfer: row.name.to_owned(), reason });
                continue;
            }
            terminal::step(&format!("measuring {}, received by {}", row.name, mode.name));
            match passes::reception(bench, probes, row, mode) {
                Ok(reception) => run.receptions.push(reception),
                Err(error) => run.skipped.push(refused(bench, row, error)?),
            }
        }
    }
    Ok(())
}

fn encrypted(row: &TransferSpec) -> Option<String> {
    (row.layer != Layer::Plain).then(|| "the consumer decrypts what it receives by copy".to_owned())
}
