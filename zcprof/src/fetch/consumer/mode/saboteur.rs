//! Modes that promise what they do not keep: their system calls look like those of `splice`.

use std::io::{self, Read as _};
use std::os::fd::BorrowedFd;

use zcprof_common::names::mode_saboteur;
use zcprof_judge::receive::claim::PIPED;

use super::splice::Splice;
use super::{Mode, ModeSpec, Received, Step, copy, count};
use crate::fetch::check::Check;

pub(super) const HALF: ModeSpec = ModeSpec {
    name: mode_saboteur::SPLICE_HALF,
    summary: "splice(2) from the socket, but recv(2) in every other step",
    claim: &PIPED,
    sees: false,
    make: || Ok(Box::new(Half { splice: Splice::new()?, copies: false })),
};

pub(super) const READ: ModeSpec = ModeSpec {
    name: mode_saboteur::SPLICE_READ,
    summary: "splice(2) from the socket into a pipe, and read(2) out of that",
    claim: &PIPED,
    sees: false,
    make: || Ok(Box::new(ReadOut { splice: Splice::new()?, buffer: vec![0; PIECE] })),
};

/// Most bytes of a step, so that both kinds of step get equally many.
const PIECE: usize = 16 << 10;

struct Half {
    splice: Splice,
    /// What the next step does.
    copies: bool,
}

impl Mode for Half {
    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        most: usize,
        _check: &mut Check,
    ) -> io::Result<Step> {
        let wanted = most.min(PIECE);
        // What it copies nobody checks: it says that it does not look.
        let mut unseen = Check::plain(0);
        let step = if self.copies {
            let copied = count(copy::copy(socket, wanted, &mut unseen)?);
            Step { received: Received { copied, ..Received::default() }, drained: false }
        } else {
            self.splice.receive(socket, wanted, &mut unseen)?
        };
        self.copies = !self.copies;
        Ok(step)
    }
}

struct ReadOut {
    splice: Splice,
    buffer: Vec<u8>,
}

impl Mode for ReadOut {
    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        most: usize,
        _check: &mut Check,
    ) -> io::Result<Step> {
        let moved = self.splice.fill(socket, most.min(PIECE))?;
        let received = Received { moved: count(moved), ..Received::default() };
        self.splice.output().read_exact(&mut self.buffer[..moved])?;
        Ok(Step { received, drained: false })
    }
}
