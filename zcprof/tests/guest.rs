//! What only a kernel with probes can show. `cargo xtask test` runs this in guests, as root:
//! `ZCPROF` names the program under test, `ZCPROF_GUEST_DIR` a folder on a disk file system
//! (/data/tests if it is not set).

mod background;
mod doctor;
mod families;
mod faults;
mod leftovers;
mod netlink;
mod privileges;
mod programs;
mod pty;
mod receiving;
mod redteam;
mod repetitions;
mod share;
mod tally;
mod watching;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{fs, io};

use zcprof::run::{Cache, Count, Pass, Payload, ProbeState, Run};
use zcprof::transfer::{TRANSFERS, TransferSpec};
use zcprof::verdict::{self, Verdict, per_byte};
use zcprof_common::sites::Site;
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};
use zcprof_judge::watch::Watch;

const KPTR_RESTRICT: &str = "/proc/sys/kernel/kptr_restrict";

/// How long an effect may take to show under emulation before it counts as missing.
const PATIENCE: Duration = Duration::from_mins(8);

fn zcprof(arguments: &[&str]) -> Command {
    let program = std::env::var_os("ZCPROF").expect("ZCPROF names the program under test");
    let mut command = Command::new(program);
    command.args(arguments);
    // What the tests look for is in the whole report.
    if arguments.first() == Some(&"measure") {
        command.arg("--full");
    }
    command
}

/// Where the guest has its disk.
fn guest_folder() -> PathBuf {
    std::env::var_os("ZCPROF_GUEST_DIR").map_or_else(|| "/data/tests".into(), PathBuf::from)
}

fn folder(name: &str) -> PathBuf {
    let base = guest_folder();
    let path = base.join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder on the disk");
    path
}

/// What a window recorded in a folder. It is there no longer then: another window that records nothing must not
/// be taken for this one.
fn take_record(folder: impl AsRef<Path>) -> Result<Watch, Box<dyn Error>> {
    let file = folder.as_ref().join("watch.json");
    let record = fs::read(&file)?;
    fs::remove_file(file)?;
    Ok(zcprof_judge::record::read(&record)?)
}

/// Runs `measure` on a log of 8 MiB and returns how it ended, and its record.
fn measure(name: &str, arguments: &[&str]) -> (Output, Option<Run>) {
    measure_log(&guest_folder().join("log-8MiB"), name, arguments)
}

/// The same with the log elsewhere.
fn measure_log(log: &Path, name: &str, arguments: &[&str]) -> (Output, Option<Run>) {
    measure_bytes("8MiB", log, name, arguments)
}

/// The same with so many bytes of the log.
fn measure_bytes(bytes: &str, log: &Path, name: &str, arguments: &[&str]) -> (Output, Option<Run>) {
    let out = folder(name);
    let output = zcprof(&["measure", "--untimed", "--bytes", bytes, "--segment-bytes", "2MiB"])
        .arg("--log-dir")
        .arg(log)
        .arg("--out")
        .arg(&out)
        .args(arguments)
        .output()
        .expect("zcprof starts");
    let run = fs::read(out.join("run.json")).ok();
    (output, run.map(|bytes| serde_json::from_slice(&bytes).expect("run.json parses")))
}

/// A log of that topic as `make-log` makes it: how many records, of which size, and in batches of which size.
fn made_log(topic: &str, [records, record_bytes, batch_bytes]: [&str; 3]) -> PathBuf {
    let log = folder(topic);
    let made = zcprof(&["make-log", "--topic", topic, "--records", records])
        .args(["--record-bytes", record_bytes, "--batch-bytes", batch_bytes])
        .arg(&log)
        .output()
        .expect("zcprof starts");
    assert_eq!(code(&made), 0, "{}", text(&made));
    log.join(format!("{topic}-0"))
}

/// What it printed, as one line: the table wraps where it must.
fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&both);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

/// What was found under an id; nothing if it went away after the id was listed, as it does while
/// the kernel takes apart what a process has left.
fn still_there<T, E: Error + 'static>(found: Result<T, E>) -> Option<T> {
    let error = match found {
        Ok(found) => return Some(found),
        Err(error) => error,
    };
    let first: &(dyn Error + 'static) = &error;
    let mut causes = std::iter::successors(Some(first), |cause| (*cause).source());
    let is_gone = causes.any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::NotFound)
    });
    assert!(is_gone, "{error:?}");
    None
}

