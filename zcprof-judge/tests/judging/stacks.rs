//! Stacks as files: made by hand, and at random with names that are out to break them.

use proptest::prelude::*;
use proptest::sample::select;
use zcprof_common::vocabulary::{Disposition, Hop};
use zcprof_judge::report::watch::render_all;
use zcprof_judge::stacks::Stacks;
use zcprof_judge::stacks::record::{Frame, FrameKind, LostBytes, Stack};
use zcprof_judge::stacks::top::functions;
use zcprof_judge::stacks::tree::{Tree, missing};
use zcprof_judge::watch::record::Charged;

use super::watched::{BODY, handed_over, window, written};

fn frame(kind: FrameKind, name: &str, file: &str) -> Frame {
    Frame { kind, name: name.to_owned(), file: file.to_owned() }
}

fn stack(frames: &[u32], hop: Hop, disposition: Disposition, bytes: u64) -> Stack {
    Stack {
        charged: Charged::Program("nginx".to_owned()),
        port: Some(80),
        hop,
        disposition,
        site: "tcp_sendmsg_locked".to_owned(),
        frames: frames.to_vec(),
        calls: 64,
        bytes,
    }
}

/// A program that writes bodies and logs by two functions, hands a file over by a third, and has one
/// stack that is cut.
pub(crate) fn by_hand() -> Stacks {
    use Disposition::{Copied, Moved};
    use FrameKind::{Kernel, Missing, User};
    let frames = vec![
        frame(User, "_start", "nginx"),
        frame(User, "main", "nginx"),
        frame(User, "send_body<&str>", "nginx"),
        frame(User, "write_log", "nginx"),
        frame(User, "__libc_write", "libc.so.6"),
        frame(Kernel, "tcp_sendmsg_locked", ""),
        frame(User, "send_file", "nginx"),
        frame(Kernel, "skb_splice_from_iter", ""),
        frame(Missing, "stack cut", ""),
    ];
    let stacks = vec![
        stack(&[0, 1, 2, 4, 5], Hop::UserToSocket, Copied, 3 << 20),
        stack(&[0, 1, 3, 4, 5], Hop::UserToSocket, Copied, 1 << 20),
        stack(&[0, 1, 6, 7], Hop::PageCacheToSocket, Moved, 4 << 20),
        stack(&[8, 5], Hop::UserToSocket, Copied, 1 << 19),
    ];
    let gone = LostBytes { hop: Hop::PageCacheToUser, disposition: Copied, bytes: 1 << 18 };
    Stacks { frames, stacks, lost: vec![gone] }
}

pub(super) fn file(stacks: &Stacks, name: &str) -> Vec<u8> {
    let mut watch = window("zero-copy", &[handed_over(BODY), written(BODY / 500)]);
    watch.stacks = Some(stacks.clone());
    let files = render_all(&watch).expect("rendered");
    files.into_iter().find(|(file, _)| *file == name).expect(name).1
}

pub(super) fn text(stacks: &Stacks, name: &str) -> String {
    String::from_utf8(file(stacks, name)).expect("text")
}

fn sum(stacks: &Stacks) -> u128 {
    let known = stacks.stacks.iter().map(|stack| u128::from(stack.bytes));
    known.chain(stacks.lost.iter().map(|gone| u128::from(gone.bytes))).sum()
}

#[test]
fn the_function_that_copies_is_named_and_not_the_library() {
    let stacks = by_hand();
    let top: Vec<_> =
        functions(&stacks).into_iter().map(|top| (top.frame.name, top.bytes)).collect();
    let wanted = [("send_body<&str>", 3 << 20), ("write_log", 1 << 20), ("stack cut", 1 << 19)];
    assert_eq!(top, wanted.map(|(name, bytes)| (name.to_owned(), bytes)));
    let svg = text(&stacks, "flamegraph.svg");
    let tree = roxmltree::Document::parse(&svg).expect("XML");
    let title = tree.root_element().children().find(|node| node.has_tag_name("title"));
    let said = title.and_then(|node| node.text()).expect("a title");
    assert_eq!(said, "send_body<&str> of nginx copied 3.0 MiB of 4.7 MiB, 63.1 %");
}

/// One stack by such frames of a program, the outermost first.
fn by_frames(frames: Vec<Frame>) -> Stacks {
    let way: Vec<u32> = (0..).take(frames.len()).collect();
    let stacks = vec![stack(&way, Hop::UserToSocket, Disposition::Copied, 1 << 20)];
    Stacks { frames, stacks, lost: Vec::new() }
}

/// The line of the table that says who copied, and those below it.
fn said(stacks: &Stacks) -> String {
    let table = text(stacks, "table.txt");
    let (_, said) = table.split_once("Copied by: ").expect("said");
    said.split("\n\n").next().expect("lines").to_owned()
}

