//! A CPU on which zcprof may not run: it cannot try the breakpoints there.

use std::fs;
use std::path::Path;
use std::process::Command;

use zcprof_judge::run::Doubt;

use super::{code, text};
use crate::watching::{GROUPS, control_group, recorded, serving_by, unmissed};

/// A control group.
const GROUP: &str = "zcprof-on-one-cpu";

/// Who is watched runs on CPU 1, and nobody knows whether its breakpoints answer; on CPU 0, the twin.
#[test]
fn a_cpu_where_zcprof_may_not_run_makes_no_zero_if_who_is_watched_runs_there() {
    let group = control_group(GROUP);
    fs::write(format!("{GROUPS}/cgroup.subtree_control"), "+cpuset").expect("cpusets");
    fs::write(group.join("cpuset.cpus"), "0").expect("a CPU");
    let enter = format!("echo $$ > {}/cgroup.procs; exec \"$@\"", group.display());
    let program = std::env::var("ZCPROF").expect("ZCPROF names the program under test");
    for (mask, port, expected) in [("2", 4500, 3), ("1", 4600, 0)] {
        let pinned = ["/bin/busybox", "taskset", mask];
        let mut served = serving_by("sendfile", Path::new(&program), port, &pinned);
        let pid = served.id().to_string();
        let (output, record) = unmissed(|| {
            let out = "/data/on-one-cpu";
            let mut watch = Command::new("sh");
            watch.args(["-c", &enter, "sh", &program, "watch", "--pid", &pid, "--for", "6s"]);
            watch.args(["--claim", "zero-copy", "--out", out]);
            let output = watch.output().expect("sh runs");
            let record = recorded(out, &output);
            (output, record)
        });
        served.kill().and_then(|()| served.wait()).expect("it served");
        let told = Doubt::UnreachedCpu { cpu: 1, group: format!("/{GROUP}") };
        let is_told = record.doubts.contains(&told);
        assert_eq!((code(&output), is_told), (expected, expected == 3), "{}", text(&output));
    }
}
