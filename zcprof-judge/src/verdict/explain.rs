//! The table of reason codes: why a claim is refuted (`ZC1xx`, what happened to bytes) or why
//! there is no verdict (`ZC2xx`, what evidence is missing). Each code has a page in `pages/` that
//! says what happened, why the kernel does it, how to confirm it and what to change. To add a code,
//! add a row, its page, and the rule in `code.rs` that chooses it.

use std::fmt;

/// A reason with a page. A code keeps its meaning: rows are added, never renamed.
#[derive(Debug)]
pub struct Code {
    /// `ZC104`.
    pub name: &'static str,
    /// What happened, in one line.
    pub title: &'static str,
    /// The page's text, without the title.
    pub page: &'static str,
}

/// The headings of every page, in this order.
pub const SECTIONS: [&str; 4] =
    ["What happened", "Why the kernel does it", "How to confirm", "What to change"];

/// Declares the codes: a static for the rules to name, and the slice of all.
macro_rules! codes {
    ($($(#[$doc:meta])* $rule_name:ident = $name:literal, $title:literal;)*) => {
        $($(#[$doc])* pub static $rule_name: Code = Code {
            name: $name,
            title: $title,
            page: include_str!(concat!("pages/", $name, ".txt")),
        };)*

        /// Every code, by rising number.
        pub static CODES: &[&Code] = &[$(&$rule_name,)*];
    };
}

codes! {
    /// No other row fits.
    OTHER = "ZC100", "what happened to the bytes is not what was claimed";
    /// `read(2)` and its kind.
    READ = "ZC101", "a read copied bytes out of the page cache";
    /// `write(2)` to a socket and its kind.
    SENT = "ZC102", "a send copied bytes into the socket";
    /// sendfile or splice of a file without pages.
    MADE_UP = "ZC103", "sendfile or splice: the CPU copied bytes into fresh pages";
    /// sendfile or splice round the page cache.
    BOUNCED = "ZC104", "sendfile or splice: the kernel filled fresh pages, and handed over none";
    /// MSG_ZEROCOPY to a receiver on this host.
    UNPINNED = "ZC105", "pinned pages were copied later";
    /// A device that takes no pages.
    LINEARISED = "ZC106", "copied below the socket, on the way to the device";
    /// What a receive queue does with short packets.
    QUEUED = "ZC107", "copied in a receive queue";
    /// `write(2)` to a pipe.
    PIPED = "ZC108", "a write copied bytes into a pipe";
    /// `read(2)` from a pipe.
    UNPIPED = "ZC109", "a read copied bytes out of a pipe";
    /// `write(2)` to a file.
    WRITTEN = "ZC110", "a write copied bytes into a file";
    /// From one file to another.
    DUPLICATED = "ZC111", "copied from one file into another";
    /// Copy on write.
    UNSHARED = "ZC112", "a write to a shared page copied the page";
    /// TLS in the kernel.
    ENCRYPTED = "ZC113", "encrypted into new pages";
    /// A socket that takes no pages.
    UNTAKEN = "ZC114", "sendfile or splice: the socket took no pages, so the CPU copied bytes";
    /// `recv(2)` on the server.
    RECEIVED = "ZC115", "the server received bytes and copied them out of the socket";
    /// System-call arguments, and bytes that have no better name.
    ARGUMENTS = "ZC116", "copied between user and kernel on no known data path";
    /// The claim says more copies than there are.
    FEWER = "ZC117", "fewer bytes than claimed: the claim says too many";
    /// FUSE.
    FILLED = "ZC118", "another process filled the page cache, and the CPU copied its answer";
    /// A loop device, a network file system, a ramdisk.
    STORAGE_COPIES = "ZC119", "the CPU copied bytes from storage into the page cache";
    /// squashfs, dm-crypt.
    STORAGE_TRANSFORMS = "ZC120", "the CPU decompressed or decrypted bytes into the page cache";
    /// XDP on a device without a driver's help, or on a veth.
    REPACKED = "ZC121", "the kernel copied each packet into one piece for an XDP program";
    /// NFQUEUE.
    ASKED_ABOUT = "ZC122", "the kernel copied each packet for a firewall that asks a process";
    /// IPsec, WireGuard, MACsec.
    ENCRYPTED_BELOW = "ZC123", "encrypted below the sockets, on the way to the device";
    /// Nothing to divide by.
    NO_PAYLOAD = "ZC201", "no payload was sent";
    /// The consumer got something else.
    UNVERIFIED = "ZC202", "the consumer received other bytes than the segments hold";
    /// A leaf is not watched.
    AUDIT_BLIND = "ZC203", "the audit could not look";
    /// A function around the leaves is not watched.
    CALLERS_BLIND = "ZC204", "the callers could not look";
    /// A known truth was not seen.
    CONTROL = "ZC205", "an instrument failed its control";
    /// Skipped runs.
    MISSED = "ZC206", "a probe missed runs";
    /// Full maps.
    LOST = "ZC207", "the programs could not store what they saw";
    /// CPU hotplug.
    NEW_CPU = "ZC208", "a CPU was not watched";
    /// A probe was removed.
    PROBE_GONE = "ZC209", "a probe is gone";
    /// Cold that was not cold.
    CACHE_STATE = "ZC210", "the page cache was not as warm or cold as the pass needs";
    /// Unexplained bytes.
    RESIDUAL = "ZC211", "the account does not balance against the payload";
    /// Audit against callers.
    DISAGREE = "ZC212", "the instruments disagree";
    /// Copies below the sockets, for somebody.
    UNOWNED = "ZC213", "the kernel copied bytes below the sockets for an unknown owner";
    /// Nothing seen moving.
    NO_WITNESS = "ZC214", "no copy was seen, and no hand-over either";
    /// A file system or a device that is not in the table.
    UNKNOWN_FILLER = "ZC215", "how storage fills the page cache is not known";
    /// A tracepoint's program was skipped, or a map was full.
    UNFOLLOWED = "ZC216", "a process may have been overlooked";
    /// modprobe during the measurement.
    MODULE_LOADED = "ZC218", "a module with functions to watch was loaded during the measurement";
    /// More leaves than slots.
    UNWATCHED = "ZC220", "a leaf that can be reached was not watched in this pass";
    /// The same work, and other bytes.
    UNLIKE = "ZC221", "repetitions of a pass differed";
    /// A watched program read a file, and sent other bytes, or the same.
    MAY_BE_SENT = "ZC222", "a program may have sent what it read, or not";
    /// `zcprof watch -- false`.
    COMMAND_FAILED = "ZC223", "the watched command failed";
    /// SCTP, raw sockets, or TLS in the kernel that is written to.
    UNCOUNTED = "ZC224", "programs sent bytes by sockets that zcprof does not count";
    /// A known truth was seen over plain TCP and not over the measured way.
    WAY = "ZC225", "the measured network or socket treats known bytes unlike plain TCP";
    /// A device that is not in the table, or none at all.
    UNKNOWN_DEVICE = "ZC226", "what happens below the sockets is not known";
    /// Packets whose bytes are in their own memory, spliced.
    MAY_BE_COPIED = "ZC227", "splice took received bytes that were not known to be in pages";
    /// Encrypted virtual machines, devices that are not trusted.
    BOUNCE_BUFFERS = "ZC228", "the CPU copied bytes for devices that do not reach all memory";
    /// A client that does not read.
    QUEUED_AT_END = "ZC229", "bytes waited in sockets when the window ended";
    /// A tracepoint is not watched.
    SYSCALLS_BLIND = "ZC230", "system calls could not be watched";
}

impl Code {
    /// The row called `name`, in capitals or not.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        CODES.iter().copied().find(|code| code.name.eq_ignore_ascii_case(name))
    }

    /// What stands under one of the page's headings ([`SECTIONS`]), in one line.
    #[must_use]
    pub fn section(&self, heading: &str) -> Option<String> {
        Some(self.lines_of(heading)?.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The same in the page's own lines.
    pub(crate) fn lines_of(&self, heading: &str) -> Option<&str> {
        let (_, after) = self.page.split_once(&format!("{heading}\n"))?;
        after.split("\n\n").next()
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The whole page, for `zcprof explain`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n\n{}", self.name, self.title, self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_say_their_kind() {
        assert!(CODES.windows(2).all(|pair| pair[0].name < pair[1].name));
        for code in CODES {
            let number = code.name.strip_prefix("ZC").and_then(|n| n.parse::<u16>().ok());
            assert!(number.is_some_and(|n| (100..300).contains(&n)), "{}", code.name);
            assert!(Code::find(&code.name.to_lowercase()).is_some_and(|found| found == *code));
        }
    }

    /// Every section is there, in order, has text, and fits a terminal; a kernel file is named
    /// wherever the kernel has a part in it.
    #[test]
    fn pages_are_complete() {
        for code in CODES {
            let mut rest = code.page;
            let mut bodies = Vec::new();
            for heading in SECTIONS {
                let (before, after) = rest
                    .split_once(&format!("{heading}\n"))
                    .unwrap_or_else(|| panic!("{} lacks {heading:?}", code.name));
                bodies.push(before.trim());
                rest = after;
            }
            bodies.push(rest.trim());
            assert_eq!(bodies.remove(0), "", "{} begins with its first section", code.name);
            assert!(bodies.iter().all(|body| body.len() > 40), "{}: {bodies:?}", code.name);
            let source = [".c", ".h", ".rs", "no part in it"];
            assert!(source.iter().any(|word| bodies[1].contains(word)), "{}", code.name);
            let wide = code.page.lines().find(|line| line.chars().count() > 96);
            assert_eq!(wide, None, "{}", code.name);
        }
    }
}
