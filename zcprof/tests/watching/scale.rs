//! Stacks at scale: a program that writes by ten thousand ways and forks two thousand children, with room
//! for its stacks and without. What is known of it: which function had how many bytes written.

#![expect(unsafe_code, reason = "functions are written as assembly, and a program forks")]

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use zcprof_common::layout::STACK_BYTES;
use zcprof_common::vocabulary::{Disposition, Hop};
use zcprof_judge::stacks::Stacks;
use zcprof_judge::stacks::record::{FrameKind, Stack};
use zcprof_judge::stacks::tree::{frames, missing};
use zcprof_judge::watch::Watch;

use super::super::{PATIENCE, code, text, zcprof};
use super::{missed, of_three, recorded, status};

/// Functions on the way to a write: each level has two, and the bits of a number say which.
const LEVELS: u32 = 14;

// The functions are `step_LEVEL_BIT(bits, descriptor, bytes, length)`. Those of bit 0 have frame pointers,
// those of bit 1 only what `.eh_frame` says of them. The innermost write by the C library.
core::arch::global_asm!(
    ".macro step_into level",
    "  test dil, 1",
    "  jnz 2f",
    "  shr rdi, 1",
    "  call step_\\level\\()_0",
    "  jmp 3f",
    "2: shr rdi, 1",
    "  call step_\\level\\()_1",
    "3:",
    ".endm",
    ".macro steps level, next",
    "  .globl step_\\level\\()_0, step_\\level\\()_1",
    "  .type step_\\level\\()_0, @function",
    "  .type step_\\level\\()_1, @function",
    "step_\\level\\()_0:",
    "  .cfi_startproc",
    "  push rbp",
    "  .cfi_def_cfa_offset 16",
    "  .cfi_offset rbp, -16",
    "  mov rbp, rsp",
    "  .cfi_def_cfa_register rbp",
    "  step_into \\next",
    "  pop rbp",
    "  .cfi_def_cfa rsp, 8",
    "  ret",
    "  .cfi_endproc",
    "  .size step_\\level\\()_0, . - step_\\level\\()_0",
    "step_\\level\\()_1:",
    "  .cfi_startproc",
    "  sub rsp, 8",
    "  .cfi_def_cfa_offset 16",
    "  step_into \\next",
    "  add rsp, 8",
    "  .cfi_def_cfa_offset 8",
    "  ret",
    "  .cfi_endproc",
    "  .size step_\\level\\()_1, . - step_\\level\\()_1",
    ".endm",
    ".text",
    "steps 0, 1",
    "steps 1, 2",
    "steps 2, 3",
    "steps 3, 4",
    "steps 4, 5",
    "steps 5, 6",
    "steps 6, 7",
    "steps 7, 8",
    "steps 8, 9",
    "steps 9, 10",
    "steps 10, 11",
    "steps 11, 12",
    "steps 12, 13",
    "steps 13, 14",
    ".irp bit, 0, 1",
    "  .globl step_14_\\bit",
    "  .type step_14_\\bit, @function",
    "step_14_\\bit:",
    "  .cfi_startproc",
    "  sub rsp, 8",
    "  .cfi_def_cfa_offset 16",
    "  mov rdi, rsi",
    "  mov rsi, rdx",
    "  mov rdx, rcx",
    "  call {write}",
    "  add rsp, 8",
    "  .cfi_def_cfa_offset 8",
    "  ret",
    "  .cfi_endproc",
    "  .size step_14_\\bit, . - step_14_\\bit",
    ".endr",
    write = sym libc::write,
);

unsafe extern "C" {
    fn step_0_0(bits: u64, descriptor: i32, bytes: *const u8, length: usize) -> isize;
    fn step_0_1(bits: u64, descriptor: i32, bytes: *const u8, length: usize) -> isize;
}

/// Bytes that a way writes.
const fn length(way: u64) -> u64 {
    LEAST + way % (MOST - LEAST + 1)
}

/// The fewest and the most.
const LEAST: u64 = 64;
const MOST: u64 = 191;

/// Writes by a way.
fn write_by(way: u64, to: &TcpStream) {
    let bytes = [7_u8; 256];
    let length = usize::try_from(length(way)).expect("small");
    let step = if way & 1 == 0 { step_0_0 } else { step_0_1 };
    // SAFETY: the functions do as write(2) does with what they are given.
    let written = unsafe { step(way >> 1, to.as_raw_fd(), bytes.as_ptr(), length) };
    assert_eq!(usize::try_from(written), Ok(length));
}

