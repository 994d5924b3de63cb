//! The view on a real terminal. Of two tests each the one that is ignored runs in the terminal that the
//! other one makes.

use std::os::fd::AsFd as _;
use std::process::Command;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};

use super::pty::Pty;
use super::tests::{golden, grown};
use super::*;

const PATIENCE: Duration = Duration::from_mins(1);

/// Runs a test of these in a terminal.
fn in_terminal(name: &str, variables: &[(&str, &str)]) -> Pty {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let name = format!("watch::live::on_a_terminal::{name}");
    command.args(["--exact", &name, "--ignored", "--nocapture"]).envs(variables.iter().copied());
    // A backtrace is longer than the screen.
    command.env("RUST_BACKTRACE", "0");
    Pty::start(command, PATIENCE)
}

fn shown() -> Live {
    let mut live = Live::open(golden(), false).expect("a terminal");
    renew(&mut live);
    live
}

fn renew(live: &mut Live) {
    let record = grown();
    let alive = record.programs.iter().map(|program| (program.name.clone(), 1)).collect();
    live.renew(&record, &alive).expect("drawn");
}

#[test]
#[ignore = "it needs a terminal, which the next test makes"]
fn shows_until_it_is_ended() {
    let mut live = shown();
    log::warn!("no message may be drawn over");
    while !live.rest(Duration::from_millis(50)).expect("a terminal") {}
}

#[test]
fn keys_and_sizes_change_what_is_shown_and_q_gives_the_terminal_back() {
    let mut pty = in_terminal("shows_until_it_is_ended", &[]);
    pty.wait_for("the table", |lines| lines.iter().any(|line| line.contains("nginx ")));
    assert!(pty.is_taken() && !pty.is_given_back() && pty.has_colours());
    pty.press("\r");
    pty.wait_for("details", |lines| lines[3].contains("nginx port 80"));
    pty.press("\x1b");
    pty.wait_for("the table again", |lines| lines[3].contains("worst hop"));
    pty.resize(10, 40);
    let narrow = |lines: &[String]| lines[3].contains("copies") && !lines[3].contains("worst hop");
    let lines = pty.wait_for("fewer columns", narrow);
    assert!(lines.len() == 10 && lines[9].contains("? keys"), "{lines:#?}");
    pty.press("q");
    assert!(pty.wait().success(), "{:#?}", pty.lines());
    assert!(pty.is_given_back(), "{:#?}", pty.lines());
}

#[test]
#[ignore = "it needs a terminal, which the next test makes"]
fn looks_up_when_keys_have_come_and_the_size_has_changed() {
    let mut live = Live::open(golden(), false).expect("a terminal");
    // The first look has crossterm heed the signal.
    assert!(!live.rest(Duration::from_millis(50)).expect("a terminal"));
    renew(&mut live);
    let stdin = std::io::stdin();
    loop {
        raise(Signal::SIGWINCH).expect("handled");
        let mut keys = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        poll(&mut keys, PollTimeout::NONE).expect("a terminal");
        if live.rest(Duration::from_millis(50)).expect("a terminal") {
            return;
        }
    }
}

/// With crossterm's own way to wait, by mio, they would be lost until the next key.
#[test]
fn no_key_is_lost_that_comes_with_another_size() {
    let mut pty = in_terminal("looks_up_when_keys_have_come_and_the_size_has_changed", &[]);
    pty.wait_for("the table", |lines| lines.iter().any(|line| line.contains("nginx ")));
    // Several at a time: all of them take effect.
    pty.press("?ssq");
    assert!(pty.wait().success(), "{:#?}", pty.lines());
}

#[test]
fn no_color_is_heeded() {
    let mut pty = in_terminal("shows_until_it_is_ended", &[("NO_COLOR", "1")]);
    pty.wait_for("the table", |lines| lines.iter().any(|line| line.contains("nginx ")));
    assert!(pty.is_taken() && !pty.has_colours());
    // Ctrl-C is a key there.
    pty.press("\x03");
    assert!(pty.wait().success(), "{:#?}", pty.lines());
    assert!(pty.is_given_back(), "{:#?}", pty.lines());
}

#[test]
#[ignore = "it needs a terminal, which the next test makes"]
fn panics_while_it_shows() {
    let live = shown();
    assert!(live.rows.is_empty(), "as planted");
}

#[test]
fn a_panic_gives_the_terminal_back_and_can_be_read() {
    let mut pty = in_terminal("panics_while_it_shows", &[]);
    assert!(!pty.wait().success());
    assert!(pty.is_given_back(), "{:#?}", pty.lines());
    let lines = pty.lines();
    assert!(lines.iter().any(|line| line.contains("as planted")), "{lines:#?}");
}
