"""Consumes a whole topic and says what was in it, partition by partition.

usage: consume.py confluent-kafka|kafka-python assign|subscribe BOOTSTRAP TOPIC

Prints one line of JSON: for each partition, the number of its records and a SHA-256 digest over
them, by rising offset: key length (i32, big-endian, -1 for a null key), key, value length, value.
"""

import hashlib
import json
import struct
import sys
import time
import uuid

# Seconds for everything, and for one poll.
DEADLINE = 60
POLL = 1.0


class Partition:
    """What is known of one partition so far."""

    def __init__(self, end):
        self.end = end
        self.records = 0
        self.next_offset = 0
        self.digest = hashlib.sha256()

    def take(self, offset, key, value):
        if offset < self.next_offset:
            sys.exit(f"offset {offset} came after {self.next_offset - 1}")
        self.next_offset = offset + 1
        self.records += 1
        for field in (key, value):
            self.digest.update(struct.pack(">i", -1 if field is None else len(field)))
            self.digest.update(field or b"")

    def is_whole(self):
        return self.next_offset >= self.end


def confluent_kafka(how, bootstrap, topic):
    from confluent_kafka import Consumer, KafkaException, TopicPartition, OFFSET_BEGINNING

    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": f"test-{uuid.uuid4()}",
        "auto.offset.reset": "earliest",
        "check.crcs": True,
        # Small fetches, so that batches are cut and fetched again.
        "fetch.message.max.bytes": 20_000,
    })
    described = consumer.list_topics(topic, timeout=DEADLINE).topics[topic]
    partitions = {}
    for index in described.partitions:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, index), timeout=DEADLINE)
        partitions[index] = Partition(end)
    if how == "subscribe":
        consumer.subscribe([topic])
    else:
        consumer.assign([TopicPartition(topic, index, OFFSET_BEGINNING) for index in partitions])

    def poll():
        message = consumer.poll(POLL)
        if message is None:
            return []
        if message.error():
            raise KafkaException(message.error())
        return [(message.partition(), message.offset(), message.key(), message.value())]

    return partitions, poll, consumer.close


def kafka_python(how, bootstrap, topic):
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=f"test-{uuid.uuid4()}",
        auto_offset_reset="earliest",
        check_crcs=True,
        max_partition_fetch_bytes=20_000,
    )
    every = [TopicPartition(topic, index) for index in consumer.partitions_for_topic(topic)]
    partitions = {p.partition: Partition(end) for p, end in consumer.end_offsets(every).items()}
    if how == "subscribe":
        consumer.subscribe([topic])
    else:
        consumer.assign(every)
        consumer.seek_to_beginning(*every)

    def poll():
        polled = consumer.poll(timeout_ms=int(POLL * 1000)).values()
        return [(r.partition, r.offset, r.key, r.value) for records in polled for r in records]

    return partitions, poll, consumer.close


def main():
    library, how, bootstrap, topic = sys.argv[1:]
    libraries = {"confluent-kafka": confluent_kafka, "kafka-python": kafka_python}
    partitions, poll, close = libraries[library](how, bootstrap, topic)
    deadline = time.monotonic() + DEADLINE
    while not all(partition.is_whole() for partition in partitions.values()):
        if time.monotonic() > deadline:
            sys.exit(f"not everything came within {DEADLINE} s")
        for index, offset, key, value in poll():
            partitions[index].take(offset, key, value)
    close()
    print(json.dumps({
        str(index): {"records": partition.records, "sha256": partition.digest.hexdigest()}
        for index, partition in sorted(partitions.items())
    }))


main()
