use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::command::testing::{World, settings};
use crate::seam::testing::{TestClock, TestSeam};
use crate::store::embedded::{EmbeddedStore, OpenOptions};

#[test]
fn the_first_start_makes_a_password_and_the_second_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let time = TestClock::new(3);
    let options = OpenOptions {
        map_bytes_max: 1 << 26,
        clock: time.clone(),
    };
    let store = EmbeddedStore::open(folder.path(), options).unwrap();
    let seam = TestSeam::with_clock(time);
    let handle = store.handle(seam.clone());
    let settings = settings(&[]);
    let start = || {
        seam.block_on(prepare(&handle, &*seam, &settings, Cost(4)))
            .unwrap()
    };
    let password = start().expect("a generated password is shown");
    assert_eq!(password.len(), PASSWORD_CHARACTERS);
    assert_eq!(start(), None);
    let everyone = crate::document::filter::Filter::everything();
    let find = crate::store::Find::new("users", std::rc::Rc::new(everyone));
    let count = seam.block_on(handle.count(find)).unwrap();
    let at_start = wellknown::TABLE
        .iter()
        .filter(|row| row.created == Created::AtStart);
    assert_eq!(count as usize, at_start.count());
    store.close();
}

#[test]
fn root_is_an_admin_and_users_may_store_files() {
    let world = World::new();
    let root = world.root().identity.unwrap();
    let names: Vec<&str> = root.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["admins", "filestore users", "users"]);
}

#[test]
fn a_secret_is_made_once_and_kept_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let clock = TestClock::new(1);
    let first = secret(&data, &settings(&[]), &*clock).unwrap();
    assert_eq!(first.len(), 64);
    assert_eq!(secret(&data, &settings(&[]), &*clock).unwrap(), first);
    let file = data.join(SECRET_FILE);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let given = "g".repeat(40);
    assert_eq!(
        secret(&data, &settings(&[("aes_secret", &given)]), &*clock).unwrap(),
        given
    );
    fs::write(&file, "short").unwrap();
    let error = secret(&data, &settings(&[]), &*clock).unwrap_err();
    assert!(error.context.contains("secret") && error.code == Code::Corrupt);
}
