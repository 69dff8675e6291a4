//! The manual page: one page for all commands, from the same description as `--help`.

use clap::Arg;
use clap_mangen::Man;
use clap_mangen::roff::Inline;
use clap_mangen::roff::Roff;
use clap_mangen::roff::bold;
use clap_mangen::roff::italic;
use clap_mangen::roff::roman;

use crate::cli;
use crate::failure::Failure;
use crate::help;
use crate::help::Page;

/// otpctl(1), in roff.
pub(crate) fn page() -> Result<String, Failure> {
    let mut command = cli::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone()).title("OTPCTL").section("1").manual("One-time passwords");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis().to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for sub in help::PAGES {
        let mut words = sub.command.split(' ');
        if let Some(described) = words.try_fold(&command, |found, word| found.find_subcommand(word)) {
            section(&mut roff, described, sub);
        }
    }
    ending(&mut roff);
    roff.to_writer(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn synopsis() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    let words =
        [bold("otpctl"), roman(" ["), italic("OPTIONS"), roman("] "), italic("COMMAND"), roman(" ...")];
    roff.text(words);
    roff
}

fn section(roff: &mut Roff, command: &clap::Command, page: &Page) {
    let usage = command.clone().render_usage().to_string();
    roff.control("SS", [usage.trim_start_matches("Usage: ")]);
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string);
    for paragraph in about.unwrap_or_default().split("\n\n") {
        roff.text([roman(with_stop(paragraph))]);
        roff.control("PP", []);
    }
    for (name, what) in page.arguments {
        roff.control("TP", []);
        roff.text([italic(name.trim_matches(['[', ']', '<', '>']))]);
        roff.text([roman(with_stop(what))]);
    }
    for arg in
        command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_global_set() && !is_built_in(arg))
    {
        roff.control("TP", []);
        roff.text(names(arg));
        roff.text([roman(with_stop(&arg.get_help().map(ToString::to_string).unwrap_or_default()))]);
    }
    roff.control("PP", []);
    roff.text([roman("Examples:")]);
    for (line, what) in page.examples {
        roff.control("TP", []);
        roff.text([bold(*line)]);
        roff.text([roman(*what)]);
    }
    roff.control("PP", []);
    roff.text([roman("With "), bold("--json"), roman(":")]);
    literal(roff, page.json);
}

fn is_built_in(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn names(arg: &Arg) -> Vec<Inline> {
    let mut names = Vec::new();
    if let Some(short) = arg.get_short() {
        names.extend([bold(format!("-{short}")), roman(", ")]);
    }
    if let Some(long) = arg.get_long() {
        names.push(bold(format!("--{long}")));
    }
    if arg.is_positional() || arg.get_action().takes_values() {
        for (index, value) in arg.get_value_names().unwrap_or_default().iter().enumerate() {
            if index > 0 || !arg.is_positional() {
                names.push(roman(" "));
            }
            names.push(italic(value.as_str()));
        }
    }
    names
}

/// Lines as they are.
fn literal(roff: &mut Roff, text: &str) {
    roff.control("RS", ["4"]);
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.control("RE", []);
}

fn ending(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in help::EXITS {
        roff.control("TP", []);
        roff.text([bold(*code)]);
        roff.text([roman(with_stop(meaning))]);
    }
    roff.control("PP", []);
    roff.text([roman("With --json a failure is printed on standard error:")]);
    literal(roff, "{\"error\": {\"reason\", \"message\", \"until\"}}");
    roff.text([roman("until, in Unix seconds, is there only if it is worth trying again then.")]);
    roff.control("SH", ["FILES"]);
    roff.control("TP", []);
    roff.text([bold("/run/otpd/account.sock")]);
    roff.text([roman(
        "Where otpd answers. Its interfaces are Varlink: org.otpd.Account and org.otpd.Admin.",
    )]);
    roff.control("SH", ["ENVIRONMENT"]);
    roff.control("TP", []);
    roff.text([bold("NO_COLOR")]);
    roff.text([roman("If set, no colours are used unless --color always is given.")]);
    roff.control("SH", ["SEE ALSO"]);
    roff.text([
        bold("otpd"),
        roman("(8), "),
        bold("otpd.toml"),
        roman("(5), "),
        bold("pam_otp"),
        roman("(8)"),
    ]);
}

fn with_stop(sentence: &str) -> String {
    let sentence = sentence.trim().replace('\n', " ");
    if sentence.is_empty() || sentence.ends_with(['.', ']', ')']) { sentence } else { format!("{sentence}.") }
}
