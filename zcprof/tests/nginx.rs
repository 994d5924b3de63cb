//! HTTP as nginx speaks it. `ZCPROF_NGINX` names the program; without it nothing is tested here.

use std::path::{Path, PathBuf};

use zcprof::bench::nginx::{Nginx, version};
use zcprof::fetch::consumer::mode::MODES;
use zcprof::fetch::consumer::{FetchCommand, Outcome, Protocol, Verified, consume, shares};
use zcprof::fetch::log::{Log, MakeLog, make};

/// Several segments of different length, so that heads differ between files and within one.
const WANTED: MakeLog = MakeLog {
    bytes: 12 << 20,
    segment_bytes: 5 << 20,
    batch_bytes: 5_000,
    record_bytes: 333,
    seed: 7,
    ..MakeLog::DEFAULT
};

/// The program, or a word on what was left out.
fn program(test: &str) -> Option<PathBuf> {
    let named = std::env::var_os("ZCPROF_NGINX").map(PathBuf::from);
    if named.is_none() {
        eprintln!("skipped: {test}: ZCPROF_NGINX names no nginx");
    }
    named
}

fn fetch(nginx: &Nginx, path: &str, mode: &str, log: &Log) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(consume(FetchCommand {
        certificate: None,
        address: nginx.address().into(),
        protocol: Protocol::Http { path: path.to_owned() },
        mode: mode.to_owned(),
        rounds: 2,
        shares: shares(log, 3, u64::MAX, 100_000).expect("readable"),
    }))
}

#[test]
fn every_mode_receives_whole_shares_from_nginx() {
    let Some(program) = program("every_mode_receives_whole_shares_from_nginx") else { return };
    assert!(version(&program).expect("a version").starts_with("nginx/1."));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-3");
    make(&path, &WANTED).expect("a log");
    let log = Log::open(&path).expect("an intact log");
    for sendfile in [true, false] {
        let nginx = Nginx::start(&program, folder.path(), sendfile).expect("it serves");
        for mode in MODES {
            let outcome = fetch(&nginx, "/orders-3/", mode.name, &log);
            let best = if mode.sees { Verified::Right } else { Verified::Counted };
            assert_eq!((outcome.error, outcome.verified), (None, best), "{}", mode.name);
            assert_eq!(outcome.payload_bytes, 2 * log.bytes(), "{}", mode.name);
            assert_eq!(outcome.received.bytes(), 2 * log.bytes(), "{}", mode.name);
        }
        let outcome = fetch(&nginx, "/elsewhere/", "copy", &log);
        assert!(outcome.error.expect("an error").contains("404"));
        let process = PathBuf::from(format!("/proc/{}", nginx.pid()));
        assert!(process.exists());
        drop(nginx);
        assert!(!process.exists(), "nginx outlived its owner");
    }
}

#[test]
fn an_nginx_that_cannot_serve_says_why() {
    let Some(program) = program("an_nginx_that_cannot_serve_says_why") else { return };
    let missing = Nginx::start(&program, Path::new("/nowhere/at/all"), true);
    assert!(format!("{:#}", missing.expect_err("refused")).contains("/nowhere/at/all"));
    let no_program = Nginx::start(Path::new("/nowhere/nginx"), Path::new("/tmp"), true);
    assert!(format!("{:#}", no_program.expect_err("refused")).contains("/nowhere/nginx"));
    assert!(version(Path::new("/bin/true")).is_err(), "not every program is an nginx");
}
