//! THE TABLE of what runs in guests: on which kernels, every day or only at night. To add a stage is
//! to add a row.

use crate::guest::{self, BASE, PLANTED, WAYS};
use crate::kernels::{DEFAULT, GuestKernel};

/// A stage in a guest of its own, on one kernel.
#[derive(Debug)]
pub(super) struct Part {
    /// Name of the stage.
    pub(super) name: &'static str,
    /// What the guest does.
    pub(super) work: Work,
    /// Every day.
    daily: KernelScope,
    /// With `--nightly`.
    nightly: KernelScope,
    /// Processors of its guest every day; at night as many as this machine has.
    cpus: Cpus,
    /// Modules of its guest.
    pub(super) modules: &'static [&'static [&'static str]],
    /// What the daily run does not do of it, and what covers that meanwhile; empty if nothing.
    pub(super) left_out: &'static str,
}

/// What a guest does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// The test program is told these words, and passes over what another part names within them.
    Tests(&'static [&'static str]),
    /// The same on a kernel that is started with the first words too.
    TestsBootedWith(&'static str, &'static [&'static str]),
    /// The test program passes over the tests of all other parts.
    OtherTests,
    /// `zcprof measure` judges the claims of every transfer.
    Claims,
    /// The same with kcat as the consumer.
    Kcat,
    /// The test program is told these words, and has the image of programs.
    Programs(&'static [&'static str]),
}

/// On which of the kernels that were chosen, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KernelScope {
    Nowhere,
    /// On one: what comes out does not depend on the kernel.
    One,
    /// On every one, with variables of the test program.
    Every(&'static [(&'static str, &'static str)]),
    /// On every one, each with its share of the rows of long tables.
    Shared,
}

/// How many processors a guest has. With one an emulated guest needs much less CPU time for the same
/// tests than with two (three guests at a time on two CPUs: a third less), because none waits for
/// another. But what measures on Linux 7.3 has several: with one, probes of that kernel interrupt each
/// other and miss runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cpus {
    One,
    /// As many as this machine on this kernel, one on the others.
    SeveralOn(&'static str),
    /// As many as this machine.
    Several,
}

/// The variable that says which share of a table's rows is wanted, as `2/3`.
pub(super) const SHARE: &str = "ZCPROF_SHARE";

/// The variable that says which programs could not be built, by their names in the image's table.
pub(super) const LEFT_OUT: &str = "ZCPROF_LEFT_OUT";

