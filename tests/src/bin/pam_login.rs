//! Logs in through libpam, again and again: `pam_login CONFDIR SERVICE` reads `user code [rhost]` from each line of
//! standard input and prints what pam_authenticate returned. One process a caller, as sshd has.

use std::io::BufRead;
use std::io::Write;
use std::path::Path;

use otpd_tests::pam::Transaction;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, confdir, service] = arguments.as_slice() else { return };
    let mut stdout = std::io::stdout();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [user, code, rest @ ..] = fields.as_slice() else { continue };
        let code = (*code).to_owned();
        let mut login =
            Transaction::start(Path::new(confdir), service, user, Box::new(move |_| Some(code.clone())));
        if let [rhost] = rest {
            login.set_rhost(rhost);
        }
        let returned = login.authenticate();
        // The parent closes its end when it has seen enough.
        let _ = writeln!(stdout, "{returned}").and_then(|()| stdout.flush());
    }
}
