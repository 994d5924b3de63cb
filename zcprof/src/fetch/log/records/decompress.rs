//! Decompresses the records of a batch, up to a bound. kafka-protocol's own decompressors have
//! none, and reserve what a Snappy block announces before they have seen it.

use std::io::Read;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use kafka_protocol::records::Compression;

/// What snappy-java writes before its blocks: a magic number and two versions. Other producers
/// write one block without it.
const SNAPPY_JAVA: &[u8] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

/// The records of a batch as they were before compression.
///
/// # Errors
/// The codec's own, and records of more than `most` bytes.
pub(super) fn records(compressed: &Bytes, codec: Compression, most: usize) -> Result<Bytes> {
    let bytes = &compressed[..];
    let records = match codec {
        Compression::None => return Ok(compressed.clone()),
        // Some producers write several members one behind another (RFC 1952, 2.2).
        Compression::Gzip => bounded(flate2::read::MultiGzDecoder::new(bytes), most),
        Compression::Snappy => snappy(bytes, most),
        Compression::Lz4 => bounded(lz4::Decoder::new(bytes)?, most),
        Compression::Zstd => bounded(zstd::stream::read::Decoder::new(bytes)?, most),
    };
    let records = records.with_context(|| format!("decompressing records with {codec:?}"))?;
    Ok(records.into())
}

fn bounded(decoder: impl Read, most: usize) -> Result<Vec<u8>> {
    let mut records = Vec::new();
    // One more tells those that end there from those that go on.
    decoder.take(most as u64 + 1).read_to_end(&mut records)?;
    check(records.len(), most)?;
    Ok(records)
}

fn snappy(bytes: &[u8], most: usize) -> Result<Vec<u8>> {
    let Some(mut blocks) = bytes.strip_prefix(SNAPPY_JAVA) else {
        return snappy_block(bytes, most);
    };
    let mut records = Vec::new();
    while !blocks.is_empty() {
        let (length, rest) = blocks.split_first_chunk().context("the length of a block is cut")?;
        let length = usize::try_from(u32::from_be_bytes(*length))?;
        let (block, rest) = rest.split_at_checked(length).context("a block is cut")?;
        records.extend(snappy_block(block, most - records.len())?);
        blocks = rest;
    }
    Ok(records)
}

fn snappy_block(block: &[u8], most: usize) -> Result<Vec<u8>> {
    check(snap::raw::decompress_len(block)?, most)?;
    Ok(snap::raw::Decoder::new().decompress_vec(block)?)
}

fn check(length: usize, most: usize) -> Result<()> {
    ensure!(length <= most, "they are more than {most} bytes, which no producer puts in a batch");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::log::Codec;
    use crate::fetch::log::batch::HEADER;
    use crate::fetch::log::records::{encode, record};

    #[test]
    fn records_of_every_codec_have_a_bound() {
        let value = Bytes::from(vec![0; 1 << 20]);
        let mut sent = [record(0, 0, None, Some(value), &[])];
        let (plain, _) = encode(&mut sent, Codec::None).expect("a batch");
        let plain = plain.slice(HEADER..);
        for codec in Codec::ALL.iter().filter(|codec| **codec != Codec::None) {
            let (batch, _) = encode(&mut sent, *codec).expect("a batch");
            let (compressed, codec) = (batch.slice(HEADER..), codec.compression());
            assert!(compressed.len() < plain.len() / 10, "{codec:?}");
            let whole = records(&compressed, codec, plain.len()).expect("within the bound");
            assert!(whole == plain, "{codec:?}");
            let error = records(&compressed, codec, plain.len() - 1).expect_err("beyond it");
            assert!(format!("{error:#}").contains("are more than"), "{error:#}");
        }
    }

    /// A few bytes that announce 4 GiB, which kafka-protocol fills with zeros first.
    #[test]
    fn what_a_snappy_block_announces_is_not_reserved() {
        let block = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, b'a'];
        let java = [SNAPPY_JAVA, &[0, 0, 0, 7], &block].concat();
        for hostile in [&block[..], &java] {
            let hostile = Bytes::copy_from_slice(hostile);
            let error = records(&hostile, Compression::Snappy, 1 << 20).expect_err("refused");
            assert!(format!("{error:#}").contains("are more than"), "{error:#}");
        }
        let cut = Bytes::copy_from_slice(&java[..java.len() - 1]);
        assert!(records(&cut, Compression::Snappy, 1 << 20).is_err());
    }

    #[test]
    fn one_block_without_a_header_is_read_too() {
        let block = snap::raw::Encoder::new().compress_vec(b"records").expect("a block");
        let read = records(&block.into(), Compression::Snappy, 7).expect("records");
        assert_eq!(read, "records");
    }
}