/// Every part, the longest first.
pub(super) const PARTS: &[Part] = &[
    Part {
        name: "faults",
        work: Work::Tests(&["faults::", "leftovers::", "privileges::"]),
        daily: KernelScope::One,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE, PLANTED],
        left_out: "faults on the other kernels: they strike the same code on one",
    },
    Part {
        name: "processors that come and go",
        work: Work::Tests(&["faults::a_cpu_"]),
        daily: KernelScope::Nowhere,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::Several,
        modules: &[BASE],
        left_out: "processors that come and go",
    },
    Part {
        name: "processors out of reach",
        work: Work::Tests(&["faults::cpuset::"]),
        daily: KernelScope::Nowhere,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::Several,
        modules: &[BASE],
        left_out: "processors on which zcprof may not run",
    },
    Part {
        name: "tests",
        work: Work::OtherTests,
        daily: KernelScope::Shared,
        nightly: KernelScope::Every(&[("ZCPROF_CONNECTIONS", "1,3")]),
        cpus: Cpus::SeveralOn("trixie-backports"),
        modules: &[BASE],
        left_out: "every transfer over one connection (the matrix and the red team have just one); and \
                   on each kernel: each way to send by UDP, what waits in sockets, stacks, arguments of \
                   small fetches, kretprobes, the programs' log: every day each is tried on one, in turns",
    },
    Part {
        name: "commands",
        work: Work::Tests(COMMANDS),
        daily: KernelScope::One,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "what commands say, refuse and leave behind on the other kernels: the same code says it \
                   on one",
    },
    Part {
        name: "whom a window is about",
        work: Work::Tests(&["watching::ports::", "watching::targets::"]),
        daily: KernelScope::Nowhere,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "windows about names, files, control groups and ports of programs that run already: \
                   every day a command's is watched",
    },
    Part {
        name: "edges of windows",
        work: Work::Tests(&["watching::children_in", "watching::ending::", "watching::held::"]),
        daily: KernelScope::One,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "what was before a window and how it ends on the other kernels: the same code does it",
    },
    Part {
        name: "commands that outlive windows",
        work: Work::Tests(&[
            "watching::ending::a_command_that_the_window_ends",
            "watching::ending::a_daemon_of_the_command",
        ]),
        daily: KernelScope::Nowhere,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "commands and daemons that outlive the window: every day a window ends with its command",
    },
    Part {
        name: "names in the live view",
        work: Work::Tests(&["watching::live::enter_names"]),
        daily: KernelScope::Nowhere,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "names of functions in the live view: every day a report names them",
    },
    Part {
        name: "live view",
        work: Work::Tests(&["watching::live::"]),
        daily: KernelScope::Nowhere,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "the live view on a terminal: every day its rows and its drawing are tested without one",
    },
    Part {
        name: "scale",
        work: Work::Tests(&["watching::scale::"]),
        daily: KernelScope::Nowhere,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::Several,
        modules: &[BASE],
        left_out: "ten thousand stacks and two thousand processes in a window",
    },
    Part {
        name: "long window",
        work: Work::Tests(&["watching::long::"]),
        daily: KernelScope::Nowhere,
        // What it takes does not depend on the kernel, and it takes half an hour.
        nightly: KernelScope::One,
        cpus: Cpus::Several,
        modules: &[BASE],
        left_out: "a window of half an hour with a thousand connections per second",
    },
    Part {
        name: "receiving",
        work: Work::Tests(&["receiving::"]),
        daily: KernelScope::One,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::Several,
        modules: &[BASE],
        left_out: "ways to receive on the other kernels: what a transfer sends is measured on each",
    },
    Part {
        name: "red team",
        work: Work::Tests(&["redteam::"]),
        daily: KernelScope::Shared,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::SeveralOn("trixie-backports"),
        modules: &[BASE, PLANTED],
        left_out: "each sabotage on each kernel: every day each is planted on one, in turns",
    },
    Part {
        name: "random",
        work: Work::Tests(&["--nocapture", RANDOM.test]),
        daily: KernelScope::Every(&[(RANDOM.variable, "3")]),
        nightly: KernelScope::Every(&[(RANDOM.variable, "100")]),
        cpus: Cpus::SeveralOn("trixie-backports"),
        modules: &[BASE, PLANTED],
        left_out: "random measurements in bulk, 100 passes on each kernel: 3 are made",
    },
    Part {
        name: "repetitions",
        work: Work::Tests(&["--nocapture", REPEAT.test]),
        daily: KernelScope::Nowhere,
        nightly: KernelScope::Every(&[(REPEAT.variable, "20")]),
        cpus: Cpus::Several,
        modules: &[BASE],
        left_out: "the classics again and again: the tests measure them once, the matrix twice",
    },
    Part {
        name: "claims",
        work: Work::Claims,
        daily: KernelScope::Nowhere,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "the claims of all transfers by the program that users build: the tests judge them \
                   with the one that the tests build",
    },
    Part {
        name: "kcat",
        work: Work::Kcat,
        daily: KernelScope::One,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "kcat on the other kernels: it reads what the built-in consumer reads on each",
    },
    Part {
        name: "programs",
        work: Work::Programs(&["--ignored", "--nocapture", "programs::", "--skip", CONTAINERS]),
        daily: KernelScope::Nowhere,
        nightly: KernelScope::Every(&[(RANDOM.variable, "34")]),
        cpus: Cpus::Several,
        modules: &[BASE, PLANTED, WAYS],
        left_out: "programs of others (nginx, Kafka, Caddy), watched: every day a command of zcprof's own is",
    },
    Part {
        name: "programs in containers",
        work: Work::Programs(&["--ignored", "--nocapture", CONTAINERS]),
        daily: KernelScope::Nowhere,
        // On the other kernels the ways that packets take from there are tested, among the programs.
        nightly: KernelScope::One,
        cpus: Cpus::Several,
        modules: &[BASE, PLANTED, WAYS],
        left_out: "programs of others where containers have them",
    },
    Part {
        name: "bounce buffers",
        work: Work::TestsBootedWith("swiotlb=force", &["--ignored", "what_is_copied_for_devices"]),
        daily: KernelScope::One,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "devices that the CPU copies for, on the other kernels: the same tracepoint tells it",
    },
    // These two cannot be undone, so that nothing comes after them.
    Part {
        name: "tracing off",
        work: Work::Tests(&["--ignored", "function_tracing_that_is_switched_off_is_missed"]),
        daily: KernelScope::One,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "function tracing switched off on the other kernels",
    },
    Part {
        name: "lockdown",
        work: Work::Tests(&["--ignored", "a_kernel_that_is_locked_down_says_so"]),
        daily: KernelScope::One,
        nightly: KernelScope::Every(&[]),
        cpus: Cpus::One,
        modules: &[BASE],
        left_out: "lockdown of the other kernels",
    },
];

