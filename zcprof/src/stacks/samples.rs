//! Takes samples off the ring while the window is open, and unwinds each at once.

use std::collections::HashMap;
use std::mem::offset_of;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use zcprof_common::layout::Sample;

use super::binaries::Binaries;
use super::depths::Depths;
use super::image::Image;
use super::runs::Run;
use super::spaces::Spaces;
use super::unwind::{FrameLocation, UserStack};
use crate::probe::SampleMaps;

/// Bytes of a sample before its stack.
const HEAD: usize = offset_of!(Sample, stack);

/// How long the ring is left alone when it is empty: shorter than most programs run.
const PAUSE: Duration = Duration::from_millis(2);

/// The thread that takes samples.
pub struct Samples {
    closed: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    users: SharedUsers,
}

/// What the thread has unwound by now. Who else looks at it is quick about it: the ring fills meanwhile.
#[derive(Clone, Default)]
pub(super) struct SharedUsers(Arc<Mutex<Users>>);

impl SharedUsers {
    pub(super) fn lock(&self) -> MutexGuard<'_, Users> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The user halves of stacks. Their memory has a bound: the programs send a sample of each of so many ways
/// as `SAMPLED` has entries, and a stack takes four bytes for each of its frames.
#[derive(Default)]
pub(super) struct Users {
    /// Places of each, the innermost first, by the number that the programs gave it: their own places in
    /// the list of all.
    stacks: HashMap<u64, Box<[u32]>>,
    /// Every place once.
    places: Vec<FrameLocation>,
    numbers: HashMap<FrameLocation, u32>,
    /// The files in which they are.
    pub(super) binaries: Binaries,
    spaces: Spaces,
    depths: Depths,
}

impl Samples {
    /// Begins to take them.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn take(maps: SampleMaps) -> std::io::Result<Self> {
        let closed = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&closed);
        let users = SharedUsers::default();
        let shared = users.clone();
        let SampleMaps { mut ring, mut searched } = maps;
        let thread =
            std::thread::Builder::new().name("zcprof stacks".to_owned()).spawn(move || {
                loop {
                    // What came before it was closed is still taken.
                    let last = seen.load(Ordering::Acquire);
                    while let Some(item) = ring.next() {
                        let Some((image, depth)) = shared.lock().add(&item) else { continue };
                        // Where it cannot be said, more is searched than must be.
                        let _ = searched.insert(image, depth, 0);
                    }
                    if last {
                        return;
                    }
                    std::thread::sleep(PAUSE);
                }
            })?;
        Ok(Self { closed, thread, users })
    }

    /// Takes what is left, and ends.
    pub(super) fn close(self) -> Users {
        self.closed.store(true, Ordering::Release);
        match self.thread.join() {
            Ok(()) => std::mem::take(&mut *self.users.lock()),
            Err(_) => Users::default(),
        }
    }

    /// What has been unwound by now.
    pub(super) fn users(&self) -> SharedUsers {
        self.users.clone()
    }
}

impl Users {
    /// The runs in whose memory some are, by number.
    pub(super) fn runs(&self) -> &[Run] {
        &self.spaces.runs.all
    }

    /// The places of a stack, the innermost first; none if its sample did not come.
    pub(super) fn places(
        &self,
        user: u64,
    ) -> Option<impl DoubleEndedIterator<Item = FrameLocation> + '_> {
        let stack = self.stacks.get(&user)?;
        Some(stack.iter().map(|at| self.places[*at as usize]))
    }

    /// Keeps the places of a stack.
    pub(super) fn keep(&mut self, user: u64, stack: &[FrameLocation]) {
        let Self { places, numbers, .. } = self;
        let number = |place: &FrameLocation| {
            *numbers.entry(*place).or_insert_with(|| {
                places.push(*place);
                u32::try_from(places.len() - 1).unwrap_or(u32::MAX)
            })
        };
        let stack = stack.iter().map(number).collect();
        self.stacks.insert(user, stack);
    }

    /// Unwinds a sample. Returns how much is to be searched of the stacks of its run from now on, if that is
    /// news.
    fn add(&mut self, sample: &[u8]) -> Option<(Image, u32)> {
        let (head, stack) = sample.split_at_checked(HEAD)?;
        let word =
            |at: usize| head[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
        let half =
            |at: usize| head[at..at + 4].try_into().map(u32::from_le_bytes).unwrap_or_default();
        let process = half(offset_of!(Sample, process));
        let length = half(offset_of!(Sample, length)) as usize;
        let image = [0, 8].map(|at| word(offset_of!(Sample, image) + at));
        let registers = [0, 8, 16].map(|at| word(offset_of!(Sample, registers) + at));
        let searched = half(offset_of!(Sample, searched));
        let stack = UserStack { registers, bytes: stack.get(..length).unwrap_or_default() };
        let unwound = self.spaces.unwind(process, image, &stack, &mut self.binaries);
        self.keep(word(offset_of!(Sample, user)), &unwound.known_by(searched));
        let depth = self.depths.deepen(image, unwound.depth()?)?;
        Some((image, depth))
    }
}
