//! The requests that are spoken: their versions, and what they are made of, field by field. The
//! decoding is kafka-protocol's; these tables are for the walk in `counts.rs`.

use kafka_protocol::messages::ApiKey;

/// What a value is made of.
#[derive(Debug)]
pub(super) enum Form {
    /// So many bytes.
    Fixed(usize),
    /// A string or null.
    Text,
    /// Bytes or null.
    Bytes,
    /// Fields.
    Struct(&'static [Field]),
    /// An array of structs, or null.
    Structs(&'static [Field]),
    /// An array of bare values, or null.
    Values(&'static Form),
}

/// A field of a struct.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) form: Form,
    /// First version that has it.
    since: i16,
    /// Last version that has it.
    until: i16,
    /// The tag of a field that is only there if it is not its default.
    pub(super) tag: Option<u32>,
}

/// A request that is spoken.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) key: ApiKey,
    /// First version that is advertised.
    pub(super) min: i16,
    /// Last version that is advertised and answered.
    pub(super) max: i16,
    /// First version that is answered.
    pub(super) answered_from: i16,
    /// First version with compact lengths and tagged fields.
    pub(super) flexible: i16,
    pub(super) fields: &'static [Field],
}

impl Field {
    const fn of(form: Form) -> Self {
        Self { form, since: 0, until: i16::MAX, tag: None }
    }

    const fn since(self, version: i16) -> Self {
        Self { since: version, ..self }
    }

    const fn until(self, version: i16) -> Self {
        Self { until: version, ..self }
    }

    const fn tag(self, tag: u32) -> Self {
        Self { tag: Some(tag), ..self }
    }

    /// Whether a version has it.
    pub(super) fn is_in(&self, version: i16) -> bool {
        (self.since..=self.until).contains(&version)
    }
}

impl Api {
    /// The request with that key, if it is spoken.
    pub(super) fn find(key: i16) -> Option<&'static Self> {
        APIS.iter().find(|api| api.key as i16 == key)
    }

    /// A request whose every version is answered.
    const fn new(
        key: ApiKey,
        (min, max): (i16, i16),
        flexible: i16,
        fields: &'static [Field],
    ) -> Self {
        Self { key, min, max, answered_from: min, flexible, fields }
    }
}

const BOOL: Field = fixed(1);
const I8: Field = fixed(1);
const I16: Field = fixed(2);
const I32: Field = fixed(4);
const I64: Field = fixed(8);
const UUID: Field = fixed(16);
const TEXT: Field = Field::of(Form::Text);
const BYTES: Field = Field::of(Form::Bytes);

const fn fixed(bytes: usize) -> Field {
    Field::of(Form::Fixed(bytes))
}

const fn structs(fields: &'static [Field]) -> Field {
    Field::of(Form::Structs(fields))
}

const fn values(form: &'static Form) -> Field {
    Field::of(Form::Values(form))
}

/// Every request that is spoken. Fields are in the order of the wire, and named in it.
///
/// Of Produce, versions are advertised that are never answered: librdkafka takes a broker whose
/// Produce begins later for one that cannot even be fetched from.
pub(super) const APIS: &[Api] = &[
    Api { answered_from: 3, ..Api::new(ApiKey::Produce, (0, 9), 9, PRODUCE) },
    Api::new(ApiKey::Fetch, (4, 17), 12, FETCH),
    Api::new(ApiKey::ListOffsets, (1, 10), 6, LIST_OFFSETS),
    Api::new(ApiKey::Metadata, (0, 12), 9, METADATA),
    Api::new(ApiKey::OffsetCommit, (2, 8), 8, OFFSET_COMMIT),
    Api::new(ApiKey::OffsetFetch, (1, 8), 6, OFFSET_FETCH),
    Api::new(ApiKey::OffsetForLeaderEpoch, (2, 4), 4, OFFSET_FOR_LEADER_EPOCH),
    Api::new(ApiKey::FindCoordinator, (0, 4), 3, FIND_COORDINATOR),
    Api::new(ApiKey::JoinGroup, (0, 9), 6, JOIN_GROUP),
    Api::new(ApiKey::Heartbeat, (0, 4), 4, HEARTBEAT),
    Api::new(ApiKey::LeaveGroup, (0, 5), 4, LEAVE_GROUP),
    Api::new(ApiKey::SyncGroup, (0, 5), 4, SYNC_GROUP),
    Api::new(ApiKey::ApiVersions, (0, 4), 3, API_VERSIONS),
];

const PRODUCE: &[Field] = &[
    TEXT, // transactional id
    I16,  // acks
    I32,  // timeout
    structs(&[
        TEXT,                   // topic
        structs(&[I32, BYTES]), // partition, records
    ]),
];

