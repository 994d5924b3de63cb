//! Whether a probe was switched off for a while: to arm or disarm one the kernel changes its own text, and
//! it records each such change for those who ask (`perf_event_text_poke()`, kernel/events/core.c, since
//! 5.9; x86's `arch_disarm_kprobe()` and `ftrace_replace_code()` end there).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use perf_event::data::Record;
use perf_event::events::Software;
use perf_event::{Builder, Sampler};

use super::kernel;

/// Room for records on each CPU, in bytes: about 1,600. All kprobes together are some hundreds.
const ROOM: usize = 64 << 10;

/// What a record may need, in bytes: its header, an address, two lengths, and two times the longest
/// instruction.
const LARGEST: usize = 64;

/// Where in a function a probe of its entry may be: at the beginning, or behind `endbr64`.
const ENTRIES: [u64; 2] = [0, 4];

/// First bytes of what calls a probe: a breakpoint, a call, and the jump of an optimised kprobe.
const ARMED: [u8; 3] = [0xcc, 0xe8, 0xe9];

/// A change of the kernel's text.
struct Poke {
    address: u64,
    /// The first byte before, and after.
    bytes: [Option<u8>; 2],
}

/// Follows the changes of the kernel's text on every CPU.
pub(super) struct TextPokes {
    /// A ring of records for each CPU.
    rings: BTreeMap<u32, Sampler>,
    /// What was recorded since it was asked for last.
    noted: Vec<Poke>,
    /// How many changes could not be recorded.
    lost: u64,
    /// Functions whose probe is off, by address.
    off: BTreeSet<u64>,
}

impl TextPokes {
    /// Begins.
    ///
    /// # Errors
    /// The kernel's own: it is too old, or this process may not.
    pub(super) fn follow() -> Result<Self> {
        let mut pokes =
            Self { rings: BTreeMap::new(), noted: Vec::new(), lost: 0, off: BTreeSet::new() };
        pokes.follow_cpus(&[])?;
        Ok(pokes)
    }

    /// Follows them on CPUs that came online since, too, and anew on those that were offline for a while:
    /// their rings get nothing any more, and what they got before is kept.
    ///
    /// # Errors
    /// The kernel's own.
    fn follow_cpus(&mut self, were_offline: &[u32]) -> Result<()> {
        self.note();
        for cpu in kernel::online_cpus()? {
            if self.rings.contains_key(&cpu) && !were_offline.contains(&cpu) {
                continue;
            }
            match ring(cpu) {
                Ok(ring) => drop(self.rings.insert(cpu, ring)),
                // Where it went again meanwhile nothing runs.
                Err(_) if !kernel::online_cpus()?.contains(&cpu) => {}
                Err(error) => return Err(error.context(format!("on CPU {cpu}"))),
            }
        }
        Ok(())
    }

    /// Empties the rings.
    pub(super) fn note(&mut self) {
        for ring in self.rings.values_mut() {
            let mut bytes = 0;
            while let Some(record) = ring.next_record() {
                bytes += record.len();
                match record.parse_record() {
                    Ok(Record::TextPoke(poke)) => self.noted.push(Poke {
                        address: poke.addr,
                        bytes: [&poke.old_bytes, &poke.new_bytes].map(|all| all.first().copied()),
                    }),
                    Ok(Record::Lost(lost)) => self.lost += lost.lost,
                    _ => self.lost += 1,
                }
            }
            // How much did not fit, the kernel says when something fits again, which may be never.
            if bytes + LARGEST > ROOM {
                self.lost += 1;
            }
        }
    }

    /// Those of the functions whose probe was off at any time since this was asked last, and how many
    /// changes are not known; with the CPUs that were offline for a while since then.
    ///
    /// # Errors
    /// The kernel's own.
    pub(super) fn switched_off(
        &mut self,
        functions: &BTreeSet<u64>,
        were_offline: &[u32],
    ) -> Result<(BTreeSet<u64>, u64)> {
        self.follow_cpus(were_offline)?;
        let noted = std::mem::take(&mut self.noted);
        let were_off = follow(&mut self.off, functions, &noted);
        Ok((were_off, std::mem::take(&mut self.lost)))
    }
}

