use bson::{Document, doc, rawdoc};
use proptest::prelude::*;

use super::*;
use crate::auth::ace::FULL_CONTROL;
use crate::auth::identity::{Profile, RoleName};

fn user(id: &str, roles: &[&str]) -> Rc<Identity> {
    let role = |id: &&str| RoleName {
        id: id.to_string(),
        name: id.to_string(),
    };
    let roles = roles.iter().map(role).collect();
    Rc::new(Identity::new(id, Profile::default(), roles, 1))
}

fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap()
}

fn admits(identity: &Rc<Identity>, document: &RawDocument, right: Right) -> bool {
    guard(identity, "entities", right).is_none_or(|guard| (guard.admits)(document))
}

#[test]
fn root_and_admins_have_no_guard() {
    let document = rawdoc! { "_acl": [] };
    for identity in [user(wellknown::ROOT, &[]), user("a", &[wellknown::ADMINS])] {
        assert!(guard(&identity, "oauthtokens", Right::Read).is_none());
        assert!(authorize(&identity, &document, Right::Delete));
    }
}

#[test]
fn a_document_without_acl_is_hidden_but_not_protected() {
    let (bob, document) = (user("bob", &[]), rawdoc! { "name": "x" });
    assert!(!admits(&bob, &document, Right::Read));
    assert!(authorize(&bob, &document, Right::Update));
}

#[test]
fn one_entry_must_hold_both_id_and_right() {
    let split = rawdoc! { "_acl": [{ "_id": "bob", "rights": 2 }, { "_id": "ann", "rights": 4 }] };
    let bob = user("bob", &[]);
    assert!(admits(&bob, &split, Right::Read) && authorize(&bob, &split, Right::Read));
    assert!(!admits(&bob, &split, Right::Update) && !authorize(&bob, &split, Right::Update));
}

#[test]
fn a_role_grants_and_a_denial_takes_away() {
    let bob = user("bob", &["robots"]);
    let granted = rawdoc! { "_acl": [{ "_id": "robots", "rights": FULL_CONTROL as i32 }] };
    assert!(admits(&bob, &granted, Right::Delete) && authorize(&bob, &granted, Right::Delete));
    let denied = rawdoc! { "_acl": [
        { "_id": "robots", "rights": FULL_CONTROL as i32 },
        { "_id": "bob", "rights": 8, "deny": true },
    ] };
    assert!(!admits(&bob, &denied, Right::Delete) && !authorize(&bob, &denied, Right::Delete));
    assert!(admits(&bob, &denied, Right::Read) && authorize(&bob, &denied, Right::Read));
}

#[test]
fn the_first_entry_of_an_id_speaks_for_it_in_the_object_check() {
    let twice = rawdoc! { "_acl": [{ "_id": "bob", "rights": 2 }, { "_id": "bob", "rights": 4 }] };
    assert!(!authorize(&user("bob", &[]), &twice, Right::Update));
    assert!(authorize(&user("bob", &[]), &twice, Right::Read));
}

#[test]
fn ones_own_user_may_be_changed_but_not_deleted() {
    let own = rawdoc! { "_id": "bob", "_type": "user", "name": "Bob", "_acl": [] };
    let bob = user("bob", &[]);
    assert!(authorize(&bob, &own, Right::Update) && !authorize(&bob, &own, Right::Delete));
    assert!(!authorize(&user("ann", &[]), &own, Right::Update));
}

#[test]
fn reserved_names_are_kept_from_everyone_but_root() {
    let impostor = rawdoc! { "_id": "x", "_type": "user", "name": "Bob", "username": "root" };
    assert!(!authorize(
        &user("a", &[wellknown::ADMINS]),
        &impostor,
        Right::Create
    ));
    assert!(authorize(
        &user(wellknown::ROOT, &[]),
        &impostor,
        Right::Create
    ));
    assert!(!keeps_reserved_names(&impostor));
}

#[test]
fn guests_never_see_audit_and_only_admins_see_oauthtokens() {
    let open = rawdoc! { "_acl": [{ "_id": wellknown::GUEST, "rights": 2 }, { "_id": "bob", "rights": 2 }] };
    let sees = |identity: &Rc<Identity>, collection: &str| {
        guard(identity, collection, Right::Read).is_none_or(|guard| (guard.admits)(&open))
    };
    let (guest, bob) = (user(wellknown::GUEST, &[]), user("bob", &[]));
    assert!(sees(&guest, "entities") && !sees(&guest, "audit"));
    assert!(sees(&bob, "audit") && !sees(&bob, "oauthtokens"));
}

#[test]
fn files_keep_their_acl_in_metadata() {
    let file = rawdoc! { "metadata": { "_acl": [{ "_id": "bob", "rights": 2 }] } };
    let bob = guard(&user("bob", &[]), "fs.files", Right::Read).unwrap();
    assert!((bob.admits)(&file));
    let ann = guard(&user("ann", &[]), "fs.files", Right::Read).unwrap();
    assert!(!(ann.admits)(&file));
}

#[test]
fn two_guards_admit_what_both_admit() {
    let shared = rawdoc! { "_acl": [{ "_id": "a", "rights": 2 }, { "_id": "b", "rights": 2 }] };
    let own = rawdoc! { "_acl": [{ "_id": "a", "rights": 2 }] };
    let of = |id| guard(&user(id, &[]), "x", Right::Read);
    let guard = both(of("a"), of("b")).unwrap();
    assert!((guard.admits)(&shared) && !(guard.admits)(&own));
    assert!(both(None, None).is_none() && both(None, of("a")).is_some());
}

/// The contract's sentence as code that shares nothing with the guard.
fn naive(ids: &[String], right: Right, aces: &[(String, i32, bool)]) -> bool {
    let speaks = |(id, rights, _): &&(String, i32, bool)| {
        ids.contains(id) && (*rights as u32) & right.mask() == right.mask()
    };
    let speaking: Vec<_> = aces.iter().filter(speaks).collect();
    !speaking.is_empty() && speaking.iter().all(|(_, _, deny)| !deny)
}

proptest! {
    #[test]
    fn the_guard_agrees_with_a_naive_check_and_with_its_own_filter(
        ids in proptest::collection::vec("[a-f]", 1..4),
        aces in proptest::collection::vec(("[a-h]", 0..32_i32, proptest::bool::weighted(0.1)), 0..8),
        right in proptest::sample::select(&Right::ALL[..]),
    ) {
        let roles: Vec<&str> = ids[1..].iter().map(String::as_str).collect();
        let identity = user(&ids[0], &roles);
        let entries: Vec<Document> = aces
            .iter()
            .map(|(id, rights, deny)| doc! { "_id": id, "name": "", "rights": rights, "deny": deny })
            .collect();
        let document = raw(&doc! { "_acl": entries });
        let guard = guard(&identity, "entities", right).unwrap();
        let expected = naive(&ids, right, &aces);
        prop_assert_eq!((guard.admits)(&document), expected);
        let filter = crate::document::filter::Filter::parse(&guard.filter).unwrap();
        prop_assert_eq!(filter.matches(&document), expected);
    }
}
