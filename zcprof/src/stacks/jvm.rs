//! Asks a Java virtual machine for the map of what it has compiled, as jcmd does: by a file that says
//! so, a signal, and a socket (src/hotspot/os/posix/attachListener_posix.cpp of OpenJDK 17 and 21).

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, fchown, openat, unlinkat};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use socket2::{Domain, SockAddr, Socket, Type};

use super::foreign::{self, ProcessRoot};
use super::maps::Mapping;
use super::runs::Run;
use crate::status::Status;

/// How long a machine may take to listen, and to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of the longest answer.
const MOST: usize = 64 << 10;

/// `jcmd PID Compiler.perfmap` (JDK 17 and later), in the protocol's first version: words that end with
/// zeros, of arguments always three.
const REQUEST: &[u8] = b"1\0jcmd\0Compiler.perfmap\0\0\0";

/// Whether a mapping is of a virtual machine of Java's.
pub(super) fn is_one(mapping: &Mapping) -> bool {
    mapping.path.ends_with("/libjvm.so")
}

/// Has it write its map to where [`super::names`] looks for it; says why it could not be asked.
pub(super) fn ask_for_map(run: &Run) -> Result<(), String> {
    let process = run.process;
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw).ok_or("no such process")?;
    // Held before it is looked at, so that no other process that gets its number is woken.
    let held = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| error.to_string())?;
    let status = Status::of(process).filter(|_| run.lives()).ok_or("it has ended")?;
    let own = status.own_number().ok_or("it has no number of its own")?;
    let text = |error: io::Error| format!("its /tmp/.java_pid{own}: {error}");
    let root = ProcessRoot::of(process).map_err(text)?;
    let temporary = root.find(Path::new("/tmp"), OFlags::DIRECTORY).map_err(text)?;
    let wish = format!(".attach_pid{own}");
    let found = || root.find(Path::new(&format!("/tmp/.java_pid{own}")), OFlags::NOFOLLOW);
    if found().is_err() {
        // Without a handler the signal would end it.
        if !catches_quit(&status) {
            return Err("it does not listen to SIGQUIT (-Xrs)".to_owned());
        }
        let text = |error: io::Error| format!("its /tmp/{wish}: {error}");
        make(&temporary, &wish, &status).map_err(text)?;
        let woken = wake(&held, || found().is_ok());
        let _ = unlinkat(&temporary, &wish, AtFlags::empty());
        woken.map_err(text)?;
    }
    let answer = answer(&found().map_err(text)?).map_err(text)?;
    match answer.split_once('\n') {
        Some(("0", _)) => Ok(()),
        _ => Err(format!("it refuses: {}", answer.trim())),
    }
}

/// What it answers through its socket.
fn answer(found: &OwnedFd) -> io::Result<String> {
    let late = || io::Error::new(ErrorKind::TimedOut, "it does not answer");
    let end = Instant::now() + PATIENCE;
    let left = || end.checked_duration_since(Instant::now()).ok_or_else(late);
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A socket whose queue is full would keep who connects.
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.connect(&SockAddr::unix(foreign::path(found))?)?;
    let mut stream = UnixStream::from(OwnedFd::from(socket));
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    let mut bytes = [0; 4096];
    while answer.len() < MOST {
        stream.set_read_timeout(Some(left()?.max(Duration::from_millis(1))))?;
        match stream.read(&mut bytes)? {
            0 => break,
            read => answer.extend_from_slice(&bytes[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether a process catches SIGQUIT.
fn catches_quit(status: &Status) -> bool {
    let caught = status.field("SigCgt:").and_then(|mask| u64::from_str_radix(mask, 16).ok());
    caught.is_some_and(|mask| mask >> (Signal::QUIT.as_raw() - 1) & 1 == 1)
}

/// Makes the file that says what is wished. It has to be the machine's user's; whoever puts a link in
/// its place gets nothing by it.
fn make(temporary: &OwnedFd, wish: &str, status: &Status) -> io::Result<()> {
    let of = |name| status.effective(name).ok_or(ErrorKind::InvalidData);
    let (user, group) = (of("Uid:")?, of("Gid:")?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(temporary, wish, flags, Mode::RUSR | Mode::WUSR)?;
    Ok(fchown(&file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?)
}

/// Makes it listen.
fn wake(process: &OwnedFd, is_there: impl Fn() -> bool) -> io::Result<()> {
    pidfd_send_signal(process, Signal::QUIT)?;
    let begin = Instant::now();
    while !is_there() {
        if begin.elapsed() > PATIENCE {
            let late = format!("it does not listen after {} s", PATIENCE.as_secs());
            return Err(io::Error::new(ErrorKind::TimedOut, late));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
