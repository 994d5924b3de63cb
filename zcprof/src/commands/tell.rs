//! The commands that only tell something: `doctor`, `explain` and `list`.

use std::io::Write as _;

use anyhow::Result;

use crate::verdict::Exit;
use crate::verdict::explain::{CODES, Code};
use crate::{claim, doctor, fetch, network, output, report, transfer};

pub(super) fn doctor(json: bool, verbose: bool) -> Result<Exit> {
    let diagnosis = doctor::diagnose()?;
    let text = if json {
        report::doctor::json(&diagnosis)?
    } else if verbose {
        report::doctor::table(&diagnosis).into_bytes()
    } else {
        report::doctor::short(&diagnosis).into_bytes()
    };
    output::print(&text)?;
    Ok(if diagnosis.complete { Exit::Holds } else { Exit::CannotMeasure })
}

pub(super) fn explain(code: Option<&Code>) -> Result<Exit> {
    let mut out = Vec::new();
    match code {
        Some(code) => write!(out, "{code}")?,
        None => {
            for code in CODES {
                writeln!(out, "{} {}", code.name, code.title)?;
            }
        }
    }
    output::print(&out)?;
    Ok(Exit::Holds)
}

pub(super) fn list() -> Result<Exit> {
    let mut out = Vec::new();
    writeln!(out, "transfers")?;
    for row in transfer::TRANSFERS {
        writeln!(out, "  {:<16} {} ({})", row.name, row.summary, row.claim.name)?;
    }
    writeln!(out, "saboteurs, to try zcprof with (measured only if they are named)")?;
    for row in transfer::SABOTEURS {
        writeln!(out, "  {:<16} {} ({})", row.name, row.summary, row.claim.name)?;
    }
    writeln!(out, "networks")?;
    for row in network::NETWORKS {
        writeln!(out, "  {:<16} {}", row.name, row.summary)?;
    }
    writeln!(out, "consumer modes")?;
    for mode in fetch::consumer::mode::MODES {
        writeln!(out, "  {:<16} {} ({})", mode.name, mode.summary, mode.claim.name)?;
    }
    writeln!(out, "saboteurs among them (used only if they are named)")?;
    for mode in fetch::consumer::mode::SABOTEURS {
        writeln!(out, "  {:<16} {} ({})", mode.name, mode.summary, mode.claim.name)?;
    }
    writeln!(out, "claims")?;
    for claim in claim::CLAIMS {
        writeln!(out, "  {:<22} {} copies per payload byte", claim.name, claim.copies())?;
    }
    writeln!(out, "what a consumer mode may promise")?;
    for claim in zcprof_judge::receive::claim::RECEIVE_CLAIMS {
        writeln!(out, "  {:<22} {}", claim.name, claim.phrase)?;
    }
    writeln!(out, "reports")?;
    for format in report::FORMATS {
        writeln!(out, "  {:<14} {}", format.name, format.summary)?;
    }
    output::print(&out)?;
    Ok(Exit::Holds)
}
