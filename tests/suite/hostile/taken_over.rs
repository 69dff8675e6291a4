//! otpd-web taken over: whoever runs code as its user, with its sockets, gets nothing of and changes nothing for those who
//! do not sign in meanwhile. Everything is tried that there is: the lists come from the interfaces themselves.

use std::io::Write;
use std::process::Stdio;

use otpd_proto::client::Client;
use otpd_proto::service::DESCRIPTIONS;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::site::Site;

const TICKET: &str = "__Host-otpd";

/// A method of an interface, with parameters about alice.
struct Method {
    name: String,
    parameters: Value,
    /// Whether it can be told whose account is meant.
    names_a_user: bool,
}

/// All methods of all interfaces. What has to be there has a value, and a user is alice.
fn methods() -> Vec<Method> {
    let of = |(interface, text): &(&str, &str)| -> Vec<Method> {
        let parts = text.split("\nmethod ").skip(1);
        parts
            .map(|part| {
                let (name, rest) = part.split_once('(').unwrap();
                let declared = rest.split_once(')').unwrap().0;
                let fields = declared.split(',').filter_map(|field| field.trim().split_once(':'));
                let mut parameters = serde_json::Map::new();
                let mut names_a_user = false;
                for (field, kind) in fields.map(|(field, kind)| (field.trim(), kind.trim())) {
                    names_a_user |= field == "user";
                    if field == "user" || field == "code" || !kind.starts_with('?') {
                        parameters.insert(field.to_owned(), value(interface, field));
                    }
                }
                Method { name: format!("{interface}.{name}"), parameters: parameters.into(), names_a_user }
            })
            .collect()
    };
    DESCRIPTIONS.iter().flat_map(of).filter(|method| !method.name.starts_with("org.varlink.")).collect()
}

/// For a parameter of this name.
fn value(interface: &str, field: &str) -> Value {
    match field {
        "user" => json!("alice"),
        "login" => json!({"user": "alice", "service": "otpd-web", "rhost": "192.0.2.7"}),
        "device" => json!("phone"),
        "id" if interface.ends_with(".Mail") => json!("1"),
        "uid" => json!(61_000),
        "id" | "import" => json!(1),
        "code" | "answer" | "first" | "second" => json!("000000"),
        "address" => json!("evil@example.org"),
        "host" => json!("wiki.example.org"),
        "ticket" | "word" => json!("A".repeat(43)),
        "password" => json!("wrong"),
        "method" => json!("org.otpd.Account.Status"),
        "parameters" => json!({"user": "alice"}),
        "entries" => json!([]),
        "mailer" => json!({"transport": "smtp", "problem": null}),
        "outcome" => json!("delivered"),
        "replace" => json!(true),
        "grace_days" => json!(0),
        _ => json!("evil"),
    }
}

