//! Tables of what system calls moved, by file, by peer and by size.

use zcprof_common::syscalls::Syscall;
use zcprof_judge::report::watch::{full_table, json, table};
use zcprof_judge::watch::objects::{FileCalls, PeerCalls, WatchedFile};
use zcprof_judge::watch::record::{Charged, Watch};

use super::watched::{handed_over, window};

const BODY: u64 = 64 << 20;

fn program() -> Charged {
    Charged::Program("nginx".to_owned())
}

fn calls(file: Option<WatchedFile>, bytes: u64) -> FileCalls {
    FileCalls { charged: program(), file, syscall: Syscall::Sendfile.into(), calls: 32, bytes }
}

fn watch() -> Watch {
    let mut watch = window("zero-copy", &[handed_over(BODY)]);
    let file = |inode| {
        let path = format!("…/var/www/{inode}.bin");
        Some(WatchedFile { path, device: "8:1".to_owned(), inode })
    };
    watch.files = (1..9).map(|inode| calls(file(inode), inode << 20)).collect();
    watch.files.push(calls(None, 28 << 20));
    watch.peers = vec![PeerCalls {
        charged: program(),
        family: "tcp".to_owned(),
        port: Some(8080),
        peer: Some("10.0.0.2".to_owned()),
        syscall: Syscall::Sendfile.into(),
        calls: 32,
        bytes: BODY,
    }];
    watch
}

#[test]
fn the_files_and_peers_of_the_most_bytes_come_first_and_the_rest_is_counted() {
    let text = full_table(&watch()).expect("a table");
    let (_, files) = text.split_once("System calls by file,").expect("a table of files");
    let lines: Vec<_> = files.lines().skip(3).take(6).collect();
    assert!(lines[0].ends_with("files that are not told apart"), "{files}");
    assert!(lines[1].ends_with("…/var/www/8.bin (device 8:1, inode 8)"), "{files}");
    assert_eq!(lines[5], "and 4 rows: watch.json has them");
    let peer = "nginx    sendfile  64.0 MiB     32  tcp from port 8080 to 10.0.0.2";
    assert!(text.lines().any(|line| line == peer), "{text}");
}

#[test]
fn a_record_without_files_and_peers_has_no_tables_and_stays_as_it_was() {
    let watch = window("zero-copy", &[handed_over(BODY)]);
    let text = full_table(&watch).expect("a table");
    assert_eq!(text, table(&watch).expect("a table"));
    assert!(!text.contains("System calls by"), "{text}");
    let text = String::from_utf8(json(&watch).expect("JSON")).expect("text");
    assert!(["\"files\"", "\"peers\"", "\"sizes\""].iter().all(|field| !text.contains(field)));
}
