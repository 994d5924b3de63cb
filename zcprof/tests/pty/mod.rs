//! A terminal of a test's own: a pseudo-terminal (pty(7)) in which a program runs, and what a user would
//! see there.
#![expect(
    unsafe_code,
    reason = "a terminal is made a process's own by ioctl, between fork and exec"
)]

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};
use std::{fs, io};

use nix::libc;
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};

/// A program in a terminal.
pub(crate) struct Pty {
    pub(crate) child: Child,
    terminal: fs::File,
    /// Its other end, which is kept open so that its settings can be asked for when the program is gone.
    other: OwnedFd,
    screen: vt100::Parser,
    patience: Duration,
}

const fn window(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn some(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("a size")
}

impl Pty {
    /// Starts a command in a terminal of 24 lines of 80 characters. What is waited for is missing if it
    /// has not come by the end of `patience`.
    pub(crate) fn start(mut command: Command, patience: Duration) -> Self {
        let pty = openpty(Some(&window(24, 80)), None).expect("a pseudo-terminal");
        let end = || pty.slave.try_clone().expect("a descriptor");
        command.stdin(end()).stdout(end()).stderr(end());
        if command.get_envs().all(|(name, _)| name != "TERM") {
            command.env("TERM", "xterm-256color");
        }
        let take_it = || {
            nix::unistd::setsid()?;
            // SAFETY: one system call, which takes no pointer.
            match unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            }
        };
        // SAFETY: two system calls between fork and exec.
        let child = unsafe { command.pre_exec(take_it) }.spawn().expect("it starts");
        let screen = vt100::Parser::new(some(24), some(80), 1000);
        Self { child, terminal: fs::File::from(pty.master), other: pty.slave, screen, patience }
    }

    /// Types something.
    pub(crate) fn press(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).expect("somebody reads");
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&mut self, rows: u16, columns: u16) {
        self.screen.screen_mut().set_size(some(rows), some(columns));
        let size = window(rows, columns);
        // SAFETY: the kernel reads a `struct winsize`.
        let done =
            unsafe { libc::ioctl(self.terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(done, 0, "{}", io::Error::last_os_error());
    }

    /// What stands on the screen, line by line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let screen = self.screen.screen();
        screen.rows(0, screen.size().1.get()).map(|line| line.trim_end().to_owned()).collect()
    }

    /// Waits until what stands on the screen is as wanted.
    pub(crate) fn wait_for(
        &mut self,
        what: &str,
        wanted: impl Fn(&[String]) -> bool,
    ) -> Vec<String> {
        let start = Instant::now();
        loop {
            let lines = self.lines();
            if wanted(&lines) {
                return lines;
            }
            let ended = self.child.try_wait().expect("a child");
            let is_read = self.read();
            assert!(is_read || ended.is_none(), "{what}: it has ended ({ended:?}): {lines:#?}");
            assert!(start.elapsed() < self.patience, "{what}: {lines:#?}");
        }
    }

    /// Waits until the program has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            let is_read = self.read();
            if let (Some(status), false) = (self.child.try_wait().expect("a child"), is_read) {
                return status;
            }
            assert!(start.elapsed() < self.patience, "it does not end: {:#?}", self.lines());
        }
    }

    /// Whether the terminal is as a shell wants it back: lines are edited and echoed, the cursor is
    /// seen, and what was on the screen before is there again.
    pub(crate) fn is_given_back(&self) -> bool {
        let local = tcgetattr(&self.other).expect("a terminal").local_flags;
        let screen = self.screen.screen();
        local.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
            && !screen.alternate_screen()
            && !screen.hide_cursor()
    }

    /// Whether a table has the terminal.
    pub(crate) fn is_taken(&self) -> bool {
        self.screen.screen().alternate_screen()
    }

    /// Whether anything on the screen has a colour.
    pub(crate) fn has_colours(&self) -> bool {
        let screen = self.screen.screen();
        let (rows, columns) = screen.size();
        let (rows, columns) = (rows.get(), columns.get());
        let mut cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        cells.any(|(row, column)| {
            screen.cell(row, column).is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
        })
    }

    /// Reads what the program has written, and says whether that was anything.
    fn read(&mut self) -> bool {
        let mut asked = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
        if poll(&mut asked, 100_u16).is_ok_and(|ready| ready == 0) {
            return false;
        }
        let mut bytes = [0; 4096];
        let read = self.terminal.read(&mut bytes).unwrap_or(0);
        self.screen.process(&bytes[..read]);
        read > 0
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
