//! The terminal: how wide it is, whether it shows colours, and a line that says what is being done.

use std::env;
use std::io::{self, IsTerminal as _, stderr, stdout};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use terminal_size::{Width, terminal_size};

use crate::report::terminal::Terminal;

/// Columns where there is no terminal that could say.
const WIDTH: usize = 100;

/// Columns of standard output: what COLUMNS says, else the terminal.
fn width() -> usize {
    let named = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let measured = || terminal_size().map(|(Width(width), _)| usize::from(width));
    named.filter(|width| *width > 0).or_else(measured).unwrap_or(WIDTH)
}

/// Whether standard output shows colours, and its user wants them (no-color.org).
pub(crate) fn colour() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

/// Shows something on standard output as wide as that is: the program's name is how it was called, so
/// that what is suggested can be typed.
pub fn shown<T>(place: Option<&Path>, show: impl FnOnce(&Terminal<'_>) -> T) -> T {
    let program = env::args_os().next().unwrap_or_else(|| "zcprof".into());
    let here =
        |place: &Path| if place.as_os_str().is_empty() { ".".into() } else { place.to_owned() };
    let place = place.map(here);
    show(&Terminal {
        width: width(),
        colour: colour(),
        program: &program.to_string_lossy(),
        place: place.as_deref().map(Path::to_string_lossy).as_deref(),
    })
}

/// Whether the last line of standard error is one that the next replaces.
static UNDERWAY: AtomicBool = AtomicBool::new(false);

/// Back to the line's begin, and nothing on it.
const ANEW: &str = "\r\x1b[2K";

/// Says on standard error what is being done now: on a terminal in one line that is replaced.
pub fn step(what: &str) {
    if stderr().is_terminal() {
        UNDERWAY.store(true, Ordering::Relaxed);
        let room = terminal_size().map_or(WIDTH, |(Width(width), _)| usize::from(width));
        let short: String = what.chars().take(room.saturating_sub(1)).collect();
        eprint!("{ANEW}{short}");
    } else {
        eprintln!("{what}");
    }
}

/// Takes that line away, before something is said that stays.
pub fn clear() {
    if UNDERWAY.swap(false, Ordering::Relaxed) {
        eprint!("{ANEW}");
    }
}

/// What is said while a table has the whole terminal.
static HELD: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// Most bytes of it that are kept.
const MOST_HELD: usize = 1 << 20;

/// Keeps messages back from now on, because something else has the whole terminal.
pub(crate) fn hold() {
    clear();
    held().get_or_insert_default();
}

/// Lets the messages out that were kept back, and those to come.
pub(crate) fn release() {
    let said = held().take().unwrap_or_default();
    let _ = io::Write::write_all(&mut stderr(), &said);
}

fn held() -> MutexGuard<'static, Option<Vec<u8>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard error for messages that stay.
#[derive(Debug)]
pub struct Messages;

impl io::Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(held) = held().as_mut() {
            let room = MOST_HELD.saturating_sub(held.len());
            held.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return Ok(bytes.len());
        }
        clear();
        stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}
