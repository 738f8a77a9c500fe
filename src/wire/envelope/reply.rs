//! Envelopes the server sends, written up to their body.

/// What stands before the message name in `data.type_url`.
pub const TYPE_URL_PREFIX: &str = "type.googleapis.com/openiap.";

const REPLY_SUFFIX: &str = "reply";

/// An envelope to send. Empty fields are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outgoing<'a> {
    pub command: &'a str,
    /// Appends `reply` to `command` (contract 2.3).
    pub reply_suffix: bool,
    pub seq: i32,
    pub id: &'a str,
    pub rid: &'a str,
    /// 0–3; only clients send one.
    pub priority: i32,
    /// Token of the message; only clients send one.
    pub jwt: &'a str,
    pub traceid: &'a str,
    pub spanid: &'a str,
    /// Message name without package, such as `QueryResponse`; if empty, no type is named.
    pub type_name: &'a str,
    /// Bytes of `data.value`, which the caller sends right after what is written here.
    pub body_len: usize,
}

impl Outgoing<'_> {
    /// Bytes of the whole envelope, body included: the length a door announces.
    pub fn encoded_len(&self) -> usize {
        self.head_len() + self.body_len
    }

    /// Bytes that [`write_reply`] appends.
    pub fn head_len(&self) -> usize {
        let any_len = self.any_len();
        let int_len = |value: i32| match value {
            0 => 0,
            value => 1 + varint_len(value as i64 as u64),
        };
        let (seq_len, priority_len) = (int_len(self.seq), int_len(self.priority));
        field_len(self.command_len())
            + seq_len
            + field_len(self.id.len())
            + field_len(self.rid.len())
            + priority_len
            + field_len(self.jwt.len())
            + field_len(self.traceid.len())
            + field_len(self.spanid.len())
            + 1
            + varint_len(any_len as u64)
            + any_len
            - self.body_len
    }

    fn command_len(&self) -> usize {
        match self.reply_suffix {
            true => self.command.len() + REPLY_SUFFIX.len(),
            false => self.command.len(),
        }
    }

    fn type_url_len(&self) -> usize {
        match self.type_name {
            "" => 0,
            name => TYPE_URL_PREFIX.len() + name.len(),
        }
    }

    fn any_len(&self) -> usize {
        field_len(self.type_url_len()) + field_len(self.body_len)
    }
}

/// Appends an Envelope up to the first byte of `data.value`; exactly `parts.body_len` bytes
/// must follow on the wire. `data` is always there, even empty, since clients need it
/// (contract 2.9); it comes last, which protobuf leaves free.
pub fn write_reply(out: &mut Vec<u8>, parts: &Outgoing<'_>) {
    let command_len = parts.command_len();
    if command_len > 0 {
        out.push(1 << 3 | 2);
        put_varint(out, command_len as u64);
        out.extend_from_slice(parts.command.as_bytes());
        if parts.reply_suffix {
            out.extend_from_slice(REPLY_SUFFIX.as_bytes());
        }
    }
    put_int(out, 2 << 3, parts.priority);
    put_int(out, 3 << 3, parts.seq);
    put_text(out, 4 << 3 | 2, parts.id);
    put_text(out, 5 << 3 | 2, parts.rid);
    put_text(out, 7 << 3 | 2, parts.jwt);
    put_text(out, 8 << 3 | 2, parts.traceid);
    put_text(out, 9 << 3 | 2, parts.spanid);
    out.push(6 << 3 | 2);
    put_varint(out, parts.any_len() as u64);
    if !parts.type_name.is_empty() {
        out.push(1 << 3 | 2);
        put_varint(out, parts.type_url_len() as u64);
        out.extend_from_slice(TYPE_URL_PREFIX.as_bytes());
        out.extend_from_slice(parts.type_name.as_bytes());
    }
    if parts.body_len > 0 {
        out.push(2 << 3 | 2);
        put_varint(out, parts.body_len as u64);
    }
}

#[inline]
fn put_int(out: &mut Vec<u8>, key: u8, value: i32) {
    if value != 0 {
        out.push(key);
        put_varint(out, value as i64 as u64);
    }
}

#[inline]
fn put_text(out: &mut Vec<u8>, key: u8, text: &str) {
    if !text.is_empty() {
        out.push(key);
        put_varint(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
}

#[inline]
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Key, length and content of a length-delimited field; nothing if it is empty.
#[inline]
fn field_len(content: usize) -> usize {
    match content {
        0 => 0,
        _ => 1 + varint_len(content as u64) + content,
    }
}

#[inline]
fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}
