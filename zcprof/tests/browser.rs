//! report.html in a browser, from a file: search, zoom and sorting work, nothing is asked for, nothing is
//! said on the console, and a narrow window does not scroll sideways. Without a Chromium nothing is tried,
//! and that is said.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Names under which distributions have it.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "headless_shell"];

/// What is done on the page. The outcome is written to its end.
const DRIVER: &str = r#"<script>/*<![CDATA[*/
window.addEventListener("load", function () {
  var svg = document.querySelector("svg.zf"), said = [];
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
  var table = document.querySelector("table.sort");
  table.querySelectorAll("th button")[3].click();
  said.push("least " + table.tBodies[0].rows[0].cells[0].textContent);
  var root = document.documentElement;
  said.push("too wide by " + (root.scrollWidth - root.clientWidth));
  said.push("asked for " + performance.getEntriesByType("resource").length);
  var end = document.createElement("pre");
  end.id = "driven";
  end.textContent = said.join("|");
  document.body.appendChild(end);
});
/*]]>*/</script></body>"#;

/// A browser with a profile of its own that reaches nobody.
fn browser(name: &str, profile: &Path) -> Command {
    let mut command = Command::new(name);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
    command.args(["--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"]);
    command.args(["--enable-logging=stderr", "--virtual-time-budget=3000"]);
    // A telephone's, or as narrow as this browser's windows can be.
    command.arg("--window-size=400,900");
    command.arg(format!("--user-data-dir={}", profile.display()));
    command
}

/// The page's elements when it has done what it does, and what it said on the console.
fn opened(name: &str, folder: &Path, page: &str) -> (String, Vec<String>) {
    let file = folder.join("page.html");
    fs::write(&file, page).expect("written");
    let mut command = browser(name, &folder.join("profile"));
    command.arg("--dump-dom").arg(format!("file://{}", file.display()));
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let console = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned);
    (String::from_utf8_lossy(&output.stdout).into_owned(), console.collect())
}

/// What came of what is done on the page, without a word on the console.
fn driven(name: &str, folder: &Path, page: &str) -> String {
    let (after, console) = opened(name, folder, &page.replace("</body>", DRIVER));
    assert!(console.is_empty(), "{console:#?}");
    let (_, driven) = after.split_once("<pre id=\"driven\">").expect("it was driven");
    driven.split_once("</pre>").expect("its end").0.to_owned()
}

#[test]
fn a_page_is_searched_zoomed_and_sorted() {
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let Some(name) = BROWSERS.into_iter().find(runs) else {
        eprintln!("not tried: none of {} is here", BROWSERS.join(", "));
        return;
    };
    let known = concat!(env!("CARGO_MANIFEST_DIR"), "/../zcprof-judge/tests/golden/watch");
    let folder = tempfile::tempdir().expect("a folder");
    let made = Command::new(env!("CARGO_BIN_EXE_zcprof"))
        .args(["report", known, "--exit-zero", "--out"])
        .arg(folder.path())
        .output()
        .expect("zcprof starts");
    assert!(made.status.success(), "{made:?}");
    let page = fs::read_to_string(folder.path().join("report.html")).expect("written");
    // Known truth first: an error would be seen.
    let broken = page.replace("</body>", "<script>nothing.there();</script></body>");
    let (_, console) = opened(name, folder.path(), &broken);
    assert!(console.iter().any(|line| line.contains("nothing is not defined")), "{console:?}");
    let wide = page.replace("<header>", "<header><p style=\"width:3000px\">wide</p>");
    assert!(!driven(name, folder.path(), &wide).contains("|too wide by 0|"), "as planted");
    let wanted = "found 1 frame, 11.4 % of the bytes|group with 0 unnamed|zoomed 1168 true|whole 0|\
                  least stack cut|too wide by 0|asked for 0";
    assert_eq!(driven(name, folder.path(), &page), wanted);
    // Where not every frame is drawn, one that is not found may be among the others.
    let more = page.replace("<g class=\"bars\"", "<g data-more=\"7\" class=\"bars\"");
    let bars = page.matches("<g class=\"b\"").count();
    let said = driven(name, folder.path(), &more);
    assert!(said.starts_with(&format!("found 1 of the {bars} drawn frames, 11.4 % of")), "{said}");
}
