//! zcprof's words, checked before zcprof is built: the names are its own (`zcprof_common::names`).

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use nix::sys::statvfs::statvfs;
use zcprof_common::names;
use zcprof_common::vocabulary::Instrument;

use crate::kernels::KERNELS;

/// Every transfer that the kernel can make, which is what zcprof measures when it is told none.
pub(crate) const ALL: &str = "all";

/// Where zcprof makes its logs.
const LOGS: &str = "/var/tmp";

/// Names of transfers, or `all`; saboteurs are known and not listed.
pub(crate) fn transfer() -> PossibleValuesParser {
    let hidden = names::saboteur::ALL.iter().map(|name| PossibleValue::new(*name).hide(true));
    let shown = names::transfer::ALL.iter().copied().chain([ALL]).map(PossibleValue::new);
    PossibleValuesParser::new(shown.chain(hidden))
}

pub(crate) fn network() -> PossibleValuesParser {
    PossibleValuesParser::new(names::network::ALL)
}

pub(crate) fn cache() -> PossibleValuesParser {
    PossibleValuesParser::new(names::cache::ALL)
}

pub(crate) fn socket() -> PossibleValuesParser {
    PossibleValuesParser::new(names::socket::ALL)
}

pub(crate) fn mode() -> PossibleValuesParser {
    PossibleValuesParser::new(names::mode::ALL)
}

/// Names of kernels, or `all` for those that the tests use.
pub(crate) fn kernel() -> PossibleValuesParser {
    PossibleValuesParser::new(KERNELS.iter().map(|kernel| kernel.name).chain([ALL]))
}

/// Processors of a guest.
pub(crate) fn cpus() -> impl TypedValueParser<Value = usize> {
    clap::value_parser!(u8).range(1..=64).map(usize::from)
}

/// Instruments that can be withheld.
pub(crate) fn instrument() -> PossibleValuesParser {
    let able = Instrument::ALL.iter().filter(|one| **one != Instrument::Syscalls);
    PossibleValuesParser::new(able.map(|one| one.name()))
}

/// A size that zcprof will understand, as it was typed.
pub(crate) fn size(text: &str) -> Result<String, String> {
    match parse_size::parse_size(text) {
        Ok(0) => Err("must be above zero".to_owned()),
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{error}; write a size such as 64MiB")),
    }
}

/// `TRANSFER=CLAIM`, as it was typed.
pub(crate) fn claim(text: &str) -> Result<String, String> {
    let (transfer, claim) = text.split_once('=').ok_or("write TRANSFER=CLAIM")?;
    let known = |name: &str, all: &[&str]| all.contains(&name);
    if !known(transfer, names::transfer::ALL) && !known(transfer, names::saboteur::ALL) {
        return Err(format!(
            "no transfer is called {transfer}; there are {}",
            names::transfer::ALL.join(", ")
        ));
    }
    if !known(claim, names::claim::ALL) {
        return Err(format!(
            "no claim is called {claim}; there are {}",
            names::claim::ALL.join(", ")
        ));
    }
    Ok(text.to_owned())
}

/// Whether each transfer is named once, and each claim is about one of them.
pub(crate) fn agree(transfers: &[String], claims: &[String]) -> Result<()> {
    for (at, name) in transfers.iter().enumerate() {
        ensure!(!transfers[..at].contains(name), "--transfer names {name} twice");
    }
    let all = transfers.iter().any(|name| name == ALL);
    ensure!(!all || transfers.len() == 1, "--transfer {ALL} leaves nothing else to name");
    for claim in claims {
        let (name, _) = claim.split_once('=').context("a claim without a transfer")?;
        ensure!(
            all || transfers.is_empty() || transfers.iter().any(|transfer| transfer == name),
            "--claim names {name}, which is not measured; add it to --transfer"
        );
    }
    Ok(())
}

/// Whether a log of this size fits where zcprof makes it.
pub(crate) fn room(bytes: &str) -> Result<()> {
    room_in(Path::new(LOGS), parse_size::parse_size(bytes).context("a size")?)
}

fn room_in(folder: &Path, bytes: u64) -> Result<()> {
    let room = statvfs(folder).with_context(|| format!("looking at {}", folder.display()))?;
    let free = room.blocks_available() * room.fragment_size();
    ensure!(
        bytes <= free,
        "--bytes asks for {} MiB of log in {}, which has {} MiB left",
        bytes >> 20,
        folder.display(),
        free >> 20
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_refused_that_zcprof_would_refuse() {
        for right in ["1", "64MiB", "1 GB"] {
            size(right).expect(right);
        }
        for wrong in ["", "0", "many", "-1", "64MiX"] {
            size(wrong).unwrap_err();
        }
        claim("sendfile=zero-copy").expect("known");
        for wrong in ["sendfile", "sendfile=fast", "sendfil=zero-copy", "=", "=zero-copy"] {
            claim(wrong).unwrap_err();
        }
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        agree(&words("splice tls"), &words("tls=two-copies")).expect("they agree");
        agree(&words("all"), &words("tls=two-copies")).expect("they agree");
        for (transfers, claims) in
            [("tls splice tls", ""), ("all tls", ""), ("splice", "tls=two-copies")]
        {
            agree(&words(transfers), &words(claims)).unwrap_err();
        }
        room_in(Path::new("/"), 0).expect("nothing fits");
        room_in(Path::new("/"), u64::MAX).unwrap_err();
    }
}