/// Ids of every BPF program that the kernel has now.
fn loaded_programs() -> Vec<u32> {
    let programs = aya::programs::loaded_programs().filter_map(still_there);
    let mut ids: Vec<u32> = programs.map(|program| program.id()).collect();
    ids.sort_unstable();
    ids
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(50));
    }
}

/// Copied, moved, pinned and copied later per payload byte, of each transfer.
const TRUTHS: &[(&str, [&str; 4])] = &[
    ("read_write", ["2.000", "0.000", "0.000", "0.000"]),
    ("mmap_write", ["1.000", "0.000", "0.000", "0.000"]),
    ("sendfile", ["0.000", "1.000", "0.000", "0.000"]),
    ("splice", ["0.000", "1.000", "0.000", "0.000"]),
    ("pread_write", ["2.000", "0.000", "0.000", "0.000"]),
    ("writev", ["1.000", "0.000", "0.000", "0.000"]),
    ("vmsplice", ["0.000", "1.000", "0.000", "0.000"]),
    ("msg_zerocopy", ["0.000", "0.000", "1.000", "1.000"]),
    ("uring_send", ["2.000", "0.000", "0.000", "0.000"]),
    ("uring_send_zc", ["0.000", "0.000", "1.000", "1.000"]),
    ("uring_splice", ["0.000", "1.000", "0.000", "0.000"]),
    ("tls", ["2.000", "0.000", "0.000", "0.000"]),
    ("ktls_sendfile", ["0.000", "1.000", "0.000", "0.000"]),
    ("sendfile_to_file", ["1.000", "1.000", "0.000", "0.000"]),
    ("copy_file_range", ["1.000", "1.000", "0.000", "0.000"]),
];

/// Every transfer's bytes, by both instruments, warm and cold, over several connections, or as many
/// as `ZCPROF_CONNECTIONS` says, once for each number.
#[test]
fn every_transfer_is_exact_by_both_instruments() {
    let connections = std::env::var("ZCPROF_CONNECTIONS").unwrap_or_else(|_| "3".to_owned());
    for connections in connections.split(',') {
        let (output, run) = measure("transfers", &["--connections", connections]);
        assert_eq!(code(&output), 0, "{}", text(&output));
        let run = run.expect("a record");
        assert_eq!(run.workload.file_system, "ext4");
        // These kernels have everything.
        assert_eq!(run.skipped, []);
        let judgements = verdict::judge(&run).expect("known names");
        assert_eq!(judgements.len(), 2 * TRANSFERS.len(), "every transfer, warm and cold");
        for (judgement, pass) in judgements.iter().zip(&run.passes) {
            let name = format!("{} {}", judgement.transfer, judgement.cache.name());
            assert_eq!(judgement.verdict, Verdict::Holds, "{name}");
            // Whoever writes a file reaches a leaf that has no slot beside the first four.
            let row = TRANSFERS.iter().find(|row| row.name == judgement.transfer).expect("a row");
            assert_eq!(pass.leaves.len(), 1 + usize::from(row.writes_files()), "{name}");
            let truth = TRUTHS.iter().find(|(transfer, _)| *transfer == judgement.transfer);
            let [copied, moved, pinned, later] = truth.expect("a truth for every transfer").1;
            let ledger = &judgement.ledger;
            for instrument in [Instrument::Audit, Instrument::Callers] {
                let account = ledger.account(instrument);
                let server = per_byte(account.copied(Process::Server), ledger.payload);
                assert_eq!(server, copied, "{name}, {}", instrument.name());
                let residual = per_byte(ledger.residual(instrument), ledger.payload);
                assert_eq!(residual, "0.000", "{name}, {}", instrument.name());
                let consumer =
                    account.bytes(Process::Consumer, Hop::SocketToUser, Disposition::Copied);
                assert_eq!(per_byte(consumer, ledger.payload), "1.000", "{name}, the consumer");
            }
            let over = |hop| per_byte(ledger.handed_over(hop), ledger.payload);
            assert_eq!(over(Hop::PageCacheToSocket), moved, "{name}, moved");
            assert_eq!(over(Hop::UserToSocket), pinned, "{name}, pinned");
            let callers = ledger.account(Instrument::Callers);
            let (hop, what) = (Hop::SocketToSocket, Disposition::Deferred);
            // What is sent again is copied again.
            let deferred = callers.bytes(Process::Server, hop, what);
            let encrypted = (Hop::PageCacheToSocket, Disposition::Transformed);
            let encrypted = callers.bytes(Process::Server, encrypted.0, encrypted.1);
            let transformed = if judgement.transfer == "ktls_sendfile" { "1.000" } else { "0.000" };
            assert_eq!(per_byte(encrypted, ledger.payload), transformed, "{name}");
            assert_eq!(pass.notices.asked, pass.notices.completed, "{name}");
            assert_eq!(pass.notices.asked > 0, pinned == "1.000", "{name}: {:?}", pass.notices);
            let once = per_byte(deferred.min(ledger.payload), ledger.payload);
            assert_eq!(once, later, "{name}, copied later {deferred}");
            let syscalls = ledger.account(Instrument::Syscalls);
            let fills: u64 = Process::ALL
                .iter()
                .map(|p| syscalls.bytes(*p, Hop::StorageToPageCache, Disposition::Filled))
                .sum();
            let fresh =
                callers.bytes(Process::Server, Hop::PageCacheToPageCache, Disposition::Copied);
            // A file that is written fills fresh pages too.
            let fills = fills.saturating_sub(fresh.next_multiple_of(4096));
            if pass.cache == Cache::Cold {
                assert!(fills >= ledger.payload, "{name}: {fills} bytes were filled");
            } else {
                assert!(fills < ledger.payload / 100, "{name}: {fills} bytes were filled");
            }
        }
    }
}