/// How many ways and children the program is to have, and to whom it writes.
const WAYS: &str = "ZCPROF_TEST_WAYS";
const CHILDREN: &str = "ZCPROF_TEST_CHILDREN";
const PEER: &str = "ZCPROF_TEST_PEER";

#[test]
#[ignore = "the program that the test below watches"]
fn a_program_of_many_ways() {
    let wanted = |name| env::var(name).expect("the test below says it");
    let number = |name| wanted(name).parse::<u64>().expect("a number");
    let to = TcpStream::connect(wanted(PEER)).expect("somebody listens");
    for way in 0..number(WAYS) {
        write_by(way, &to);
    }
    for child in 0..number(CHILDREN) {
        // SAFETY: one thread runs, and the child does nothing but write and end.
        match unsafe { fork() }.expect("a child") {
            ForkResult::Child => {
                write_by(child, &to);
                // SAFETY: it ends this process.
                unsafe { libc::_exit(0) };
            }
            ForkResult::Parent { child } => {
                assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
            }
        }
    }
}

/// The outcome of watching the program.
struct Outcome {
    output: Output,
    /// Bytes that reached the program's peer.
    received: u64,
    /// The most memory of its own that zcprof had, in bytes.
    peak: u64,
}

/// Watches a program of so many ways and children.
fn watch(ways: u64, children: u64, more: &[&str], out: &str) -> (Outcome, Watch) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let peer = listener.local_addr().expect("it has one").to_string();
    let received = thread::spawn(move || {
        let (mut from, _) = listener.accept().expect("the program connects");
        let (mut bytes, mut buffer) = (0, vec![0; 1 << 16]);
        loop {
            match from.read(&mut buffer).expect("read") {
                0 => return bytes,
                read => bytes += read as u64,
            }
        }
    });
    let program = env::current_exe().expect("this program").display().to_string();
    let name = "watching::scale::a_program_of_many_ways";
    let mut child = zcprof(&["watch", "--stacks", "--out", out])
        .args(["--claim", "zero-copy", "--claim", "copied>=1", "--claim", "copied<=1.5"])
        .args(more)
        .args(["--", &program, "--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .env(WAYS, ways.to_string())
        .env(CHILDREN, children.to_string())
        .env(PEER, peer)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("zcprof starts");
    let (start, mut peak) = (Instant::now(), 0);
    while child.try_wait().expect("it is ours").is_none() {
        peak = peak.max(status(child.id(), "RssAnon").unwrap_or(0));
        if start.elapsed() > PATIENCE {
            child.kill().expect("it runs");
        }
        thread::sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().expect("it ended");
    let record = recorded(out, &output);
    let received = received.join().expect("a peer");
    println!("{ways} ways, {children} children: {} MiB, {:?}", peak >> 20, start.elapsed());
    (Outcome { output, received, peak }, record)
}

/// Whether stacks are kept at all.
fn keeps_stacks(record: &Watch) -> bool {
    !record.kernel.release.starts_with("5.10.")
}

const HERE: (Hop, Disposition) = (Hop::UserToSocket, Disposition::Copied);

fn written(stacks: &Stacks) -> impl Iterator<Item = &Stack> {
    stacks.stacks.iter().filter(|stack| (stack.hop, stack.disposition) == HERE)
}

fn sum(bytes: impl Iterator<Item = u64>) -> u64 {
    bytes.sum()
}

/// Bytes that a function is known to have had written.
fn known(level: u32, bit: u64, ways: u64, children: u64) -> u64 {
    let by_it = |way: &u64| way >> level & 1 == bit;
    sum((0..ways).chain(0..children).filter(by_it).map(length))
}

/// Whether probes are preempted, so that two thousand processes on few CPUs make them miss runs in each
/// window.
fn preempts_probes(record: &Watch) -> bool {
    record.kernel.release.starts_with("7.")
}

/// Nothing is wrong: verdicts, counters, what each function is charged; and what is not known is said.
/// Returns the bytes whose stack is not whole.
fn check(watched: &Outcome, record: &Watch, ways: u64, children: u64) -> u64 {
    let said = text(&watched.output);
    let payload = sum((0..ways).chain(0..children).map(length));
    assert_eq!(watched.received, payload);
    let missed = missed(record);
    assert!(missed == 0 || preempts_probes(record), "{missed} runs were missed: {said}");
    println!("{missed} runs missed");
    let hidden = missed * MOST;
    let all = record.results[0].sent;
    assert!(all <= payload && payload <= all + hidden, "{all} of {payload} bytes: {said}");
    let verdicts = ["refuted", "holds", "holds"];
    assert_eq!(record.results.len(), verdicts.len());
    for (result, verdict) in record.results.iter().zip(verdicts) {
        let open = missed > 0 && result.verdict == "inconclusive";
        assert!(open || result.verdict == verdict, "{verdict}, not {}: {said}", result.verdict);
        assert_eq!(result.sent, all);
    }
    let expected = if record.results[0].verdict == "refuted" { 1 } else { 3 };
    assert_eq!(code(&watched.output), expected, "{said}");
    let Some(stacks) = &record.stacks else {
        assert!(!keeps_stacks(record), "no stacks were kept: {said}");
        return 0;
    };
    let by_stack = sum(written(stacks).map(|stack| stack.bytes));
    let lost = stacks.lost.iter().filter(|lost| (lost.hop, lost.disposition) == HERE);
    let lost = sum(lost.map(|lost| lost.bytes));
    assert_eq!(by_stack + lost, all, "{lost} bytes are lost");
    let is_whole =
        |stack: &&Stack| frames(stacks, stack).all(|frame| frame.kind != FrameKind::Missing);
    let gone = all - sum(written(stacks).filter(is_whole).map(|stack| stack.bytes));
    for level in 0..=LEVELS {
        for bit in 0..2 {
            let name = format!("step_{level}_{bit}");
            let has = |stack: &&Stack| frames(stacks, stack).any(|frame| frame.name == name);
            let seen = sum(written(stacks).filter(has).map(|stack| stack.bytes));
            let known = known(level, bit, ways, children);
            let most = seen + gone + hidden;
            assert!(seen <= known && known <= most, "{name}: {seen}, known {known}, {gone}");
        }
    }
    // Each way that is not there is missing with its bytes.
    let whole: BTreeSet<_> = written(stacks).filter(is_whole).map(|stack| &stack.frames).collect();
    assert!(
        whole.len() as u64 + gone / LEAST + missed >= ways,
        "{} whole, {gone} bytes",
        whole.len()
    );
    // The flame graph is drawn of what the other files have too.
    let names = missing(stacks);
    println!("{} whole stacks; {gone} of {all} bytes have none: {names:?}", whole.len());
    let said = said.replace(',', "");
    for (name, bytes) in names {
        assert!(said.contains(&format!("{name} {bytes} B")), "{name} {bytes} B: {said}");
    }
    gone
}

/// The sum of the folded stacks of what was written into the socket.
fn folded(out: &str) -> u64 {
    let folded = fs::read_to_string(Path::new(out).join("stacks.folded")).expect("written");
    let here = format!(";{} {} ", HERE.0.name(), HERE.1.name());
    let bytes = folded.lines().filter(|line| line.contains(&here)).map(|line| {
        line.rsplit_once(' ').and_then(|(_, bytes)| bytes.parse::<u64>().ok()).expect("bytes")
    });
    sum(bytes)
}

#[test]
fn ten_thousand_stacks_and_two_thousand_processes_are_right_or_said_to_be_lost() {
    let (few, many) = ((100, 10), (10_000, 2_000));
    let out = "/data/many-ways";
    let (watched, record) = of_three(|| watch(few.0, few.1, &[], out));
    check(&watched, &record, few.0, few.1);
    let baseline = watched.peak;

    let (watched, record) = of_three(|| watch(many.0, many.1, &[], out));
    check(&watched, &record, many.0, many.1);
    let (roomy, more) = (watched.peak, watched.peak.saturating_sub(baseline));
    println!("{} MiB more than for few", more >> 20);
    // Samples are unwound and not kept, so that the memory is no matter of how many come.
    assert!(more < (many.0 + many.1) * STACK_BYTES as u64 / 2, "{more} bytes");
    if keeps_stacks(&record) {
        assert_eq!(folded(out), record.results[0].sent);
    }

    // Room for a part of the counts, of the samples and of the kernel's halves.
    let room = ["STACKS=2000", "SAMPLED=1000", "SAMPLES=1048576", "KERNEL_STACKS=2"];
    let room: Vec<_> = room.iter().flat_map(|map| ["--map-capacity", map]).collect();
    let (watched, record) = of_three(|| watch(many.0, many.1, &room, out));
    let gone = check(&watched, &record, many.0, many.1);
    if keeps_stacks(&record) {
        assert!(watched.peak <= roomy, "{} bytes with less room", watched.peak);
        assert!(gone > 0 && text(&watched.output).contains("stack lost"), "nothing was lost");
        assert_eq!(folded(out), record.results[0].sent);
    }
}
