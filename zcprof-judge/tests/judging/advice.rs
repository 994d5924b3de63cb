//! What a refuted window says first: the pair of calls, the kind of file, the port, and what to change, as
//! far as the record can tell the causes apart.

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{File, Iter};
use zcprof_judge::report::watch::table;
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::{Of, WatchedCount};

use super::diff::at_port;
use super::pages::of_window;
use super::watched::{BODY, count, handed_over, read, window, written};

const PASSES: &str = "sends them as they are, sendfile would hand the pages over";
const ENCRYPTS: &str = "encrypts them (TLS), let the kernel do so (kTLS)";
const REWRITES: &str = "rewrites them (sub_filter), do without that";
const COMPRESSES: &str = "compresses them (gzip), compress them beforehand (gzip_static)";

/// What stands between the verdict and the first code, in one line.
fn advice(watch: &Watch) -> String {
    let table = table(watch).expect("rendered");
    let lines = table.lines().skip_while(|line| !line.contains(": refuted (")).skip(1);
    let lines = lines.take_while(|line| line.starts_with("  ") && !line.starts_with("  ZC"));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// What a program sent for 64 MiB that it read.
fn sent_for_read(port: u16, bytes: u64) -> String {
    advice(&window("zero-copy", &[at_port(port, [read(BODY), written(bytes)].concat())]))
}

#[test]
fn the_first_line_names_calls_files_port_and_what_to_change() {
    let same = sent_for_read(80, BODY);
    let first = "read from files by pread64 (64 MiB), sent by writev at port 80 (64 MiB): as many as were read";
    assert_eq!(
        same,
        format!(
            "{first} if the program {PASSES}; if it {ENCRYPTS}; if it {REWRITES}; if it {COMPRESSES}"
        )
    );
}

/// sendfile(2) cannot compress: where fewer bytes were sent than read nobody is told to just use it.
#[test]
fn what_was_compressed_is_not_sent_to_sendfile() {
    let fewer = sent_for_read(80, BODY / 4);
    assert!(
        fewer.contains("(16 MiB): fewer than were read if the program compresses them"),
        "{fewer}"
    );
    assert!(!fewer.contains(PASSES), "{fewer}");
    let more = sent_for_read(80, BODY * 3);
    assert!(
        more.contains("(192 MiB): more than were read if the program read them once"),
        "{more}"
    );
    assert!(!more.contains(PASSES) && !more.contains(COMPRESSES), "{more}");
}

/// Where TLS is the custom it is named first, and what else may be is named too.
#[test]
fn a_port_of_tls_is_taken_for_what_it_may_be() {
    let tls = sent_for_read(443, BODY + BODY / 700);
    assert!(tls.contains("at port 443"), "{tls}");
    let (_, causes) = tls.split_once("as many as were read ").expect("as many");
    assert!(
        causes.starts_with(&format!("if the program {ENCRYPTS}; if it {PASSES}; if it ")),
        "{tls}"
    );
}

/// What a program read for another port is not compared with what one port sent.
#[test]
fn bytes_of_two_ports_are_not_compared() {
    let parts = [read(BODY), at_port(80, written(BODY / 2)), at_port(81, written(BODY / 2))];
    let mut watch = window("zero-copy", &parts);
    watch.claims[0].of = Of::Port(81);
    let one = advice(&watch);
    assert!(
        one.contains("sent by writev at port 81 (32 MiB) if the program sends them as they"),
        "{one}"
    );
    watch.claims[0].of = Of::All;
    let both = advice(&watch);
    assert!(both.contains("at ports 80, 81 (64 MiB): as many as were read"), "{both}");
}

/// Other sources than files, and none.
#[test]
fn what_was_not_read_from_files_is_not_said_to_be() {
    let received = |site| count(site, Syscall::Recvfrom, File::Socket, Iter::User, BODY);
    let proxy = vec![received("_copy_to_iter"), received("skb_copy_datagram_iter")];
    let proxied = advice(&window("zero-copy", &[proxy, written(BODY)]));
    assert!(
        proxied.starts_with("received from sockets by recvfrom (64 MiB), sent by"),
        "{proxied}"
    );
    assert!(proxied.contains("splice would hand the pages over"), "{proxied}");
    let own = advice(&window("zero-copy", &[written(BODY), read(BODY / 1000)]));
    assert!(
        own.starts_with("sent by writev at port 80 (64 MiB) from the program's own memory"),
        "{own}"
    );
    assert!(!own.contains("pread64"), "{own}");
}

/// A claim that holds needs no advice, and the page gives it where it gives the verdict.
#[test]
fn the_page_gives_advice_beside_the_verdict() {
    let copies = |parts: &[Vec<WatchedCount>]| of_window(&window("zero-copy", parts));
    let page = copies(&[read(BODY), written(BODY)]);
    let (verdicts, _) = page.split_once("<section id=\"pictures\">").expect("pictures");
    assert!(
        verdicts
            .contains("<p class=\"advice\">read from files by pread64 (64 MiB), sent by writev")
    );
    assert!(verdicts.contains(COMPRESSES), "{verdicts}");
    let page = copies(&[read(BODY), handed_over(BODY), written(BODY / 500)]);
    assert!(!page.contains("class=\"advice\""), "it holds");
}
