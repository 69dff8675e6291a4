//! The parts that a login is made of, one at a time: `cargo bench -p otpd-bench`.

use std::hint::black_box;

use criterion::BatchSize;
use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use otpd::keys::Keys;
use otpd::keys::MasterKey;
use otpd::keys::new_device_key;
use otpd::registry::Sqlite;
use otpd_core::account::Account;
use otpd_core::account::AccountId;
use otpd_core::account::NewDevice;
use otpd_core::check::Opener;
use otpd_core::check::check;
use otpd_core::code::Code;
use otpd_core::device::DeviceId;
use otpd_core::key::Key;
use otpd_core::name::AccountName;
use otpd_core::name::DeviceName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::registry::Registry;
use otpd_core::throttle::Lane;
use otpd_core::time::UnixTime;
use otpd_core::totp::Generator;
use otpd_core::totp::Parameters;
use otpd_proto::frame::Inbox;
use otpd_proto::login;
use otpd_proto::message::encode_call;
use serde_json::json;

const NOW: UnixTime = UnixTime(1_800_000_000);

fn keys() -> (Keys, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let master = MasterKey::create(&directory.path().join("key")).expect("a key");
    (master.new_data_key().expect("a data key").1, directory)
}

fn alice() -> Identity {
    Identity { uid: Uid::new(1000).expect("a uid"), name: AccountName::new("alice").expect("a name") }
}

/// Binds so many devices and returns the key of the last one.
fn bind(account: &mut Account, keys: &Keys, devices: u32) -> Key {
    let mut last = new_device_key().expect("a key");
    for number in 0..devices {
        last = new_device_key().expect("a key");
        let device = NewDevice {
            name: DeviceName::new(&format!("phone {number}")).expect("a name"),
            key: keys.seal(account.id, DeviceId(account.next_device), &last).expect("sealed"),
            parameters: Parameters::default(),
            counter: None,
            replaces: None,
            by: "root".into(),
            from: "bench".into(),
        };
        let id = account.begin(device, NOW).expect("room");
        account.activate(id, NOW, "root");
    }
    last
}

fn code(key: &Key, now: UnixTime) -> Code {
    let generator = Generator::new(key, Parameters::default()).expect("a key of ours");
    Code::parse(&generator.code_at(now.step(30))).expect("a code")
}

fn checks(criterion: &mut Criterion) {
    let (keys, _directory) = keys();
    for devices in [1, 10] {
        let mut account = Account::new(AccountId(1), alice());
        let right = code(&bind(&mut account, &keys, devices), NOW);
        let wrong = code(&new_device_key().expect("a key"), NOW);
        for (what, code) in [("right", right), ("wrong", wrong)] {
            criterion.bench_function(&format!("check, {devices} devices, {what} code"), |bencher| {
                let fresh = || account.clone();
                let run = |mut account: Account| check(&mut account, &code, Lane::Local, NOW, &keys);
                bencher.iter_batched(fresh, run, BatchSize::SmallInput);
            });
        }
    }
}

fn seals(criterion: &mut Criterion) {
    let (keys, _directory) = keys();
    let key = new_device_key().expect("a key");
    criterion.bench_function("seal a key", |bencher| {
        bencher.iter(|| keys.seal(AccountId(1), DeviceId(1), black_box(&key)));
    });
    let mut account = Account::new(AccountId(1), alice());
    bind(&mut account, &keys, 1);
    let device = account.devices.first().expect("bound");
    criterion.bench_function("open a key", |bencher| bencher.iter(|| keys.open(&account, black_box(device))));
}

fn changes(criterion: &mut Criterion) {
    let (keys, directory) = keys();
    let registry = Sqlite::open(&directory.path().join("registry.db")).expect("a registry");
    let registry = registry.start(keys.log(), Box::new(|_| {})).expect("a registry");
    let keys = std::sync::Arc::new(keys);
    let theirs = std::sync::Arc::clone(&keys);
    registry.change_or_create(&alice(), move |account, _| drop(bind(account, &theirs, 1))).expect("bound");
    criterion.bench_function("find an account", |bencher| bencher.iter(|| registry.find(&alice())));
    let mut drift = 0;
    criterion.bench_function("change an account, durably", |bencher| {
        bencher.iter(|| {
            drift += 1;
            registry.change(&alice(), move |account, _| {
                account.devices.iter_mut().for_each(|device| device.drift = drift % 2);
            })
        });
    });
}

fn frames(criterion: &mut Criterion) {
    let parameters =
        json!({"login": {"user": "alice", "service": "sshd", "rhost": "192.0.2.1"}, "answer": "123456"});
    criterion.bench_function("encode a call", |bencher| {
        bencher.iter(|| encode_call(login::ANSWER, black_box(&parameters)));
    });
    let message = encode_call(login::ANSWER, &parameters).expect("a message");
    criterion.bench_function("cut a message out of what came", |bencher| {
        bencher.iter(|| {
            let mut inbox = Inbox::default();
            inbox.push(black_box(&message)).expect("short");
            inbox.take()
        });
    });
}

criterion_group!(inner, checks, seals, changes, frames);
criterion_main!(inner);