/// Those of the functions whose probe was off before these changes or between them; `off` are those
/// whose probe is off now. The changes may come in any order, as different CPUs made them: what was
/// switched off as often as on is on.
fn follow(off: &mut BTreeSet<u64>, functions: &BTreeSet<u64>, pokes: &[Poke]) -> BTreeSet<u64> {
    let known = off.iter().filter(|function| functions.contains(function));
    // How often each was switched off, less how often on.
    let mut times: BTreeMap<u64, i64> = known.map(|function| (*function, 1)).collect();
    for poke in pokes {
        let at = |entry: u64| poke.address.checked_sub(entry);
        let function = ENTRIES.into_iter().filter_map(at).find(|at| functions.contains(at));
        let Some(function) = function else { continue };
        let [was_armed, is_armed] =
            poke.bytes.map(|byte| byte.is_some_and(|byte| ARMED.contains(&byte)));
        if !was_armed || !is_armed {
            *times.entry(function).or_default() += i64::from(was_armed) - i64::from(is_armed);
        }
    }
    *off = times.iter().filter(|(_, times)| **times > 0).map(|(function, _)| *function).collect();
    times.into_keys().collect()
}

/// Records of what is changed by this CPU.
fn ring(cpu: u32) -> Result<Sampler> {
    let mut counter = Builder::new(Software::DUMMY)
        .any_pid()
        .one_cpu(usize::try_from(cpu)?)
        .include_kernel()
        .text_poke(true)
        .build()?;
    counter.enable()?;
    Ok(counter.sampled(ROOM)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOP: u8 = 0x0f;
    const CALL: u8 = 0xe8;

    fn poke(address: u64, old: u8, new: u8) -> Poke {
        Poke { address, bytes: [Some(old), Some(new)] }
    }

    fn after(off: &mut BTreeSet<u64>, pokes: &[Poke]) -> Vec<u64> {
        follow(off, &BTreeSet::from([0x100, 0x200]), pokes).into_iter().collect()
    }

    #[test]
    fn a_probe_that_was_off_for_a_moment_is_known_and_so_is_one_that_stays_off() {
        let off = &mut BTreeSet::new();
        let moment = [poke(0x104, CALL, NOP), poke(0x104, NOP, CALL)];
        assert_eq!(after(off, &moment), [0x100]);
        assert!(after(off, &[]).is_empty());
        assert_eq!(after(off, &[poke(0x200, 0xcc, 0x55)]), [0x200]);
        assert_eq!(after(off, &[]), [0x200], "still off");
        assert_eq!(after(off, &[poke(0x200, 0x55, 0xcc)]), [0x200], "off until now");
        assert!(after(off, &[]).is_empty());
    }

    /// One CPU switches it off and another on; the other's record is read first.
    #[test]
    fn the_order_of_changes_does_not_matter() {
        let off = &mut BTreeSet::new();
        let (gone, back) = (poke(0x104, CALL, NOP), poke(0x104, NOP, CALL));
        assert_eq!(after(off, &[back, gone]), [0x100]);
        assert!(after(off, &[]).is_empty());
    }

    /// Another tracer comes or goes, a kprobe becomes a jump, or another place of the kernel changes.
    #[test]
    fn what_leaves_the_probes_armed_is_no_doubt() {
        let off = &mut BTreeSet::new();
        let others = [
            poke(0x104, CALL, CALL),
            poke(0x200, 0xcc, 0xe9),
            poke(0x200, 0xe9, 0xcc),
            poke(0x110, CALL, NOP),
            poke(0x2, NOP, CALL),
        ];
        assert!(after(off, &others).is_empty());
        assert!(off.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_off() {
        let unreadable = Poke { address: 0x100, bytes: [Some(CALL), None] };
        assert_eq!(after(&mut BTreeSet::new(), &[unreadable]), [0x100]);
    }
}
