//! Reads a segment batch by batch, in large pieces, and holds no more of it than one piece or one
//! batch.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::batch::{self, BatchHeader, HEADER};
use super::{Damage, LogError};

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// Bytes of a batch up to its form, without which Kafka takes it for none.
const LEAST: u64 = 17;

/// A scan of one segment file.
pub(super) struct Scan<'a> {
    file: &'a File,
    path: &'a Path,
    /// Of the file.
    length: u64,
    /// What was read and not yet looked at begins at `at` in here, and at `position` in the file.
    buffer: Vec<u8>,
    at: usize,
    position: u64,
}

/// A whole batch, whose checksum is right.
pub(super) struct FoundBatch<'a> {
    pub(super) position: u64,
    pub(super) header: BatchHeader,
    pub(super) bytes: &'a [u8],
}

impl<'a> Scan<'a> {
    pub(super) fn new(file: &'a File, path: &'a Path, length: u64) -> Self {
        Self { file, path, length, buffer: Vec::new(), at: 0, position: 0 }
    }

    /// Where the next batch begins: the position behind the last whole one.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch, or `None` at the end of the file.
    ///
    /// # Errors
    /// What lies there is no whole batch, or cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<FoundBatch<'_>>, LogError> {
        if self.position >= self.length {
            return Ok(None);
        }
        self.hold(HEADER)?;
        let header = match BatchHeader::read(&self.buffer[self.at..]) {
            Ok(header) => header,
            Err(damage) => return Err(self.other_than_a_batch(damage)),
        };
        self.hold(header.length)?;
        let Some(bytes) = self.buffer.get(self.at..self.at + header.length) else {
            return Err(self.damaged(Damage::Torn));
        };
        let found = batch::crc(bytes);
        if found != header.crc {
            return Err(self.damaged(Damage::Crc { found, claimed: header.crc }));
        }
        let (position, from) = (self.position, self.at);
        self.position += header.length as u64;
        self.at += header.length;
        Ok(Some(FoundBatch { position, header, bytes: &self.buffer[from..self.at] }))
    }

    /// Has at least so many bytes in the buffer, or as many as the file has left.
    fn hold(&mut self, bytes: usize) -> Result<(), LogError> {
        let held = self.buffer.len() - self.at;
        if held >= bytes {
            return Ok(());
        }
        let left = usize::try_from(self.length - self.position).unwrap_or(usize::MAX);
        let wanted = bytes.max(PIECE).min(left);
        if wanted <= held {
            return Ok(());
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.resize(wanted, 0);
        let from = self.position + held as u64;
        let read = self.file.read_exact_at(&mut self.buffer[held..], from);
        read.map_err(|cause| LogError::Read { path: self.path.into(), cause })
    }

    fn damaged(&self, damage: Damage) -> LogError {
        LogError::Damaged { path: self.path.into(), position: self.position, damage }
    }

    /// Tells older forms of records, and zeros, from what is no batch at all.
    fn other_than_a_batch(&mut self, damage: Damage) -> LogError {
        if let Err(error) = self.hold(PIECE) {
            return error;
        }
        if let Some(form) = batch::legacy_form(&self.buffer[self.at..]) {
            return LogError::Format { path: self.path.into(), position: self.position, form };
        }
        // A few bytes may be the front of an offset.
        if self.length - self.position < LEAST {
            return self.damaged(Damage::Torn);
        }
        match self.zeros() {
            Err(error) => error,
            Ok(true) => self.damaged(Damage::Zeros { bytes: self.length - self.position }),
            Ok(false) => self.damaged(damage),
        }
    }

    /// Whether everything that is left of the file is zero.
    fn zeros(&mut self) -> Result<bool, LogError> {
        let begun = self.position;
        let zeros = loop {
            if self.buffer[self.at..].iter().any(|byte| *byte != 0) {
                break false;
            }
            self.position += (self.buffer.len() - self.at) as u64;
            self.at = self.buffer.len();
            if self.position >= self.length {
                break true;
            }
            self.hold(PIECE)?;
        };
        self.position = begun;
        self.buffer.clear();
        self.at = 0;
        Ok(zeros)
    }
}

/// The offset after the last whole batch of a segment.
pub(super) fn last_offset(path: &PathBuf, base_offset: u64) -> Result<u64, LogError> {
    let read = |cause| LogError::Read { path: path.clone(), cause };
    let file = File::open(path).map_err(read)?;
    let mut scan = Scan::new(&file, path, file.metadata().map_err(read)?.len());
    let mut next = base_offset;
    while let Ok(Some(found)) = scan.next() {
        next = found.header.next_offset.unsigned_abs();
    }
    Ok(next)
}
