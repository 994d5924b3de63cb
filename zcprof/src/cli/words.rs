//! Turns words into values. Each error names the right words, and the one nearest to what was
//! typed.

use std::net::{SocketAddr, ToSocketAddrs as _};

use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};
use zcprof_common::names;
use zcprof_common::sites::{Bytes, Sign, Site};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use crate::claim::Claim;
use crate::fetch::consumer::mode::{MODES, ModeSpec};
use crate::fetch::log::{Codec, check_topic_name};
use crate::fetch::socket::{Address, SOCKETS, SocketKind};
use crate::network::NetworkSpec;
use crate::run::ClaimOverride;
use crate::transfer::TransferSpec;
use crate::verdict::explain::Code;
use zcprof_judge::watch::record::Direction;

/// How alike two words must be for one to be meant by the other, as clap has it.
const ALIKE: f64 = 0.7;

/// One of some names; clap lists them, and says which one is nearest.
fn one_of<T: Clone + Send + Sync + 'static>(
    names: impl IntoIterator<Item = PossibleValue>,
    find: fn(&str) -> Option<T>,
) -> impl TypedValueParser<Value = T> {
    let lost = "the name is in the list and nowhere else";
    PossibleValuesParser::new(names).try_map(move |name| find(&name).ok_or(lost))
}

fn shown(names: &[&'static str]) -> Vec<PossibleValue> {
    names.iter().map(|name| PossibleValue::new(*name)).collect()
}

pub(super) fn transfer() -> impl TypedValueParser<Value = &'static TransferSpec> {
    let hidden = names::saboteur::ALL.iter().map(|name| PossibleValue::new(*name).hide(true));
    one_of(shown(names::transfer::ALL).into_iter().chain(hidden), TransferSpec::find)
}

pub(super) fn network() -> impl TypedValueParser<Value = &'static NetworkSpec> {
    one_of(shown(names::network::ALL), NetworkSpec::find)
}

pub(super) fn socket() -> impl TypedValueParser<Value = &'static SocketKind> {
    one_of(SOCKETS.iter().map(|row| PossibleValue::new(row.name)), SocketKind::find)
}

pub(super) fn mode() -> impl TypedValueParser<Value = &'static ModeSpec> {
    one_of(MODES.iter().map(|row| PossibleValue::new(row.name)), ModeSpec::find)
}

/// A mode whose promise can be judged, or one that does not keep it.
pub(super) fn judged_mode() -> impl TypedValueParser<Value = &'static ModeSpec> {
    let hidden = names::mode_saboteur::ALL.iter().map(|name| PossibleValue::new(*name).hide(true));
    one_of(shown(names::mode::ALL).into_iter().chain(hidden), ModeSpec::find)
}

pub(super) fn watcher() -> PossibleValuesParser {
    PossibleValuesParser::new(zcprof_judge::cost::watcher::ALL)
}

/// A mode that verifies every byte.
pub(super) fn verifying() -> impl TypedValueParser<Value = &'static ModeSpec> {
    let able = MODES.iter().filter(|row| row.verifies());
    one_of(able.map(|row| PossibleValue::new(row.name)), ModeSpec::find)
}

pub(super) fn codec() -> impl TypedValueParser<Value = Codec> {
    one_of(Codec::ALL.iter().map(|codec| PossibleValue::new(codec.name())), Codec::from_name)
}

pub(super) fn direction() -> impl TypedValueParser<Value = Direction> {
    let find = |name: &str| Direction::ALL.into_iter().find(|known| known.name() == name);
    one_of(Direction::ALL.map(|known| PossibleValue::new(known.name())), find)
}

/// A program's name, as far as the kernel keeps it.
pub(super) fn kept_name() -> impl TypedValueParser<Value = String> {
    StringValueParser::new().map(|name| crate::probe::kept_name(&name))
}

/// Any but `syscalls`, without which the others cannot say what they see.
pub(super) fn instrument() -> impl TypedValueParser<Value = Instrument> {
    let able = Instrument::ALL.iter().filter(|one| **one != Instrument::Syscalls);
    one_of(able.map(|one| PossibleValue::new(one.name())), Instrument::from_name)
}

/// `ZC106`, `zc106` or `106`.
pub(super) fn code(name: &str) -> Result<&'static Code, String> {
    let found = Code::find(name).or_else(|| Code::find(&format!("ZC{name}")));
    found.ok_or_else(|| "there is no such code; `zcprof explain` lists them all".to_owned())
}

/// A row of the callers without which they see fewer copies than the leaves, and nothing else: what such
/// a row is taken away from, no verdict can call free of copies.
pub(super) fn lacking(name: &str) -> Result<String, String> {
    let only_copies = |site: &Site| {
        let mut terms = site.cases.iter().flat_map(|case| case.terms);
        site.instrument == Instrument::Callers
            && terms.all(|term| {
                (term.sign, term.disposition) == (Sign::Plus, Disposition::Copied)
                    && term.hop != Hop::StorageToPageCache
            })
            && matches!(
                site.bytes,
                Bytes::Returned
                    | Bytes::ReturnedBesideKernfs(_)
                    | Bytes::ReturnedLess(_)
                    | Bytes::IfZero(_)
            )
    };
    let found = Site::find(name).filter(|(_, site)| only_copies(site));
    found.map(|_| name.to_owned()).ok_or_else(|| format!("{name:?} is no caller that only copies"))
}

