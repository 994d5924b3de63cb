//! What happens below the sockets, by the devices that packets leave by.

use zcprof_common::sites::BOUNCE_BUFFERS;
use zcprof_common::vocabulary::{File, Iter, Process};
use zcprof_judge::run::ProbeState;
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::verdict::{self, Reason, Verdict};

use crate::records::{PAYLOAD, count, left_by, read_write, run, sendfile};

/// Verdict and codes of sendfile by these devices, innermost first.
fn by(devices: &[(&str, &str)]) -> (Verdict, Vec<&'static str>) {
    let mut pass = sendfile();
    pass.exits = devices.iter().map(|(name, kind)| left_by(name, kind)).collect();
    let judged = verdict::judge(&run(vec![pass])).expect("known").remove(0);
    let codes = judged.codes();
    (judged.verdict, codes)
}

#[test]
fn what_leaves_by_devices_that_are_known_to_pass_pages_on_holds() {
    for devices in [
        &[("lo", "")][..],
        &[("eth0", "")],
        &[("veth1a2b", "veth")],
        &[("vx0", "vxlan"), ("eth0", "")],
        &[("tun0", "tun")],
    ] {
        assert_eq!(by(devices).0, Verdict::Holds, "{devices:?}");
    }
}

#[test]
fn a_device_that_encrypts_refutes() {
    for kind in ["wireguard", "macsec"] {
        let (verdict, codes) = by(&[("wg0", kind), ("eth0", "")]);
        let Verdict::Refuted(findings) = verdict else { panic!("{kind}: {verdict:?}") };
        assert!(findings[0].at.starts_with(&format!("wg0 ({kind}), drivers/net/{kind}")));
        assert_eq!(codes, ["ZC123"]);
    }
}

#[test]
fn a_device_that_nobody_knows_and_none_at_all_are_no_zero() {
    let (verdict, codes) = by(&[("weird0", "quantum")]);
    let unknown = Reason::UnknownDevice("weird0 (quantum)".to_owned());
    assert_eq!(verdict, Verdict::Inconclusive(vec![unknown]));
    assert_eq!(codes, ["ZC226"]);
    let (verdict, codes) = by(&[]);
    assert!(matches!(verdict, Verdict::Inconclusive(_)), "{verdict:?}");
    assert_eq!(codes, ["ZC226"]);
    // A few bytes by another way change nothing.
    let mut pass = sendfile();
    pass.exits.push(left_by("weird0", "quantum"));
    pass.exits[1].bytes = PAYLOAD / 2000;
    let judged = verdict::judge(&run(vec![pass])).expect("known").remove(0);
    assert_eq!(judged.verdict, Verdict::Holds);
}

#[test]
fn what_a_policy_encrypts_refutes_and_what_is_copied_aside_does_not() {
    let with = |site: &str| {
        let mut pass = sendfile();
        pass.counts.push(count(
            Process::Server,
            site,
            (InSyscall::None, File::None),
            Iter::None,
            PAYLOAD,
        ));
        verdict::judge(&run(vec![pass])).expect("known").remove(0)
    };
    assert_eq!(with("xfrm_output").codes(), ["ZC123"]);
    assert_eq!(with("veth_xdp_rcv_skb").codes(), ["ZC121"]);
    assert_eq!(with("nfqnl_enqueue_packet").codes(), ["ZC122"]);
    for site in ["tpacket_rcv", "nfulnl_log_packet", "do_wp_page", "copy_user_large_folio"] {
        assert_eq!(with(site).verdict, Verdict::Holds, "{site}");
    }
}

/// What the CPU copies for devices may be what was sent. The tracepoint says nobody's name, and a kernel without
/// such buffers has none.
#[test]
fn what_is_copied_for_devices_is_no_zero() {
    let with = |bytes, state: Option<ProbeState>| {
        let mut pass = sendfile();
        let nobody = (InSyscall::None, File::None);
        pass.counts.push(count(Process::Elsewhere, BOUNCE_BUFFERS, nobody, Iter::None, bytes));
        let mut run = run(vec![pass]);
        let probe = run.coverage.probes.iter_mut().find(|probe| probe.site == BOUNCE_BUFFERS);
        if let Some(state) = state {
            probe.expect("a row").state = state;
        }
        verdict::judge(&run).expect("known").remove(0).verdict
    };
    let bounced = Reason::BounceBuffers(PAYLOAD);
    assert_eq!(with(PAYLOAD, None), Verdict::Inconclusive(vec![bounced]));
    assert_eq!(with(PAYLOAD / 2000, None), Verdict::Holds, "a few bytes of others");
    assert_eq!(with(0, Some(ProbeState::NotOnThisKernel)), Verdict::Holds);
    let reason = || "no room".to_owned();
    let absent = ProbeState::Absent { reason: reason() };
    for state in [ProbeState::Refused { reason: reason() }, absent, ProbeState::Withheld] {
        let unseen = with(0, Some(state));
        let Verdict::Inconclusive(reasons) = unseen else { panic!("{unseen:?}") };
        assert!(matches!(reasons[..], [Reason::NotWatching(..)]), "{reasons:?}");
    }
}

/// Who promises copies promises nothing of devices.
#[test]
fn a_claim_of_copies_holds_by_a_device_that_nobody_knows() {
    let mut pass = read_write();
    pass.exits = vec![left_by("weird0", "quantum")];
    let judged = verdict::judge(&run(vec![pass])).expect("known").remove(0);
    assert_eq!(judged.verdict, Verdict::Holds);
}
