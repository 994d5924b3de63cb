//! Running other programs: interruptible, and with a named error when one is absent.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, getpgid, sysconf};

use crate::interrupt;

const POLL: Duration = Duration::from_millis(20);
/// How long a child that was asked to stop may take.
const GRACE: Duration = Duration::from_secs(10);

/// Where `program` is, as a shell would find it; the folders of system programs count too,
/// because an ordinary user's PATH may lack them.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// A command for `program`, found as [`find`] does.
pub(crate) fn command(program: &str) -> Command {
    Command::new(find(program).unwrap_or_else(|| program.into()))
}

/// Runs to the end, with this program's own input and output.
pub(crate) fn run(command: &mut Command) -> Result<ExitStatus> {
    let name = name(command);
    let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    wait(child).with_context(|| format!("while {name} ran"))
}

/// Runs to the end and returns what it printed; failure is an error with the end of its stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = name(command);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    interrupt::check()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed ({}): {}", output.status, last_lines(&said, 5));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs to the end with all output in the file `log`; failure is an error with that file's end.
pub(crate) fn logged(command: &mut Command, log: &Path) -> Result<()> {
    let name = name(command);
    let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let errors = file.try_clone().context("sharing the log file")?;
    command.stdin(Stdio::null()).stdout(file).stderr(errors);
    let status = run(command)?;
    succeeded(status, &name, log)
}

fn succeeded(status: ExitStatus, name: &str, log: &Path) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    File::open(log)?.read_to_string(&mut said).ok();
    Err(anyhow!("{name} failed ({status}), log in {}: {}", log.display(), last_lines(&said, 8)))
}

/// Runs to the end as [`logged`] does, whatever signals come: a package manager that is ended half-way
/// leaves its data base to be repaired. Nothing that a terminal sends reaches it.
pub(crate) fn logged_to_its_end(command: &mut Command, log: &Path) -> Result<()> {
    let name = name(command);
    let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let errors = file.try_clone().context("sharing the log file")?;
    command.stdin(Stdio::null()).stdout(file).stderr(errors).process_group(0);
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let mut said = false;
    let status = loop {
        if let Some(status) = child.try_wait().context("waiting")? {
            break status;
        }
        if interrupt::requested() {
            interrupt::hold();
            if !std::mem::replace(&mut said, true) {
                eprintln!("letting {name} finish first, so that its packages stay whole");
            }
        }
        thread::sleep(POLL);
    };
    interrupt::check()?;
    succeeded(status, &name, log)
}

/// Waits for `child`; when this program is asked to stop, so is the child.
pub(crate) fn wait(mut child: Child) -> Result<ExitStatus> {
    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait().context("waiting")? {
            interrupt::check()?;
            return Ok(status);
        }
        if interrupt::requested() {
            match asked {
                None => {
                    asked = Some(Instant::now());
                    let child = pid(&child)?;
                    // One that leads a group has started others, such as cargo its compilers.
                    let leads = getpgid(Some(child)) == Ok(child);
                    let all = if leads { Pid::from_raw(-child.as_raw()) } else { child };
                    kill(all, Signal::SIGTERM).ok();
                }
                Some(since) if since.elapsed() > GRACE => child.kill().context("killing")?,
                Some(_) => {}
            }
        }
        thread::sleep(POLL);
    }
}

/// CPU time that a child has used so far, its own children's excepted.
pub(crate) fn cpu_time(child: &Child) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    // Of proc_pid_stat(5) the name may hold anything; the state that follows it is field 3.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let per_second = sysconf(SysconfVar::CLK_TCK).ok()??;
    let ticks = ticks(14)? + ticks(15)?;
    Some(Duration::from_millis(ticks * 1000 / u64::try_from(per_second).ok()?))
}

/// The last `count` lines of `text`, on one line.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" | ")
}

/// Quotes one word for a POSIX shell.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// True if `error` has a full disk as its cause.
pub(crate) fn is_out_of_space(error: &anyhow::Error) -> bool {
    // Other programs tell it only in words, which are those of the C library.
    format!("{error:#}").contains("No space left on device")
        || error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
            .any(|cause| matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

fn pid(child: &Child) -> Result<Pid> {
    Ok(Pid::from_raw(i32::try_from(child.id()).context("a process id out of range")?))
}

fn name(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(OsStr::new("?"));
    program.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::{command, is_out_of_space, last_lines, output, quote};

    #[test]
    fn quoted_words_come_back_unchanged_through_a_shell() {
        for word in ["plain", "", "two words", "it's", "$HOME `id` \"x\" \\", "a\nb", "*", "ü"] {
            let script = format!("printf %s {}", quote(word));
            let echoed = output(command("sh").arg("-c").arg(script)).expect("sh runs");
            assert_eq!(echoed, word);
        }
    }

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(quote("--bytes=64MiB"), "--bytes=64MiB");
        assert_eq!(quote("a b"), "'a b'");
    }

    #[test]
    fn the_end_of_a_text_fits_one_line() {
        assert_eq!(last_lines("a\n\nb\nc\n", 2), "b | c");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn a_full_disk_is_known_by_kind_and_by_words() {
        let io = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert!(is_out_of_space(&anyhow::Error::new(io).context("writing x")));
        assert!(is_out_of_space(&anyhow::anyhow!("mkfs: No space left on device | x")));
        assert!(!is_out_of_space(&anyhow::anyhow!("no such file")));
    }

    #[test]
    fn a_failing_program_is_named_with_its_last_words() {
        let error = output(command("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh failed (exit status: 3): why");
    }
}
