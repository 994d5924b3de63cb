//! A file system in user space whose daemon hands its pages over: it answers reads by splice(2) with
//! SPLICE_F_MOVE, which `fuser` does not do. The requests are as in include/uapi/linux/fuse.h.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use nix::fcntl::{FcntlArg, PosixFadviseAdvice, SpliceFFlags, fcntl, posix_fadvise, splice};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::uio::pread;
use nix::unistd::{Pid, pipe2};

use super::content;

/// Name of the file, and its inode; the root's is 1.
const NAME: &[u8] = b"bytes\0";
const INODE: u64 = 2;

/// Bytes of a request's header and of an answer's.
const REQUEST: usize = 40;
const ANSWER: usize = 16;

/// Most pages in an answer.
const PAGES: u16 = 32;

/// Room for a request: FUSE_MIN_READ_BUFFER and more.
const ROOM: usize = 256 << 10;

/// A mounted file system; it is gone with this.
pub(super) struct Moving {
    folder: PathBuf,
    daemon: Option<JoinHandle<()>>,
}

impl Moving {
    /// Mounts it on a folder of a base folder on the disk, with a file of so many bytes.
    pub(super) fn new(base: &Path, bytes: usize) -> Self {
        let backing = base.join("backing");
        fs::write(&backing, content(bytes)).expect("written");
        let backing = File::open(&backing).expect("there");
        backing.sync_all().expect("on the disk: what is dirty cannot be taken away");
        // One page a folio: larger ones are not handed over (fuse_try_move_folio(), fs/fuse/dev.c).
        advise(&backing, 0, bytes, PosixFadviseAdvice::POSIX_FADV_RANDOM);
        advise(&backing, 0, bytes, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        let folder = base.join("moving");
        fs::create_dir(&folder).expect("a folder");
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").expect("FUSE");
        let number = device.as_raw_fd();
        let options = format!("fd={number},rootmode=40000,user_id=0,group_id=0,allow_other");
        let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
        mount(Some("moving"), &folder, Some("fuse"), flags, Some(options.as_str()))
            .expect("mounts");
        let size = bytes as u64;
        let daemon = std::thread::spawn(move || Daemon { device, backing, size }.serve());
        Self { folder, daemon: Some(daemon) }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("bytes")
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        umount2(&self.folder, MntFlags::MNT_DETACH).expect("mounted");
        self.daemon.take().expect("once").join().expect("the daemon ends with its mount");
    }
}

fn advise(file: &File, from: u64, bytes: usize, advice: PosixFadviseAdvice) {
    let (from, bytes) = (i64::try_from(from).expect("small"), i64::try_from(bytes).expect("small"));
    posix_fadvise(file, from, bytes, advice).expect("advice is taken");
}

struct Daemon {
    device: File,
    backing: File,
    size: u64,
}

impl Daemon {
    fn serve(&mut self) {
        // What is read waits in a list of this CPU's, and cannot be taken away until it left that.
        let mut here = CpuSet::new();
        here.set(0).expect("a CPU");
        sched_setaffinity(Pid::from_raw(0), &here).expect("stays there");
        let mut request = vec![0; ROOM];
        // ENODEV: it is unmounted.
        while let Ok(length) = self.device.read(&mut request) {
            let request = &request[..length];
            let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().expect("4"));
            let long = |at: usize| u64::from_ne_bytes(request[at..at + 8].try_into().expect("8"));
            let (opcode, unique, node, body) = (word(4), long(8), long(16), &request[REQUEST..]);
            match opcode {
                2 | 36 | 42 => {} // FORGET, INTERRUPT, BATCH_FORGET: no answer
                26 => self.answer(unique, &init(word(REQUEST + 8))),
                1 if body == NAME => {
                    let mut entry = Vec::new();
                    // Inode, generation, how long name and attributes stay true.
                    entry.extend([INODE, 0, 3600, 3600, 0].map(u64::to_ne_bytes).concat());
                    entry.extend(self.attributes(INODE));
                    self.answer(unique, &entry);
                }
                1 => self.refuse(unique, nix::libc::ENOENT),
                3 => {
                    let mut attributes = [3600_u64, 0].map(u64::to_ne_bytes).concat();
                    attributes.extend(self.attributes(node));
                    self.answer(unique, &attributes);
                }
                14 => self.answer(unique, &[0_u64, 2].map(u64::to_ne_bytes).concat()), // KEEP_CACHE
                15 => self.hand_over(unique, long(REQUEST + 8), word(REQUEST + 16)),
                17 => self.answer(unique, &[0; 80]), // STATFS
                18 | 25 | 38 => self.answer(unique, &[]), // RELEASE, FLUSH, DESTROY
                _ => self.refuse(unique, nix::libc::ENOSYS),
            }
        }
    }

