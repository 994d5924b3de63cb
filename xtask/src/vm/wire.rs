//! Two virtio-net devices in the guest, joined by a wire: two taps on a bridge, in a network
//! namespace that QEMU is started in and that is gone with it. QEMU's own hub would do without
//! root, but then the devices have neither checksums nor segmentation (QEMU, hw/net/virtio-net.c,
//! virtio_net_get_features(): the peer must know virtio's packet header), and the kernel copies.

use std::path::Path;

/// Kernel modules that the guest needs.
pub(super) const MODULES: &[&str] = &["virtio_net"];

/// Makes the wire and becomes QEMU.
const SCRIPT: &str = "set -e
ip link add wire type bridge
ip link set wire up
for tap in tap0 tap1; do
    ip tuntap add dev $tap mode tap vnet_hdr
    ip link set $tap master wire
    ip link set $tap up
done
exec \"$@\"";

/// The words before QEMU's own: a network namespace, and the wire in it.
pub(super) fn before(qemu: &Path, root: bool) -> Vec<String> {
    let mut words = vec!["unshare".to_owned(), "--net".to_owned()];
    if !root {
        words.push("--map-root-user".to_owned());
    }
    words.extend(["sh", "-c", SCRIPT, "wire"].map(str::to_owned));
    words.push(qemu.display().to_string());
    words
}

/// The words for QEMU.
pub(super) fn devices() -> impl Iterator<Item = String> {
    (0..2).flat_map(|end| {
        [
            "-netdev".to_owned(),
            format!("tap,id=wire{end},ifname=tap{end},script=no,downscript=no,vhost=off"),
            "-device".to_owned(),
            // Without a ROM, which the guest does not boot from and QEMU's package lacks.
            // With iommu_platform the guest's kernel decides how the device gets at memory, as with a
            // real one: by swiotlb=force it copies.
            format!(
                "virtio-net-pci,netdev=wire{end},mac=52:54:00:00:00:0{end},romfile=,\
                 disable-legacy=on,iommu_platform=on"
            ),
        ]
    })
}
