//! Programs that zcprof did not write, watched: what is known of each beforehand is what must be seen.
//! They come on a disk's image (`cargo xtask test --programs` makes it), so that these tests run where
//! that is, and fail where it is not.

mod table;

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use zcprof::verdict::beyond_tolerance;
use zcprof_common::vocabulary::{Disposition, Hop};
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::{Of, Outcome};

use super::{text, zcprof};
use table::{PORT, PROGRAMS, Row};

/// Where the image is.
const IMAGE: &str = "/dev/vdc";
/// Where its programs run.
const ROOT: &str = "/data/programs/root";
/// Bytes of what is served.
const BODY: usize = 8 << 20;
/// How often it is asked for.
const TIMES: usize = 4;

/// Every row, as it is known beforehand; one after the other, because the window is the whole guest's.
#[test]
#[ignore = "needs the image of programs: cargo xtask test --programs"]
fn every_program_is_seen_as_it_is() {
    set_up();
    let wanted = std::env::var("ZCPROF_PROGRAMS").unwrap_or_default();
    let mut wrong = Vec::new();
    let mut inconclusive = 0;
    let rows: Vec<_> = PROGRAMS.iter().filter(|row| row.name.contains(&wanted)).collect();
    for row in &rows {
        let watch = watched(row);
        let untroubled = row.claims.iter().all(|(_, verdict)| *verdict != "inconclusive");
        let open = watch.results.iter().any(|result| result.verdict == "inconclusive");
        inconclusive += usize::from(open && untroubled);
        for error in errors(row, &watch) {
            println!("{}: WRONG: {error}", row.name);
            wrong.push(format!("{}: {error}", row.name));
        }
    }
    println!("{} programs, {inconclusive} inconclusive without trouble", rows.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(inconclusive, 0);
}

/// What differs from what is known.
fn errors(row: &Row, watch: &Watch) -> Vec<String> {
    let mut errors = Vec::new();
    for ((claim, expected), result) in row.claims.iter().zip(&watch.results) {
        println!("{}: {claim} {}, {:?} copied", row.name, result.verdict, result.copies);
        if result.verdict != *expected {
            errors.push(format!("{claim} is {}: {:#?}", result.verdict, result.reasons));
        }
    }
    let Some(result) = watch.results.first() else { return vec!["nothing was judged".to_owned()] };
    if let Some((copied, moved)) = row.truth {
        let framing = copied_in(result) - copied;
        for (what, seen, known) in [
            ("copied from user memory", copied_in(result), copied),
            ("handed over", at(result, Hop::PageCacheToSocket, Disposition::Moved).1, moved),
        ] {
            if (seen - known).abs() > 0.001 {
                errors.push(format!(
                    "{what}: {seen:.4} per byte, known {known} (framing {framing:.4})"
                ));
            }
        }
    }
    let names: Vec<_> = watch.programs.iter().map(|program| program.name.as_str()).collect();
    if !names.contains(&row.process) {
        errors.push(format!("{} is not among the programs: {names:?}", row.process));
    }
    errors
}

fn copied_in(result: &Outcome) -> f64 {
    at(result, Hop::UserToSocket, Disposition::Copied).1
}

/// The least and the most at a hop.
fn at(result: &Outcome, hop: Hop, disposition: Disposition) -> (f64, f64) {
    let found = result.hops.iter().find(|at| at.hop == hop && at.disposition == disposition);
    found.map_or((0.0, 0.0), |at| (at.per_byte.least, at.per_byte.most))
}

/// The record of a row's window.
fn watched(row: &Row) -> Watch {
    if let Some((http, listen)) = row.nginx {
        let (listen, rest) = listen.split_once(';').unwrap_or((listen, ""));
        let configuration = format!(
            "daemon off; worker_processes 1; pid /run/nginx.pid; error_log /dev/stderr warn;\n\
             events {{}}\n\
             http {{ access_log /var/log/access.log; {http}\n\
             server {{ listen 127.0.0.1:{PORT} {listen}; {rest}; root /www; }} }}\n"
        );
        let configuration = configuration.replace("; ;", ";");
        fs::write(format!("{ROOT}/etc/nginx/watched.conf"), configuration).expect("written");
    }
    let out = format!("/data/watched/{}", row.name.replace([' ', ','], "-"));
    let one = format!("chroot {ROOT} {}", row.load);
    let load = vec![one; TIMES].join(" && ");
    let mut words = vec!["watch", "--out", &out, "--while", &load, "--ready", "8080"];
    for (claim, _) in row.claims {
        words.extend(["--claim", claim]);
    }
    words.extend(["--", "chroot", ROOT]);
    words.extend(row.command);
    let output = zcprof(&words).output().expect("zcprof runs");
    let said = text(&output);
    let path = Path::new(&out).join("watch.json");
    let read = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}\n{said}", row.name));
    let watch: Watch = zcprof_judge::record::read(&read).expect("a record");
    let sent: Option<&Outcome> = watch.results.iter().find(|result| result.of == Of::All);
    let sent = sent.map_or(0, |result| result.sent);
    let least = (BODY * TIMES) as u64;
    if row.load.contains("--compressed") {
        assert!(sent > 0, "{}: nothing was sent\n{said}", row.name);
    } else {
        assert!(
            sent >= least && !beyond_tolerance(sent - least, 10 * least),
            "{}: {sent}\n{said}",
            row.name
        );
    }
    watch
}

/// The image as a root that can be written to, with something to serve.
fn set_up() {
    assert!(Path::new(IMAGE).exists(), "there is no image of programs at {IMAGE}");
    let base = Path::new("/data/programs");
    let [image, upper, work, root] = ["image", "upper", "work", "root"].map(|name| base.join(name));
    for folder in [&image, &upper, &work, &root] {
        fs::create_dir_all(folder).expect("a folder");
    }
    let none = None::<&str>;
    mount(Some(IMAGE), &image, Some("squashfs"), MsFlags::MS_RDONLY, none).expect("the image");
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        image.display(),
        upper.display(),
        work.display()
    );
    mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(layers.as_str()))
        .expect("an overlay");
    for (kind, folder) in [("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev")] {
        mount(Some(kind), &root.join(folder), Some(kind), MsFlags::empty(), none).expect(kind);
    }
    fs::create_dir_all("/var/tmp").expect("a folder for the controls' log");
    // What is served is on the guest's ext4, and not in the overlay.
    let served = Path::new("/data/www");
    fs::create_dir_all(served).expect("a folder");
    let body: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(BODY).collect();
    fs::write(served.join("body"), body).expect("a body");
    fs::create_dir_all(root.join("www")).expect("a folder");
    mount(Some(served), &root.join("www"), none, MsFlags::MS_BIND, none).expect("bound");
    fs::create_dir_all(root.join("srv")).expect("a folder");
    fs::write(root.join("srv/serve.py"), include_str!("serve.py")).expect("a server");
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n").expect("a hosts file");
    let made = Command::new("chroot")
        .args([ROOT, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"])
        .args(["-keyout", "/srv/key.pem", "-out", "/srv/cert.pem"])
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