const FETCH: &[Field] = &[
    I32.until(14), // replica
    I32,           // max wait
    I32,           // min bytes
    I32,           // max bytes
    I8,            // isolation level
    I32.since(7),  // session id
    I32.since(7),  // session epoch
    structs(&[
        TEXT.until(12), // topic
        UUID.since(13), // topic id
        structs(&[
            I32,                   // partition
            I32.since(9),          // current leader epoch
            I64,                   // fetch offset
            I32.since(12),         // last fetched epoch
            I64.since(5),          // log start offset
            I32,                   // max bytes
            UUID.since(17).tag(0), // replica directory
        ]),
    ]),
    structs(&[
        TEXT.until(12),          // forgotten topic
        UUID.since(13),          // its id
        values(&Form::Fixed(4)), // its partitions
    ])
    .since(7),
    TEXT.since(11),        // rack
    TEXT.since(12).tag(0), // cluster
    Field::of(Form::Struct(&[
        I32, // replica
        I64, // replica epoch
    ]))
    .since(15)
    .tag(1),
];

const LIST_OFFSETS: &[Field] = &[
    I32,         // replica
    I8.since(2), // isolation level
    structs(&[
        TEXT, // topic
        structs(&[
            I32,          // partition
            I32.since(4), // current leader epoch
            I64,          // timestamp
        ]),
    ]),
    I32.since(10), // timeout
];

const OFFSET_FOR_LEADER_EPOCH: &[Field] = &[
    I32.since(3), // replica
    structs(&[
        TEXT, // topic
        structs(&[
            I32, // partition
            I32, // current leader epoch
            I32, // leader epoch
        ]),
    ]),
];

const METADATA: &[Field] = &[
    structs(&[
        UUID.since(10), // topic id
        TEXT,           // topic
    ]),
    BOOL.since(4),           // topics may be created
    BOOL.since(8).until(10), // cluster operations wanted
    BOOL.since(8),           // topic operations wanted
];

const OFFSET_COMMIT: &[Field] = &[
    TEXT,          // group
    I32,           // generation
    TEXT,          // member
    TEXT.since(7), // instance
    I64.until(4),  // retention
    structs(&[
        TEXT, // topic
        structs(&[
            I32,          // partition
            I64,          // offset
            I32.since(6), // leader epoch
            TEXT,         // metadata
        ]),
    ]),
];

const OFFSET_FETCH: &[Field] = &[
    TEXT.until(7), // group
    structs(&[
        TEXT,                    // topic
        values(&Form::Fixed(4)), // partitions
    ])
    .until(7),
    structs(&[
        TEXT, // group
        structs(&[
            TEXT,                    // topic
            values(&Form::Fixed(4)), // partitions
        ]),
    ])
    .since(8),
    BOOL.since(7), // stable offsets wanted
];

const FIND_COORDINATOR: &[Field] = &[
    TEXT.until(3),                // key
    I8.since(1),                  // kind of key
    values(&Form::Text).since(4), // keys
];

const JOIN_GROUP: &[Field] = &[
    TEXT,          // group
    I32,           // session timeout
    I32.since(1),  // rebalance timeout
    TEXT,          // member
    TEXT.since(5), // instance
    TEXT,          // protocol type
    structs(&[
        TEXT,  // protocol
        BYTES, // metadata
    ]),
    TEXT.since(8), // reason
];

const SYNC_GROUP: &[Field] = &[
    TEXT,          // group
    I32,           // generation
    TEXT,          // member
    TEXT.since(3), // instance
    TEXT.since(5), // protocol type
    TEXT.since(5), // protocol
    structs(&[
        TEXT,  // member
        BYTES, // assignment
    ]),
];

const HEARTBEAT: &[Field] = &[
    TEXT,          // group
    I32,           // generation
    TEXT,          // member
    TEXT.since(3), // instance
];

const LEAVE_GROUP: &[Field] = &[
    TEXT,          // group
    TEXT.until(2), // member
    structs(&[
        TEXT,          // member
        TEXT,          // instance
        TEXT.since(5), // reason
    ])
    .since(3),
];

const API_VERSIONS: &[Field] = &[
    TEXT.since(3), // the client's software
    TEXT.since(3), // its version
];

/// What follows the API key, the version and the correlation id in the header of a request. Its
/// string is never compact.
pub(super) const CLIENT_ID: &[Field] = &[TEXT];

/// A response to Fetch version 11, which the consumer reads, after its correlation id.
pub(super) const FETCH_RESPONSE: &[Field] = &[
    I32, // throttle time
    I16, // error
    I32, // session id
    structs(&[
        TEXT, // topic
        structs(&[
            I32,                  // partition
            I16,                  // error
            I64,                  // high watermark
            I64,                  // last stable offset
            I64,                  // log start offset
            structs(&[I64, I64]), // aborted transactions: producer, first offset
            I32,                  // preferred replica
            BYTES,                // records
        ]),
    ]),
];