/// Code that nobody can name is no function that is named, and its stacks count as what they are.
#[test]
fn code_without_a_name_is_counted_and_never_named() {
    use FrameKind::{Kernel, User};
    let known = |name: &str, file: &str| {
        by_frames(vec![
            frame(User, "main", "server"),
            frame(User, name, file),
            frame(User, "__libc_write", "libc.so.6"),
            frame(Kernel, "tcp_sendmsg_locked", ""),
        ])
    };
    for (name, file, called) in
        [("[no symbol]", "memory", ", made at run time,"), ("[0x1234]", "server", " in server")]
    {
        let stacks = known(name, file);
        assert_eq!(missing(&stacks), [("no name".to_owned(), 1 << 20)], "{name}");
        let svg = text(&stacks, "flamegraph.svg");
        let title = svg.split_once("</title>").expect("a title").0;
        assert!(title.ends_with("100.0 %") && !title.contains(name), "{title}");
        let called = format!("A function without a name{called} of nginx copied");
        assert!(title.contains(&called), "{title}");
        assert!(svg.contains("100.0 % of the bytes have no whole stack with names"), "{name}");
        let said = said(&stacks);
        assert!(said.contains("100.0 % of the bytes (no name 1,048,576 B, 100.0 %)"), "{said}");
    }
    // A function of the C library's own, or of the program's with its name, is not missed.
    for (name, file) in [("[0x1234]", "libc.so.6"), ("copy", "server"), ("[vdso]", "[vdso]")] {
        let stacks = known(name, file);
        assert_eq!(missing(&stacks), [], "{name} of {file}");
        assert!(said(&stacks).ends_with("Every stack is whole and named."), "{}", said(&stacks));
    }
}

