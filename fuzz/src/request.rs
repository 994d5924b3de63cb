//! The broker: a connection's bytes in, responses or an error out.

mod seeds;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use tempfile::TempDir;
use zcprof::fetch::log::{MakeLog, Topics, make, segment_name};
use zcprof::server::{Answer, Broker, Reply};
use zcprof::fetch::wire::{SIZE, request_size};

pub use seeds::seeds;

use crate::{memory, segment};

/// Topic and partition that are served.
const TOPIC: &str = "t";
const PARTITION: i32 = 0;

/// Another partition, with aborted transactions.
const TRANSACTIONS: i32 = 1;

/// How the clients of the seeds call themselves, and the id that they give where they do not yet
/// know theirs: as long as those that the broker gives.
const CLIENT: &str = "c";
const MEMBER: &str = "c-================";

/// Memory that an input of no bytes may take: the log, and answers that list all there is.
const BASE: usize = 1 << 20;

/// Memory for each byte of an input. An array's element may be two bytes on the wire, and is a
/// struct of a hundred in memory, decoded and in the answer.
const FACTOR: usize = 512;

/// Small logs, made once.
static LOG: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = segment::memory_folder();
    let path = folder.path().join(format!("{TOPIC}-{PARTITION}"));
    let log = MakeLog {
        bytes: 4096,
        segment_bytes: 2048,
        batch_bytes: 512,
        record_bytes: 100,
        ..MakeLog::default()
    };
    make(&path, &log).expect("a log");
    let other = folder.path().join(format!("{TOPIC}-{TRANSACTIONS}"));
    std::fs::create_dir(&other).expect("made");
    std::fs::write(other.join(segment_name(0)), segment::TRANSACTIONS).expect("written");
    let path = folder.path().to_owned();
    (folder, path)
});

/// A new broker is told everything that one connection says.
///
/// # Panics
/// The broker does, or a response is not one.
pub fn fuzz(input: &[u8]) {
    // Made here, so that it is no part of what the input takes.
    let log = &LOG.1;
    memory::within(BASE + FACTOR * input.len(), || {
        let broker = Broker::new(Topics::open(log).expect("an intact log"), None);
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 9092));
        let mut rest = BytesMut::from(input);
        while let Some(frame) = next(&mut rest) {
            let reply = match broker.answer(frame.clone(), local) {
                Ok(Answer::Now(reply)) => reply,
                // Nobody else is there to be waited for.
                Ok(Answer::Later(_)) => continue,
                Err(_) => break,
            };
            check(&frame, &reply);
            insert_member(&mut rest, &reply.frame.encoded);
        }
    });
}

/// The next frame without its size, as a connection cuts them.
fn next(rest: &mut BytesMut) -> Option<Bytes> {
    let size = request_size(*rest.first_chunk::<SIZE>()?).ok()?;
    if size == 0 || rest.len() - SIZE < size {
        return None;
    }
    let _size = rest.split_to(SIZE);
    Some(rest.split_to(size).freeze())
}

/// A response has the size that it says, answers the request, and has gaps for its records.
fn check(request: &Bytes, reply: &Reply<'_>) {
    let Reply { frame, slices, .. } = reply;
    let records: usize = frame.gaps.iter().map(|gap| gap.bytes).sum();
    let size = frame.encoded.first_chunk().copied().map(u32::from_be_bytes);
    assert_eq!(size.map(u64::from), Some((frame.encoded.len() - SIZE + records) as u64));
    assert_eq!(frame.encoded[SIZE..2 * SIZE], request[SIZE..2 * SIZE], "another correlation id");
    assert_eq!(frame.gaps.len(), slices.len());
    for (gap, slice) in frame.gaps.iter().zip(slices) {
        let range = &slice.range;
        assert!(range.start < range.end && range.end <= slice.segment.length, "{slice:?}");
        assert_eq!((gap.bytes as u64, gap.from), (range.end - range.start, slice.from));
        assert!(gap.at <= frame.encoded.len());
    }
}

/// A client does not know its member id before it has joined: it stands in the requests that
/// follow instead of the placeholder.
fn insert_member(rest: &mut BytesMut, response: &[u8]) {
    let prefix = format!("{CLIENT}-");
    let is_id = |bytes: &&[u8]| {
        let digits = bytes.strip_prefix(prefix.as_bytes());
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let Some(id) = response.windows(MEMBER.len()).find(is_id) else { return };
    for at in 0..rest.len().saturating_sub(MEMBER.len() - 1) {
        let place = &mut rest[at..at + MEMBER.len()];
        if place == MEMBER.as_bytes() {
            place.copy_from_slice(id);
        }
    }
}
