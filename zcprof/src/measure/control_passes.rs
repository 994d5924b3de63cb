//! The controls: passes whose truth is known beforehand.

use anyhow::{Context as _, Result};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use super::bench::TestBench;
use super::counted::record;
use super::fetching::Amount;
use super::passes::{pass_until, until_unmissed};
use crate::probe::Probes;
use crate::run::{Control, ControlPath, Pass, Truth};
use crate::transfer::TransferSpec;
use crate::verdict::control_failure;

/// How long the idle control watches. It must see nothing, so it needs no precision.
const IDLE: std::time::Duration = std::time::Duration::from_millis(100);

/// The known-truth passes: nothing, two copies, and a hand-over, always over plain TCP on the
/// loopback device, and over the way that is measured where that is another. They open a measurement
/// and close it: an instrument that sees at both ends was not lost in between.
pub(super) fn controls(
    bench: &mut TestBench,
    probes: &mut Probes,
    prefix: &str,
) -> Result<Vec<Control>> {
    let mut controls = vec![idle(bench, probes)?];
    controls.extend(bench.over_plain_tcp(|bench| known(bench, probes, ControlPath::Plain))?);
    if !bench.is_plain() {
        controls.extend(known(bench, probes, ControlPath::Measured)?);
    }
    for control in &mut controls {
        control.name.insert_str(0, prefix);
    }
    Ok(controls)
}

/// Two copies and a hand-over, by one way.
fn known(bench: &mut TestBench, probes: &mut Probes, way: ControlPath) -> Result<Vec<Control>> {
    let payload = bench.payload(Amount::Control);
    let hands_over = way == ControlPath::Plain || bench.takes_pages();
    let (moved, untaken) = if hands_over { (payload, 0) } else { (0, payload) };
    let truths = [("read_write", truth(payload, 0, 0)), ("sendfile", truth(0, moved, untaken))];
    let mut controls = Vec::new();
    for (name, truth) in truths {
        let row =
            TransferSpec::find(name).with_context(|| format!("there is no transfer {name}"))?;
        let (cache, amount) = (bench.warmest(), Amount::Control);
        let name = match way {
            ControlPath::Plain => name.to_owned(),
            ControlPath::Measured => format!("{name} over the measured way"),
        };
        let control = |pass| Control { name: name.clone(), way, truth: truth.clone(), pass };
        // A run that was missed was somebody else's if all that is known was seen.
        let is_passed = |pass: &Pass| passes(&control(pass.clone()));
        let (pass, _) = pass_until(bench, probes, row, cache, amount, is_passed)?;
        controls.push(control(pass));
    }
    Ok(controls)
}

fn idle(bench: &TestBench, probes: &mut Probes) -> Result<Control> {
    let truth = truth(0, 0, 0);
    let control = |pass| Control {
        name: "idle".to_owned(),
        way: ControlPath::Plain,
        truth: truth.clone(),
        pass,
    };
    let is_passed = |pass: &Pass| passes(&control(pass.clone()));
    let pass = until_unmissed(is_passed, || {
        probes.snapshot()?;
        std::thread::sleep(IDLE);
        let snapshot = probes.snapshot()?;
        let mut pass = record(bench, "idle", bench.warmest(), &snapshot);
        pass.leaves = vec![probes.leaves()];
        Ok(pass)
    })?;
    Ok(control(pass))
}

/// Whether both instruments pass a control.
fn passes(control: &Control) -> bool {
    let mut both = [Instrument::Audit, Instrument::Callers].into_iter();
    both.all(|instrument| control_failure(control, instrument).is_none())
}

/// What each instrument must see when so many bytes are copied twice, handed over, or copied by
/// sendfile because the socket takes no pages.
fn truth(copied: u64, moved: u64, untaken: u64) -> Vec<Truth> {
    use Disposition::{Copied, Moved};
    let both = [Instrument::Audit, Instrument::Callers];
    let truth = |hop, disposition, instrument, bytes| Truth { hop, disposition, instrument, bytes };
    let mut truths = Vec::new();
    for instrument in both {
        truths.push(truth(Hop::PageCacheToUser, Copied, instrument, copied));
        truths.push(truth(Hop::UserToSocket, Copied, instrument, copied));
        truths.push(truth(Hop::PageCacheToSocket, Copied, instrument, untaken));
    }
    truths.push(truth(Hop::PageCacheToSocket, Moved, Instrument::Callers, moved));
    truths
}
