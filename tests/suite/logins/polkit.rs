//! polkit: pkexec on a bus and with a polkitd of its own, and the helper that speaks PAM for every agent.

use std::io::Write;
use std::process::Stdio;

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::programs::STACK;
use crate::programs::Try;
use crate::programs::bed;
use crate::programs::six_cases;

/// The bus starts polkitd when it is asked for. All of them end with the process namespace.
const ON_A_BUS: &str = r#"
    rm -rf /run/dbus && mkdir /run/dbus
    dbus-daemon --system --fork --nopidfile --nosyslog
    "$@""#;

/// pkexec's own agent for terminals gets no answer through, as it calls polkitd as root.
const WITH_AN_AGENT: &str = r#"
    : $(pkttyagent --process $$ --notify-fd 1 &)
    pkexec sh -c 'echo in as $(id -un)'"#;

const HELPER: &str = "/usr/lib/polkit-1/polkit-agent-helper-1";

/// Makes both users administrators in polkit's eyes.
fn administrators(bed: &Testbed) {
    let group = bed.path("etc/group");
    let lines = std::fs::read_to_string(&group).unwrap();
    let others = lines.lines().filter(|line| !line.starts_with("sudo:"));
    let text: String = others.chain(["sudo:x:27:alice,bob"]).map(|line| format!("{line}\n")).collect();
    // In place: the file is mounted over /etc/group.
    std::fs::write(group, text).unwrap();
}

#[test]
fn pkexec_asks_and_accepts_once() {
    let mut bed = bed();
    bed.stack("polkit-1", STACK);
    administrators(&bed);
    let login = |bed: &Testbed, user: &str, code: Option<&str>| {
        let number = if user == "alice" { "1" } else { "2" };
        let choice = json!({"Choose identity.*: $": number});
        let password = json!({"Password: $": [PASSWORD]});
        let code = code.map(|code| json!({"One-time code.*: $": [code]}));
        let steps: Value = [choice, password].into_iter().chain(code).collect();
        let steps = steps.to_string();
        let script = [
            &["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", ON_A_BUS, "sh"][..],
            &["setpriv", "--reuid", user, "--regid", user, "--init-groups"],
            &["python3", concat!(env!("CARGO_MANIFEST_DIR"), "/tools/drive.py"), &steps],
            &["sh", "-c", WITH_AN_AGENT],
        ]
        .concat();
        let output = bed.run(script[0], &script[1..]);
        Try { inside: output.stdout.contains("in as root"), text: output.stdout }
    };
    six_cases(&mut bed, &login);
}

/// Runs the helper with its cookie, the password and a code, in an environment that tries something.
fn help(bed: &Testbed, code: &str) -> (Vec<String>, String) {
    let mut command = bed.command_as("alice");
    command.args([HELPER, "alice"]).env("RUST_BACKTRACE", "full").env("RUST_LOG", "trace");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    write!(child.stdin.take().unwrap(), "cookie\n{PASSWORD}\n{code}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (said.lines().map(str::to_owned).collect(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn polkits_helper_says_nothing_but_its_protocol() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let secret = phone.code(0);
    bed.daemon()
        .login(
            "org.otpd.Login.Answer",
            &json!({
                "login": {"user": "alice", "service": "sudo"}, "answer": secret,
            }),
        )
        .unwrap();
    bed.stack("polkit-1", STACK);
    let (said, complained) = help(&bed, "99999999");
    let [password, prompt, refusal, end] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(password, "PAM_PROMPT_ECHO_OFF Password: ");
    assert!(
        prompt.starts_with("PAM_PROMPT_ECHO_OFF ") && prompt.ends_with("One-time code for alice: "),
        "{prompt}"
    );
    assert!(refusal.starts_with("PAM_ERROR_MSG Wrong code"), "{refusal}");
    assert_eq!(end, "FAILURE");
    assert_eq!(complained, "polkit-agent-helper-1: pam_authenticate failed: Authentication failure\n");
    // PAM lets in; then the helper looks for polkitd, which is not there.
    let (said, complained) = help(&bed, &phone.code(1));
    assert!(said.len() == 3 && said[2] == "FAILURE", "{said:?}");
    assert!(!complained.contains("pam_"), "{complained}");
    let event = bed.last_event("alice");
    assert_eq!((event["reason"].as_str(), event["service"].as_str()), (Some("ok"), Some("polkit-1")));
}
