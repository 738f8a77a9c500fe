//! Every bound of the server, with its unit, and the relations between them.
//!
//! Worst-case memory follows by multiplying: shards × sessions × outbox, and so on.
//! A module that needs a new bound adds it here, never as a literal of its own.

use std::time::Duration;

// --- wire ---------------------------------------------------------------

/// Largest Envelope accepted on any door, length prefix excluded, bytes.
/// Contract 1.3 asks for at least 150 MB, since work item files travel inline.
pub const FRAME_BYTES_MAX: usize = 160 * 1024 * 1024;
/// First read buffer of a connection, bytes. An idle connection holds no more.
pub const READ_BYTES_MIN: usize = 1024;
/// Largest read buffer a busy connection grows to, bytes, unless one frame is larger.
pub const READ_BYTES_MAX: usize = 64 * 1024;
/// Messages with a sequence number ahead of the next expected that a session parks (contract 1.3).
pub const REORDER_MESSAGES_MAX: usize = 100;
/// Bytes that parked messages of one session may hold.
pub const REORDER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest command, id, rid, jwt, trace or span id in an Envelope head, bytes.
pub const HEAD_FIELD_BYTES_MAX: usize = 64 * 1024;
/// Groups inside groups among the unknown fields of an Envelope, levels; prost allows 100.
pub const GROUP_NESTING_MAX: usize = 32;

// --- sessions -----------------------------------------------------------

/// Bytes a session may owe its client before the shard stops reading from it.
pub const OUTBOX_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Segments handed to one vectored write; Linux accepts at most 1,024.
pub const WRITE_SEGMENTS_MAX: usize = 256;
/// A reply payload of at least this size is gathered, not copied, bytes.
/// Below it one copy is cheaper than two more segments and an allocation.
pub const GATHER_BYTES_MIN: usize = 32 * 1024;
/// Largest WebSocket message the server sends, bytes; the Rust client accepts 16 MiB per frame (contract 1.3).
pub const WS_MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Requests of one session that may be running or queued; further frames wait unread.
pub const SESSION_IN_FLIGHT_MAX: usize = 1024;
/// Sessions one shard accepts; further connections are closed with a named reason.
pub const SHARD_SESSIONS_MAX: usize = 65_536;
/// Bytes of request frames one shard may hold before its readers wait.
pub const SHARD_REQUEST_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Time a frame may take from its first byte to its last, besides `FRAME_BYTES_PER_SECOND_MIN`.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(60);
/// Slowest upload that is served: a frame of n bytes gets n / this many seconds more.
pub const FRAME_BYTES_PER_SECOND_MIN: u64 = 64 * 1024;

// --- shard --------------------------------------------------------------

/// Bytes of a large frame that a permit is taken for at a time, as they arrive.
pub const PERMIT_STEP_BYTES: usize = 1024 * 1024;
/// Time a closed connection's client has to read the last replies and close its side.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// Shards of one process.
pub const SHARDS_MAX: usize = 64;
/// Messages waiting in one priority lane of a shard's inbox.
pub const INBOX_LANE_MESSAGES_MAX: usize = 4096;
/// Priority lanes: Envelope.priority 0–3, higher first (design, decision 6).
pub const PRIORITY_LANES: usize = 4;
/// Requests a shard runs in one turn of its loop before it looks at the ring again.
pub const TURN_REQUESTS_MAX: usize = 1024;
/// Time after which a turn starts no further request.
pub const TURN_TIME_MAX: Duration = Duration::from_millis(4);
/// Time one poll of a task may hold the core before it is reported as a stall.
pub const TASK_BUDGET: Duration = Duration::from_millis(10);
/// Time for requests in flight at shutdown.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Blocking jobs (password hashes) running at once in the process.
pub const BLOCKING_JOBS_MAX: usize = 4;

// --- HTTP and gRPC --------------------------------------------------------

