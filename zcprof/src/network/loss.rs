//! A device that loses packets: net/sched/sch_netem.c.

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use nix::net::if_::if_nametoindex;
use rtnetlink::packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage};

use super::link::netlink;

/// Attribute of a queueing discipline that holds its own options: include/uapi/linux/rtnetlink.h.
const TCA_OPTIONS: u16 = 2;

/// Probability that a packet is lost, as a fraction of `u32::MAX`: two in a hundred, so that a few
/// of the hundreds of large packets of a pass are, and each lost one costs a timeout at most.
const LOSS: u32 = u32::MAX / 50;

/// Packets that may wait for their turn; netem's own default.
const QUEUE: u32 = 1000;

/// Has a device lose packets.
pub(super) fn lose_some(device: &str) -> Result<()> {
    let index = i32::try_from(if_nametoindex(device)?)?;
    // struct tc_netem_qopt, include/uapi/linux/pkt_sched.h: latency, limit, loss, gap, duplicate,
    // jitter.
    let options: Vec<u8> =
        [0, QUEUE, LOSS, 0, 0, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
    let mut message = TcMessage::with_index(index);
    message.header.parent = TcHandle::ROOT;
    message.attributes.push(TcAttribute::Kind("netem".to_owned()));
    message.attributes.push(TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, options)));
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewQueueDiscipline(message));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    netlink(async |mut handle| {
        let mut answers = handle.request(request)?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload
                && error.code.is_some()
            {
                return Err(error.to_io().into());
            }
        }
        Ok(())
    })
    .with_context(|| {
        format!("having {device} lose packets (the kernel needs its module sch_netem)")
    })
}
