//! Takes samples off the ring while the window is open, and unwinds each at once.

use std::collections::{BTreeMap, HashMap};
use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use zcprof_common::layout::Sample;

use super::binaries::Binaries;
use super::unwind::{FrameLocation, ProcessUnwinder};

/// Bytes of a sample before its stack.
const HEAD: usize = offset_of!(Sample, stack);

/// How long the ring is left alone when it is empty: shorter than most programs run.
const PAUSE: Duration = Duration::from_millis(2);

/// The thread that takes samples.
pub struct Samples {
    closed: Arc<AtomicBool>,
    thread: JoinHandle<Users>,
}

/// The user halves of stacks.
#[derive(Default)]
pub(super) struct Users {
    /// Places of each, the innermost first, by the number that the programs gave it.
    pub(super) stacks: HashMap<u64, Vec<FrameLocation>>,
    /// The files in which they are.
    pub(super) binaries: Binaries,
    processes: BTreeMap<u32, ProcessUnwinder>,
}

impl Samples {
    /// Begins to take them.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn take(mut ring: RingBuf<MapData>) -> std::io::Result<Self> {
        let closed = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&closed);
        let thread =
            std::thread::Builder::new().name("zcprof stacks".to_owned()).spawn(move || {
                let mut users = Users::default();
                loop {
                    // What came before it was closed is still taken.
                    let last = seen.load(Ordering::Acquire);
                    while let Some(item) = ring.next() {
                        users.add(&item);
                    }
                    if last {
                        return users;
                    }
                    std::thread::sleep(PAUSE);
                }
            })?;
        Ok(Self { closed, thread })
    }

    /// Takes what is left, and ends.
    pub(super) fn close(self) -> Users {
        self.closed.store(true, Ordering::Release);
        self.thread.join().unwrap_or_default()
    }
}

impl Users {
    /// Whether a process is a virtual machine of Java's.
    pub(super) fn is_java(&self, process: u32) -> bool {
        self.processes.get(&process).is_some_and(ProcessUnwinder::is_java)
    }

    fn add(&mut self, sample: &[u8]) {
        let Some((head, stack)) = sample.split_at_checked(HEAD) else { return };
        let word =
            |at: usize| head[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
        let half =
            |at: usize| head[at..at + 4].try_into().map(u32::from_le_bytes).unwrap_or_default();
        let process = half(offset_of!(Sample, process));
        let length = half(offset_of!(Sample, length)) as usize;
        let registers = [0, 8, 16].map(|at| word(offset_of!(Sample, registers) + at));
        let stack = stack.get(..length).unwrap_or_default();
        let known = self.processes.entry(process).or_insert_with(|| ProcessUnwinder::new(process));
        let places = known.unwind(registers, stack, &mut self.binaries);
        self.stacks.insert(word(offset_of!(Sample, user)), places);
    }
}