/// A segment that is mapped is faulted in by the kernel, which reads it for `write`; for `sendfile`
/// nobody maps it. A fault maps at most 64 KiB around it (fault_around_bytes, mm/memory.c) unless
/// folios are larger, and 2 MiB is the largest there is.
#[test]
fn page_faults_are_counted_as_faults_and_copy_nothing() {
    const LARGEST: u64 = 2 << 20;
    let arguments = ["--cache", "warm", "--transfer", "mmap_write,sendfile"];
    let (output, run) = measure("page-faults", &arguments);
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert!(text(&output).contains("faults"), "{}", text(&output));
    let run = run.expect("a record");
    let faults = |pass: &Pass, site: &str| -> u64 {
        let of_server = |count: &&Count| count.site == site && count.process == Process::Server;
        let counts: Vec<_> = pass.counts.iter().filter(of_server).collect();
        assert!(counts.iter().all(|count| count.bytes == 0), "{counts:?}");
        counts.iter().map(|count| count.calls).sum()
    };
    let [mapped, handed_over] = run.passes.as_slice() else { panic!("two passes") };
    let [in_kernel, without] = [mapped, handed_over].map(|pass| faults(pass, "page_fault_kernel"));
    println!("page faults in the kernel: {in_kernel} by mmap_write, {without} by sendfile");
    let least = mapped.payload.bytes / LARGEST;
    assert!(in_kernel >= least, "{in_kernel} of at least {least}");
    assert!(without < in_kernel, "sendfile had {without} page faults, mmap_write {in_kernel}");
}

