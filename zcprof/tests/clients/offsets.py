"""Reads partition 0 of a topic and prints the offsets that it got, as a line of JSON.

usage: offsets.py confluent-kafka|kafka-python|aiokafka BOOTSTRAP TOPIC ISOLATION
"""

import asyncio
import json
import sys


def confluent_kafka(bootstrap, topic, isolation):
    from confluent_kafka import Consumer, KafkaError, KafkaException, OFFSET_BEGINNING, TopicPartition

    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "offsets",
        "isolation.level": isolation,
        "enable.partition.eof": True,
        "check.crcs": True,
    })
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    offsets = []
    while True:
        message = consumer.poll(30)
        if message is None:
            sys.exit("nothing came")
        if message.error() is None:
            offsets.append(message.offset())
        elif message.error().code() == KafkaError._PARTITION_EOF:
            consumer.close()
            return offsets
        else:
            raise KafkaException(message.error())


def kafka_python(bootstrap, topic, isolation):
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation, check_crcs=True)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    offsets = []
    while consumer.position(partition) < end:
        for records in consumer.poll(timeout_ms=200).values():
            offsets.extend(record.offset for record in records)
    consumer.close()
    return offsets


def aiokafka(bootstrap, topic, isolation):
    return asyncio.run(aiokafka_main(bootstrap, topic, isolation))


async def aiokafka_main(bootstrap, topic, isolation):
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation)
    await consumer.start()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    end = (await consumer.end_offsets([partition]))[partition]
    offsets = []
    while await consumer.position(partition) < end:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            offsets.extend(record.offset for record in records)
    await consumer.stop()
    return offsets


def main():
    library, bootstrap, topic, isolation = sys.argv[1:]
    libraries = {
        "confluent-kafka": confluent_kafka,
        "kafka-python": kafka_python,
        "aiokafka": aiokafka,
    }
    print(json.dumps(libraries[library](bootstrap, topic, isolation)))


main()
