//! Any file as a log of one segment: its bytes are served as they are.

use std::fs::File;
use std::io;
use std::path::Path;

use super::epochs::LeaderEpochs;
use super::transactions::Transactions;
use super::{Batch, Log, LogError, Segment};

/// Bytes of a piece, as many as a batch has that Kafka's producers make by default.
const PIECE: u64 = 16 << 10;

/// Opens a file. Its length is what can be read of it: procfs says zero of all its files.
pub(super) fn open(path: &Path) -> Result<Log, LogError> {
    let read = |cause| LogError::Read { path: path.into(), cause };
    let mut file = File::open(path).map_err(read)?;
    let length = io::copy(&mut file, &mut io::sink()).map_err(read)?;
    if length == 0 {
        return Err(LogError::Empty(path.into()));
    }
    let piece = |position: u64| {
        let end = length.min(position + PIECE);
        Batch {
            base_offset: position,
            next_offset: end,
            segment: 0,
            position,
            length: end - position,
            max_timestamp: 0,
            single: true,
        }
    };
    let batches = (0..length.div_ceil(PIECE)).map(|number| piece(number * PIECE)).collect();
    Ok(Log {
        folder: path.into(),
        topic: "file".to_owned(),
        partition: 0,
        segments: vec![Segment::new(file, path.into(), 0, length)],
        batches,
        latest: vec![None],
        start: 0,
        end: length,
        high_watermark: None,
        transactions: Transactions::default(),
        epochs: LeaderEpochs::default(),
        said: vec![],
        plain: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_served_piece_by_piece_to_its_last_byte() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("any");
        std::fs::write(&path, vec![7; 40_000]).expect("written");
        let log = Log::open(&path).expect("any bytes will do");
        assert!(log.is_plain());
        assert_eq!((log.bytes(), log.start_offset(), log.end_offset()), (40_000, 0, 40_000));
        let lengths: Vec<u64> = log.batches().iter().map(|batch| batch.length).collect();
        assert_eq!(lengths, [PIECE, PIECE, 40_000 - 2 * PIECE]);
        let (_, range) = log.slice(PIECE, 1 << 20).expect("readable").expect("bytes");
        assert_eq!(range, PIECE..40_000);
    }

    #[test]
    fn a_file_of_procfs_has_a_length() {
        let log = Log::open(Path::new("/proc/filesystems")).expect("readable");
        assert!(log.bytes() > 100);
    }

    #[test]
    fn an_empty_file_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("empty");
        File::create(&path).expect("made");
        assert!(matches!(Log::open(&path), Err(LogError::Empty(_))));
    }
}
