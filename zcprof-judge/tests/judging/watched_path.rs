//! The path of a watched window: what its arrows say.

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Iter};
use zcprof_judge::report::watch::{render_all, table};
use zcprof_judge::run::ProbeState;
use zcprof_judge::watch::judge::judge;
use zcprof_judge::watch::record::{Asked, Direction, Of, Watch};

use super::watched::{BODY, count, handed_over, read, window, written};

/// The picture's title, and what it tells those who do not see it.
fn path(watch: &Watch) -> (String, String) {
    let files = render_all(watch).expect("rendered");
    let (_, svg) = files.iter().find(|(name, _)| *name == "path.svg").expect("there");
    let svg = std::str::from_utf8(svg).expect("text");
    let tree = roxmltree::Document::parse(svg).expect("XML");
    let text = |name| {
        let found = tree.descendants().find(|node| node.has_tag_name(name));
        found.and_then(|node| node.text()).expect("there").to_owned()
    };
    (text("title"), text("desc"))
}

#[test]
fn pages_that_are_handed_over_pass_user_memory() {
    let (title, told) = path(&window("zero-copy", &[handed_over(BODY)]));
    assert!(title.ends_with("entered the socket as pages, with little more than headers copied"));
    for said in ["page cache->user: 0.000 copied", "page cache->socket: 1.000 moved", "by lo"] {
        assert!(told.contains(said), "{said}: {told}");
    }
}

#[test]
fn what_is_read_and_written_is_copied_once_for_certain_and_twice_at_most() {
    let (title, told) = path(&window("zero-copy", &[read(BODY), written(BODY)]));
    assert!(title.ends_with("entered the socket as copies of user memory"), "{title}");
    assert!(told.contains("page cache->user: 0.000 to 1.000 copied"), "{told}");
    assert!(told.contains("user->socket: 1.000 copied ZC102"), "{told}");
}

/// Where the callers did not watch, nothing is drawn as zero.
#[test]
fn what_was_not_watched_is_no_zero() {
    let mut watch = window("zero-copy", &[handed_over(BODY)]);
    let refused = ProbeState::Refused { reason: "the verifier".to_owned() };
    let mut probes = watch.coverage.probes.iter_mut();
    probes.find(|probe| probe.site == "filemap_read").expect("a row").state = refused;
    let (_, told) = path(&watch);
    assert!(told.contains("SOME SITES WERE NOT WATCHED"), "{told}");
    assert!(told.contains("page cache->user: not watched"), "{told}");
    assert!(!told.contains("0.000 copied"), "{told}");
}

/// What storage filled is the program's; for which port nobody can tell.
#[test]
fn what_storage_filled_is_said_of_programs_and_not_of_ports() {
    let fill = count(
        "mm_filemap_add_to_page_cache",
        Syscall::Sendfile,
        File::Regular,
        Iter::None,
        BODY / 2,
    );
    let mut watch = window("zero-copy", &[handed_over(BODY), vec![fill]]);
    watch.claims.push(Asked { of: Of::Port(80), claim: "zero-copy".to_owned() });
    let (_, told) = path(&watch);
    assert!(told.contains("storage->page cache: 0.500 filled"), "{told}");
    assert!(told.contains("storage->page cache: not told by port"), "{told}");
    let text = table(&watch).expect("a table");
    let ends = |name: &str, number: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).expect("a row");
        assert_eq!(line.split_whitespace().rev().nth(1), Some(number), "{line}");
    };
    ends("nginx", "0.500");
    ends("port 80", "-");
    let filled: Vec<_> = judge(&watch)
        .expect("known claims")
        .iter()
        .map(|judgement| {
            let hops = judgement.outcome().hops;
            let is_fill =
                |(hop, what)| (hop, what) == (Hop::StorageToPageCache, Disposition::Filled);
            let fill = hops.iter().find(|at| is_fill((at.hop, at.disposition))).expect("a fill");
            [fill.per_byte.least, fill.per_byte.most].map(|share| (share * 10.0).round())
        })
        .collect();
    assert_eq!(filled, [[5.0, 5.0], [0.0, 5.0]]);
}

#[test]
fn what_is_received_is_drawn_from_the_socket_on() {
    let received =
        count("skb_copy_datagram_iter", Syscall::Recvfrom, File::Socket, Iter::User, BODY);
    let mut watch = window("copied<=1", &[vec![received]]);
    watch.direction = Direction::Rx;
    let (_, told) = path(&watch);
    assert!(told.contains("socket->user: 1.000 copied"), "{told}");
    assert!(!told.contains("user->socket"), "{told}");
}
