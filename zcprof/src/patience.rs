//! Talking to other processes without waiting for ever: a process that does nothing for too long hangs.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Between two looks at the process that is waited for.
const LOOK: u16 = 200; // milliseconds

/// How long somebody may do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience(pub(crate) Duration);

impl Patience {
    /// Unless `--patience` says something else, in seconds.
    pub(crate) const SECONDS: u64 = 60;
}

impl Default for Patience {
    fn default() -> Self {
        Self(Duration::from_secs(Self::SECONDS))
    }
}

/// Something that shows that a process does something; an error ends the waiting at once.
type Signs<'a> = Box<dyn FnMut() -> Result<f64> + Send + 'a>;

/// A pipe to or from a process whose other end is given up when nothing comes, nothing is taken and
/// its signs of work do not change for too long.
pub(crate) struct Patient<'a, P> {
    pipe: P,
    patience: Patience,
    signs: Signs<'a>,
}

impl<'a, P: AsFd> Patient<'a, P> {
    pub(crate) fn new(
        pipe: P,
        patience: Patience,
        signs: impl FnMut() -> Result<f64> + Send + 'a,
    ) -> io::Result<Self> {
        let fd = pipe.as_fd();
        let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
        fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Self { pipe, patience, signs: Box::new(signs) })
    }

    /// Waits until the pipe is ready.
    fn wait(&mut self, events: PollFlags) -> io::Result<()> {
        let (mut since, mut sign) = (Instant::now(), (self.signs)().ok());
        while !is_ready(self.pipe.as_fd(), events)? {
            let now = (self.signs)().map_err(|error| io::Error::other(format!("{error:#}")))?;
            if sign != Some(now) {
                (since, sign) = (Instant::now(), Some(now));
            } else if since.elapsed() >= self.patience.0 {
                let seconds = self.patience.0.as_secs();
                let said = format!("nothing happened for {seconds} s (--patience): it hangs");
                return Err(io::Error::new(ErrorKind::TimedOut, said));
            }
        }
        Ok(())
    }

    /// Does something as soon as it does not block.
    fn soon<T>(
        &mut self,
        events: PollFlags,
        mut work: impl FnMut(&mut P) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match work(&mut self.pipe) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(events)?,
                done => return done,
            }
        }
    }
}

/// Whether it is ready within a moment.
fn is_ready(fd: BorrowedFd<'_>, events: PollFlags) -> io::Result<bool> {
    match poll(&mut [PollFd::new(fd, events)], PollTimeout::from(LOOK)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl<P: AsFd + Read> Read for Patient<'_, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.soon(PollFlags::POLLIN, |pipe| pipe.read(buffer))
    }
}

impl<P: AsFd + Write> Write for Patient<'_, P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.soon(PollFlags::POLLOUT, |pipe| pipe.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Patience = Patience(Duration::from_secs(1));

    #[test]
    fn who_says_nothing_and_does_nothing_is_given_up() {
        let (output, _input) = io::pipe().expect("a pipe");
        let begun = Instant::now();
        let mut patient = Patient::new(output, SHORT, || Ok(0.0)).expect("a pipe");
        let error = patient.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(begun.elapsed() >= SHORT.0 && begun.elapsed() < 20 * SHORT.0);
    }

    #[test]
    fn who_takes_nothing_is_given_up() {
        let (_output, input) = io::pipe().expect("a pipe");
        let mut patient = Patient::new(input, SHORT, || Ok(0.0)).expect("a pipe");
        let error = patient.write_all(&vec![0; 1 << 20]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    }

    #[test]
    fn who_works_is_waited_for() {
        let (output, mut input) = io::pipe().expect("a pipe");
        let mut work = 0.0;
        let signs = move || {
            work += 1.0;
            Ok(work)
        };
        let mut patient = Patient::new(output, SHORT, signs).expect("a pipe");
        let writer = std::thread::spawn(move || {
            std::thread::sleep(3 * SHORT.0);
            input.write_all(b"x").expect("written");
        });
        assert_eq!(patient.read(&mut [0]).expect("it came"), 1);
        writer.join().expect("it ends");
    }

    #[test]
    fn what_ends_the_waiting_is_told_at_once() {
        let (output, _input) = io::pipe().expect("a pipe");
        let gone = || anyhow::bail!("the server is gone");
        let mut patient = Patient::new(output, Patience::default(), gone).expect("a pipe");
        let error = patient.read(&mut [0]).unwrap_err();
        assert!(error.to_string().contains("the server is gone"), "{error}");
    }
}
