use super::*;
use crate::keys::MasterKey;

/// A backup of `secret`, sealed with a new key.
fn sealed(secret: &[u8]) -> (Keys, Vec<u8>) {
    let (wrapped, keys) = MasterKey::random().unwrap().new_data_key().unwrap();
    let header = Header::new(Wrapping::MasterKey, UnixTime(1_800_000_000)).unwrap();
    let header = Header { wrapped, ..header };
    let mut file = Vec::new();
    header.seal(&keys, &mut &*secret, &mut file).unwrap();
    (keys, file)
}

fn opened(keys: &Keys, mut file: &[u8]) -> Result<Vec<u8>, BackupError> {
    let mut secret = Vec::new();
    Header::read(&mut file)?.open(keys, &mut file, &mut secret)?;
    Ok(secret)
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn what_was_sealed_comes_back_whatever_its_length() {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
        let (keys, file) = sealed(&text(length));
        assert!(opened(&keys, &file).unwrap() == text(length), "{length}");
    }
}

#[test]
fn a_file_that_was_cut_off_or_lengthened_anywhere_is_refused() {
    let (keys, file) = sealed(&text(2 * CHUNK));
    let boundary = HEADER + CHUNK + TAG;
    let cuts = (0..300).chain((300..file.len()).step_by(4999)).chain(boundary - 2..boundary + 2);
    for cut in cuts.chain(file.len() - 20..file.len()) {
        assert!(opened(&keys, &file[..cut]).is_err(), "{cut}");
    }
    for more in [1, TAG, CHUNK + TAG] {
        assert!(opened(&keys, &[file.as_slice(), &vec![0; more]].concat()).is_err(), "{more}");
    }
    assert!(opened(&keys, &[&file[..], &file[HEADER..]].concat()).is_err(), "twice");
}

#[test]
fn any_altered_bit_is_found() {
    let (keys, file) = sealed(&text(1000));
    for bit in 0..file.len() * 8 {
        let mut altered = file.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(opened(&keys, &altered).is_err(), "{bit}");
    }
}

#[test]
fn chunks_of_one_or_two_backups_cannot_be_put_together_anew() {
    let (keys, file) = sealed(&text(2 * CHUNK));
    let (header, chunks) = file.split_at(HEADER);
    let (first, second) = chunks.split_at(CHUNK + TAG);
    for forged in
        [[header, second, first].concat(), [header, first, first].concat(), [header, first].concat()]
    {
        assert!(opened(&keys, &forged).is_err());
    }
    let (_, other) = sealed(&text(2 * CHUNK));
    assert!(opened(&keys, &[&other[..HEADER], chunks].concat()).is_err());
}

#[test]
fn another_file_and_another_version_are_told_apart() {
    let (keys, file) = sealed(b"x");
    assert!(matches!(opened(&keys, b"SQLite format 3\0"), Err(BackupError::NotABackup)));
    assert!(matches!(opened(&keys, b""), Err(BackupError::NotABackup)));
    let newer = [b"otpd backup 2\n", &file[MAGIC.len()..]].concat();
    assert!(matches!(opened(&keys, &newer), Err(BackupError::Newer)));
    let (others, _) = sealed(b"x");
    assert!(matches!(opened(&others, &file), Err(BackupError::Altered)));
}
