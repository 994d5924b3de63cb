// Consumes a whole topic with a client written in Go and says what was in it, as consume.py does.
//
// usage: consume sarama|franz-go|kafka-go BOOTSTRAP TOPIC
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"sort"
	"strconv"
	"time"

	"github.com/IBM/sarama"
	kafka "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// deadline is for everything.
const deadline = 60 * time.Second

// content is what is known of one partition so far.
type content struct {
	Records int    `json:"records"`
	Sha256  string `json:"sha256"`
	digest  hash.Hash
	next    int64
	// noNulls: the client does not tell null from empty, and neither may the digest.
	noNulls bool
}

func (c *content) take(offset int64, key, value []byte) {
	if offset < c.next {
		fail(fmt.Errorf("offset %d came after %d", offset, c.next-1))
	}
	c.next = offset + 1
	c.Records++
	for _, field := range [][]byte{key, value} {
		length := int32(len(field))
		if field == nil && !c.noNulls {
			length = -1
		}
		_ = binary.Write(c.digest, binary.BigEndian, length)
		c.digest.Write(field)
	}
}

func newContent() *content { return &content{digest: sha256.New()} }

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func withSarama(bootstrap, topic string) map[int32]*content {
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Consumer.Fetch.Default = 20000
	client, err := sarama.NewClient([]string{bootstrap}, config)
	fail(err)
	consumer, err := sarama.NewConsumerFromClient(client)
	fail(err)
	partitions, err := consumer.Partitions(topic)
	fail(err)
	found := map[int32]*content{}
	for _, partition := range partitions {
		end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
		fail(err)
		reader, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		fail(err)
		found[partition] = newContent()
		for found[partition].next < end {
			message := <-reader.Messages()
			found[partition].take(message.Offset, message.Key, message.Value)
		}
	}
	return found
}

func withFranz(bootstrap, topic string) map[int32]*content {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxPartitionBytes(20000))
	fail(err)
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	fail(err)
	found := map[int32]*content{}
	ends.Each(func(end kadm.ListedOffset) { found[end.Partition] = newContent() })
	whole := func() bool {
		all := true
		ends.Each(func(end kadm.ListedOffset) { all = all && found[end.Partition].next >= end.Offset })
		return all
	}
	for !whole() {
		fetches := client.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) { fail(err) })
		fetches.EachRecord(func(r *kgo.Record) { found[r.Partition].take(r.Offset, r.Key, r.Value) })
	}
	return found
}

func withKafkaGo(bootstrap, topic string) map[int32]*content {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	connection, err := kafka.Dial("tcp", bootstrap)
	fail(err)
	partitions, err := connection.ReadPartitions(topic)
	fail(err)
	found := map[int32]*content{}
	for _, partition := range partitions {
		leader, err := kafka.DialLeader(ctx, "tcp", bootstrap, topic, partition.ID)
		fail(err)
		end, err := leader.ReadLastOffset()
		fail(err)
		reader := kafka.NewReader(kafka.ReaderConfig{
			Brokers: []string{bootstrap}, Topic: topic, Partition: partition.ID,
			MinBytes: 1, MaxBytes: 20000, MaxWait: 100 * time.Millisecond,
		})
		one := newContent()
		one.noNulls = true
		found[int32(partition.ID)] = one
		for one.next < end {
			message, err := reader.ReadMessage(ctx)
			fail(err)
			one.take(message.Offset, message.Key, message.Value)
		}
		_ = reader.Close()
	}
	return found
}

func main() {
	time.AfterFunc(deadline, func() { fail(fmt.Errorf("not everything came within %s", deadline)) })
	library, bootstrap, topic := os.Args[1], os.Args[2], os.Args[3]
	libraries := map[string]func(string, string) map[int32]*content{
		"sarama": withSarama, "franz-go": withFranz, "kafka-go": withKafkaGo,
	}
	found := libraries[library](bootstrap, topic)
	said := map[string]*content{}
	keys := []int{}
	for partition, one := range found {
		one.Sha256 = hex.EncodeToString(one.digest.Sum(nil))
		said[strconv.Itoa(int(partition))] = one
		keys = append(keys, int(partition))
	}
	sort.Ints(keys)
	text, err := json.Marshal(said)
	fail(err)
	fmt.Println(string(text))
}