pub(super) fn claim(text: &str) -> Result<ClaimOverride, String> {
    let (name, claim) = text.split_once('=').ok_or("write TRANSFER=CLAIM")?;
    TransferSpec::find(name).ok_or_else(|| lost("transfer", name, names::transfer::ALL))?;
    Claim::find(claim).ok_or_else(|| lost("claim", claim, names::claim::ALL))?;
    Ok(ClaimOverride { transfer: name.to_owned(), claim: claim.to_owned() })
}

/// What to say of a name that nothing has.
fn lost(kind: &str, name: &str, all: &[&str]) -> String {
    let likeness = |known: &&&str| strsim::jaro(name, known);
    let nearest = all.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let meant = nearest.filter(|known| likeness(known) > ALIKE);
    let hint = meant.map_or(String::new(), |known| format!("did you mean {known}? "));
    format!("no {kind} is called {name}; {hint}there are {}", all.join(", "))
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    match parse_size::parse_size(text) {
        Ok(0) => Err("must be above zero".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(format!("{error}; write a size such as 64MiB")),
    }
}

/// A host, by name or address, and a port. Of several addresses the first of IPv4 is taken, as
/// most clients do.
pub(super) fn resolve(text: &str) -> Result<SocketAddr, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{text:?} is not HOST:PORT: {error}");
    let found: Vec<_> = text.to_socket_addrs().map_err(|error| wrong(&error))?.collect();
    let address = found.iter().find(|address| address.is_ipv4()).or(found.first());
    address.copied().ok_or_else(|| wrong(&"it has no address"))
}

pub(super) fn topic(name: &str) -> Result<String, String> {
    check_topic_name(name).map(|()| name.to_owned()).map_err(|error| error.to_string())
}

pub(super) fn capacity(text: &str) -> Result<(String, u32), String> {
    let (map, capacity) = text.split_once('=').ok_or("write MAP=N")?;
    let capacity = capacity.parse().map_err(|error| format!("{capacity}: {error}"))?;
    Ok((map.to_owned(), capacity))
}

pub(super) fn listener(text: &str) -> Result<(String, Address), String> {
    let (name, address) = text.split_once('=').ok_or("write NAME=ADDR")?;
    let address = address.parse().map_err(|error| format!("{address}: {error}"))?;
    Ok((name.to_owned(), address))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::claim::CLAIMS;
    use crate::cli::CacheChoice;
    use crate::fetch::consumer::mode;
    use crate::network::NETWORKS;
    use crate::transfer::{SABOTEURS, TRANSFERS};
    use zcprof_judge::receive::claim::RECEIVE_CLAIMS;

    /// What a caller copied is missed without it, and nothing else; one that hands pages over hides more.
    #[test]
    fn only_callers_that_copy_may_be_left_out() {
        for name in ["kernfs_fop_read_iter", "seq_read_iter"] {
            assert!(lacking(name).is_ok(), "{name}");
        }
        for name in ["filemap_read", "filemap_splice_read", "_copy_to_iter", "nothing"] {
            assert!(lacking(name).is_err(), "{name}");
        }
    }

    /// What a name is, is said once; the tables have each name, and no other.
    #[test]
    fn the_tables_have_every_name_that_there_is() {
        let transfers: Vec<_> = TRANSFERS.iter().map(|row| row.name).collect();
        assert_eq!(transfers, names::transfer::ALL);
        let saboteurs: Vec<_> = SABOTEURS.iter().map(|row| row.name).collect();
        assert_eq!(saboteurs, names::saboteur::ALL);
        let networks: Vec<_> = NETWORKS.iter().map(|row| row.name).collect();
        assert_eq!(networks, names::network::ALL);
        let sockets: Vec<_> = SOCKETS.iter().map(|row| row.name).collect();
        assert_eq!(sockets, names::socket::ALL);
        let modes: Vec<_> = MODES.iter().map(|row| row.name).collect();
        assert_eq!(modes, names::mode::ALL);
        let saboteurs: Vec<_> = mode::SABOTEURS.iter().map(|row| row.name).collect();
        assert_eq!(saboteurs, names::mode_saboteur::ALL);
        let claims: Vec<_> = RECEIVE_CLAIMS.iter().map(|claim| claim.name).collect();
        assert_eq!(claims, names::receive_claim::ALL);
        let states =
            CacheChoice::value_variants().iter().filter_map(CacheChoice::to_possible_value);
        let states: Vec<_> = states.map(|state| state.get_name().to_owned()).collect();
        assert_eq!(states, names::cache::ALL);
        let claims: Vec<_> = CLAIMS.iter().map(|claim| claim.name).collect();
        assert_eq!(claims, names::claim::ALL);
    }

    #[test]
    fn what_is_nearly_a_name_is_answered_with_it() {
        let said = claim("sendfil=zero-copy").unwrap_err();
        assert!(said.contains("did you mean sendfile?"), "{said}");
        let said = claim("sendfile=zerocopy").unwrap_err();
        assert!(said.contains("did you mean zero-copy?"), "{said}");
        let said = claim("sendfile=qqq").unwrap_err();
        assert!(!said.contains("did you mean") && said.contains("one-copy"), "{said}");
    }
}
