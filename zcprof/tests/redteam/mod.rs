//! The red team: every known way to lose zero-copy while the system calls look the same, and
//! beside each an honest twin. The first must never hold, and say where; the second must.

mod fuse;
mod ipsec;
mod layers;
mod moving;
mod nfs;
mod nfs4;
mod random;
mod storage;
mod stranger;
mod table;

use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount, umount};
use zcprof::ledger::Ledger;
use zcprof::run::Run;
use zcprof::verdict::{self, Judgement, Verdict};
use zcprof_common::sites::Version;
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use self::fuse::Mounted;
use self::ipsec::Encrypted;
use self::layers::Layered;
use self::moving::Moving;
use self::nfs::Remote;
use self::nfs4::ServedByKernel;
use self::storage::Stacked;
use self::stranger::Stranger;
use self::table::{Backing, RequiredBytes, SABOTAGES, Sabotage, Surroundings, Trial};
use super::share::Share;
use super::{code, folder, guest_folder, text, zcprof};

/// Payload of a pass, in bytes: what the slowest ways can do in a few seconds of emulation.
const PAYLOAD: usize = 8 << 20;

/// File systems to mount for procfs to list: its file of mounts then has some 30 KiB.
const MOUNTS: usize = 300;

#[test]
fn every_sabotage_is_documented() {
    let document = include_str!("../../../RED-TEAM.md");
    for sabotage in SABOTAGES {
        let row = format!("| {} |", sabotage.name);
        let row = document.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("RED-TEAM.md lacks {}", sabotage.name));
        assert!(row.contains(sabotage.reason), "{row}");
    }
}

