use super::*;
use std::os::unix::fs::PermissionsExt;

fn master() -> MasterKey {
    MasterKey(Zeroizing::new([7; KEY]))
}

fn opens(keys: &Keys, account: i64, device: u32, sealed: &SealedKey) -> bool {
    open(&keys.devices, &device_label(AccountId(account), DeviceId(device)), &sealed.0).is_ok()
}

#[test]
fn a_sealed_key_opens_in_its_own_row_only() {
    let (_, keys) = master().new_data_key().unwrap();
    let key = new_device_key().unwrap();
    let sealed = keys.seal(AccountId(1), DeviceId(2), &key).unwrap();
    assert!(opens(&keys, 1, 2, &sealed));
    assert!(!opens(&keys, 2, 2, &sealed) && !opens(&keys, 1, 1, &sealed));
}

#[test]
fn any_altered_byte_is_found() {
    let (_, keys) = master().new_data_key().unwrap();
    let sealed = keys.seal(AccountId(1), DeviceId(2), &new_device_key().unwrap()).unwrap();
    for index in 0..sealed.0.len() {
        let mut altered = sealed.clone();
        altered.0[index] ^= 1;
        assert!(!opens(&keys, 1, 2, &altered), "{index}");
    }
    for length in [0, 1, 24, 25, sealed.0.len() - 1] {
        assert!(!opens(&keys, 1, 2, &SealedKey(sealed.0[..length].to_vec())), "{length}");
    }
}

#[test]
fn a_recovery_code_has_another_mark_for_each_account_and_each_registry() {
    let (_, keys) = master().new_data_key().unwrap();
    let (_, other) = master().new_data_key().unwrap();
    let codes = new_recovery_codes().unwrap();
    assert_eq!(codes.len(), 10);
    let marks: Vec<Mark> = codes.iter().map(|code| keys.mark(AccountId(1), code.expose_symbols())).collect();
    assert!((0..10).all(|index| !marks[..index].contains(&marks[index])));
    assert_eq!(keys.mark(AccountId(1), codes[0].expose_symbols()), marks[0]);
    assert_ne!(keys.mark(AccountId(2), codes[0].expose_symbols()), marks[0]);
    assert_ne!(other.mark(AccountId(1), codes[0].expose_symbols()), marks[0]);
}

#[test]
fn only_the_right_master_key_unwraps() {
    let (wrapped, keys) = master().new_data_key().unwrap();
    let sealed = keys.seal(AccountId(1), DeviceId(1), &new_device_key().unwrap()).unwrap();
    assert!(opens(&master().open_data_key(&wrapped).unwrap(), 1, 1, &sealed));
    assert!(MasterKey(Zeroizing::new([8; KEY])).open_data_key(&wrapped).is_err());
}

#[test]
fn a_key_file_is_made_once_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let made = MasterKey::create(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o400);
    assert_eq!(*MasterKey::read(&path).unwrap().0, *made.0);
    assert!(matches!(MasterKey::create(&path), Err(KeyError::File { .. })));
}

#[test]
fn a_loose_short_or_linked_key_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    MasterKey::create(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o440)).unwrap();
    assert!(MasterKey::read(&path).err().unwrap().to_string().contains("chmod 0400"));
    std::fs::write(directory.path().join("short"), [0; 31]).unwrap();
    std::fs::set_permissions(directory.path().join("short"), std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(matches!(MasterKey::read(&directory.path().join("short")), Err(KeyError::NotAKey { .. })));
    std::os::unix::fs::symlink(&path, directory.path().join("link")).unwrap();
    assert!(matches!(MasterKey::read(&directory.path().join("link")), Err(KeyError::File { .. })));
    assert!(matches!(MasterKey::read(directory.path()), Err(KeyError::NotAKey { .. })));
    assert!(matches!(MasterKey::read_credential(&directory.path().join("link")), Err(KeyError::File { .. })));
}
