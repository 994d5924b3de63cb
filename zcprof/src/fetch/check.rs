//! Verifies record bytes as they come, in pieces of any size, and keeps none of them.

use super::log::Damage;
use super::log::batch::{self, BatchHeader, HEADER};

/// What is known of the record bytes so far.
#[derive(Debug)]
pub(super) struct Check {
    /// Front of the batch that is being received, as far as it has come.
    header: [u8; HEADER],
    held: usize,
    /// The batch behind that header, and how many of its bytes are still to come.
    batch: Option<(BatchHeader, usize)>,
    /// CRC-32C of the batch so far.
    crc: u32,
    /// CRC-32C of all bytes so far.
    pub(super) crc32c: u32,
    /// All bytes so far.
    pub(super) bytes: u64,
    /// Every whole batch so far had the CRC-32C that it claims.
    pub(super) intact: bool,
    /// Offset after the last whole batch.
    pub(super) next_offset: u64,
    /// The bytes are no batches: their offsets are their positions, and only the CRC-32C of all
    /// of them can say whether they are right.
    plain: bool,
    /// What was found that no batch can say: from there on the bytes are only counted.
    pub(super) damage: Option<Damage>,
}

impl Check {
    /// Begins before the first of the bytes, which is at that offset.
    pub(super) fn new(offset: u64) -> Self {
        Self {
            header: [0; HEADER],
            held: 0,
            batch: None,
            crc: 0,
            crc32c: 0,
            bytes: 0,
            intact: true,
            next_offset: offset,
            plain: false,
            damage: None,
        }
    }

    /// The same for bytes of a plain file.
    pub(super) fn plain(offset: u64) -> Self {
        Self { plain: true, ..Self::new(offset) }
    }

    /// Whether the bytes so far are whole batches, as far as they are batches.
    pub(super) fn is_whole(&self) -> bool {
        self.held == 0 || self.damage.is_some()
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, piece: &[u8]) {
        self.crc32c = crc32c::crc32c_append(self.crc32c, piece);
        self.bytes += piece.len() as u64;
        if self.plain {
            self.next_offset += piece.len() as u64;
        } else if self.damage.is_none()
            && let Err(damage) = self.batches(piece)
        {
            self.intact = false;
            self.damage = Some(damage);
        }
    }

    fn batches(&mut self, mut piece: &[u8]) -> Result<(), Damage> {
        while !piece.is_empty() {
            let missing = self.batch.map_or(HEADER - self.held, |(_, missing)| missing);
            let (taken, behind) = piece.split_at(missing.min(piece.len()));
            piece = behind;
            if let Some((_, missing)) = &mut self.batch {
                *missing -= taken.len();
                self.crc = crc32c::crc32c_append(self.crc, taken);
            } else {
                self.header[self.held..self.held + taken.len()].copy_from_slice(taken);
                self.held += taken.len();
                if self.held == HEADER {
                    let header = BatchHeader::read(&self.header)?;
                    self.batch = Some((header, header.length - HEADER));
                    self.crc = batch::crc(&self.header);
                }
            }
            if let Some((header, 0)) = self.batch.take_if(|(_, missing)| *missing == 0) {
                self.intact &= self.crc == header.crc;
                self.next_offset = header.next_offset.unsigned_abs();
                self.held = 0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::log::{Log, MakeLog, make};

    fn log() -> (Vec<u8>, u64) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("t-0");
        let wanted =
            MakeLog { bytes: 5000, batch_bytes: 700, record_bytes: 99, ..MakeLog::default() };
        make(&path, &wanted).expect("a log");
        let log = Log::open(&path).expect("an intact log");
        (std::fs::read(&log.segments()[0].path).expect("readable"), log.end_offset())
    }

    #[test]
    fn pieces_of_any_size_come_to_the_same() {
        let (bytes, end) = log();
        for size in [1, 7, 60, 61, 62, 1000, bytes.len()] {
            let mut check = Check::new(0);
            for piece in bytes.chunks(size) {
                check.take(piece);
            }
            assert!(check.is_whole() && check.intact, "{size}");
            assert_eq!(check.crc32c, crc32c::crc32c(&bytes), "{size}");
            assert_eq!((check.bytes, check.next_offset), (bytes.len() as u64, end), "{size}");
        }
    }

    #[test]
    fn a_flipped_bit_and_a_cut_batch_are_seen() {
        let (mut bytes, _) = log();
        let mut check = Check::new(0);
        check.take(&bytes[..bytes.len() - 1]);
        assert!(!check.is_whole() && check.intact);
        bytes[400] ^= 1;
        let mut check = Check::new(0);
        check.take(&bytes);
        assert!(check.is_whole() && !check.intact);
        bytes[16] = 1;
        let mut check = Check::new(0);
        check.take(&bytes);
        assert_eq!(check.damage, Some(Damage::Magic(1)));
        assert!(check.is_whole() && !check.intact, "the rest is only counted");
        assert_eq!(check.bytes, bytes.len() as u64);
    }
}
