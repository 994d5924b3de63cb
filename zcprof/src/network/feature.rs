//! Features of devices by the names that `ethtool -k` prints: struct ethtool_gstrings,
//! ethtool_gfeatures and ethtool_sfeatures, include/uapi/linux/ethtool.h.

use anyhow::{Context as _, Result};

use super::link::ethtool;

/// `NETIF_F_NOCACHE_COPY` (net/ethtool/common.c, 5.10 to 7.3).
pub(super) const NOCACHE: &str = "tx-nocache-copy";

/// By these a device has the kernel copy what is sent past the processor's cache: that one, and TLS that the
/// device encrypts, for which `tls_push_data()` copies (net/tls/tls_device.c, 5.10 to 7.3).
pub(super) const PAST_THE_CACHE: [&str; 2] = [NOCACHE, "tls-hw-tx-offload"];

const GSTRINGS: u32 = 0x1b;
const GFEATURES: u32 = 0x3a;
const SFEATURES: u32 = 0x3b;
/// `ETH_SS_FEATURES`.
const FEATURES: u32 = 4;

/// Bytes of a name (`ETH_GSTRING_LEN`), and room for more names than a kernel has.
const NAME: usize = 32;
const MOST: usize = 256;

/// Words of 32 features (`NETDEV_FEATURE_COUNT` is 64 at most, 5.10 to 7.3).
const WORDS: usize = 2;

#[repr(C)]
struct Strings {
    command: u32,
    set: u32,
    length: u32,
    names: [[u8; NAME]; MOST],
}

#[repr(C)]
struct GetFeatures {
    command: u32,
    words: u32,
    /// Available, requested, active, never changed.
    features: [[u32; 4]; WORDS],
}

#[repr(C)]
struct SetFeatures {
    command: u32,
    words: u32,
    /// Valid, requested.
    features: [[u32; 2]; WORDS],
}

/// Whether a device has it.
///
/// # Errors
/// The device does not tell.
pub(super) fn is_on(device: &str, feature: &str) -> Result<bool> {
    let Some(at) = position(device, feature)? else { return Ok(false) };
    let mut get = Box::new(GetFeatures { command: GFEATURES, words: 2, features: [[0; 4]; WORDS] });
    ethtool(device, (&raw mut *get).cast())
        .with_context(|| format!("asking for the features of {device}"))?;
    Ok(get.features[at / 32][2] >> (at % 32) & 1 == 1)
}

/// Whether a device has one of some.
///
/// # Errors
/// The device does not tell.
pub(super) fn is_any_on(device: &str, features: &[&str]) -> Result<bool> {
    for feature in features {
        if is_on(device, feature)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says that some devices have none of some.
pub(super) fn are_off(features: &[&str], devices: &str) -> String {
    format!("{} are off on {devices}", features.join(" and "))
}

/// Gives it to a device.
///
/// # Errors
/// The device cannot have it.
pub(super) fn switch_on(device: &str, feature: &str) -> Result<()> {
    let at = position(device, feature)?
        .with_context(|| format!("this kernel's devices have no {feature}"))?;
    let mut features = [[0; 2]; WORDS];
    features[at / 32] = [1 << (at % 32); 2];
    let mut set = Box::new(SetFeatures { command: SFEATURES, words: 2, features });
    ethtool(device, (&raw mut *set).cast())
        .with_context(|| format!("switching {feature} of {device} on"))?;
    anyhow::ensure!(is_on(device, feature)?, "{device} does not take {feature}");
    Ok(())
}

/// Number of a feature, of those that are in the words.
fn position(device: &str, feature: &str) -> Result<Option<usize>> {
    let names = [[0; NAME]; MOST];
    let mut strings = Box::new(Strings { command: GSTRINGS, set: FEATURES, length: 0, names });
    ethtool(device, (&raw mut *strings).cast())
        .with_context(|| format!("asking for the names of the features of {device}"))?;
    let is_it =
        |name: &[u8; NAME]| name.split(|byte| *byte == 0).next() == Some(feature.as_bytes());
    Ok(strings.names.iter().position(is_it).filter(|at| *at < 32 * WORDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_never_has_it_and_says_so() {
        for feature in PAST_THE_CACHE {
            assert!(position("lo", feature).expect("named").is_some(), "{feature}");
        }
        assert!(!is_on("lo", NOCACHE).expect("told")); // register_netdevice(), net/core/dev.c
        assert!(!is_any_on("lo", &PAST_THE_CACHE).expect("told"));
        assert!(is_any_on("lo", &[NOCACHE, "loopback"]).expect("told")); // gen_lo_setup(), drivers/net/loopback.c
        assert!(position("lo", "no-such-feature").expect("named").is_none());
    }
}
