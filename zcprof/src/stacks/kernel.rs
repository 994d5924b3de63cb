//! Names of the kernel's frames.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use zcprof_common::sites::Site;
use zcprof_judge::stacks::record::{Frame, FrameKind};

use crate::probe::FunctionTable;

thread_local! {
    /// The kernel's functions, which take long to read (emulated 0.7 s, and a window with its controls
    /// asks seven times), until they are forgotten.
    static FUNCTIONS: RefCell<Option<FunctionTable>> = const { RefCell::new(None) };
}

/// Forgets the kernel's functions, which are read again when they are needed.
pub(super) fn forget() {
    FUNCTIONS.take();
}

/// Names of kernel addresses.
pub(super) struct KernelNames {
    of: BTreeMap<u64, Frame>,
}

/// Where a softirq begins (kernel/softirq.c, 5.15 to 7.3): what is outside it was interrupted, and has
/// nothing to do with it.
const SOFTIRQ: [&str; 2] = ["handle_softirqs", "__do_softirq"];

impl KernelNames {
    /// Those of some addresses. Without any the kernel's functions are not read.
    pub(super) fn of(addresses: impl Iterator<Item = u64>) -> Self {
        let addresses: BTreeSet<_> = addresses.collect();
        if addresses.is_empty() {
            return Self { of: BTreeMap::new() };
        }
        FUNCTIONS.with_borrow_mut(|known| {
            let functions = known.get_or_insert_with(|| {
                FunctionTable::read().unwrap_or_else(|error| {
                    log::warn!("the kernel's functions have no names: {error:#}");
                    FunctionTable::default()
                })
            });
            let named = |address: u64| (address, frame(functions, address));
            Self { of: addresses.into_iter().map(named).collect() }
        })
    }

    /// The frames of a kernel's half, the outermost first, with the site as the innermost. `is_later`
    /// says that the interrupted task has nothing to do with it.
    pub(super) fn frames(&self, half: &[u64], site: &Site, is_later: bool) -> Vec<Frame> {
        let known: Vec<_> = half.iter().filter_map(|address| self.of.get(address)).collect();
        let is_site = |frame: &&Frame| site.symbols().iter().any(|symbol| frame.name == *symbol);
        // What is inside the site is the probe itself.
        let run = known.iter().take_while(|frame| is_probe(&frame.name) || is_site(frame)).count();
        let inner = known.iter().position(is_site).map_or(run, |at| run.max(at + 1));
        let outer = known.iter().position(|frame| SOFTIRQ.contains(&frame.name.as_str()));
        let outer = outer.filter(|_| is_later).map_or(known.len(), |at| (at + 1).max(inner));
        let mut frames: Vec<_> = known[inner..outer].iter().rev().copied().cloned().collect();
        frames.push(function(site.symbols()[0]));
        frames
    }
}

/// The frame of an address. It is behind its call, which may be the function's last instruction.
fn frame(functions: &FunctionTable, address: u64) -> Frame {
    functions.find(address.saturating_sub(1)).map_or_else(
        || function(&format!("[{address:#x}]")),
        |found| Frame { file: found.module.to_owned(), ..function(found.name) },
    )
}

/// A function of the kernel's.
pub(super) fn function(name: &str) -> Frame {
    Frame { kind: FrameKind::Kernel, name: name.to_owned(), file: String::new() }
}

/// Whether a frame is of what probes are made of, and not of what is probed.
pub(super) fn is_probe(name: &str) -> bool {
    const PARTS: [&str; 8] = [
        "bpf_",
        "trace_call_bpf",
        "kprobe_",
        "kretprobe_",
        "rethook_",
        "arch_rethook",
        "ftrace_",
        "perf_trace",
    ];
    PARTS.iter().any(|part| name.starts_with(part)) || name.starts_with('[')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[(u64, &str)]) -> KernelNames {
        KernelNames { of: names.iter().map(|(at, name)| (*at, function(name))).collect() }
    }

    fn shown(names: &KernelNames, half: &[u64], is_later: bool) -> Vec<String> {
        let (_, site) = Site::find("tcp_sendmsg_locked").expect("in the table");
        names.frames(half, site, is_later).into_iter().map(|frame| frame.name).collect()
    }

    #[test]
    fn the_probe_is_no_part_of_the_stack() {
        let names = names(&[
            (1, "bpf_prog_0123456789abcdef_x"),
            (2, "bpf_trampoline_6442500000"),
            (3, "tcp_sendmsg_locked"),
            (4, "tcp_sendmsg"),
            (5, "handle_softirqs"),
            (6, "do_syscall_64"),
        ]);
        let whole = ["do_syscall_64", "tcp_sendmsg", "tcp_sendmsg_locked"];
        assert_eq!(shown(&names, &[1, 2, 3, 4, 6], false), whole);
        assert_eq!(shown(&names, &[1, 2, 4, 6], false), whole);
        // The trampoline may be within the function.
        assert_eq!(shown(&names, &[3, 2, 3, 4, 6], false), whole);
        // What was interrupted is nobody's.
        assert_eq!(
            shown(&names, &[2, 3, 4, 5, 6], true),
            ["handle_softirqs", "tcp_sendmsg", "tcp_sendmsg_locked"]
        );
        assert_eq!(shown(&names, &[], false), ["tcp_sendmsg_locked"]);
    }
}