/// Bytes of an HTTP/1.1 request head.
pub const HTTP_HEAD_BYTES_MAX: usize = 32 * 1024;
/// Header fields of an HTTP/1.1 request.
pub const HTTP_HEADERS_MAX: usize = 100;
/// Bytes of an HTTP/1.1 request body (contract 1.7: 150 MB of JSON).
pub const HTTP_BODY_BYTES_MAX: usize = 160 * 1024 * 1024;
/// Time an HTTP/1.1 request may take to arrive once its first byte is there.
pub const HTTP_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Time a kept-alive HTTP/1.1 connection may stay without a request.
pub const HTTP_IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Time a client may take to read one HTTP/1.1 response.
pub const HTTP_RESPONSE_TIMEOUT: Duration = Duration::from_secs(600);
/// HTTP/2 streams open on one connection.
pub const H2_STREAMS_MAX: u32 = 1024;
/// HTTP/2 receive window of one stream, bytes.
pub const H2_STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// HTTP/2 receive window of one connection, bytes.
pub const H2_CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// HTTP/2 keepalive ping interval.
pub const H2_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

// --- documents ------------------------------------------------------------

/// Largest stored document, bytes of BSON (MongoDB's own bound).
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Nesting of documents, filters and JSON text, levels (MongoDB's own bound).
pub const NESTING_MAX: usize = 100;
/// Source text of one regular expression, bytes.
pub const REGEX_BYTES_MAX: usize = 32 * 1024;
/// Compiled size of one regular expression, bytes.
pub const REGEX_COMPILED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Compiled size up to which a regular expression counts as small, bytes.
pub const REGEX_SMALL_BYTES_MAX: usize = 256 * 1024;
/// Different regular expressions in one filter.
pub const FILTER_REGEXES_MAX: usize = 64;
/// Those of them that may be larger than `REGEX_SMALL_BYTES_MAX`.
pub const FILTER_LARGE_REGEXES_MAX: usize = 4;
/// Conditions in one filter.
pub const FILTER_NODES_MAX: usize = 100_000;
/// Components of a dotted path that are digits. Each may mean a field or an array position,
/// so a walk may branch at each: 2^8 ways through one document at worst.
pub const PATH_POSITIONS_MAX: usize = 8;
/// Fields of one sort (MongoDB's own bound).
pub const SORT_FIELDS_MAX: usize = 32;
/// Fields of one projection.
pub const PROJECTION_FIELDS_MAX: usize = 1000;
/// Rows of a query whose `top` is 0 (contract 6).
pub const QUERY_TOP_DEFAULT: i64 = 500;
/// Bytes of BSON one query may gather, for sorting or for its reply.
pub const QUERY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Documents examined before a scan lets other tasks of the shard run.
pub const SCAN_BATCH_DOCUMENTS: usize = 256;
/// Bytes of documents examined before a scan lets other tasks of the shard run.
pub const SCAN_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Items of one `insertmany` or `insertorupdatemany`.
pub const BATCH_ITEMS_MAX: usize = 100_000;
/// Access control entries kept on a document (`max_ace_count`, contract 4.2).
pub const ACE_COUNT_MAX: usize = 128;
/// Bytes of a collection name (MongoDB's own bound is 255 with the database).
pub const COLLECTION_NAME_BYTES_MAX: usize = 200;
/// Collections of one database.
pub const COLLECTIONS_MAX: usize = 10_000;

// --- ledger ----------------------------------------------------------------

/// Write batches waiting in one priority lane of the ledger's intake.
pub const LEDGER_LANE_BATCHES_MAX: usize = 4096;
/// Write batches one shard may have with the ledger; with many shards the share of the lane is less.
pub const LEDGER_HANDLE_BATCHES_MAX: usize = 1024;
/// Bytes of documents waiting in the ledger's intake, all lanes.
pub const LEDGER_INTAKE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Write batches committed in one transaction, one sync.
pub const LEDGER_GROUP_BATCHES_MAX: usize = 1024;
/// Bytes of documents committed in one transaction.
pub const LEDGER_GROUP_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Map size of the embedded database, bytes: an upper bound of address space, not of disk taken.
pub const MAP_BYTES_MAX: usize = 1 << 40;
/// Smallest map size, bytes: the tables themselves must fit.
pub const MAP_BYTES_MIN: usize = 1024 * 1024;
/// Threads that read the embedded database at one time.
pub const READERS_MAX: u32 = 512;
/// Changes kept in the change feed before the oldest are trimmed.
pub const FEED_CHANGES_MAX: u64 = 1_000_000;
/// Bytes of changes kept in the change feed before the oldest are trimmed.
pub const FEED_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

// --- identity ---------------------------------------------------------------

/// Verified tokens remembered by one shard.
pub const TOKEN_CACHE_MAX: usize = 16_384;
/// Longest password accepted, bytes; bcrypt itself reads 72.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Changes of the feed that a shard reads to follow `users`; beyond, it reads `users` anew.
pub const DIRECTORY_CATCH_UP_CHANGES_MAX: u64 = 10_000;
/// Changes taken from the feed at a time.
pub const FEED_READ_CHANGES_MAX: usize = 512;

// --- commands ---------------------------------------------------------------

/// Locks of insert-or-update and of unique names in the process; keys that share one wait needlessly.
pub const KEY_LOCKS: usize = 1024;
/// Times a write is planned anew because its document changed meanwhile.
pub const WRITE_ATTEMPTS_MAX: usize = 32;
/// Documents of a `deletemany` read and removed at a time.
pub const DELETE_BATCH_DOCUMENTS: usize = 1000;

// --- command line -------------------------------------------------------------

/// Bytes the client and the load tool ask for with one read.
pub const CLIENT_READ_BYTES: usize = 64 * 1024;
/// Bytes that may wait between HTTP/2 and the socket of the client, each way.
pub const CLIENT_DUPLEX_BYTES_MAX: usize = 1024 * 1024;
/// Time the client waits for a connection, its handshake included.
pub const CLIENT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an HTTP answer the client reads.
pub const CLIENT_HTTP_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Time the load tool waits for replies that are due when its time is over.
pub const LOAD_DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests of one connection that are due and not yet sent, with `--rate`.
pub const LOAD_BACKLOG_MAX: usize = 1 << 20;
/// Documents the load tool inserts before it queries them.
pub const LOAD_DOCUMENTS: usize = 1000;
/// Requests the load tool keeps unanswered per connection with `--rate`, unless told.
pub const LOAD_OPEN_IN_FLIGHT: u32 = 1024;
/// Longest latency the load tool can tell apart, nanoseconds.
pub const LOAD_LATENCY_NS_MAX: u64 = 600_000_000_000;

const _: () = assert!(REGEX_SMALL_BYTES_MAX <= REGEX_COMPILED_BYTES_MAX);
const _: () = assert!(WRITE_SEGMENTS_MAX <= 1_024, "IOV_MAX");
const _: () = assert!(READ_BYTES_MIN <= READ_BYTES_MAX && READ_BYTES_MAX <= FRAME_BYTES_MAX);
const _: () = assert!(
    SHARD_REQUEST_BYTES_MAX >= 2 * FRAME_BYTES_MAX,
    "one frame is handled while another arrives"
);
const _: () = assert!(
    FRAME_BYTES_MAX < 0x2047_4547,
    "'GET ' read as a length must lie above the limit: the sniffer depends on it"
);
const _: () = assert!(LEDGER_GROUP_BYTES_MAX >= 2 * DOCUMENT_BYTES_MAX);
const _: () = assert!(LEDGER_INTAKE_BYTES_MAX >= LEDGER_GROUP_BYTES_MAX);
const _: () = assert!(LEDGER_HANDLE_BATCHES_MAX <= LEDGER_LANE_BATCHES_MAX);
const _: () = assert!(
    COLLECTION_NAME_BYTES_MAX <= 255,
    "the change feed keeps a name's length in one byte"
);
const _: () = assert!(
    READERS_MAX as usize >= 2 * SHARDS_MAX,
    "each shard reads, and so may others"
);
const _: () = assert!(
    OUTBOX_BYTES_MAX >= DOCUMENT_BYTES_MAX,
    "one largest document fits"
);
