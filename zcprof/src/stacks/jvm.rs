//! Asks a Java virtual machine for the map of what it has compiled, as jcmd does: by a file that says
//! so, a signal, and a socket (src/hotspot/os/posix/attachListener_posix.cpp of OpenJDK 17 and 21).

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, chown};

use super::maps::Mapping;
use crate::status::Status;

/// How long a machine may take to listen, and to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// `jcmd PID Compiler.perfmap` (JDK 17 and later), in the protocol's first version: words that end with
/// zeros, of arguments always three.
const REQUEST: &[u8] = b"1\0jcmd\0Compiler.perfmap\0\0\0";

/// Whether a mapping is of a virtual machine of Java's.
pub(super) fn is_one(mapping: &Mapping) -> bool {
    mapping.path.ends_with("/libjvm.so")
}

/// Has it write its map to where [`super::names`] looks for it; says why it could not be asked.
pub(super) fn ask_for_map(process: u32) -> Result<(), String> {
    let status = Status::of(process).ok_or("it has ended")?;
    let own = status.own_number().ok_or("it has no number of its own")?;
    let temporary = PathBuf::from(format!("/proc/{process}/root/tmp"));
    let socket = temporary.join(format!(".java_pid{own}"));
    if !socket.exists() {
        // Without a handler the signal would end it.
        if !catches_quit(&status) {
            return Err("it does not listen to SIGQUIT (-Xrs)".to_owned());
        }
        let wish = temporary.join(format!(".attach_pid{own}"));
        let asked = wake(process, &wish, &socket);
        let _ = fs::remove_file(&wish);
        asked?;
    }
    let text = |error: std::io::Error| format!("{}: {error}", socket.display());
    let mut stream = UnixStream::connect(&socket).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    stream.write_all(REQUEST).map_err(text)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(text)?;
    match answer.split_once('\n') {
        Some(("0", _)) => Ok(()),
        _ => Err(format!("it refuses: {}", answer.trim())),
    }
}

/// Whether a process catches SIGQUIT.
fn catches_quit(status: &Status) -> bool {
    let caught = status.field("SigCgt:").and_then(|mask| u64::from_str_radix(mask, 16).ok());
    caught.is_some_and(|mask| mask >> (Signal::SIGQUIT as u32 - 1) & 1 == 1)
}

/// Makes it listen. The file has to be its user's.
fn wake(process: u32, wish: &Path, socket: &Path) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| format!("{}: {error}", wish.display());
    let owner = fs::metadata(format!("/proc/{process}")).map_err(|error| text(&error))?;
    fs::File::create_new(wish).map_err(|error| text(&error))?;
    let (user, group) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    chown(wish, Some(user), Some(group)).map_err(|error| text(&error))?;
    let pid = i32::try_from(process).map_err(|error| text(&error))?;
    kill(Pid::from_raw(pid), Signal::SIGQUIT).map_err(|error| text(&error))?;
    let begin = Instant::now();
    while !socket.exists() {
        if begin.elapsed() > PATIENCE {
            return Err(format!("it does not listen after {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
