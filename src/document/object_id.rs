//! `_id` texts: 24 hexadecimal digits of an ObjectId (contract 15, quirk 12).

use bson::oid::ObjectId;

/// A fresh `_id`: 4 bytes of time, 5 of chance, 3 of a counter, as MongoDB's own.
///
/// `random` is drawn once per process, `counter` grows by one per id; only their low
/// 40 and 24 bits are used, so ids of one process sort by age.
pub fn fresh(unix_seconds: u32, random: u64, counter: u32) -> String {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&unix_seconds.to_be_bytes());
    bytes[4..9].copy_from_slice(&random.to_be_bytes()[3..]);
    bytes[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
    ObjectId::from_bytes(bytes).to_hex()
}

/// Whether `text` is what [`fresh`] makes; upper case digits count too.
pub fn is_hex24(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The ObjectId that `text` may stand for in a query on `_id` (contract 3.4):
/// 24 hexadecimal digits, or any 12 bytes.
pub fn from_query_text(text: &str) -> Option<ObjectId> {
    if is_hex24(text) {
        return ObjectId::parse_str(text).ok();
    }
    let bytes: [u8; 12] = text.as_bytes().try_into().ok()?;
    Some(ObjectId::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_id_lays_out_time_chance_and_counter() {
        assert_eq!(
            fresh(0x0102_0304, 0xffff_ff05_0607_0809, 0xff0a_0b0c),
            "010203040506070809".to_owned() + "0a0b0c"
        );
        assert_eq!(fresh(1, 0xaa_bbcc_ddee, 2), "00000001aabbccddee000002");
        assert!(is_hex24(&fresh(u32::MAX, u64::MAX, u32::MAX)));
    }

    #[test]
    fn only_24_digits_are_hex24() {
        assert!(is_hex24("5f0000000000000000000aBC"));
        assert!(!is_hex24("5f0000000000000000000abg"));
        assert!(!is_hex24("5f"));
        assert!(!is_hex24(""));
    }

    #[test]
    fn query_text_is_read_as_id_by_length() {
        assert_eq!(
            from_query_text("00000001aabbccddee000002").map(|id| id.to_hex()),
            Some("00000001aabbccddee000002".into())
        );
        assert_eq!(
            from_query_text("twelve bytes").map(|id| id.bytes()),
            Some(*b"twelve bytes")
        );
        assert_eq!(from_query_text("eleven byte"), None);
    }
}
