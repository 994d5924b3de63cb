//! Counts that a batch claims, checked before the decoder reserves memory for them.

use anyhow::{Context as _, Result, ensure};

/// Bytes of a record at least: length, attributes, two deltas, key, value and headers.
const LEAST_RECORD: usize = 7;

/// Bytes of a header at least: lengths of its name and of its value.
const LEAST_HEADER: usize = 2;

/// Fails if the records of a batch, decompressed, cannot be as many as it claims, or if one of
/// them claims more headers than it has bytes for.
pub(super) fn check(mut records: &[u8], claimed: i32) -> Result<()> {
    let room = records.len() / LEAST_RECORD;
    let count = usize::try_from(claimed).ok().filter(|count| *count <= room);
    let count = count.with_context(|| {
        format!("the batch claims {claimed} records and has room for {room} at most")
    })?;
    for number in 0..count {
        let record = length(&mut records).and_then(|length| take(&mut records, length));
        let headers = record.and_then(headers);
        headers.with_context(|| format!("record {number} of the batch is none"))?;
    }
    Ok(())
}

/// The number of headers that a record claims, if it has room for them.
fn headers(mut record: &[u8]) -> Result<()> {
    take(&mut record, 1).context("attributes")?;
    varint(&mut record).context("timestamp")?;
    varint(&mut record).context("offset")?;
    for what in ["key", "value"] {
        let skipped = match varint(&mut record).context(what)? {
            -1 => 0,
            length => usize::try_from(length).context(what)?,
        };
        take(&mut record, skipped).context(what)?;
    }
    let (claimed, room) = (length(&mut record)?, record.len() / LEAST_HEADER);
    ensure!(claimed <= room, "it claims {claimed} headers and has room for {room} at most");
    Ok(())
}

fn length(bytes: &mut &[u8]) -> Result<usize> {
    Ok(usize::try_from(varint(bytes)?)?)
}

pub(super) fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    bytes.split_off(..length).context("the bytes end too early")
}

/// A number of up to 64 bits, seven in a byte, the sign in the lowest bit.
pub(super) fn varint(bytes: &mut &[u8]) -> Result<i64> {
    let mut word = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *bytes.split_off_first().context("the bytes end too early")?;
        word |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((word >> 1).cast_signed() ^ -(word & 1).cast_signed());
        }
    }
    anyhow::bail!("a number has too many bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Length 7: attributes, deltas, no key, a value of no bytes, and so many headers.
    const RECORD: [u8; 7] = [12, 0, 0, 0, 1, 0, 0];

    #[test]
    fn numbers_are_read_as_kafka_writes_them() {
        for (bytes, number) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0xac, 0x02], 150),
            (&[0xfe, 0xff, 0xff, 0xff, 0x0f], i32::MAX.into()),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MIN),
        ] {
            assert_eq!(varint(&mut &bytes[..]).expect("a number"), number);
        }
        assert!(varint(&mut &[0xff; 11][..]).is_err() && varint(&mut &[0x80][..]).is_err());
    }

    #[test]
    fn enormous_counts_are_refused() {
        check(&[RECORD, RECORD].concat(), 2).expect("two records");
        for count in [-1, 3, i32::MAX] {
            assert!(check(&[RECORD, RECORD].concat(), count).is_err(), "{count}");
        }
        let [length, rest @ .., _] = RECORD;
        let hostile = [&[length + 8][..], &rest, &[0xfe, 0xff, 0xff, 0xff, 0x0f]].concat();
        let error = format!("{:#}", check(&hostile, 1).expect_err("refused"));
        assert!(error.contains("2147483647 headers"), "{error}");
        for end in 0..RECORD.len() {
            assert!(check(&RECORD[..end], 1).is_err(), "cut at {end}");
        }
    }
}
