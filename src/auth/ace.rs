//! One access control entry, as stored and returned (contract 4.2):
//! `{"_id": user or role, "name", "rights": number, "deny"?: true}`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bson::raw::{RawArray, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};

/// What one may do with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    Create,
    Read,
    Update,
    Delete,
    Invoke,
}

impl Right {
    pub const ALL: [Right; 5] = [
        Right::Create,
        Right::Read,
        Right::Update,
        Right::Delete,
        Right::Invoke,
    ];

    /// Its bit in `rights`.
    pub const fn mask(self) -> u32 {
        match self {
            Right::Create => 1,
            Right::Read => 2,
            Right::Update => 4,
            Right::Delete => 8,
            Right::Invoke => 16,
        }
    }
}

/// Every right; stored for `-1`.
pub const FULL_CONTROL: u32 = 65_535;

/// An entry, read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AceRef<'a> {
    pub id: &'a str,
    pub name: &'a str,
    /// Bits of [`Right::mask`].
    pub rights: u32,
    pub deny: bool,
}

/// An entry to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ace {
    pub id: String,
    pub name: String,
    pub rights: u32,
    pub deny: bool,
}

impl Ace {
    pub fn allow(id: &str, name: &str, rights: u32) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            rights,
            deny: false,
        }
    }
}

impl<'a> AceRef<'a> {
    /// `None` for what is no entry: no document, or without a text `_id`.
    pub fn read(value: RawBsonRef<'a>) -> Option<Self> {
        let mut ace = AceRef {
            id: "",
            name: "",
            rights: 0,
            deny: false,
        };
        // One pass: looking every field up by name would walk the entry four times.
        for element in value.as_document()?.iter_elements() {
            let element = element.ok()?;
            match element.key().as_str() {
                "_id" => ace.id = element.value().ok()?.as_str()?,
                "name" => ace.name = element.value().ok()?.as_str().unwrap_or_default(),
                "rights" => ace.rights = rights(element.value().ok()?),
                "deny" => ace.deny = element.value().ok()?.as_bool().unwrap_or(false),
                _ => {}
            }
        }
        (!ace.id.is_empty()).then_some(ace)
    }

    pub fn to_owned(self) -> Ace {
        Ace {
            id: self.id.into(),
            name: self.name.into(),
            rights: self.rights,
            deny: self.deny,
        }
    }
}

/// `rights` in any of its forms: a number of any type, or the legacy base64 text of a
/// bit array, in which bit n-1 is right n. What is neither gives no right.
fn rights(value: RawBsonRef<'_>) -> u32 {
    let number = match value {
        RawBsonRef::Int32(number) => i64::from(number),
        RawBsonRef::Int64(number) => number,
        // A cast saturates; NaN is 0.
        RawBsonRef::Double(number) => number as i64,
        RawBsonRef::String(text) => return legacy(text),
        _ => 0,
    };
    (number & i64::from(FULL_CONTROL)) as u32
}

fn legacy(text: &str) -> u32 {
    let Ok(bits) = STANDARD.decode(text) else {
        return 0;
    };
    let byte = |index: usize| u32::from(bits.get(index).copied().unwrap_or(0));
    byte(0) | byte(1) << 8
}

/// The entries of an `_acl`; what is no entry is passed over.
pub fn entries(acl: &RawArray) -> impl Iterator<Item = AceRef<'_>> {
    acl.iter_elements()
        .map_while(Result::ok)
        .filter_map(|element| AceRef::read(element.value().ok()?))
}

/// `_acl` of a document, if it is an array.
pub fn acl_of(document: &RawDocument) -> Option<&RawArray> {
    document.get("_acl").ok()??.as_array()
}

/// Entries as they are stored.
pub fn to_array(aces: &[Ace]) -> RawArrayBuf {
    let mut array = RawArrayBuf::new();
    for ace in aces {
        let mut entry = RawDocumentBuf::new();
        entry.append(cstr!("_id"), ace.id.as_str());
        entry.append(cstr!("name"), ace.name.as_str());
        entry.append(cstr!("rights"), ace.rights as i32);
        if ace.deny {
            entry.append(cstr!("deny"), true);
        }
        array.push(entry);
    }
    array
}

#[cfg(test)]
mod tests {
    use bson::{Bson, doc, rawdoc};

    use super::*;

    fn rights_of(value: impl Into<Bson>) -> u32 {
        let ace = RawDocumentBuf::try_from(&doc! { "_id": "a", "rights": value.into() }).unwrap();
        AceRef::read(RawBsonRef::Document(&ace)).unwrap().rights
    }

    #[test]
    fn rights_come_in_many_forms() {
        assert_eq!(rights_of(6), 6);
        assert_eq!(rights_of(6_i64), 6);
        assert_eq!(rights_of(6.0), 6);
        assert_eq!(rights_of(-1), FULL_CONTROL);
        assert_eq!(rights_of(f64::NAN), 0);
        assert_eq!(rights_of(true), 0);
        assert_eq!(rights_of("/".repeat(166) + "8="), FULL_CONTROL);
        assert_eq!(rights_of(STANDARD.encode([0b10, 0])), Right::Read.mask());
        assert_eq!(rights_of("%"), 0);
    }

    #[test]
    fn an_entry_survives_its_array() {
        let aces = [
            Ace {
                id: "a".into(),
                name: "A".into(),
                rights: 6,
                deny: true,
            },
            Ace::allow("b", "B", FULL_CONTROL),
        ];
        let array = to_array(&aces);
        let read: Vec<Ace> = entries(&array).map(AceRef::to_owned).collect();
        assert_eq!(read, aces);
    }

    #[test]
    fn what_is_no_entry_gives_no_right() {
        let document =
            rawdoc! { "_acl": [1, {}, { "_id": 5, "rights": 2 }, { "_id": "a", "rights": 2 }] };
        let ids: Vec<&str> = entries(acl_of(&document).unwrap())
            .map(|ace| ace.id)
            .collect();
        assert_eq!(ids, ["a"]);
    }
}
