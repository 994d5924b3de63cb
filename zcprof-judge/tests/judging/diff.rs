//! Two windows beside each other: who is before and who is after, and what the table and picture say.

use zcprof_judge::report::diff::{Side, runs, watches};
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::WatchedCount;

use super::records::{PAYLOAD, msg_zerocopy, run, sendfile};
use super::stacks::by_hand;
use super::watched::{BODY, handed_over, read, window, written};

fn compared(before: &Watch, after: &Watch) -> (String, String) {
    let side = |name, record| Side { name, record };
    let diff = watches(&side("old.json", before), &side("new.json", after));
    (diff.table, diff.picture)
}

/// The words of the line that begins with these.
fn line(table: &str, begins: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let begin = words(begins);
    let found = table.lines().map(words).find(|line| line.starts_with(&begin));
    found.unwrap_or_else(|| panic!("{begins}: {table}"))
}

fn title(picture: &str) -> String {
    let tree = roxmltree::Document::parse(picture).expect("XML");
    let title = tree.root_element().children().find(|node| node.has_tag_name("title"));
    title.and_then(|node| node.text()).expect("a title").to_owned()
}

/// What the same program sends by another port.
pub(super) fn at_port(port: u16, mut counts: Vec<WatchedCount>) -> Vec<WatchedCount> {
    for count in counts.iter_mut().filter(|count| count.port.is_some()) {
        count.port = Some(port);
    }
    counts
}

#[test]
fn what_grew_and_what_went_is_said_and_the_older_stands_first() {
    let old = window("zero-copy", &[handed_over(BODY)]);
    let new = window("zero-copy", &[written(BODY)]);
    let (table, picture) = compared(&old, &new);
    let first: Vec<_> = table.lines().take(2).collect();
    assert_eq!(first, ["before: old.json", "after:  new.json"]);
    let copied = line(&table, "nginx  user->socket");
    assert_eq!(copied, ["nginx", "user->socket", "copied", "0.000", "1.000", "+1.000", "new"]);
    let moved = line(&table, "nginx  page cache->socket");
    assert_eq!(moved[3..], ["moved", "1.000", "0.000", "-1.000", "went"]);
    let said = title(&picture);
    assert!(
        said.ends_with("bytes copied user->socket grew from 0.000 to 1.000 per sent byte"),
        "{said}"
    );
    let (back, _) = compared(&new, &old);
    assert_eq!(line(&back, "nginx  user->socket")[3..], ["1.000", "0.000", "-1.000", "went"]);
}

/// Twice the bytes by the same ways are the same per byte.
#[test]
fn windows_of_different_length_are_compared_by_what_they_sent() {
    let windows = [1, 2]
        .map(|times| window("zero-copy", &[handed_over(BODY * times), written(BODY / 4 * times)]));
    let (table, _) = compared(&windows[0], &windows[1]);
    assert!(table.contains("Nothing changed by 0.001 per sent byte"), "{table}");
}

/// The function that stopped to copy is in the picture although it is not there any more.
#[test]
fn stacks_that_went_are_drawn() {
    let mut old = window("zero-copy", &[handed_over(BODY), written(8 << 20)]);
    old.stacks = Some(by_hand());
    let mut new = old.clone();
    let stacks = new.stacks.as_mut().expect("stacks");
    stacks.stacks.remove(0);
    let (_, picture) = compared(&old, &new);
    let tree = roxmltree::Document::parse(&picture).expect("XML");
    let gone = tree.descendants().find(|node| {
        node.has_tag_name("title")
            && node.text().is_some_and(|text| text.starts_with("- send_body<&str>"))
    });
    let hint = gone.and_then(|node| node.text()).expect("drawn");
    assert!(hint.ends_with("after 0.000") && hint.contains("before 0.04"), "{hint}");
    assert!(!picture.contains("+ write_log"), "what stayed is no growth");
}

/// One program with two ports: what it reads for one of them, and what a hand-over puts into a pipe for
/// the other, is charged to neither by mistake.
#[test]
fn a_port_is_charged_with_what_the_records_own_table_charges_it_with() {
    let old = window("zero-copy", &[handed_over(BODY), at_port(443, handed_over(BODY))]);
    let copies = at_port(443, [read(BODY), written(BODY)].concat());
    let new = window("zero-copy", &[handed_over(BODY), copies]);
    let (table, picture) = compared(&old, &new);
    assert!(!table.lines().any(|line| line.starts_with("port 80 ")), "{table}");
    for hop in ["page cache->user", "user->socket"] {
        let row = line(&table, &format!("port 443 {hop}"));
        assert_eq!(row[row.len() - 4..], ["0.000", "1.000", "+1.000", "new"], "{table}");
    }
    let moved = line(&table, "port 443 page cache->socket");
    assert_eq!(moved[moved.len() - 1], "went", "{table}");
    // Programs and ports are parts of the same bytes: the picture has each byte once.
    let tree = roxmltree::Document::parse(&picture).expect("XML");
    let bars = tree.descendants().filter(|node| node.attribute("class") == Some("b"));
    let names: Vec<_> = bars.filter_map(|bar| bar.first_element_child()?.text()).collect();
    assert!(names.iter().any(|name| name.contains("all that was sent")), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("nginx") || name.contains("port")), "{names:?}");
}

/// A port that is there no more copied before, and does not copy nothing now.
#[test]
fn a_part_that_is_gone_is_said_to_be_gone() {
    let old = window("zero-copy", &[at_port(443, written(BODY))]);
    let new = window("zero-copy", &[handed_over(BODY)]);
    let (table, picture) = compared(&old, &new);
    let row = line(&table, "port 443 user->socket");
    assert_eq!(row[3..], ["copied", "1.000", "-", "-1.000", "not", "in", "after"]);
    let said = title(&picture);
    assert_eq!(
        said,
        "port 443 is not in after; before: 1.000 bytes copied user->socket per sent byte"
    );
}

#[test]
fn runs_are_compared_by_transfer() {
    let side = |name, record| Side { name, record };
    let (old, new) = (run(vec![msg_zerocopy(0)]), run(vec![msg_zerocopy(PAYLOAD), sendfile()]));
    let diff = runs(&side("old", &old), &side("new", &new)).expect("known claims");
    let late = line(&diff.table, "msg_zerocopy warm  socket->socket");
    assert_eq!(late[3..], ["deferred", "0.000", "1.000", "+1.000", "new"]);
    assert!(diff.table.contains("not in before"), "{}", diff.table);
}
