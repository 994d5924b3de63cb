//! The image as a root that can be written to, with something to serve.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

use nix::mount::{MsFlags, mount};

/// Where the image is.
const IMAGE: &str = "/dev/vdc";
/// Where its programs run.
pub(super) const ROOT: &str = "/data/programs/root";
/// Bytes of what is served.
pub(super) const BODY: usize = 8 << 20;

/// Programs and their parts that are put into the image.
const FILES: [(&str, &str); 4] = [
    ("serve.py", include_str!("serve.py")),
    ("serve_aiohttp.py", include_str!("serve_aiohttp.py")),
    ("serve.js", include_str!("serve.js")),
    ("kafka.sh", include_str!("kafka.sh")),
];

/// Mounts it, and makes what is served, once for all tests.
pub(super) fn set_up() {
    static DONE: Once = Once::new();
    DONE.call_once(mount_all);
}

fn mount_all() {
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
    // What is served is on the guest's ext4, and not in the overlay.
    let served = Path::new("/data/www");
    fs::create_dir_all(served).expect("a folder");
    let body: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(BODY).collect();
    fs::write(served.join("body"), body).expect("a body");
    fs::create_dir_all(root.join("www")).expect("a folder");
    mount(Some(served), &root.join("www"), none, MsFlags::MS_BIND, none).expect("bound");
    fs::create_dir_all(root.join("srv")).expect("a folder");
    for (name, text) in FILES {
        fs::write(root.join("srv").join(name), text).expect("a program");
    }
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n").expect("a hosts file");
    let made = Command::new("chroot")
        .args([ROOT, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"])
        .args(["-keyout", "/srv/key.pem", "-out", "/srv/cert.pem"])
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
