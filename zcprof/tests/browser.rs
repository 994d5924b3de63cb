//! report.html of each kind in a browser, from a file: search, zoom and sorting work, nothing is asked for,
//! nothing is said on the console, and a narrow window does not scroll sideways; with script off tables and
//! pictures are there, and who likes it dark has it dark. Without a Chromium nothing is tried, and that is
//! said; where ZCPROF_NEEDS_BROWSER is set (as the jobs of .github/workflows do) that is a failure.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Names under which distributions have it; `BROWSERS` in xtask/src/test.rs has the same.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "headless_shell"];

/// Set where a browser must be there.
const NEEDED: &str = "ZCPROF_NEEDS_BROWSER";

/// A page, and what is known of it.
struct Page {
    /// The golden record's folder.
    golden: &'static str,
    /// What zcprof is told to have it drawn.
    words: &'static [&'static str],
    /// What is done on it, in a script that says by `said` what came of it.
    does: &'static str,
    /// What must come of that.
    wanted: &'static str,
    /// What is to be seen without a script.
    seen: &'static str,
}

/// Every kind of record that has a page.
const PAGES: &[Page] = &[
    Page {
        golden: "watch",
        words: &["report", "--exit-zero"],
        does: r#"
  var svg = document.querySelector("svg.zf");
  var text = function (node) { return node.querySelector("title").textContent; };
  var hidden = function () { return svg.querySelectorAll("g.off").length; };
  var input = svg.querySelector("input");
  input.value = "write_log";
  input.dispatchEvent(new Event("input"));
  said.push("found " + svg.querySelector(".found").textContent);
  var focus = svg.querySelectorAll("[tabindex]:not([role=button])").length;
  said.push(svg.getAttribute("role") + " with " + focus + " unnamed");
  var bars = Array.from(svg.querySelectorAll("g.b"));
  var bar = bars.find(function (bar) { return text(bar).startsWith("send_body"); });
  bar.dispatchEvent(new MouseEvent("click"));
  said.push("zoomed " + bar.querySelector("rect").getAttribute("width") + " " + (hidden() > 0));
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  said.push("whole " + hidden());
  sort(3, 0);"#,
        wanted: "found 1 frame, 11.4 % of the bytes|group with 0 unnamed|zoomed 1168 true|whole 0|\
                 first stack cut",
        seen: "3 of 3 tables, 3 of 3 pictures",
    },
    Page {
        golden: "transfers",
        words: &["report", "--exit-zero"],
        does: "sort(0, 0); sort(0, 0);",
        wanted: "first copy_file_range|first writev",
        seen: "2 of 2 tables, 3 of 3 pictures",
    },
    Page {
        golden: "matrix",
        words: &["matrix", "--exit-zero"],
        does: "sort(4, 4); sort(4, 4);",
        wanted: "first copy_file_range|first uring_send_zc",
        seen: "1 of 1 tables, 1 of 1 pictures",
    },
    Page {
        golden: "bench",
        words: &["bench", "report"],
        does: "sort(0, 0); sort(0, 0);",
        wanted: "first mmap_write|first splice",
        seen: "1 of 1 tables, 2 of 2 pictures",
    },
];

/// What is done on every page. The outcome is written to its end.
const DRIVER: &str = r#"<script>/*<![CDATA[*/
window.addEventListener("load", function () {
  var said = [];
  var sort = function (column, shown) {
    var table = document.querySelector("table.sort");
    table.querySelectorAll("th button")[column].click();
    said.push("first " + table.tBodies[0].rows[0].cells[shown].textContent);
  };
  DOES
  var root = document.documentElement;
  said.push("too wide by " + (root.scrollWidth - root.clientWidth));
  said.push("asked for " + performance.getEntriesByType("resource").length);
  said.push("ground " + getComputedStyle(document.body).backgroundColor);
  var end = document.createElement("pre");
  end.id = "driven";
  end.textContent = said.join("|");
  document.body.appendChild(end);
});
/*]]>*/</script></body>"#;

/// A page around one that may run no script; what is to be seen there is written to its end.
const AROUND: &str = r#"<!doctype html><iframe width="390" height="800" sandbox="allow-same-origin" srcdoc="PAGE"></iframe>
<pre id="driven"></pre><script>
window.addEventListener("load", function () {
  var view = document.querySelector("iframe").contentWindow, page = view.document;
  // A reader opens these without a script.
  page.querySelectorAll("details").forEach(function (part) { part.open = true; });
  var count = function (what) {
    var all = Array.from(page.querySelectorAll(what));
    var seen = all.filter(function (node) {
      return node.checkVisibility() && node.getBoundingClientRect().height > 9;
    });
    return seen.length + " of " + all.length + " ";
  };
  document.getElementById("driven").textContent = [
    count("table") + "tables, " + count("svg") + "pictures",
    "asked for " + view.performance.getEntriesByType("resource").length,
    "ground " + view.getComputedStyle(page.body).backgroundColor
  ].join("|");
});
</script>"#;

/// What a browser says of a script that it does not run, for want of leave.
const BLOCKED: &str = "Blocked script execution";

