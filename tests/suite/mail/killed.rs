//! otpd and otpd-mail are killed again and again while people recover.

use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use otpd_proto::client::Client;
use otpd_tests::SmtpServer;
use otpd_tests::Testbed;
use otpd_tests::mailed_code;
use serde_json::Value;
use serde_json::json;

use super::confirm_emails;

/// What everybody knows of: where otpd answers, how often it was asked, and whether all is over.
struct Scene<'a> {
    runtime: &'a Path,
    calls: AtomicU32,
    over: AtomicBool,
}

impl Scene<'_> {
    /// Gives an answer at a login; `None` if otpd did not live to say what came of it.
    fn answer(&self, user: &str, answer: &str) -> Option<Value> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let login = json!({"user": user, "service": "login", "tty": "tty1"});
        let parameters = json!({"login": login, "answer": answer});
        let socket = self.runtime.join(otpd_proto::LOGIN_SOCKET);
        let mut client = Client::connect(&socket, Duration::from_secs(20)).ok()?;
        let reply: Value = client.call("org.otpd.Login.Answer", &parameters).ok()?;
        Some(reply["step"].clone())
    }

    /// Asks for a code until one is promised. `false`: three were mailed, and whoever promised them was killed over it.
    fn is_promised(&self, user: &str) -> bool {
        loop {
            let step = self.answer(user, "mail");
            let said = step.as_ref().and_then(|step| step["prompt"].as_str()).unwrap_or_default();
            if said.contains("A code is on its way") || said.contains("a code comes to") {
                return true;
            }
            if said.contains("Several codes were mailed") {
                return false;
            }
            std::thread::yield_now();
        }
    }
}

#[test]
fn of_two_hundred_recoveries_none_works_twice_and_no_promised_mail_is_lost() {
    let users: Vec<String> = (0..USERS).map(|number| format!("user{number}")).collect();
    let mut bed = Testbed::new();
    let server = SmtpServer::start("plain");
    let port = server.port();
    bed.start_mail(port, "");
    for user in &users {
        bed.user(user);
    }
    confirm_emails(&bed, &server, &users);
    for user in &users {
        bed.bind(user, "phone");
        server.mail();
    }
    let runtime = bed.runtime();
    let scene = Scene { runtime: &runtime, calls: AtomicU32::new(0), over: AtomicBool::new(false) };
    let promised = Mutex::new(HashSet::new());
    let (kills, accepted) = std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill_again_and_again(&mut bed, port, &scene));
        let parts: Vec<_> = users.chunks(USERS / 4).collect();
        let askers: Vec<_> = parts
            .into_iter()
            .map(|part| {
                scope.spawn(|| {
                    let promises = part.iter().filter(|user| scene.is_promised(user)).cloned();
                    let promises: Vec<String> = promises.collect();
                    promised.lock().unwrap().extend(promises);
                })
            })
            .collect();
        askers.into_iter().for_each(|asker| asker.join().unwrap());
        let accepted = recover(&scene, &server, &promised.lock().unwrap());
        scene.over.store(true, Ordering::SeqCst);
        (killer.join().unwrap(), accepted)
    });
    assert!(kills >= 20, "{kills} kills");
    assert!(promised.lock().unwrap().len() >= USERS * 9 / 10, "{} promises", promised.lock().unwrap().len());
    assert!(accepted.values().all(|times| *times <= 1), "{accepted:?}");
    // An otpd that had taken a code may have been killed before it said so.
    let let_in = accepted.values().filter(|times| **times == 1).count();
    assert!(let_in >= USERS * 3 / 4, "{let_in} let in");
}

/// Reads mails until everybody has theirs to whom one was promised, and gives each code again and again.
fn recover(scene: &Scene<'_>, server: &SmtpServer, promised: &HashSet<String>) -> HashMap<String, u32> {
    let (mut mailed, mut accepted) = (HashSet::new(), HashMap::new());
    while promised.iter().any(|user| !mailed.contains(user)) {
        let mail = server.mail();
        if !mail["content"].as_str().unwrap().contains("Your login code") {
            continue;
        }
        let user = mail["to"][0].as_str().unwrap().split('@').next().unwrap().to_owned();
        let code = mailed_code(&mail);
        let mut heard = 0;
        while heard < 3 {
            let Some(step) = scene.answer(&user, &code) else {
                std::thread::yield_now();
                continue;
            };
            heard += 1;
            *accepted.entry(code.clone()).or_insert(0) += u32::from(step["next"] == "accept");
        }
        mailed.insert(user);
    }
    accepted
}

/// Kills one or the other after a few more calls, so that it is always in the middle of something.
fn kill_again_and_again(bed: &mut Testbed, port: u16, scene: &Scene<'_>) -> u32 {
    let mut chance = 1_u32;
    for kills in 0.. {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let next = scene.calls.load(Ordering::SeqCst) + chance % 20;
        while scene.calls.load(Ordering::SeqCst) < next {
            if scene.over.load(Ordering::SeqCst) {
                return kills;
            }
            std::thread::yield_now();
        }
        if chance.is_multiple_of(2) {
            bed.take_daemon().kill();
            bed.start();
        } else {
            bed.take_mailer().kill();
            bed.start_mail(port, "");
        }
    }
    0
}

const USERS: usize = 200;
