//! Tables of what system calls moved, by file, by peer and by size, the most first.

use zcprof_common::sites::SYSCALL_RESULTS;

use super::columns::{Column, lay_out};
use super::numbers::{counted, grouped, size, size_of};
use crate::syscall::InSyscall;
use crate::watch::objects::StrangerCalls;
use crate::watch::record::{Charged, Watch, WatchedCount};

/// Most rows of a table.
const ROWS: usize = 5;

/// Most sizes of a row, the most calls first.
const SIZES: usize = 3;

/// One row: whose call on what, how many of them, and how many bytes.
struct Moved {
    bytes: u64,
    texts: [String; 5],
}

/// All three, each with what it is about above it; nothing of a table without a row.
pub(super) fn tables(watch: &Watch) -> String {
    let files = watch.files.iter().map(|calls| {
        let file = calls.file.as_ref().map_or_else(
            || "files that are not told apart".to_owned(),
            |file| format!("{} (device {}, inode {})", file.path, file.device, file.inode),
        );
        moved(&calls.charged, calls.syscall, calls.calls, calls.bytes, file)
    });
    let peers = watch.peers.iter().map(|calls| {
        let from = calls.port.map_or_else(String::new, |port| format!(" from port {port}"));
        let to = calls.peer.as_ref().map_or_else(String::new, |peer| format!(" to {peer}"));
        let peer = format!("{}{from}{to}", calls.family);
        moved(&calls.charged, calls.syscall, calls.calls, calls.bytes, peer)
    });
    let sizes = watch.counts.iter().filter(|count| is_told(count)).map(|count| {
        moved(&count.charged, count.syscall, count.calls, count.bytes, sizes(&count.sizes))
    });
    let tables =
        [("file", files.collect::<Vec<_>>()), ("peer", peers.collect()), ("size", sizes.collect())];
    tables.into_iter().map(|(of, rows)| table(of, rows)).collect()
}

/// Who else sent by the sockets of those who are watched, the most bytes first.
pub(super) fn strangers(watch: &Watch) -> String {
    let mut strangers: Vec<_> = watch.strangers.iter().collect();
    strangers.sort_by_key(|calls| std::cmp::Reverse(calls.bytes));
    let line = |calls: &StrangerCalls| {
        let StrangerCalls { charged, pid, name, calls, bytes } = calls;
        format!(
            "Of what left by sockets of {charged}, {name} (pid {pid}) sent {} in {}; it is no target\n",
            size(*bytes),
            counted(*calls, "call", "calls")
        )
    };
    strangers.into_iter().map(line).collect()
}

/// Whether a count is of the results of a system call that moved bytes.
fn is_told(count: &WatchedCount) -> bool {
    count.site == SYSCALL_RESULTS && count.bytes > 0 && matches!(count.charged, Charged::Program(_))
}

fn moved(whose: &Charged, syscall: InSyscall, calls: u64, bytes: u64, what: String) -> Moved {
    let texts =
        [whose.to_string(), syscall.to_string(), size_of(bytes.into()), grouped(calls), what];
    Moved { bytes, texts }
}

fn table(of: &str, mut rows: Vec<Moved>) -> String {
    let all = rows.len();
    if all == 0 {
        return String::new();
    }
    rows.sort_by(|a, b| (b.bytes, &a.texts).cmp(&(a.bytes, &b.texts)));
    rows.truncate(ROWS);
    let headings =
        [("program", true), ("call", true), ("bytes", false), ("calls", false), (of, true)];
    let columns: Vec<Column> = headings
        .iter()
        .enumerate()
        .map(|(at, (heading, left))| Column {
            heading: vec![(*heading).to_owned()],
            cells: rows.iter().map(|row| row.texts[at].clone()).collect(),
            left: *left,
        })
        .collect();
    let rest = match all - rows.len() {
        0 => String::new(),
        rest => format!("and {}: watch.json has them\n", counted(rest as u64, "row", "rows")),
    };
    format!("\nSystem calls by {of}, the most bytes first:\n\n{}{rest}", lay_out(&columns))
}

/// The commonest sizes of calls, in bytes.
fn sizes(calls: &[u64]) -> String {
    let all: u64 = calls.iter().sum();
    let mut ranked: Vec<(usize, u64)> =
        calls.iter().copied().enumerate().filter(|(_, calls)| *calls > 0).collect();
    ranked.sort_by_key(|(length, calls)| (std::cmp::Reverse(*calls), *length));
    let told = ranked.iter().take(SIZES);
    let mut words: Vec<_> =
        told.map(|(length, calls)| format!("{} of {}", grouped(*calls), range(*length))).collect();
    let rest = all - ranked.iter().take(SIZES).map(|(_, calls)| calls).sum::<u64>();
    if rest > 0 {
        words.push(format!("{} of other sizes", grouped(rest)));
    }
    words.join(", ")
}

/// The sizes whose number of bytes has so many bits.
fn range(length: usize) -> String {
    match length {
        0 => "0 B".to_owned(),
        1 => "1 B".to_owned(),
        _ => {
            let least = 1_u128 << (length - 1);
            format!("{} to {}", size_of(least), size_of(2 * least - 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{range, sizes};

    #[test]
    fn the_commonest_sizes_come_first_and_none_is_left_out() {
        assert_eq!(sizes(&[]), "");
        assert_eq!(sizes(&[0, 0, 3]), "3 of 2 B to 3 B");
        assert_eq!(
            sizes(&[1, 2, 3, 4, 2]),
            "4 of 4 B to 7 B, 3 of 2 B to 3 B, 2 of 1 B, 3 of other sizes"
        );
        assert_eq!(range(17), "64.0 KiB to 127.9 KiB");
    }
}