/// A browser with a profile of its own that reaches nobody.
fn browser(name: &str, profile: &Path) -> Command {
    let mut command = Command::new(name);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
    command.args(["--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"]);
    // A container's shared memory is too small for it.
    command.arg("--disable-dev-shm-usage");
    command.args(["--enable-logging=stderr", "--virtual-time-budget=3000"]);
    // A telephone's, or as narrow as this browser's windows can be.
    command.arg("--window-size=400,900");
    command.arg(format!("--user-data-dir={}", profile.display()));
    command
}

/// The page's elements when it has done what it does, and what it said on the console.
fn opened(name: &str, folder: &Path, page: &str, dark: bool) -> (String, Vec<String>) {
    let file = folder.join("page.html");
    fs::write(&file, page).expect("written");
    let mut command = browser(name, &folder.join("profile"));
    command.args(dark.then_some("--force-dark-mode"));
    command.arg("--dump-dom").arg(format!("file://{}", file.display()));
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let console = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned);
    (String::from_utf8_lossy(&output.stdout).into_owned(), console.collect())
}

/// What was written to a page's end, and the colour of its ground.
fn said(after: &str) -> (String, String) {
    let (_, driven) = after.split_once("<pre id=\"driven\">").expect("it was driven");
    let (driven, _) = driven.split_once("</pre>").expect("its end");
    let (driven, ground) = driven.rsplit_once("|ground ").expect("the last word");
    (driven.to_owned(), ground.to_owned())
}

/// What came of what is done on a page, without a word on the console.
fn driven(name: &str, folder: &Path, page: &str, does: &str) -> (String, String) {
    let driver = DRIVER.replace("DOES", does);
    let (after, console) = opened(name, folder, &page.replace("</body>", &driver), false);
    assert!(console.is_empty(), "{console:#?}");
    said(&after)
}

/// What is to be seen of a page in the dark, without a script of its own.
fn unscripted(name: &str, folder: &Path, page: &str) -> (String, String) {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    let (after, console) = opened(name, folder, &AROUND.replace("PAGE", &page), true);
    let is_blocked = |line: &String| line.contains(BLOCKED);
    assert!(!console.is_empty() && console.iter().all(is_blocked), "{console:#?}");
    said(&after)
}

/// The page of a golden record.
fn drawn(page: &Page, folder: &Path) -> String {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../zcprof-judge/tests/golden");
    let made = Command::new(env!("CARGO_BIN_EXE_zcprof"))
        .args(page.words)
        .arg(Path::new(golden).join(page.golden))
        .arg("--out")
        .arg(folder)
        .output()
        .expect("zcprof starts");
    assert!(made.status.success(), "{made:?}");
    fs::read_to_string(folder.join("report.html")).expect("written")
}

/// The browser that there is.
fn found() -> Option<&'static str> {
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let name = BROWSERS.into_iter().find(runs);
    let names = BROWSERS.join(", ");
    assert!(name.is_some() || std::env::var_os(NEEDED).is_none(), "none of {names} is here");
    if name.is_none() {
        eprintln!("not tried: none of {names} is here");
    }
    name
}

#[test]
fn every_page_is_read_searched_and_sorted() {
    let Some(name) = found() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for page in PAGES {
        let drawn = drawn(page, folder);
        let (after, light) = driven(name, folder, &drawn, page.does);
        let before = if page.wanted.is_empty() { "" } else { "|" };
        let wanted = format!("{}{before}too wide by 0|asked for 0", page.wanted);
        assert_eq!(after, wanted, "{}", page.golden);
        let (seen, dark) = unscripted(name, folder, &drawn);
        assert_eq!(seen, format!("{}|asked for 0", page.seen), "{}", page.golden);
        assert_ne!(light, dark, "{}", page.golden);
    }
}

/// Where not every frame is drawn, one that is not found may be among the others.
#[test]
fn a_search_says_that_it_searches_what_is_drawn() {
    let Some(name) = found() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let page = drawn(&PAGES[0], folder.path());
    let more = page.replace("<g class=\"bars\"", "<g data-more=\"7\" class=\"bars\"");
    let bars = page.matches("<g class=\"b\"").count();
    let (said, _) = driven(name, folder.path(), &more, PAGES[0].does);
    assert!(said.starts_with(&format!("found 1 of the {bars} drawn frames, 11.4 % of")), "{said}");
}

/// Known truth: what is wrong with a page is seen.
#[test]
fn what_is_planted_on_a_page_is_seen() {
    let Some(name) = found() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let page = drawn(&PAGES[0], folder);
    let broken = page.replace("</body>", "<script>nothing.there();</script></body>");
    let (_, console) = opened(name, folder, &broken, false);
    assert!(console.iter().any(|line| line.contains("nothing is not defined")), "{console:?}");
    let wide = page.replace(
        "<header>",
        "<header><p style=\"width:3000px\">wide</p><img src=\"http://planted.invalid/\" alt=\"\">",
    );
    let driver = DRIVER.replace("DOES", "");
    let (after, _) = opened(name, folder, &wide.replace("</body>", &driver), false);
    let (after, light) = said(&after);
    assert!(!after.contains("too wide by 0") && after.ends_with("|asked for 1"), "{after}");
    let hidden = page.replace("<header>", "<style>table{display:none}</style><header>");
    let always_light = hidden.replace("prefers-color-scheme:dark", "prefers-color-scheme:none");
    let (seen, dark) = unscripted(name, folder, &always_light);
    assert_eq!(seen, "0 of 3 tables, 3 of 3 pictures|asked for 0");
    assert_eq!(light, dark);
}