#[test]
fn kretprobes_find_what_fexit_finds() {
    let (output, run) = measure("kretprobe", &["--avoid-fexit", "--cache", "warm"]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    for probe in run.expect("a record").coverage.probes {
        if let (Instrument::Callers, ProbeState::Attached { by, .. }) =
            (probe.instrument, &probe.state)
        {
            assert_eq!(by, "kretprobe", "{}", probe.site);
        }
    }
}

#[test]
fn a_false_claim_exits_1_and_says_where_the_copies_are() {
    let arguments = ["--claim", "read_write=zero-copy", "--cache", "warm", "--transfer"];
    let (output, _) = measure("claim", &[&arguments[..], &["read_write"]].concat());
    let text = text(&output);
    assert_eq!(code(&output), 1, "{text}");
    for expected in ["refuted", "_copy_to_iter", "_copy_from_iter", "page cache->user"] {
        assert!(text.contains(expected), "{expected} is missing: {text}");
    }
}

/// With --stacks each pass's copies have the functions that made them, and the files are those of a watch.
#[test]
fn stacks_of_the_built_in_workload_say_which_function_copied_and_cost_no_fexit() {
    let words = ["--cache", "warm", "--transfer", "read_write,sendfile", "--stacks"];
    let (output, run) = measure("by-stack", &words);
    assert_eq!(code(&output), 0, "{}", text(&output));
    let run = run.expect("a run");
    let Some(stacks) = &run.stacks else {
        let release = &run.kernel.release;
        assert!(release.starts_with("5.10."), "{release} keeps no stacks");
        return;
    };
    // With stacks the programs are longest. zcprof attaches a program that the verifier refuses to a
    // kretprobe instead, and programs of kretprobes shut each other out. Only a module's function may have
    // none of the types that a fexit needs.
    for probe in &run.coverage.probes {
        if let (Instrument::Callers, ProbeState::Attached { by, .. }) =
            (probe.instrument, &probe.state)
        {
            let (_, site) = Site::find(&probe.site).expect("a row");
            assert!(by == "fexit" || site.module.is_some(), "{} by {by}", probe.site);
        }
    }
    let copied = |charged: &str| {
        let tops = zcprof_judge::stacks::top::functions(stacks);
        let its: Vec<_> = tops.into_iter().filter(|top| top.charged == charged).collect();
        println!("{charged}: {its:?}");
        its.iter().map(|top| top.bytes).sum::<u128>()
    };
    let payload = u128::from(run.passes[0].payload.bytes);
    assert!(copied("read_write warm, server") >= 2 * payload, "read and written");
    assert!(copied("sendfile warm, server") < payload / 100, "headers alone");
    assert!(copied("sendfile warm, consumer") >= payload, "received");
    for file in ["flamegraph.svg", "stacks.folded", "stacks.speedscope.json", "stacks.pb.gz"] {
        let path = guest_folder().join("by-stack").join(file);
        assert!(fs::metadata(&path).is_ok_and(|file| file.len() > 0), "{file}");
    }
}

#[test]
fn withheld_instruments_exit_3_and_say_what_could_not_be_seen() {
    for (withheld, transfer) in
        [("audit,callers", "sendfile"), ("callers", "sendfile"), ("audit", "sendfile")]
    {
        let arguments = ["--without", withheld, "--cache", "warm", "--transfer", transfer];
        let (output, _) = measure("withheld", &arguments);
        let text = text(&output);
        assert_eq!(code(&output), 3, "without {withheld}: {text}");
        for instrument in withheld.split(',') {
            let expected = format!("{instrument} could not look");
            assert!(text.contains(&expected), "{expected} is missing: {text}");
        }
    }
}

/// Breakpoints on one CPU, as a debugger of the kernel would have them.
fn breakpoints(cpu: usize, number: usize) -> std::io::Result<Vec<perf_event::Counter>> {
    let functions = ["vfs_read", "vfs_write", "vfs_open", "vfs_fsync"];
    let addresses = zcprof::probe::symbols::addresses(&functions).expect("kallsyms");
    let take = |function: &&str| {
        perf_event::Builder::new(perf_event::events::Breakpoint::execute(addresses[*function]))
            .any_pid()
            .one_cpu(cpu)
            .include_kernel()
            .build()
    };
    functions[..number].iter().map(take).collect()
}

/// Breakpoint slots: another zcprof has all four, so the second one must name that.
#[test]
fn taken_breakpoint_slots_are_named() {
    let slots = breakpoints(0, 4).expect("free slots");
    let (output, _) = measure("slots", &["--cache", "warm", "--transfer", "sendfile"]);
    drop(slots);
    let text = text(&output);
    assert_eq!(code(&output), 3, "{text}");
    assert!(text.contains("breakpoint slots are taken"), "{text}");
}

/// What the server may not use is left out and said; the rest is measured.
#[test]
fn io_uring_that_only_root_may_use_is_left_out() {
    const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";
    let Ok(before) = fs::read_to_string(SWITCH) else {
        println!("this kernel has no {SWITCH} (Linux 6.6)");
        return;
    };
    fs::write(SWITCH, "1").expect("root may");
    let arguments = ["--transfer", "sendfile,uring_send", "--cache", "warm"];
    let (output, run) = measure("uring-disabled", &arguments);
    fs::write(SWITCH, before.trim()).expect("root may");
    let run = run.unwrap_or_else(|| panic!("{}", text(&output)));
    assert_eq!(code(&output), 0, "{}", text(&output));
    let [skipped] = &run.skipped[..] else { panic!("{:?}", run.skipped) };
    assert_eq!(skipped.transfer, "uring_send");
    assert!(skipped.reason.contains("kernel.io_uring_disabled"), "{skipped:?}");
    assert_eq!(run.passes.len(), 1);
    let (_, run) = measure("uring-enabled", &arguments);
    assert_eq!(run.expect("a record").passes.len(), 2, "a twin that may");
}

/// What its socket refuses is skipped with what the kernel said; the rest is measured.
#[test]
fn a_transfer_that_its_socket_refuses_is_left_out() {
    let arguments = ["--transfer", "msg_zerocopy,read_write", "--cache", "both", "--socket"];
    let (output, run) = measure("refused", &[&arguments[..], &["mptcp"]].concat());
    let said = text(&output);
    let run = run.unwrap_or_else(|| panic!("{said}"));
    let [skipped] = &run.skipped[..] else { panic!("{:?}", run.skipped) };
    assert_eq!(skipped.transfer, "msg_zerocopy");
    assert!(skipped.reason.contains("(os error 95)"), "EOPNOTSUPP: {skipped:?}");
    assert!(said.contains("refuses it for this socket or file"), "{said}");
    let measured =
        |run: &Run| -> Vec<_> { run.passes.iter().map(|pass| pass.transfer.clone()).collect() };
    assert_eq!(measured(&run), ["read_write"; 2]);
    assert_eq!(code(&output), 0, "{said}");
    // Nothing else is there to be judged.
    let alone = ["--transfer", "msg_zerocopy", "--cache", "warm", "--socket", "mptcp"];
    let (output, run) = measure("refused-alone", &alone);
    assert_eq!(code(&output), 3, "{}", text(&output));
    assert_eq!(measured(&run.expect("a record")), [""; 0]);
    let (output, run) = measure("taken", &[&arguments[..], &["tcp"]].concat());
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert_eq!(measured(&run.expect("a record")).len(), 4, "a twin that takes it");
}

/// What is on tmpfs is always in the page cache: it is measured warm, and that cold is left out is
/// said; cold alone is an error.
#[test]
fn a_log_on_tmpfs_is_measured_warm() {
    let log = Path::new("/dev/shm/log");
    let (output, run) = measure_log(log, "tmpfs", &["--transfer", "read_write,sendfile,splice"]);
    let said = text(&output);
    assert_eq!(code(&output), 0, "{said}");
    assert!(said.contains("cold: what is on tmpfs is in the page cache"), "{said}");
    let run = run.expect("a record");
    assert_eq!(run.workload.file_system, "tmpfs");
    let passes: Vec<_> = run.passes.iter().map(|pass| (&*pass.transfer, pass.cache)).collect();
    let warm = |name| (name, Cache::Warm);
    assert_eq!(passes, ["read_write", "sendfile", "splice"].map(warm));
    assert_eq!(run.skipped.len(), 3, "{:?}", run.skipped);
    let (output, run) = measure_log(log, "tmpfs", &["--cache", "cold"]);
    assert_eq!(code(&output), 2, "{}", text(&output));
    assert!(text(&output).contains("use --cache warm") && run.is_none(), "{}", text(&output));
}

#[test]
fn hidden_symbols_are_named() {
    fs::write(KPTR_RESTRICT, "2").expect("root may");
    let (output, _) = measure("kptr", &["--cache", "warm", "--transfer", "sendfile"]);
    fs::write(KPTR_RESTRICT, "0").expect("root may");
    let text = text(&output);
    assert_eq!(code(&output), 3, "{text}");
    assert!(text.contains("kptr_restrict"), "{text}");
}

/// The server must not read records to find them: it would copy what it sends.
#[test]
fn a_log_of_one_small_record_per_batch_is_measured_as_any_other() {
    let log = made_log("tiny", ["120000", "10", "10"]);
    let wanted = ["--cache", "warm", "--transfer", "sendfile,read_write", "--fetch-size", "64KiB"];
    let (output, _) = measure_log(&log, "tiny-report", &wanted);
    assert_eq!(code(&output), 0, "{}", text(&output));
}

/// A fetch of 4 KiB makes what system calls take by pointer much of the bytes: 16 that describe a
/// piece of memory are 0.004 of it, and more where the socket takes a part and is asked again.
#[test]
fn arguments_of_small_fetches_are_no_copies_of_the_payload() {
    let takes_some = |row: &&TransferSpec| !row.arguments.is_empty() && !row.writes_files();
    let wanted: Vec<_> = TRANSFERS.iter().filter(takes_some).map(|row| row.name).collect();
    let log = made_log("small", ["8000", "200", "1000"]);
    let options = ["--cache", "warm", "--fetch-size", "4KiB", "--transfer", &wanted.join(",")];
    let (output, run) = measure_bytes("1MiB", &log, "small-report", &options);
    assert_eq!(code(&output), 0, "{}", text(&output));
    let run = run.expect("a record");
    assert_eq!(run.passes.len(), wanted.len());
    for pass in &run.passes {
        let Payload { bytes, fetches, .. } = pass.payload;
        assert!(bytes / fetches <= 4096, "{}: {bytes} bytes in {fetches} fetches", pass.transfer);
    }
}

#[test]
fn missing_kernel_types_are_named() {
    use nix::mount::{MsFlags, mount, umount};
    const TYPES: &str = "/sys/kernel/btf";
    mount(Some("tmpfs"), TYPES, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("hidden");
    let (output, _) = measure("types", &["--cache", "warm", "--transfer", "sendfile"]);
    umount(TYPES).expect("shown again");
    assert_eq!(code(&output), 4, "{}", text(&output));
    assert!(text(&output).contains("CONFIG_DEBUG_INFO_BTF"), "{}", text(&output));
}

#[test]
fn interrupt_undoes_everything_and_says_so() {
    let before = loaded_programs();
    let out = folder("interrupted");
    let child = zcprof(&["measure", "--bytes", "64MiB"])
        .arg("--out")
        .arg(&out)
        .arg("--log-dir")
        .arg(out.join("log"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("zcprof starts");
    sleep(Duration::from_secs(5));
    let pid = i32::try_from(child.id()).expect("a pid");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGINT)
        .expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(code(&output), 130, "{}", text(&output));
    assert!(text(&output).contains("interrupted"), "{}", text(&output));
    assert!(!out.join("run.json").exists(), "a report was written");
    wait_until("a worker outlived zcprof", || workers().is_empty());
    wait_until("a BPF program outlived zcprof", || loaded_programs() == before);
}

#[test]
fn the_programs_explain_themselves() {
    let (output, _) = measure("explain", &["-v", "--cache", "warm", "--transfer", "sendfile"]);
    assert!(text(&output).contains("first call at skb_"), "{}", text(&output));
}

#[test]
fn a_full_disk_at_report_time_leaves_no_report() {
    use nix::mount::{MsFlags, mount, umount};
    let out = folder("full");
    let size = Some("size=64k");
    mount(Some("tmpfs"), &out, Some("tmpfs"), MsFlags::empty(), size).expect("a small tmpfs");
    let log = guest_folder().join("log-8MiB");
    let output = zcprof(&["measure", "--untimed", "--bytes", "8MiB", "--cache", "warm"])
        .args(["--transfer", "sendfile"])
        .arg("--log-dir")
        .arg(&log)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("zcprof starts");
    let left: Vec<_> = fs::read_dir(&out).expect("the folder").collect();
    umount(&out).expect("unmount");
    assert_eq!(code(&output), 2, "{}", text(&output));
    assert!(text(&output).contains("No space left"), "{}", text(&output));
    assert!(left.is_empty(), "{left:?}");
}

/// Process ids of servers and consumers.
fn workers() -> Vec<String> {
    let is_worker = |pid: &String| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0);
        words.next().is_some_and(|program| program.ends_with(b"zcprof"))
            && words.next().is_some_and(|verb| verb == b"server" || verb == b"consumer")
    };
    let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(is_worker).collect()
}

fn all_breakpoint_slots_are_free() {
    wait_until("a breakpoint outlived zcprof", || breakpoints(0, 4).is_ok());
}