/// Calls as the user of otpd-web, outside of its walls: what came of each.
fn calls(bed: &Testbed, calls: &[(&str, &str, &Value)]) -> Vec<Value> {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/calls.py");
    let mut python = bed.command_as("otpd-web");
    let mut python =
        python.args(["python3", tool]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let list: Vec<Value> = calls
        .iter()
        .map(|(socket, method, parameters)| json!([format!("/run/otpd/{socket}"), method, parameters]))
        .collect();
    python.stdin.take().unwrap().write_all(json!(list).to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    let said: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said.len(), calls.len());
    said
}

/// All that root sees of an account, but for the log and the time.
fn account(bed: &Testbed, user: &str) -> Value {
    let all = ["Status", "Devices", "Emails", "SignIns"].map(|method| {
        let call = json!({"user": user});
        let mut seen = bed.daemon().account(&format!("org.otpd.Account.{method}"), &call).unwrap();
        seen.as_object_mut().unwrap().remove("now");
        seen
    });
    json!(all)
}

/// Whether a reply is a refusal that tells nothing of anybody.
#[track_caller]
fn is_refused(what: &str, reply: &Value) {
    let refused = reply["error"].as_str().is_some_and(|error| {
        // What was not even understood shows nothing.
        !error.ends_with(".InvalidParameter") && !error.ends_with(".Unavailable")
    });
    // otpd-login says no in a step of its own.
    let failed = reply["parameters"]["step"]["next"] == "refuse";
    assert!(refused || failed, "{what}: {reply}");
    let text = reply.to_string();
    for told in ["phone", "192.0.2.99", "example.net"] {
        assert!(!text.contains(told), "{what}: {reply}");
    }
}

/// alice is protected and signed in since before; bob was signed in meanwhile and is not any more; mallory is.
struct Taken {
    site: Site,
    /// Never seen by otpd-web since it was taken over.
    alices: String,
    ended: String,
    mallorys: String,
}

fn taken() -> Taken {
    let mut site = Site::with("[limits]\ncalls_per_minute = 10000", "");
    for user in ["alice", "bob", "mallory"] {
        site.bed.user(user);
    }
    let phone = site.bed.bind("alice", "phone");
    let mut alice = site.browser();
    alice.sign_in("alice", PASSWORD, Some(&phone.code(0))).says("Account security");
    let mut bob = site.browser();
    bob.sign_in("bob", PASSWORD, None).says("Account security");
    let ended = bob.cookies[TICKET].clone();
    bob.submit("/sign-out", &[]);
    let mut mallory = site.browser();
    mallory.sign_in("mallory", PASSWORD, None).says("Account security");
    let (alices, mallorys) = (alice.cookies[TICKET].clone(), mallory.cookies[TICKET].clone());
    Taken { site, alices, ended, mallorys }
}

#[test]
fn without_a_ticket_no_method_of_any_socket_does_anything() {
    let taken = taken();
    let bed = &taken.site.bed;
    let before = ["alice", "bob"].map(|user| account(bed, user));
    let methods = methods();
    assert!(methods.len() > 50);
    let mut tried = Vec::new();
    for socket in ["web.sock", "account.sock", "login.sock", "mail.sock", "session.sock"] {
        for method in &methods {
            // At account.sock it is one user among others, who may have an account of its own and nothing else.
            if socket != "account.sock" || method.names_a_user || method.name.contains(".Admin.") {
                tried.push((socket, method));
            }
        }
    }
    let list: Vec<(&str, &str, &Value)> =
        tried.iter().map(|(socket, method)| (*socket, method.name.as_str(), &method.parameters)).collect();
    for ((socket, method), reply) in tried.iter().zip(calls(bed, &list)) {
        let what = format!("{socket} {}", method.name);
        match *socket {
            "login.sock" | "mail.sock" => assert_eq!(reply, "PermissionError", "{what}"),
            // Whatever is no login ends the connection there, or is not known.
            "session.sock" if reply == "closed" => {}
            _ => is_refused(&what, &reply),
        }
    }
    assert_eq!(["alice", "bob"].map(|user| account(bed, user)), before);
}

#[test]
fn no_ticket_but_a_good_one_is_a_ticket_and_that_is_good_for_its_holder_alone() {
    let taken = taken();
    let bed = &taken.site.bed;
    let before = ["alice", "bob"].map(|user| account(bed, user));
    let host = json!("wiki.example.org");
    let visit = |ticket: &str| -> Value {
        let said =
            calls(bed, &[("web.sock", "org.otpd.Web.HandOff", &json!({"ticket": ticket, "host": host}))]);
        said[0]["parameters"]["word"].clone()
    };
    // A word and a visit of mallory's are none either, where a ticket of an account is wanted.
    let word = visit(&taken.mallorys);
    let spent = visit(&taken.mallorys);
    let call = json!({"word": spent, "host": host, "address": null, "agent": null});
    let made = calls(bed, &[("web.sock", "org.otpd.Web.Visit", &call)]);
    let visit = made[0]["parameters"]["ticket"].clone();
    assert!(visit.is_string(), "{made:?}");
    let near = format!("{}{}", &taken.alices[..42], if taken.alices.ends_with('A') { 'E' } else { 'A' });
    let forged: Vec<Value> = vec![
        json!(""),
        json!("A".repeat(43)),
        json!(near),
        json!(taken.alices.to_lowercase()),
        json!(format!("{}=", taken.alices)),
        json!(format!("{} ", taken.alices)),
        json!(format!("{}\u{0}", taken.alices)),
        json!(taken.ended),
        word.clone(),
        spent,
        visit,
        json!("alice"),
        json!("1"),
    ];
    let methods = methods();
    let mut list: Vec<(String, Value)> = Vec::new();
    for ticket in &forged {
        for name in ["Who", "SignOut", "HandOff", "Check"] {
            // That one is good for Check at its host, and may end itself.
            let is_visit = *ticket == forged[10] && matches!(name, "Check" | "SignOut");
            if !is_visit {
                let mut call = json!({"ticket": ticket});
                if matches!(name, "HandOff" | "Check") {
                    call["host"] = host.clone();
                }
                list.push((name.into(), call));
            }
        }
        if *ticket != word {
            let call = json!({"word": ticket, "host": host, "address": null, "agent": null});
            list.push(("Visit".into(), call));
        }
        for method in methods
            .iter()
            .filter(|method| method.name.contains(".Account.") || method.name.contains(".Admin."))
        {
            for user in [true, false] {
                let mut parameters = method.parameters.clone();
                if !user {
                    parameters.as_object_mut().unwrap().remove("user");
                }
                list.push(("As".into(), json!({"ticket": ticket, "address": null, "method": method.name, "parameters": parameters})));
            }
        }
    }
    // mallory's own, on everybody else's account and on what is an administrator's.
    for method in &methods {
        if (method.names_a_user && !method.name.contains("Session")) || method.name.contains(".Admin.") {
            let call = json!({"ticket": taken.mallorys, "address": null, "method": method.name, "parameters": method.parameters});
            list.push(("As".into(), call));
        }
    }
    // And in place of a password that is given again.
    let names: Vec<String> = list.iter().map(|(name, _)| format!("org.otpd.Web.{name}")).collect();
    let all: Vec<(&str, &str, &Value)> =
        list.iter().zip(&names).map(|((_, call), name)| ("web.sock", name.as_str(), call)).collect();
    assert!(all.len() > 900, "{}", all.len());
    for ((_, name, call), reply) in all.iter().zip(calls(bed, &all)) {
        is_refused(&format!("{name} {call}"), &reply);
    }
    let open = |user: &str, password: &str, renew: &str| json!({"user": user, "password": password, "address": null, "agent": null, "renew": renew});
    let opens = [
        open("alice", "wrong", &taken.mallorys),
        open("alice", PASSWORD, &taken.mallorys),
        open("alice", PASSWORD, &taken.ended),
        open("alice", PASSWORD, "A"),
        open("bob", PASSWORD, &taken.ended),
    ];
    let all: Vec<(&str, &str, &Value)> =
        opens.iter().map(|call| ("session.sock", "org.otpd.Session.Open", call)).collect();
    for (call, reply) in opens.iter().zip(calls(bed, &all)) {
        is_refused(&call.to_string(), &reply);
    }
    assert_eq!(["alice", "bob"].map(|user| account(bed, user)), before);
    // alice's sign-in, which nobody but her browser has, is as good as before.
    let who = json!({"ticket": taken.alices, "address": null});
    let mut web =
        Client::connect(&bed.runtime().join("web.sock"), std::time::Duration::from_secs(30)).unwrap();
    let holder: Value = web.call("org.otpd.Web.Who", &who).unwrap();
    assert_eq!(holder["user"], "alice");
}

#[test]
fn its_user_reads_and_writes_no_file_of_otpds() {
    let taken = taken();
    let bed = &taken.site.bed;
    let state = bed.path("state").display().to_string();
    let files = bed.run("find", &[&state, "-type", "f"]).ok().stdout;
    assert!(files.contains("registry.db") && files.contains("registry.key"), "{files}");
    let script = r#"
        for file; do
            cat "$file" && echo "read $file"
            true >>"$file" && echo "wrote $file"
            rm -f "$file" && echo "removed $file"
            ln "$file" /tmp/otpd-linked && echo "linked $file"
        done 2>/dev/null
        ls "$STATE" 2>/dev/null
        for socket in web login account mail session; do
            mv "/run/otpd/$socket.sock" /run/otpd/mine.sock && echo "moved $socket"
            rm -f "/run/otpd/$socket.sock" && echo "removed $socket"
        done 2>/dev/null
        touch /run/otpd/mine 2>/dev/null && echo "made one"
        kill -9 "$OTPD" 2>/dev/null && echo killed
        cat "/proc/$OTPD/mem" "/proc/$OTPD/environ" 2>/dev/null && echo "read memory"
        true
    "#;
    let pid = bed.daemon().pid().to_string();
    let mut command = bed.command_as("otpd-web");
    command.args(["env", &format!("STATE={state}"), &format!("OTPD={pid}"), "sh", "-c", script, "sh"]);
    let output = command.args(files.lines()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{output:?}");
    assert!(output.status.success(), "{output:?}");
    let other = bed.run_as("otpd-web", "otpctl", &["status", "alice"]);
    assert_ne!(other.code, 0, "{other:?}");
    bed.daemon().account("org.otpd.Account.Status", &json!({"user": "alice"})).unwrap();
}