#[test]
fn every_sabotage_is_caught_and_every_twin_holds() {
    let named = std::env::var("ZCPROF_REDTEAM").unwrap_or_default();
    let sabotages = wanted(&named, Share::own());
    println!("{} of {} sabotages", sabotages.len(), SABOTAGES.len());
    let all =
        sabotages.iter().flat_map(|sabotage| iter::once(&sabotage.case).chain(sabotage.twins));
    let mut settings: Vec<(Surroundings, Vec<&Trial>)> = Vec::new();
    for case in all {
        let at = settings.iter().position(|(setting, _)| *setting == case.setting);
        let at = at.unwrap_or_else(|| {
            settings.push((case.setting, Vec::new()));
            settings.len() - 1
        });
        if settings[at].1.iter().all(|other| other.transfer != case.transfer) {
            settings[at].1.push(case);
        }
    }
    let version = zcprof::probe::kernel::version().expect("a version");
    let here = settings.iter().filter(|(setting, _)| setting.since() <= version);
    let measured: Vec<_> =
        here.map(|(setting, cases)| (*setting, measure(*setting, cases))).collect();
    // None if this kernel has no such place or transfer.
    let judgement = |case: &Trial| {
        let (_, judgements) = measured.iter().find(|(setting, _)| *setting == case.setting)?;
        let found = judgements.iter().find(|judged| judged.transfer == case.transfer)?;
        assert_eq!(found.claim.name, case.claim, "one claim in a setting: {case}");
        Some(found)
    };
    let mut wrong = Vec::new();
    for sabotage in sabotages {
        let Some(judged) = judgement(&sabotage.case) else {
            println!("{}: not on this kernel", sabotage.name);
            continue;
        };
        println!("{}\n  {}", sabotage.name, line(&sabotage.case, judged));
        println!("{}", row(sabotage, judged));
        wrong.extend(sabotage.complaints(judged, version));
        for twin in sabotage.twins {
            let Some(judged) = judgement(twin) else {
                println!("  twin: {twin}: not on this kernel");
                continue;
            };
            println!("  twin: {}", line(twin, judged));
            if judged.verdict != Verdict::Holds {
                wrong.push(format!("{}: the twin {}", sabotage.name, line(twin, judged)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is to be planted: all that have one of these parts of names (`ZCPROF_REDTEAM`), and of these a
/// share. What is measured together is never parted.
fn wanted(named: &str, share: Share) -> Vec<&'static Sabotage> {
    let is_named = |s: &&Sabotage| named.split('|').any(|part| s.name.contains(part));
    let mut settings: Vec<Surroundings> = Vec::new();
    let mut is_here = |sabotage: &&Sabotage| {
        let at = settings.iter().position(|setting| *setting == sabotage.case.setting);
        share.has(at.unwrap_or_else(|| {
            settings.push(sabotage.case.setting);
            settings.len() - 1
        }))
    };
    SABOTAGES.iter().filter(is_named).filter(|sabotage| is_here(sabotage)).collect()
}

/// All shares together are the whole, none has what another has, and none has a part of what is measured
/// together.
#[test]
fn shares_are_the_whole() {
    let shares = ["1/3", "2/3", "3/3"].map(|name| wanted("", Share::named(Some(name))));
    let holders = |is_in: &dyn Fn(&&Sabotage) -> bool| {
        shares.iter().filter(|share| share.iter().any(is_in)).count()
    };
    for sabotage in SABOTAGES {
        assert_eq!(holders(&|other| other.name == sabotage.name), 1, "{}", sabotage.name);
        let together = holders(&|other| other.case.setting == sabotage.case.setting);
        assert_eq!(together, 1, "{}", sabotage.name);
    }
    assert_eq!(shares.iter().map(Vec::len).sum::<usize>(), SABOTAGES.len());
}

/// A replica is written beside the log: where nothing can be, the transfer is skipped, the others are
/// measured, and the server gives up its privileges all the same.
#[test]
fn a_replica_on_a_read_only_file_system_is_skipped_with_its_reason() {
    let set = PreparedBacking::up(Backing::Compressed, PAYLOAD);
    let out = folder("read-only");
    let mut command = zcprof(&["-v", "measure", "--untimed", "--bytes", "1MiB", "--cache", "warm"]);
    command.args(["--transfer", "copy_file_range", "--transfer", "sendfile"]);
    command.arg("--log-dir").arg(set.log()).arg("--out").arg(&out);
    let output = command.output().expect("zcprof starts");
    let said = text(&output);
    assert_eq!(code(&output), 0, "{said}");
    let record = fs::read(out.join("run.json")).expect("a record");
    let run: Run = serde_json::from_slice(&record).expect("run.json parses");
    let [skipped] = run.skipped.as_slice() else { panic!("one is skipped: {said}") };
    assert_eq!(skipped.transfer, "copy_file_range");
    assert!(skipped.reason.contains("Read-only file system"), "{}", skipped.reason);
    let [judged] = &verdict::judge(&run).expect("known names")[..] else { panic!("{said}") };
    assert_eq!((judged.transfer.as_str(), &judged.verdict), ("sendfile", &Verdict::Holds));
    assert!(!said.contains("cannot serve the log"), "{said}");
}

/// Measures the transfers of a setting.
fn measure(setting: Surroundings, cases: &[&Trial]) -> Vec<Judgement> {
    let set = PreparedBacking::up(setting.place, PAYLOAD);
    let bytes = PAYLOAD.to_string();
    let options = ["--bytes", &bytes, "--segment-bytes", "2MiB"].map(str::to_owned);
    let (judgements, said) = measure_log(&set.log(), setting, cases, &options);
    if setting.network == "veth-loss" {
        assert!(
            sent_again(&said).is_some_and(|times| times > 0),
            "nothing was lost on the way: {said}"
        );
    }
    judgements
}

/// How many segments TCP had sent again after the last pass.
fn sent_again(said: &str) -> Option<u64> {
    let (before, _) = said.rsplit_once(" TCP segments were sent again so far")?;
    before.rsplit(' ').next()?.parse().ok()
}

/// Measures the transfers of a setting on a log, with more options; also what was said.
fn measure_log(
    log: &Path,
    setting: Surroundings,
    cases: &[&Trial],
    options: &[String],
) -> (Vec<Judgement>, String) {
    let out = folder("redteam");
    let mut command = zcprof(&["-v", "measure", "--untimed"]);
    command.args(options);
    for case in cases {
        let claim = format!("{}={}", case.transfer, case.claim);
        command.args(["--transfer", case.transfer, "--claim", &claim]);
    }
    command.args(["--cache", setting.cache, "--network", setting.network]);
    command.args(["--socket", setting.socket]);
    command.args(["--consumer", setting.consumer]);
    command.arg("--log-dir").arg(log).arg("--out").arg(&out);
    let output = command.output().expect("zcprof starts");
    let record = fs::read(out.join("run.json"));
    let record = record.unwrap_or_else(|_| panic!("{setting}: {}", text(&output)));
    let run: Run = serde_json::from_slice(&record).expect("run.json parses");
    let judgements = verdict::judge(&run).expect("known names");
    // The oldest kernels that zcprof judges lack some of what is tried.
    let lacks =
        |case: &&&Trial| run.skipped.iter().any(|skipped| skipped.transfer == case.transfer);
    let lacking = cases.iter().filter(lacks).count();
    let is_old = zcprof::probe::kernel::version().expect("a version") < (6, 0);
    assert!(is_old || lacking == 0, "skipped: {}", text(&output));
    assert_eq!(judgements.len() + lacking, cases.len(), "a pass for each: {}", text(&output));
    let said = run.results.iter().map(|result| result.verdict.as_str());
    assert!(said.eq(judgements.iter().map(|judged| judged.verdict.name())), "{:?}", run.results);
    println!("{setting}: exit code {}", code(&output));
    assert_eq!(code(&output), verdict::exit(&judgements) as i32, "{}", text(&output));
    (judgements, text(&output))
}

fn line(case: &Trial, judged: &Judgement) -> String {
    let words = words(judged);
    format!("{case}: {}\n    {words}", seen(&judged.ledger))
}

/// A row of RED-TEAM.md.
fn row(sabotage: &Sabotage, judged: &Judgement) -> String {
    let verdict = match judged.verdict {
        Verdict::Holds => "holds",
        Verdict::Refuted(_) => "refuted",
        Verdict::Inconclusive(_) => "inconclusive",
    };
    let twins: Vec<_> = sabotage.twins.iter().map(ToString::to_string).collect();
    format!(
        "| {} | {} | {} | {} | {verdict} ({}) | {} |",
        sabotage.name,
        sabotage.case,
        saw(&judged.ledger, Instrument::Audit),
        saw(&judged.ledger, Instrument::Callers),
        judged.codes().join(", "),
        twins.join("; ")
    )
}

/// What happened to the server's bytes, hop by hop, as both instruments have it.
fn seen(ledger: &Ledger) -> String {
    let all = [Instrument::Audit, Instrument::Callers];
    all.map(|instrument| format!("{}: {}", instrument.name(), saw(ledger, instrument))).join("; ")
}

/// What an instrument saw happen to the server's bytes, or that it saw nothing.
fn saw(ledger: &Ledger, instrument: Instrument) -> String {
    let mut words = Vec::new();
    for entry in &ledger.account(instrument).entries {
        let per_byte = verdict::per_byte(entry.bytes, ledger.payload);
        if entry.process == Process::Server && per_byte != "0.000" {
            words.push(format!("{} {} {per_byte}", entry.hop.name(), entry.disposition.name()));
        }
    }
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// The verdict, with the codes of what speaks against the claim.
fn words(judged: &Judgement) -> String {
    let why: Vec<_> = judged.why().iter().map(ToString::to_string).collect();
    match judged.verdict {
        Verdict::Holds => "holds".to_owned(),
        Verdict::Refuted(_) => format!("refuted: {}", why.join("; ")),
        Verdict::Inconclusive(_) => format!("inconclusive: {}", why.join("; ")),
    }
}

impl Sabotage {
    /// What is wrong with the judgement of this.
    fn complaints(&self, judgement: &Judgement, version: Version) -> Vec<String> {
        let complain = |what: String| format!("{}: {what}", self.name);
        let mut wrong = Vec::new();
        let judged = words(judgement);
        let callers = judgement.ledger.account(Instrument::Callers);
        let unowned = callers.bytes(Process::Unknown, Hop::SocketToSocket, Disposition::Deferred);
        if verdict::per_byte(unowned, judgement.ledger.payload) != "0.000" {
            wrong.push(complain(format!("{unowned} bytes were copied for nobody known")));
        }
        if judgement.verdict == Verdict::Holds
            || !judgement.codes().contains(&self.code_on(version))
        {
            wrong.push(complain(judged));
        }
        for RequiredBytes { instrument, hop, disposition, least, most } in self.seen {
            let account = judgement.ledger.account(*instrument);
            let bytes = account.bytes(Process::Server, *hop, *disposition);
            #[expect(clippy::cast_precision_loss, reason = "a few MiB")]
            let per_byte = bytes as f64 / judgement.ledger.payload as f64;
            // The ledger's own tolerance.
            if !(least - 0.001..=most + 0.001).contains(&per_byte) {
                let (who, hop, what) = (instrument.name(), hop.name(), disposition.name());
                wrong.push(complain(format!("{who}: {hop} {what} {per_byte}")));
            }
        }
        wrong
    }
}

/// A place for the bytes that are served; it is taken down again with this.
enum PreparedBacking {
    /// A log, or a file, that stays for the next case.
    Folder(PathBuf),
    Fuse(Mounted),
    Moving(Moving),
    BehindIpsec(PathBuf, #[expect(dead_code, reason = "it is there to be dropped")] Encrypted),
    Stacked(Stacked),
    Remote(Remote),
    ServedByKernel(ServedByKernel),
    /// What is mounted, the overlay last; a file in it; what is below, if that is a FUSE.
    Overlay(
        Vec<PathBuf>,
        PathBuf,
        #[expect(dead_code, reason = "it is there to be dropped last")] Option<Mounted>,
    ),
    Layered(Layered),
    Mounts(Vec<PathBuf>),
    /// One of the others, and somebody who reads a file of another meanwhile.
    Beside(
        #[expect(dead_code, reason = "he is there to be dropped first")] Stranger,
        Box<PreparedBacking>,
    ),
}

impl PreparedBacking {
    fn up(place: Backing, bytes: usize) -> Self {
        let log = guest_folder().join("log-8MiB");
        match place {
            Backing::Disk => Self::Folder(log),
            Backing::Sysfs => Self::Folder("/sys/kernel/btf/vmlinux".into()),
            Backing::CopyOfSysfs => {
                let copy = guest_folder().join("vmlinux");
                fs::copy("/sys/kernel/btf/vmlinux", &copy).expect("a copy");
                Self::Folder(copy)
            }
            Backing::Procfs => {
                let base = folder("mounts");
                let mounted: Vec<_> = (0..MOUNTS).map(|at| base.join(at.to_string())).collect();
                for path in &mounted {
                    fs::create_dir(path).expect("a folder");
                    tmpfs(path);
                }
                Self::Mounts(mounted)
            }
            Backing::Fuse => Self::Fuse(Mounted::new(&guest_folder().join("fuse"), bytes)),
            Backing::MovingFuse => Self::Moving(Moving::new(&folder("moving"), bytes)),
            Backing::BehindIpsec => Self::BehindIpsec(log, Encrypted::up()),
            Backing::Loop { direct } => Self::Stacked(Stacked::looped(direct)),
            Backing::HiddenLoop => Self::Stacked(Stacked::hidden()),
            Backing::OtherOwner { copied_up } => {
                Self::Layered(Layered::with_another_owner(copied_up))
            }
            Backing::CopiedUp { direct } => {
                Self::Layered(Layered::with_one_segment_copied_up(direct))
            }
            Backing::Beside { own, strangers } => {
                let own = Box::new(Self::up(*own, bytes));
                Self::Beside(Stranger::of(*strangers, bytes), own)
            }
            Backing::Encrypted => Self::Stacked(Stacked::encrypted()),
            Backing::Compressed => Self::Stacked(Stacked::compressed()),
            Backing::Nfs => Self::Remote(Remote::new(&folder("nfs"), bytes)),
            Backing::Nfs4 => {
                let (export, mounted) = (folder("nfs4-export"), folder("nfs4"));
                Self::ServedByKernel(ServedByKernel::new(&export, &mounted, bytes))
            }
            Backing::OverlayOfFuse => {
                let base = folder("overlay-of-fuse");
                let lower = base.join("lower");
                let fuse = Mounted::new(&lower, bytes);
                let upper = base.join("upper");
                fs::create_dir(&upper).expect("a folder");
                tmpfs(&upper);
                let merged = overlay(&lower, &upper, "");
                let file = merged.join("bytes");
                Self::Overlay(vec![upper, merged], file, Some(fuse))
            }
            Backing::Overlay { on_disk } => {
                let base = folder("overlay");
                let mut mounted = Vec::new();
                if !on_disk {
                    tmpfs(&base);
                    mounted.push(base.clone());
                }
                let lower = base.join("lower");
                fs::create_dir(&lower).expect("a folder");
                let file = std::fs::File::create(lower.join("bytes")).expect("made");
                std::io::Write::write_all(&mut &file, &content(bytes)).expect("written");
                file.sync_all().expect("written");
                let merged = overlay(&lower, &base, "");
                let file = merged.join("bytes");
                mounted.push(merged);
                Self::Overlay(mounted, file, None)
            }
        }
    }

    fn log(&self) -> PathBuf {
        match self {
            Self::Folder(path) | Self::BehindIpsec(path, _) | Self::Overlay(_, path, _) => {
                path.clone()
            }
            Self::Fuse(mounted) => mounted.file(),
            Self::Moving(moving) => moving.file(),
            Self::Stacked(stacked) => stacked.log(),
            Self::Remote(remote) => remote.file(),
            Self::ServedByKernel(served) => served.file(),
            Self::Layered(layered) => layered.log(),
            Self::Beside(_, own) => own.log(),
            Self::Mounts(_) => "/proc/1/mountinfo".into(),
        }
    }
}

impl Drop for PreparedBacking {
    fn drop(&mut self) {
        if let Self::Overlay(mounted, ..) | Self::Mounts(mounted) = self {
            for path in mounted.iter().rev() {
                umount(path).expect("nothing of it is open");
            }
        }
    }
}

/// So many bytes that tell where each of them belongs.
fn content(bytes: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(bytes).collect()
}

/// Mounts an overlay of a folder, whose changes and mount point are in another, with more options; returns
/// that point.
fn overlay(lower: &Path, upper: &Path, more: &str) -> PathBuf {
    let [changes, work, merged] = ["upper", "work", "merged"].map(|name| upper.join(name));
    for path in [&changes, &work, &merged] {
        fs::create_dir(path).expect("a folder");
    }
    let [lower, changes, work] = [lower, &changes, &work].map(Path::display);
    let mut options = format!("lowerdir={lower},upperdir={changes},workdir={work}");
    if !more.is_empty() {
        options = format!("{options},{more}");
    }
    let none = MsFlags::empty();
    mount(Some("overlay"), &merged, Some("overlay"), none, Some(options.as_str()))
        .expect("overlayfs mounts");
    merged
}

fn tmpfs(path: &Path) {
    mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("mounts");
}
