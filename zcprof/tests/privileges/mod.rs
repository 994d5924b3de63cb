//! What zcprof is allowed, from everything down to nothing.
#![expect(unsafe_code, reason = "Command::pre_exec, which has no safe form")]

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use caps::{CapSet, Capability, CapsHashSet};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use zcprof::privilege::CAPABILITIES;
use zcprof::run::Run;
use zcprof::verdict::{self, per_byte};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use super::{KPTR_RESTRICT, code, folder, guest_folder, measure, text, workers, zcprof};

/// A user that is nobody.
const NOBODY: u32 = 65534;

fn all() -> CapsHashSet {
    CAPABILITIES.iter().map(|row| row.capability).collect()
}

fn all_but(without: &[Capability]) -> CapsHashSet {
    all().into_iter().filter(|one| !without.contains(one)).collect()
}

fn refused(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

/// Bars the process that is about to run a program from every other capability.
fn bar_all_but(allowed: &CapsHashSet) -> io::Result<()> {
    for barred in caps::all().difference(allowed) {
        if caps::has_cap(None, CapSet::Bounding, *barred).map_err(refused)? {
            caps::drop(None, CapSet::Bounding, *barred).map_err(refused)?;
        }
    }
    Ok(())
}

/// Has a program run as root with these capabilities and no others.
fn with(command: &mut Command, allowed: CapsHashSet) {
    // SAFETY: the C library's allocator is usable after fork(2), and no lock is taken but its own.
    unsafe { command.pre_exec(move || bar_all_but(&allowed)) };
}

/// A measurement of a small log: how it ended, and its record.
fn measured(more: &[&str], prepare: impl FnOnce(&mut Command)) -> (Output, Option<Run>) {
    let (log, out) = (guest_folder().join("log-8MiB"), folder("privileges"));
    if !log.exists() {
        let arguments = ["--transfer", "sendfile", "--cache", "warm"];
        let (output, _) = measure("log-of-root", &arguments);
        assert_eq!(code(&output), 0, "{}", text(&output));
    }
    let mut command = zcprof(&["measure", "--untimed", "--bytes", "8MiB", "--cache", "warm"]);
    command.arg("--log-dir").arg(log).args(more);
    // Somebody else may have to write there.
    fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).expect("root may");
    command.arg("--out").arg(&out);
    prepare(&mut command);
    let output = command.output().expect("zcprof starts");
    let run = fs::read(out.join("run.json")).ok();
    (output, run.map(|bytes| serde_json::from_slice(&bytes).expect("run.json parses")))
}

/// The server and the consumer, while they work, are nobody and may do nothing more.
#[test]
fn workers_have_no_privileges() {
    let out = folder("workers");
    let mut child = zcprof(&["-v", "measure", "--untimed", "--bytes", "64MiB", "--cache", "warm"])
        .args(["--transfer", "sendfile_to_file", "--log-dir"])
        .arg(out.join("log"))
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("zcprof starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let begun =
        lines.by_ref().any(|line| line.expect("text").contains("fetching: sendfile_to_file"));
    assert!(begun, "the pass was not announced");
    let found = workers();
    assert_eq!(found.len(), 2, "{found:?}");
    for worker in found {
        let status = fs::read_to_string(format!("/proc/{worker}/status")).expect("it runs");
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.expect("a line").split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let four_times = [NOBODY; 4].map(|id| id.to_string()).join(" ");
        assert_eq!((value("Uid:"), value("Gid:")), (four_times.clone(), four_times));
        assert_eq!((value("Groups:"), value("NoNewPrivs:")), (String::new(), "1".to_owned()));
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(value(set), "0".repeat(16), "{set}");
        }
    }
    lines.for_each(drop);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(code(&output), 0, "{}", text(&output));
}

/// zcprof needs no capability but those that it names, for anything that it can do.
#[test]
fn the_capabilities_that_are_named_are_enough() {
    for more in [
        &["--transfer", "read_write,mmap_write,sendfile,splice,msg_zerocopy,sendfile_to_file"][..],
        &["--transfer", "sendfile", "--network", "veth-tap"],
        &["--transfer", "sendfile", "--network", "virtio"],
    ] {
        let (output, _) = measured(more, |command| with(command, all()));
        assert_eq!(code(&output), 0, "{more:?}: {}", text(&output));
    }
}

/// Nobody, with just these, is as good as root.
#[test]
fn another_user_with_these_capabilities_measures_too() {
    let (output, _) = measured(&["--transfer", "read_write,sendfile"], |command| {
        // SAFETY: as in `with`.
        unsafe {
            command.pre_exec(|| {
                bar_all_but(&all())?;
                caps::securebits::set_keepcaps(true).map_err(refused)?;
                nix::unistd::setgroups(&[])?;
                nix::unistd::setgid(NOBODY.into())?;
                nix::unistd::setuid(NOBODY.into())?;
                for set in [CapSet::Permitted, CapSet::Effective, CapSet::Inheritable] {
                    caps::set(None, set, &all()).map_err(refused)?;
                }
                caps::set(None, CapSet::Ambient, &all()).map_err(refused)
            })
        };
    });
    assert_eq!(code(&output), 0, "{}", text(&output));
}