/// Tests of what commands say, refuse and leave behind.
const COMMANDS: &[&str] = &[
    "a_false_claim_exits_1",
    "a_full_disk_at_report_time",
    "a_log_of_one_small_record_per_batch",
    "a_log_on_tmpfs",
    "a_transfer_that_its_socket_refuses",
    "doctor::",
    "hidden_symbols_are_named",
    "interrupt_undoes_everything",
    "io_uring_that_only_root_may_use",
    "missing_kernel_types_are_named",
    "taken_breakpoint_slots_are_named",
    "withheld_instruments_exit_3",
    "watching::a_watch_that_is_killed",
    "watching::the_command_gets",
    "watching::the_exit_code",
    "watching::who_cannot_be_watched",
];

/// Tests of [`Work::OtherTests`] that a daily run tries on one kernel each, in turns.
const IN_TURNS: &[&str] = &[
    "arguments_of_small_fetches_are_no_copies_of_the_payload",
    "watching::queued::",
    "watching::what_two_functions_read_within_each_other",
    "stacks_of_the_built_in_workload_say_which_function_copied",
    "kretprobes_find_what_fexit_finds",
    "watching::stacks_say_which_function_copied",
    "the_programs_explain_themselves",
    "watching::datagrams::what_is_sent_by_udp_beside_tcp",
];

/// The test of programs in containers.
const CONTAINERS: &str = "every_program_in_a_containers_place";

/// A test that can be had longer, instead of all others.
#[derive(Debug)]
pub(super) struct Longer {
    pub(super) name: &'static str,
    /// The variable that says how long.
    pub(super) variable: &'static str,
    pub(super) test: &'static str,
}

/// `--random`.
pub(super) const RANDOM: Longer = Longer {
    name: "random",
    variable: "ZCPROF_RANDOM",
    test: "redteam::random::no_false_claim_holds_and_no_true_claim_is_refuted",
};

/// `--repeat`.
pub(super) const REPEAT: Longer = Longer {
    name: "repetitions",
    variable: "ZCPROF_REPEAT",
    test: "the_classics_get_the_same_verdict_every_time",
};

/// The words of [`Work::OtherTests`]: to skip whatever the other parts name.
pub(super) fn skipped_by_others() -> Vec<String> {
    named().map(skip).collect()
}

