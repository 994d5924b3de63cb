//! Lengths in a frame, checked before the codec sees them.
//!
//! kafka-protocol 0.18 reserves memory for as many elements as an array announces before it
//! reads the first one (`Array::decode` in its `protocol/types.rs`), and a process that cannot
//! have so much is aborted. So a frame is walked first, by the tables in `schema.rs`: what it
//! announces must be in it. The walk is never more lenient than the codec, or the codec would
//! read lengths that were not walked.

use bytes::Buf as _;

use super::schema::{CLIENT_ID, FETCH_RESPONSE, Field, Form};

/// Most elements that all arrays of a frame may have together, and most tagged fields: each may
/// be two bytes on the wire and a hundred in memory.
const MOST_ELEMENTS: usize = 1 << 15;

/// The one version whose responses are read, and whether it is flexible.
const RESPONSE: (i16, bool) = (11, false);

/// Walks a request after its correlation id; `None` if it is not what the table says.
pub(super) fn in_request(
    rest: &[u8],
    fields: &[Field],
    version: i16,
    flexible: bool,
) -> Option<()> {
    let mut walk = Walk { rest, version, compact: false, elements: 0 };
    walk.untagged(CLIENT_ID)?;
    walk.compact = flexible;
    walk.tagged(&[])?;
    walk.fields(fields)
}

/// Walks a response to the consumer after its correlation id.
pub(super) fn in_response(rest: &[u8]) -> Option<()> {
    let (version, compact) = RESPONSE;
    Walk { rest, version, compact, elements: 0 }.fields(FETCH_RESPONSE)
}

/// A walk through what is left of a frame.
struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    /// Lengths are varints, and structs end in tagged fields.
    compact: bool,
    /// Elements and tagged fields so far.
    elements: usize,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &[Field]) -> Option<()> {
        self.untagged(fields)?;
        self.tagged(fields)
    }

    fn untagged(&mut self, fields: &[Field]) -> Option<()> {
        for field in fields {
            if field.tag.is_none() && field.is_in(self.version) {
                self.value(&field.form)?;
            }
        }
        Some(())
    }

    /// The codec reads a tagged field that it knows without regard to the size that is
    /// announced for it, so the two must agree.
    fn tagged(&mut self, fields: &[Field]) -> Option<()> {
        let count = if self.compact { self.varint()? } else { 0 };
        for _ in 0..count {
            self.element()?;
            let (tag, size) = (self.varint()?, usize::try_from(self.varint()?).ok()?);
            let before = self.rest.len();
            match fields.iter().find(|field| field.tag == Some(tag)) {
                Some(field) if field.is_in(self.version) => self.value(&field.form)?,
                // The codec refuses it.
                Some(_) => return None,
                None => self.skip(size)?,
            }
            (before - self.rest.len() == size).then_some(())?;
        }
        Some(())
    }

    fn value(&mut self, form: &Form) -> Option<()> {
        match form {
            Form::Fixed(bytes) => self.skip(*bytes),
            Form::Text if !self.compact => match self.rest.try_get_i16().ok()? {
                -1 => Some(()),
                length => self.skip(usize::try_from(length).ok()?),
            },
            Form::Text | Form::Bytes => {
                let length = self.count()?;
                self.skip(length)
            }
            Form::Struct(fields) => self.fields(fields),
            Form::Structs(fields) => self.array(|walk| walk.fields(fields)),
            Form::Values(form) => self.array(|walk| walk.value(form)),
        }
    }

    fn array(&mut self, element: impl Fn(&mut Self) -> Option<()>) -> Option<()> {
        for _ in 0..self.count()? {
            self.element()?;
            element(self)?;
        }
        Some(())
    }

    /// Length of an array or of bytes; null has none.
    fn count(&mut self) -> Option<usize> {
        if self.compact {
            return usize::try_from(self.varint()?.saturating_sub(1)).ok();
        }
        match self.rest.try_get_i32().ok()? {
            -1 => Some(0),
            length => usize::try_from(length).ok(),
        }
    }

    fn element(&mut self) -> Option<()> {
        self.elements += 1;
        (self.elements <= MOST_ELEMENTS).then_some(())
    }

    /// An unsigned number, seven bits a byte, lowest first.
    fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in (0..u32::BITS).step_by(7) {
            let byte = self.rest.try_get_u8().ok()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).ok();
            }
        }
        None
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }
}
