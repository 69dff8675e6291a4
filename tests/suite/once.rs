//! Each code works once: for callers that come at the same instant, for older codes after newer ones, and across
//! `kill -9` of the daemon at any moment.

use otpd_tests::Caller;
use otpd_tests::Testbed;
use otpd_tests::Token;
use otpd_tests::pam;

/// A user with ten phones, each of them used once. (Bound with the code before the present one, and used with a code that
/// a step's end made late, a phone counts as slow from then on; its next code would be ahead of the window.)
struct User {
    name: String,
    phones: Vec<Token>,
}

impl User {
    fn make(bed: &mut Testbed, name: &str) -> Self {
        bed.user(name);
        let phones = (0..10).map(|number| bed.bind(name, &format!("phone {number}"))).collect();
        Self { name: name.to_owned(), phones }
    }

    /// The code of a phone.
    fn code(&self, phone: usize) -> String {
        self.phones[phone].code(0)
    }
}

fn caller(bed: &Testbed) -> Caller {
    Caller::start(bed, env!("CARGO_BIN_EXE_pam_login"), "once")
}

fn bed() -> Testbed {
    let bed = Testbed::new();
    bed.stack("once", "auth required @otp\n");
    bed
}

#[test]
fn of_eight_processes_with_one_code_one_gets_in_a_thousand_times_over() {
    let mut bed = bed();
    let users: Vec<User> = (0..100).map(|number| User::make(&mut bed, &format!("user{number}"))).collect();
    let mut callers: Vec<Caller> = (0..8).map(|_| caller(&bed)).collect();
    for round in 0..1000 {
        let user = &users[round / 10];
        let code = user.code(round % 10);
        callers.iter_mut().for_each(|caller| caller.give(&user.name, &code));
        let mut verdicts: Vec<i32> = callers.iter_mut().map(Caller::verdict).collect();
        verdicts.sort_unstable();
        let expected = [pam::SUCCESS, 7, 7, 7, 7, 7, 7, 7];
        assert_eq!(verdicts, expected, "round {round}: {}", bed.last_event(&user.name));
    }
}

#[test]
fn of_eight_processes_with_one_recovery_code_one_gets_in() {
    let mut bed = bed();
    let mut callers: Vec<Caller> = (0..8).map(|_| caller(&bed)).collect();
    for name in ["alice", "bob", "carol"] {
        bed.user(name);
        bed.bind(name, "phone");
        let new =
            bed.daemon().account("org.otpd.Account.NewCodes", &serde_json::json!({"user": name})).unwrap();
        for code in new["codes"].as_array().unwrap() {
            let code = code.as_str().unwrap();
            callers.iter_mut().for_each(|caller| caller.give(name, code));
            let mut verdicts: Vec<i32> = callers.iter_mut().map(Caller::verdict).collect();
            verdicts.sort_unstable();
            assert_eq!(verdicts, [pam::SUCCESS, 7, 7, 7, 7, 7, 7, 7], "{name}: {}", bed.last_event(name));
        }
    }
}

#[test]
fn an_older_code_after_a_newer_one_is_refused() {
    let mut bed = bed();
    bed.user("alice");
    let phone = bed.bind("alice", "phone");
    let mut caller = caller(&bed);
    let older = phone.code(0);
    assert_eq!(caller.log_in("alice", &phone.code(1)), pam::SUCCESS);
    assert_eq!(caller.log_in("alice", &older), pam::AUTH_ERR);
    assert_eq!(bed.last_event("alice")["reason"], "code_used");
}

#[test]
fn fifty_kills_under_load_forget_no_accepted_code_and_accept_none_twice() {
    let mut bed = bed();
    let users: Vec<User> = (0..20).map(|number| User::make(&mut bed, &format!("user{number}"))).collect();
    let mut callers: Vec<Caller> = (0..4).map(|_| caller(&bed)).collect();
    let (mut accepted, mut unanswered) = (0, 0);
    for kill in 0..50_usize {
        let four = &users[kill % 5 * 4..][..4];
        let codes: Vec<String> = four.iter().map(|user| user.code(kill / 5)).collect();
        for ((caller, user), code) in callers.iter_mut().zip(four).zip(&codes) {
            caller.give(&user.name, code);
        }
        // Killed at a different moment each time: before, between and after the commits.
        let delay = std::time::Duration::from_micros(u64::try_from(kill * 700).unwrap());
        std::thread::park_timeout(delay);
        bed.take_daemon().kill();
        let verdicts: Vec<i32> = callers.iter_mut().map(Caller::verdict).collect();
        bed.start();
        for ((caller, user), (code, verdict)) in callers.iter_mut().zip(four).zip(codes.iter().zip(verdicts))
        {
            let again = caller.log_in(&user.name, code);
            match verdict {
                pam::SUCCESS => {
                    accepted += 1;
                    assert_eq!(again, pam::AUTH_ERR, "kill {kill}: an accepted code was accepted again");
                }
                pam::AUTHINFO_UNAVAIL => {
                    unanswered += 1;
                    assert!(matches!(again, pam::SUCCESS | pam::AUTH_ERR), "kill {kill}: {again}");
                    let third = caller.log_in(&user.name, code);
                    assert_eq!(third, pam::AUTH_ERR, "kill {kill}: accepted twice after an unanswered try");
                }
                other => panic!("kill {kill}: pam_authenticate returned {other}"),
            }
        }
    }
    assert!(
        accepted > 0 && unanswered > 0,
        "the kills hit nothing: {accepted} accepted, {unanswered} unanswered"
    );
    let log = bed.run("otpctl", &["audit", "--verify"]).ok();
    assert!(log.stdout.starts_with("The audit log is whole"), "{log:?}");
}