/// Without a capability the verdict is the right one, or what is lacking is named.
#[test]
fn a_capability_that_is_lacking_is_named() {
    use Capability::{
        CAP_BPF, CAP_CHOWN, CAP_FOWNER, CAP_KILL, CAP_NET_ADMIN, CAP_PERFMON, CAP_SETGID,
        CAP_SETPCAP, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_RESOURCE, CAP_SYSLOG,
    };
    let loopback = ["--transfer", "sendfile"];
    let veth = ["--transfer", "sendfile", "--network", "veth"];
    let before = fs::read_to_string(KPTR_RESTRICT).expect("procfs");
    fs::write(KPTR_RESTRICT, "1").expect("root may");
    let mut wrong = Vec::new();
    for (lacking, more, expected, named) in [
        (&[CAP_SYS_ADMIN][..], &loopback[..], 3, "CAP_SYS_ADMIN"),
        (&[CAP_SYS_ADMIN, CAP_BPF], &loopback, 4, "CAP_BPF"),
        (&[CAP_SYS_ADMIN, CAP_PERFMON], &loopback, 4, "CAP_PERFMON"),
        (&[CAP_SYSLOG], &loopback, 3, "CAP_SYSLOG"),
        (&[CAP_NET_ADMIN], &veth, 2, "CAP_NET_ADMIN"),
        (&[CAP_SYS_ADMIN], &veth, 2, "CAP_SYS_ADMIN"),
        // The one has the other two in it; and the workers may remain what they are.
        (&[CAP_BPF, CAP_PERFMON], &loopback, 0, "holds"),
        (&[CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL, CAP_CHOWN], &loopback, 0, "holds"),
        (&[CAP_SYS_RESOURCE, CAP_FOWNER], &loopback, 0, "holds"),
    ] {
        let allowed = all_but(lacking);
        let (output, _) = measured(more, |command| with(command, allowed));
        let said = text(&output);
        if code(&output) != expected || !said.contains(named) {
            wrong.push(format!("{lacking:?}, {more:?}: exit code {}: {said}", code(&output)));
        }
    }
    fs::write(KPTR_RESTRICT, before.trim()).expect("root may");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// In a container that may load programs but has not CAP_SYS_ADMIN: the callers see every byte,
/// by the container's own process ids; the audit says what it lacks, so that nothing holds.
#[test]
fn a_container_without_cap_sys_admin_is_inconclusive() {
    use Capability::{CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYSLOG};
    // The last is only for its loopback device.
    let allowed = CapsHashSet::from([CAP_BPF, CAP_PERFMON, CAP_SYSLOG, CAP_NET_ADMIN]);
    let (output, run) =
        std::thread::spawn(move || in_a_container(allowed)).join().expect("no panic");
    let said = text(&output);
    assert_eq!(code(&output), 3, "{said}");
    assert!(said.contains("CAP_SYS_ADMIN"), "{said}");
    let run = run.expect("a record");
    let judgements = verdict::judge(&run).expect("known names");
    for (judged, [copied, moved]) in judgements.iter().zip([["2.000", "0.000"], ["0.000", "1.000"]])
    {
        let ledger = &judged.ledger;
        let callers = ledger.account(Instrument::Callers);
        let server = per_byte(callers.copied(Process::Server), ledger.payload);
        let handed = callers.bytes(Process::Server, Hop::PageCacheToSocket, Disposition::Moved);
        let seen = [server, per_byte(handed, ledger.payload)];
        assert_eq!(seen, [copied, moved], "{}: {said}", judged.transfer);
    }
}

/// Measures as the first process of a container. The calling thread stays half in it.
fn in_a_container(allowed: CapsHashSet) -> (Output, Option<Run>) {
    let namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    unshare(namespaces).expect("root may");
    let none = None::<&Path>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("root may");
    let up = Command::new("/bin/busybox").args(["ip", "link", "set", "lo", "up"]).status();
    assert!(up.expect("busybox starts").success(), "no loopback device");
    // Not of this thread, but of what it starts from here on.
    unshare(CloneFlags::CLONE_NEWPID).expect("root may");
    measured(&["--transfer", "read_write,sendfile"], |command| {
        let enter = move || {
            let proc = Some("proc");
            mount(proc, "/proc", proc, MsFlags::empty(), None::<&Path>)?;
            bar_all_but(&allowed)
        };
        // SAFETY: as in `with`.
        unsafe { command.pre_exec(enter) };
    })
}