/// Which of the kernels that were chosen this is, and how many they are.
pub(super) fn turn(
    kernel: &GuestKernel,
    chosen: &[&'static GuestKernel],
) -> Option<(usize, usize)> {
    let at = chosen.iter().position(|known| known.name == kernel.name)?;
    Some((at, chosen.len()))
}

/// The words of [`Work::OtherTests`] on the kernel whose turn is so many-th of so many, to skip what others
/// try; none if there are no turns.
pub(super) fn skipped_in_turn(turn: Option<(usize, usize)>) -> Vec<String> {
    let Some((own, turns)) = turn else { return Vec::new() };
    let others = IN_TURNS.iter().enumerate().filter(|(at, _)| at % turns != own);
    others.map(|(_, test)| skip(test)).collect()
}

/// The words of [`Work::Tests`].
pub(super) fn without_others(words: &[&'static str]) -> Vec<String> {
    let is_within = |name: &&str| words.iter().any(|word| name != word && name.starts_with(word));
    let own = words.iter().map(|word| (*word).to_owned());
    own.chain(named().filter(is_within).map(skip)).collect()
}

/// Tests that parts name.
fn named() -> impl Iterator<Item = &'static str> {
    let words = PARTS.iter().filter_map(|part| match part.work {
        Work::Tests(words) => Some(words),
        _ => None,
    });
    words.flatten().copied().filter(|word| !word.starts_with("--"))
}

fn skip(test: &str) -> String {
    format!("--skip={test}")
}

impl Part {
    /// The variables of the test program on one of the kernels that were chosen; `None` if the part
    /// does not run there. One is enough for [`KernelScope::One`]: the default kernel, or the first if that
    /// was not chosen.
    pub(super) fn on(
        &self,
        kernel: &GuestKernel,
        chosen: &[&'static GuestKernel],
        nightly: bool,
    ) -> Option<Vec<(&'static str, String)>> {
        let (at, kernels) = turn(kernel, chosen)?;
        match if nightly { self.nightly } else { self.daily } {
            KernelScope::Nowhere => None,
            KernelScope::One => {
                let default = chosen.iter().position(|known| known.name == DEFAULT).unwrap_or(0);
                (default == at).then(Vec::new)
            }
            KernelScope::Every(variables) => {
                Some(variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
            }
            KernelScope::Shared => Some(vec![(SHARE, format!("{}/{kernels}", at + 1))]),
        }
    }

    /// Processors of its guest on this kernel.
    pub(super) fn cpus(&self, kernel: &GuestKernel, nightly: bool) -> usize {
        let has_several = match self.cpus {
            Cpus::One => false,
            Cpus::SeveralOn(name) => kernel.name == name,
            Cpus::Several => true,
        };
        if nightly || has_several { guest::cpus() } else { 1 }
    }

    /// Whether a daily run on these kernels leaves something of it out.
    pub(super) fn is_shorter(&self, chosen: &[&'static GuestKernel]) -> bool {
        let one_is_all = chosen.len() == 1
            && matches!(self.daily, KernelScope::One | KernelScope::Shared)
            && self.nightly == KernelScope::Every(&[]);
        self.daily != self.nightly && !one_is_all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels;

    #[test]
    fn at_night_each_part_runs_whole_on_every_kernel_or_on_one() {
        for names in ["all", "bookworm", "trixie"] {
            let chosen = kernels::choose(&[names.to_owned()]).expect("known");
            for part in PARTS {
                let on: Vec<_> =
                    chosen.iter().filter_map(|kernel| part.on(kernel, &chosen, true)).collect();
                let expected = if part.nightly == KernelScope::One { 1 } else { chosen.len() };
                assert_eq!(on.len(), expected, "{}", part.name);
                let variables = on.iter().flatten();
                assert!(variables.into_iter().all(|(name, _)| *name != SHARE), "{}", part.name);
            }
        }
    }

    #[test]
    fn every_guest_has_several_processors_at_night_and_kernels_that_need_them_are_named() {
        let chosen = kernels::choose(&["all".to_owned()]).expect("known");
        for part in PARTS {
            assert!(chosen.iter().all(|kernel| part.cpus(kernel, true) == guest::cpus()));
            if let Cpus::SeveralOn(name) = part.cpus {
                assert!(chosen.iter().any(|kernel| kernel.name == name), "{name}");
            }
        }
    }

    #[test]
    fn what_a_daily_run_leaves_out_is_said() {
        let chosen = kernels::choose(&["all".to_owned()]).expect("known");
        for part in PARTS {
            assert_eq!(part.is_shorter(&chosen), !part.left_out.is_empty(), "{}", part.name);
            let runs = chosen.iter().filter(|kernel| part.on(kernel, &chosen, false).is_some());
            let expected = match part.daily {
                KernelScope::Nowhere => 0,
                KernelScope::One => 1,
                KernelScope::Every(_) | KernelScope::Shared => chosen.len(),
            };
            assert_eq!(runs.count(), expected, "{}", part.name);
        }
        let one = &chosen[..1];
        let faults = PARTS.iter().find(|part| part.name == "faults").expect("there");
        assert!(faults.is_shorter(&chosen) && !faults.is_shorter(one), "one kernel has it all");
    }

    #[test]
    fn what_kernels_try_in_turns_each_day_one_tries() {
        for turns in 1..4 {
            let skipped: Vec<_> =
                (0..turns).flat_map(|own| skipped_in_turn(Some((own, turns)))).collect();
            for test in IN_TURNS {
                let by = skipped.iter().filter(|word| **word == skip(test)).count();
                assert_eq!(by, turns - 1, "{test}");
            }
        }
        assert!(skipped_in_turn(None).is_empty());
    }

    /// What one of the stages runs, the stage of all others does not.
    #[test]
    fn the_tests_of_commands_run_in_their_own_stage_alone() {
        let skipped = skipped_by_others();
        for name in COMMANDS.iter().chain(&["faults::", "redteam::", RANDOM.test, REPEAT.test]) {
            assert!(skipped.contains(&format!("--skip={name}")), "{name} runs twice");
        }
        assert!(skipped.iter().all(|word| !word.contains("--skip=--")), "{skipped:?}");
    }

    #[test]
    fn a_part_passes_over_what_another_names_within_it() {
        let words = without_others(&["faults::", "leftovers::"]);
        let skipped = ["--skip=faults::a_cpu_", "--skip=faults::cpuset::"];
        assert_eq!(words, ["faults::", "leftovers::", skipped[0], skipped[1]]);
        assert_eq!(without_others(&["faults::cpuset::"]), ["faults::cpuset::"]);
        let random = ["--nocapture", RANDOM.test];
        assert_eq!(without_others(&random), random);
        assert_eq!(without_others(&["redteam::"]), ["redteam::".to_owned(), skip(RANDOM.test)]);
    }

    #[test]
    fn the_shares_of_all_kernels_are_the_whole() {
        let chosen = kernels::choose(&["all".to_owned()]).expect("known");
        for part in PARTS.iter().filter(|part| part.daily == KernelScope::Shared) {
            let shares: Vec<_> =
                chosen.iter().filter_map(|kernel| part.on(kernel, &chosen, false)).collect();
            let share = |of: &str| vec![(SHARE, of.to_owned())];
            assert_eq!(shares, ["1/3", "2/3", "3/3"].map(share), "{}", part.name);
        }
    }
}
