"""A member of a consumer group that says what it does, and never ends by itself.

usage: member.py confluent-kafka|kafka-python|aiokafka BOOTSTRAP TOPIC GROUP SESSION_MS [STRATEGY]

Prints a line whenever something happened: `assigned PARTITIONS`, `read PARTITION FIRST NEXT`,
`committed PARTITION NEXT`.
"""

import asyncio
import sys
import time

# Records of one poll, and seconds between two: a load that lasts. A partition has 200,000 records, which
# nobody may have read to their end while members come and go.
MOST = 100
PAUSE = 0.05

# Bytes of a partition in one fetch: a member reads all of its partitions in turns, and soon.
PIECE = 64 << 10

# Milliseconds of a poll of kafka-python, which ends with the first records. It must outlast a join: kafka-python
# 3.0.12 joins anew when its topic's metadata comes after its assignment, and forgets that join if the poll
# that began it ends before. It then neither takes its partitions nor beats, and is gone with its session. A
# broker of Kafka 4.1 (with group.initial.rebalance.delay.ms=0) loses it too, most often with polls of the
# 100 to 120 ms after which the metadata comes.
POLL = 60_000


def say(*words):
    print(*words, flush=True)


def runs(records):
    """First offset and the one after the last of each partition."""
    found = {}
    for partition, offset in records:
        first, _ = found.get(partition, (offset, offset))
        found[partition] = (first, offset + 1)
    for partition, (first, after) in found.items():
        say("read", partition, first, after)
    return found


def confluent_kafka(bootstrap, topic, group, session, strategy):
    from confluent_kafka import Consumer

    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "session.timeout.ms": session,
        "heartbeat.interval.ms": 1000,
        "partition.assignment.strategy": strategy or "range",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "max.partition.fetch.bytes": PIECE,
        # All partitions share one queue, of 100,000 records unless told otherwise. While that of one partition
        # is full nothing more is fetched of any, and this load needs a minute to get to its end.
        "queued.min.messages": 1000,
        "fetch.queue.backoff.ms": 20,
    })
    consumer.subscribe([topic])
    assigned = None
    while True:
        messages = consumer.consume(MOST, timeout=0.1)
        now = sorted(partition.partition for partition in consumer.assignment())
        if now != assigned:
            assigned = now
            say("assigned", *assigned)
        found = runs((m.partition(), m.offset()) for m in messages if not m.error())
        if found:
            try:
                for committed in consumer.commit(asynchronous=False):
                    if committed.error is None and committed.offset >= 0:
                        say("committed", committed.partition, committed.offset)
            except Exception as error:
                print(error, file=sys.stderr)
        time.sleep(PAUSE)


def kafka_python(bootstrap, topic, group, session, strategy):
    from kafka import KafkaConsumer
    from kafka.structs import OffsetAndMetadata

    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        session_timeout_ms=session,
        heartbeat_interval_ms=1000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_poll_records=MOST,
        max_partition_fetch_bytes=PIECE,
    )
    assigned = None
    while True:
        polled = consumer.poll(timeout_ms=POLL)
        now = sorted(partition.partition for partition in consumer.assignment())
        if now != assigned:
            assigned = now
            say("assigned", *assigned)
        found = runs((r.partition, r.offset) for records in polled.values() for r in records)
        if found:
            try:
                consumer.commit()
                for partition, (_, after) in found.items():
                    say("committed", partition, after)
            except Exception as error:
                print(error, file=sys.stderr)
        time.sleep(PAUSE)


def aiokafka(bootstrap, topic, group, session, strategy):
    asyncio.run(aiokafka_main(bootstrap, topic, group, session))


async def aiokafka_main(bootstrap, topic, group, session):
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        session_timeout_ms=session,
        heartbeat_interval_ms=1000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=PIECE,
    )
    await consumer.start()
    assigned = None
    while True:
        polled = await consumer.getmany(timeout_ms=100, max_records=MOST)
        now = sorted(partition.partition for partition in consumer.assignment())
        if now != assigned:
            assigned = now
            say("assigned", *assigned)
        found = runs((r.partition, r.offset) for records in polled.values() for r in records)
        if found:
            try:
                await consumer.commit()
                for partition, (_, after) in found.items():
                    say("committed", partition, after)
            except Exception as error:
                print(error, file=sys.stderr)
        await asyncio.sleep(PAUSE)


def main():
    library, bootstrap, topic, group, session, *strategy = sys.argv[1:]
    libraries = {
        "confluent-kafka": confluent_kafka,
        "kafka-python": kafka_python,
        "aiokafka": aiokafka,
    }
    member = libraries[library]
    member(bootstrap, topic, group, int(session), strategy[0] if strategy else None)


main()
