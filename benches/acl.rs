//! What a rights check costs: one document with 8 entries, a caller with 20 roles, and
//! the same with 20,000.

use std::hint::black_box;
use std::rc::Rc;

use bson::RawDocumentBuf;
use bson::raw::cstr;
use criterion::{Criterion, criterion_group, criterion_main};
use opencore::auth::ace::{Ace, Right, to_array};
use opencore::auth::acl::{authorize, guard};
use opencore::auth::identity::{Identity, Profile, RoleName};

fn id(number: usize) -> String {
    format!("{number:024x}")
}

fn caller(roles: usize) -> Rc<Identity> {
    let role = |number: usize| RoleName {
        id: id(1_000 + number),
        name: format!("role {number}"),
    };
    let roles = (0..roles).map(role).collect();
    Rc::new(Identity::new(&id(1), Profile::default(), roles, 1))
}

/// 8 entries, of which only the last is for the caller.
fn document() -> RawDocumentBuf {
    let mut aces: Vec<Ace> = (0..7)
        .map(|n| Ace::allow(&id(100 + n), "somebody", 65_535))
        .collect();
    aces.push(Ace::allow(&id(1_010), "role 10", 2));
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("_id"), id(5));
    document.append(cstr!("name"), "a document of ordinary size");
    document.append(cstr!("_type"), "test");
    document.append(cstr!("_acl"), to_array(&aces));
    document
}

fn checks(criterion: &mut Criterion) {
    let document = document();
    for roles in [20, 20_000] {
        let caller = caller(roles);
        let guard = guard(&caller, "entities", Right::Read).expect("no admin");
        let name = format!("guard, 8 entries, {roles} roles");
        criterion.bench_function(&name, |bench| {
            bench.iter(|| assert!((guard.admits)(black_box(&document))));
        });
        let name = format!("object check, 8 entries, {roles} roles");
        criterion.bench_function(&name, |bench| {
            bench.iter(|| assert!(authorize(&caller, black_box(&document), Right::Read)));
        });
    }
}

criterion_group!(benches, checks);
criterion_main!(benches);
