import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The Java client.
 *
 * usage: write BOOTSTRAP | more BOOTSTRAP | create BOOTSTRAP TOPIC...
 *        | read BOOTSTRAP TOPIC read_committed|read_uncommitted
 *
 * `write` makes three topics: `transactions` (committed, aborted and open ones), `compacted` (and
 * waits until the cleaner has run) and `deleted` (whose first records are deleted). `more` adds to
 * them, to be killed on. `create` makes topics of one partition that nothing is deleted from. `read`
 * prints a line for each record: partition, offset, timestamp and its
 * type, leader's epoch, key, value and headers, in hexadecimal digits.
 */
public class Kafka {
    public static void main(String[] words) throws Exception {
        switch (words[0]) {
            case "write" -> write(words[1]);
            case "more" -> more(words[1]);
            case "create" -> create(words[1], List.of(words).subList(2, words.length));
            default -> read(words[1], words[2], words[3]).forEach(System.out::println);
        }
        System.out.flush();
        // An open transaction is left as it is.
        Runtime.getRuntime().halt(0);
    }

    static KafkaProducer<String, String> producer(String bootstrap, String id, String codec) {
        Properties wanted = new Properties();
        wanted.put("bootstrap.servers", bootstrap);
        wanted.put("compression.type", codec);
        wanted.put("batch.size", "2000");
        wanted.put("linger.ms", "5");
        if (id != null) {
            wanted.put("transactional.id", id);
            wanted.put("transaction.timeout.ms", "800000");
        }
        return new KafkaProducer<>(wanted, new StringSerializer(), new StringSerializer());
    }

    static void send(KafkaProducer<String, String> producer, String topic, int from, int to) {
        send(producer, topic, 2, from, to);
    }

    static void send(KafkaProducer<String, String> producer, String topic, int partitions, int from, int to) {
        for (int number = from; number < to; number++) {
            var record = new ProducerRecord<>(topic, number % partitions, "k" + number % 7, "v".repeat(number % 90) + number);
            record.headers().add("h", ("x" + number).getBytes(StandardCharsets.UTF_8));
            producer.send(record);
        }
        producer.flush();
    }

    static void transactions(String bootstrap, String prefix, boolean open) {
        try (var a = producer(bootstrap, prefix + "a", "none"); var b = producer(bootstrap, prefix + "b", "lz4")) {
            a.initTransactions();
            b.initTransactions();
            for (int round = 0; round < 20; round++) {
                a.beginTransaction();
                b.beginTransaction();
                send(a, "transactions", round * 20, round * 20 + 20);
                send(b, "transactions", round * 20, round * 20 + 13);
                if (round % 3 == 0) {
                    a.abortTransaction();
                } else {
                    a.commitTransaction();
                }
                send(b, "transactions", 0, 5);
                if (round % 4 == 1) {
                    b.abortTransaction();
                } else {
                    b.commitTransaction();
                }
            }
        }
        try (var plain = producer(bootstrap, null, "zstd")) {
            send(plain, "transactions", 0, 50);
        }
        if (!open) {
            return;
        }
        var left = producer(bootstrap, "open", "gzip");
        left.initTransactions();
        left.beginTransaction();
        // Of the other partition nothing is held back.
        send(left, "transactions", 1, 500, 520);
        try (var plain = producer(bootstrap, null, "snappy")) {
            send(plain, "transactions", 600, 650);
        }
    }

    static void write(String bootstrap) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            var small = Map.of("segment.bytes", "1048576", "segment.ms", "1000");
            var compacted = Map.of("cleanup.policy", "compact", "segment.ms", "1000", "min.cleanable.dirty.ratio", "0.01",
                "delete.retention.ms", "100", "min.compaction.lag.ms", "0", "segment.bytes", "1048576");
            admin.createTopics(List.of(
                new NewTopic("transactions", 2, (short) 1).configs(small),
                new NewTopic("compacted", 2, (short) 1).configs(compacted),
                new NewTopic("deleted", 2, (short) 1).configs(small))).all().get();
            Thread.sleep(1000);
            transactions(bootstrap, "first-", true);
            try (var plain = producer(bootstrap, null, "none")) {
                send(plain, "deleted", 0, 300);
                admin.deleteRecords(Map.of(new TopicPartition("deleted", 0), RecordsToDelete.beforeOffset(77),
                    new TopicPartition("deleted", 1), RecordsToDelete.beforeOffset(150))).all().get();
                for (int round = 0; round < 5; round++) {
                    send(plain, "compacted", 0, 200);
                    Thread.sleep(1200);
                }
                // The active segment is never cleaned, and a record rolls it.
                for (int round = 0; read(bootstrap, "compacted", "read_committed").size() > 600; round++) {
                    if (round > 60) {
                        throw new IllegalStateException("the cleaner does not run");
                    }
                    Thread.sleep(1000);
                    send(plain, "compacted", 1000 + round, 1001 + round);
                }
            }
        }
    }

    static void create(String bootstrap, List<String> topics) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            var kept = Map.of("retention.ms", "-1");
            admin.createTopics(topics.stream().map(t -> new NewTopic(t, 1, (short) 1).configs(kept)).toList()).all().get();
            Thread.sleep(1000);
        }
    }

    static void more(String bootstrap) throws Exception {
        transactions(bootstrap, "second-", false);
        try (var plain = producer(bootstrap, null, "lz4")) {
            send(plain, "compacted", 0, 500);
            send(plain, "deleted", 0, 500);
        }
    }

    static List<String> read(String bootstrap, String topic, String isolation) {
        Properties wanted = new Properties();
        wanted.put("bootstrap.servers", bootstrap);
        wanted.put("isolation.level", isolation);
        wanted.put("max.partition.fetch.bytes", "5000");
        wanted.put("enable.auto.commit", "false");
        var lines = new ArrayList<String>();
        try (var consumer = new KafkaConsumer<>(wanted, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            var partitions = consumer.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            var begins = consumer.beginningOffsets(partitions);
            partitions.forEach(p -> lines.add("bounds " + p.partition() + " " + begins.get(p) + " " + ends.get(p)));
            long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("not everything came in time");
                }
                for (var r : consumer.poll(Duration.ofMillis(200))) {
                    var line = new StringBuilder();
                    line.append(r.partition()).append(' ').append(r.offset()).append(' ').append(r.timestamp());
                    line.append(' ').append(r.timestampType()).append(' ').append(r.leaderEpoch().orElse(-1));
                    line.append(' ').append(hex(r.key())).append(' ').append(hex(r.value()));
                    r.headers().forEach(h -> line.append(' ').append(h.key()).append('=').append(hex(h.value())));
                    lines.add(line.toString());
                }
            }
        }
        lines.sort(null);
        return lines;
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "null" : "x" + HexFormat.of().formatHex(bytes);
    }
}
