//! Who is here and what there is: ApiVersions, Metadata, FindCoordinator.

use std::collections::HashSet;
use std::net::SocketAddr;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, FindCoordinatorRequest, FindCoordinatorResponse,
    MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::broker::Broker;
use super::partitions;
use crate::fetch::log::{Partition, Topic};
use crate::fetch::wire;

/// The only broker there is.
pub(super) const NODE: BrokerId = BrokerId(1);

/// The cluster's id.
const CLUSTER: &str = "zcprof";

/// FindCoordinator's kind of key for a group.
const GROUP: i8 = 0;

impl Broker {
    /// Where a client that has connected to `local` is told to connect.
    fn address(&self, local: SocketAddr) -> (StrBytes, i32) {
        let (host, port) = match &self.advertised {
            Some(advertised) => (advertised.host.clone(), advertised.port),
            None => (local.ip().to_canonical().to_string(), local.port()),
        };
        (StrBytes::from_string(host), port.into())
    }
}

pub(super) fn api_versions() -> ApiVersionsResponse {
    ApiVersionsResponse::default().with_api_keys(wire::advertised())
}

/// The answer to ApiVersions in a version that is not spoken: which ones are.
pub(super) fn unsupported() -> ApiVersionsResponse {
    let mut response = api_versions().with_error_code(ResponseError::UnsupportedVersion.code());
    response.api_keys.retain(|api| api.api_key == ApiKey::ApiVersions as i16);
    response
}

pub(super) fn topics(
    broker: &Broker,
    version: i16,
    request: &MetadataRequest,
    local: SocketAddr,
) -> MetadataResponse {
    let (host, port) = broker.address(local);
    let node = MetadataResponseBroker::default().with_node_id(NODE).with_host(host).with_port(port);
    let topics = match &request.topics {
        // Before version 1 there was no null, and no topics meant all.
        Some(wanted) if version > 0 || !wanted.is_empty() => {
            // As Kafka does: a topic has many partitions, and its name few bytes.
            let mut told = HashSet::new();
            let first = wanted.iter().filter(|wanted| told.insert((&wanted.name, wanted.topic_id)));
            first.map(|wanted| topic(broker, version, wanted)).collect()
        }
        _ => broker.topics.iter().map(|topic| described(version, topic)).collect(),
    };
    MetadataResponse::default()
        .with_brokers(vec![node])
        .with_cluster_id((version >= 2).then(|| StrBytes::from_static_str(CLUSTER)))
        .with_controller_id(NODE)
        .with_topics(topics)
}

fn topic(broker: &Broker, version: i16, wanted: &MetadataRequestTopic) -> MetadataResponseTopic {
    let unknown = MetadataResponseTopic::default();
    let listed = |topic: &&Topic| topic.listed().next().is_some();
    match &wanted.name {
        Some(name) => broker.topics.named(name).filter(listed).map_or_else(
            || {
                let error = ResponseError::UnknownTopicOrPartition;
                unknown.with_name(Some(name.clone())).with_error_code(error.code())
            },
            |topic| described(version, topic),
        ),
        // By its id, as clients may from version 10 on. A response has a name until version 11.
        None => broker.topics.with_id(wanted.topic_id).filter(listed).map_or_else(
            || {
                unknown
                    .with_name((version < 12).then(TopicName::default))
                    .with_topic_id(wanted.topic_id)
                    .with_error_code(ResponseError::UnknownTopicId.code())
            },
            |topic| described(version, topic),
        ),
    }
}

fn described(version: i16, topic: &Topic) -> MetadataResponseTopic {
    let partition = |(index, partition): (i32, &Partition)| {
        let described = MetadataResponsePartition::default().with_partition_index(index);
        match partition.log() {
            Some(log) => {
                let described = described.with_leader_id(NODE).with_replica_nodes(vec![NODE]);
                let described = described.with_isr_nodes(vec![NODE]);
                let epoch = partitions::leader_epoch(log);
                if version >= 7 { described.with_leader_epoch(epoch) } else { described }
            }
            // It is being verified; clients ask again.
            None => described
                .with_leader_id(BrokerId(-1))
                .with_error_code(ResponseError::LeaderNotAvailable.code()),
        }
    };
    let described = MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name.clone()))))
        .with_partitions(topic.listed().map(partition).collect());
    if version >= 10 { described.with_topic_id(topic.id) } else { described }
}

pub(super) fn coordinator(
    broker: &Broker,
    version: i16,
    request: &FindCoordinatorRequest,
    local: SocketAddr,
) -> FindCoordinatorResponse {
    let (host, port) = broker.address(local);
    if request.key_type != GROUP {
        // Of transactions there is none, for nothing can be written.
        let error = ResponseError::CoordinatorNotAvailable.code();
        let none = |key: &StrBytes| {
            let none = Coordinator::default().with_key(key.clone()).with_node_id(BrokerId(-1));
            none.with_port(-1).with_error_code(error)
        };
        return if version >= 4 {
            let keys = request.coordinator_keys.iter();
            FindCoordinatorResponse::default().with_coordinators(keys.map(none).collect())
        } else {
            let none = FindCoordinatorResponse::default().with_node_id(BrokerId(-1));
            none.with_port(-1).with_error_code(error)
        };
    }
    if version < 4 {
        return FindCoordinatorResponse::default()
            .with_node_id(NODE)
            .with_host(host)
            .with_port(port);
    }
    let found = |key: &StrBytes| {
        let found = Coordinator::default().with_key(key.clone()).with_node_id(NODE);
        found.with_host(host.clone()).with_port(port)
    };
    let keys = request.coordinator_keys.iter();
    FindCoordinatorResponse::default().with_coordinators(keys.map(found).collect())
}