/// Who runs a runtime that can give names is told how.
#[test]
fn runtimes_that_lack_names_have_a_hint() {
    use FrameKind::{Missing, User};
    let hints = |frames: Vec<Frame>| {
        let said = said(&by_frames(frames));
        said.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let made = || frame(User, "[no symbol]", "memory");
    let named = |name: &str| frame(User, name, "");
    let python = || frame(User, "_PyEval_EvalFrameDefault", "python3.12");
    let jvm = || frame(User, "JavaMain", "libjvm.so");
    for (frames, remedy) in [
        (vec![jvm(), made()], "-XX:+PreserveFramePointer"),
        (vec![frame(Missing, "stack cut", ""), jvm()], "-XX:+PreserveFramePointer"),
        (vec![frame(User, "node::Start", "node"), made()], "--perf-basic-prof"),
        (vec![python()], "PYTHONPERFSUPPORT=1"),
    ] {
        let said = hints(frames);
        assert!(said.len() == 1 && said[0].contains(": 100.0 % of the bytes. "), "{said:?}");
        assert!(said[0].contains(remedy), "{said:?}");
    }
    for frames in [
        vec![jvm(), named("void Serve.copy(int)")],
        vec![frame(User, "node::Start", "node"), named("LazyCompile:~serve serve.js:1")],
        vec![python(), named("py::serve:serve.py"), python()],
        vec![frame(User, "main", "node_exporter"), made()],
    ] {
        assert_eq!(hints(frames), [""; 0]);
    }
}

#[test]
fn folded_text_has_every_way_and_what_is_lost() {
    let folded = text(&by_hand(), "stacks.folded");
    let wanted = "[stack lost];page cache->user copied 262144\n\
        nginx;[stack cut];tcp_sendmsg_locked_[k];user->socket copied 524288\n\
        nginx;_start;main;send_body<&str>;__libc_write;tcp_sendmsg_locked_[k];user->socket copied 3145728\n\
        nginx;_start;main;send_file;skb_splice_from_iter_[k];page cache->socket moved 4194304\n\
        nginx;_start;main;write_log;__libc_write;tcp_sendmsg_locked_[k];user->socket copied 1048576\n";
    assert_eq!(folded, wanted);
}

/// What is handed over is hatched, what is copied is not, and a frame of several hops has no hop's
/// colour.
#[test]
fn colours_are_hops_and_hatching_is_no_copy() {
    let svg = text(&by_hand(), "flamegraph.svg");
    let tree = roxmltree::Document::parse(&svg).expect("XML");
    let bars: Vec<_> =
        tree.descendants().filter(|node| node.attribute("class") == Some("b")).collect();
    let bar = |name: &str| {
        let of_it = |node: &&roxmltree::Node<'_, '_>| {
            let title = node.children().find(|child| child.has_tag_name("title"));
            title.and_then(|title| title.text()).is_some_and(|text| text.starts_with(name))
        };
        let bar = bars.iter().find(of_it).unwrap_or_else(|| panic!("{name}: {svg}"));
        let rects: Vec<_> = bar.children().filter(|child| child.has_tag_name("rect")).collect();
        (rects[0].attribute("class").expect("a colour").to_owned(), rects.len() == 2)
    };
    assert_eq!(bar("send_file"), (format!("h{}", Hop::PageCacheToSocket as u8), true));
    assert_eq!(bar("send_body"), (format!("h{}", Hop::UserToSocket as u8), false));
    assert_eq!(bar("main"), ("mixed".to_owned(), false));
    assert_eq!(bar("[stack cut]"), ("missing".to_owned(), false));
}

#[test]
fn speedscope_has_one_profile_of_copies_and_one_of_hand_overs() {
    let value: serde_json::Value =
        serde_json::from_slice(&file(&by_hand(), "stacks.speedscope.json")).expect("JSON");
    let weights = |at: usize| -> u64 {
        let all = value["profiles"][at]["weights"].as_array().expect("weights");
        all.iter().map(|weight| weight.as_u64().expect("bytes")).sum()
    };
    assert_eq!((weights(0), weights(1)), ((4 << 20) + (3 << 18), 4 << 20));
    assert_eq!(value["profiles"][0]["unit"], "bytes");
}

/// 10,000 stacks: the picture has the widest frames and says how many it leaves out.
#[test]
fn very_many_stacks_stay_a_small_picture() {
    let names: Vec<_> =
        (0..10_000).map(|at| frame(FrameKind::User, &format!("f{at}"), "a")).collect();
    let one = |at| stack(&[at], Hop::UserToSocket, Disposition::Copied, 1000 + u64::from(at));
    let stacks = Stacks { frames: names, stacks: (0..10_000).map(one).collect(), lost: Vec::new() };
    let svg = text(&stacks, "flamegraph.svg");
    assert!(svg.len() < 1 << 20, "{}", svg.len());
    // The root, the program, and a frame and its place for each stack.
    assert!(svg.contains("17,002 narrower frames are not drawn"), "said");
    assert!(svg.contains(" data-more=\"17002\">"), "the search knows");
    assert!(svg.contains("<title>f9999\nin a"), "the widest is there");
}

/// Names that would end an element, a line, a step, a script or a title.
pub(crate) const NAMES: [&str; 9] = [
    "main",
    "a;b",
    "</title><script>alert(1)</script>",
    "\" onload=\"x",
    "]]>",
    "& &amp;",
    "é\u{fffd}",
    "",
    "x\ny",
];

pub(crate) fn any_stacks() -> impl Strategy<Value = Stacks> {
    let kinds = [FrameKind::User, FrameKind::Kernel, FrameKind::Missing];
    let frames = (select(kinds.to_vec()), select(NAMES.to_vec()), select(NAMES.to_vec()))
        .prop_map(|(kind, name, file)| frame(kind, name, file));
    let bytes = prop_oneof![3 => 0..1_u64 << 40, 1 => Just(u64::MAX)];
    let places = (select(Hop::ALL), select(Disposition::ALL), bytes.clone());
    let one = (prop::collection::vec(0..7_u32, 0..9), places)
        .prop_map(|(frames, (hop, how, bytes))| stack(&frames, hop, how, bytes));
    let lost = (select(Hop::ALL), select(Disposition::ALL), bytes)
        .prop_map(|(hop, disposition, bytes)| LostBytes { hop, disposition, bytes });
    let stacks = prop::collection::vec(one, 0..12);
    (prop::collection::vec(frames, 0..7), stacks, prop::collection::vec(lost, 0..3))
        .prop_map(|(frames, stacks, lost)| Stacks { frames, stacks, lost })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// No byte is added or lost on the way into the tree and the folded text, and each node has at
    /// least what is below it.
    #[test]
    fn every_byte_is_in_the_tree(stacks in any_stacks()) {
        let tree = Tree::of(&stacks);
        prop_assert_eq!(tree.root().bytes(), sum(&stacks));
        for node in &tree.nodes {
            let below: u128 = node.children.iter().map(|child| tree.nodes[*child].bytes()).sum();
            prop_assert!(node.children.is_empty() || below <= node.bytes());
        }
        let folded = text(&stacks, "stacks.folded");
        let numbers = folded.lines().map(|line| line.rsplit(' ').next().expect("a number"));
        let all: u128 = numbers.map(|number| number.parse::<u128>().expect("bytes")).sum();
        prop_assert_eq!(all, sum(&stacks));
    }

    /// Whatever names a record has, the picture is XML with one script, which is ours, and asks for
    /// nothing from elsewhere.
    #[test]
    fn no_name_breaks_the_picture(stacks in any_stacks()) {
        let svg = text(&stacks, "flamegraph.svg");
        let tree = roxmltree::Document::parse(&svg).expect("XML");
        let scripts = tree.descendants().filter(|node| node.tag_name().name() == "script");
        prop_assert_eq!(scripts.count(), 1);
        let attributes = tree.descendants().flat_map(|node| node.attributes().collect::<Vec<_>>());
        for attribute in attributes {
            prop_assert!(!attribute.name().starts_with("on") && attribute.name() != "href");
        }
    }
}