    fn answer(&mut self, unique: u64, body: &[u8]) {
        let mut answer = header(unique, body.len(), 0);
        answer.extend(body);
        // ENOENT: who asked has gone.
        let _ = self.device.write(&answer);
    }

    fn refuse(&mut self, unique: u64, error: i32) {
        let _ = self.device.write(&header(unique, 0, -error));
    }

    /// Answers with the pages of the file below.
    fn hand_over(&mut self, unique: u64, from: u64, wanted: u32) {
        let bytes = u64::from(wanted).min(self.size.saturating_sub(from));
        let bytes = usize::try_from(bytes).expect("small");
        let mut read = vec![0; bytes];
        pread(&self.backing, &mut read, from.cast_signed()).expect("read");
        self.drain();
        let (output, input) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).expect("a pipe");
        fcntl(&input, FcntlArg::F_SETPIPE_SZ(256 << 10)).expect("room for all pages");
        let mut input = File::from(input);
        input.write_all(&header(unique, bytes, 0)).expect("room");
        let (mut at, end) = (from.cast_signed(), (from + bytes as u64).cast_signed());
        while at < end {
            let left = usize::try_from(end - at).expect("small");
            let moved = splice(&self.backing, Some(&mut at), &input, None, left, MOVE);
            assert!(moved.expect("spliced") > 0, "the file is as long as it was");
        }
        // What was accessed a second time waits in another list.
        self.drain();
        let _ = splice(output.as_fd(), None, &self.device, None, ANSWER + bytes, MOVE);
    }

    /// Drops nothing of the file below, and moves what was read from this CPU's lists to where it can be
    /// taken away (lru_add_drain() in generic_fadvise(), mm/fadvise.c).
    fn drain(&self) {
        advise(&self.backing, self.size, 4096, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    }

    /// `struct fuse_attr`.
    fn attributes(&self, node: u64) -> Vec<u8> {
        let is_file = node == INODE;
        let size = if is_file { self.size } else { 0 };
        let mut attributes = [node, size, size / 512, 0, 0, 0].map(u64::to_ne_bytes).concat();
        let mode = if is_file { 0o100_444 } else { 0o040_755 };
        let rest: [u32; 10] = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0];
        attributes.extend(rest.map(u32::to_ne_bytes).concat());
        attributes
    }
}

const MOVE: SpliceFFlags = SpliceFFlags::SPLICE_F_MOVE;

/// `struct fuse_out_header`.
fn header(unique: u64, body: usize, error: i32) -> Vec<u8> {
    let length = u32::try_from(ANSWER + body).expect("small");
    let mut header = length.to_ne_bytes().to_vec();
    header.extend(error.to_ne_bytes());
    header.extend(unique.to_ne_bytes());
    header
}

/// `struct fuse_init_out`, of version 7.31.
fn init(readahead: u32) -> Vec<u8> {
    const ASYNC_READ: u32 = 1;
    const MAX_PAGES: u32 = 1 << 22;
    let mut init = [7, 31, readahead, ASYNC_READ | MAX_PAGES].map(u32::to_ne_bytes).concat();
    init.extend([12_u16, 9].map(u16::to_ne_bytes).concat()); // requests at a time
    init.extend([u32::from(PAGES) << 12, 1].map(u32::to_ne_bytes).concat());
    init.extend([PAGES, 0].map(u16::to_ne_bytes).concat());
    init.extend([0; 32]);
    init
}
