//! Block devices and what they are on, from /sys (Documentation/ABI/stable/sysfs-block).

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::mapper;

/// A block device.
pub(super) struct BlockDevice {
    /// Its folder in /sys, the whole disk's if it is a partition.
    folder: PathBuf,
    /// What it is; a mapped device is as many kinds as it has targets.
    pub(super) kinds: Vec<String>,
    /// The file that a loop device is on.
    pub(super) backing: Option<PathBuf>,
    /// The devices that it is made of.
    pub(super) slaves: Vec<(u32, u32)>,
}

impl BlockDevice {
    /// The device of these numbers, if /sys has it.
    pub(super) fn of((major, minor): (u32, u32)) -> Option<Self> {
        let mut folder = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
        if folder.join("partition").exists() {
            folder.pop();
        }
        let kinds = kinds(&folder, (major, minor));
        let backing = word(&folder.join("loop/backing_file")).map(PathBuf::from);
        let slaves = folders(&folder.join("slaves"));
        let slaves = slaves.iter().filter_map(|slave| numbers(slave)).collect();
        Some(Self { folder, kinds, backing, slaves })
    }

    /// `/dev/NAME`.
    pub(super) fn name(&self) -> String {
        format!("/dev/{}", name(&self.folder))
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> Option<u64> {
        let sectors: u64 = word(&self.folder.join("size"))?.parse().ok()?;
        sectors.checked_mul(512)
    }
}

/// What a device is, by what is in its folder.
fn kinds(folder: &Path, number: (u32, u32)) -> Vec<String> {
    let name = name(folder);
    if folder.join("loop").exists() {
        let direct = word(&folder.join("loop/dio")).is_some_and(|dio| dio == "1");
        return vec![if direct { "loop with direct I/O" } else { "loop" }.to_owned()];
    }
    if folder.join("dm").exists() {
        // Without its table nobody knows what it does.
        let targets = mapper::targets(number).unwrap_or_else(|_| vec!["device".to_owned()]);
        return targets.iter().map(|target| format!("dm-{target}")).collect();
    }
    if let Some(level) = word(&folder.join("md/level")) {
        return vec![format!("md {level}")];
    }
    if name.starts_with("nvme") {
        return vec![format!("nvme ({})", transport(folder))];
    }
    let driver = fs::read_link(folder.join("device/driver")).ok();
    let driver = driver.and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned()));
    vec![match driver {
        Some(driver) => {
            let is_scsi = driver == "sd" || driver == "sr";
            let kind = if is_scsi { format!("{driver} ({})", host(folder)) } else { driver };
            // Its driver is that of a device; what is behind it is none.
            bus_of_software(folder).map_or(kind.clone(), |bus| format!("{kind} on {bus}"))
        }
        // One that the kernel makes up itself: `ram0`, `zram0`, `nbd0`.
        None => name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(),
    }]
}

/// Buses at whose other end is a program or another machine: USB over the network
/// (drivers/usb/usbip/vhci_hcd.c), USB gadgets of this machine's own (drivers/usb/gadget/udc/dummy_hcd.c),
/// virtio by a process (drivers/vdpa/vdpa_user/vduse_dev.c) or simulated (drivers/vdpa/vdpa_sim). All
/// read in 6.12.
const SOFTWARE: &[&str] = &["vhci_hcd", "dummy_hcd", "vduse", "vdpasim"];

/// The bus of software that a device hangs on; `None` of one that hangs on hardware.
fn bus_of_software(folder: &Path) -> Option<String> {
    let names = folder.iter().map(|part| part.to_string_lossy());
    let mut names = names.filter(|name| SOFTWARE.iter().any(|bus| name.starts_with(bus)));
    names.next().map(std::borrow::Cow::into_owned)
}

/// By what an NVMe disk is reached; of one with several paths, by what the first is.
fn transport(folder: &Path) -> String {
    let device = folder.join("device");
    let own = word(&device.join("transport"));
    let of_paths = || {
        let paths = folders(&device).into_iter();
        paths.filter(|path| name(path).starts_with("nvme")).find_map(|p| word(&p.join("transport")))
    };
    own.or_else(of_paths).unwrap_or_else(|| "unknown".to_owned())
}

/// The driver of a SCSI disk's host.
fn host(folder: &Path) -> String {
    let device = fs::canonicalize(folder.join("device")).unwrap_or_default();
    let hosts = device.ancestors().filter(|above| name(above).starts_with("host"));
    let names =
        hosts.filter_map(|host| word(&host.join("scsi_host").join(name(host)).join("proc_name")));
    names.into_iter().next().unwrap_or_else(|| "unknown".to_owned())
}

/// The devices of the btrfs that has `source` among them.
pub(super) fn pool(source: &Path) -> Vec<(u32, u32)> {
    let Some(number) = number_of(source) else { return Vec::new() };
    let devices = folders(Path::new("/sys/fs/btrfs")).into_iter().map(|pool| {
        folders(&pool.join("devices")).iter().filter_map(|one| numbers(one)).collect::<Vec<_>>()
    });
    devices.into_iter().find(|devices| devices.contains(&number)).unwrap_or_default()
}

/// The numbers of the device that a path names.
pub(super) fn number_of(path: &Path) -> Option<(u32, u32)> {
    let data = fs::metadata(path).ok().filter(|data| data.file_type().is_block_device())?;
    let number = data.rdev();
    Some((rustix::fs::major(number), rustix::fs::minor(number)))
}

/// The numbers that a device's folder says.
fn numbers(folder: &Path) -> Option<(u32, u32)> {
    let text = word(&folder.join("dev"))?;
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn word(file: &Path) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim_end_matches('\n').to_owned())
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_software_is_told_from_one_of_hardware() {
        let bus = |folder: &str| bus_of_software(Path::new(folder));
        let usb = "usb3/3-1/3-1:1.0/host2/target2:0:0/2:0:0:0/block/sdb";
        let over_network = bus(&format!("/sys/devices/platform/vhci_hcd.0/{usb}"));
        assert_eq!(over_network.as_deref(), Some("vhci_hcd.0"));
        assert_eq!(bus("/sys/devices/vduse/vdpa0/virtio1/block/vda").as_deref(), Some("vduse"));
        for hardware in [
            "/sys/devices/pci0000:00/0000:00:04.0/virtio1/block/vda",
            "/sys/devices/platform/a003e00.virtio_mmio/virtio0/block/vda",
            "/sys/devices/pci0000:00/0000:00:01.1/ata1/host0/target0:0:0/0:0:0:0/block/sda",
            "/sys/devices/css0/0.0.0001/0.0.0000/virtio1/block/vda",
            "/sys/devices/pci0000:ae/0000:ae:00.0/vdpa0/virtio2/block/vdb",
            &format!("/sys/devices/pci0000:00/0000:00:14.0/{usb}"),
        ] {
            assert_eq!(bus(hardware), None, "{hardware}");
        }
    }
}
