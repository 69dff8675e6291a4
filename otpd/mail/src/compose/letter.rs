//! What a mail says, in its user's language, before it is laid out.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use otpd_proto::Secret;
use otpd_proto::mail::Kind;
use otpd_proto::mail::Message;

use crate::catalogue::Catalogue;
use crate::catalogue::Labels;
use crate::catalogue::Text;
use crate::verdict::Verdict;
use crate::verdict::is_harmless;

/// The parts of a mail, each of them plain text of one line. In `body`, `after` and `not_you`, commands stand between
/// backquotes.
pub(super) struct Letter<'a> {
    /// The language, as BCP 47 has it.
    pub(super) tag: String,
    pub(super) subject: String,
    pub(super) title: String,
    pub(super) body: Vec<String>,
    pub(super) code: Option<&'a Secret>,
    pub(super) after: Vec<String>,
    /// What happened, when and where: label and value.
    pub(super) facts: Vec<(String, String)>,
    /// A question, and what to do if the answer is no.
    pub(super) not_you: (String, String),
    pub(super) footer: String,
}

impl<'a> Letter<'a> {
    /// # Errors
    /// The message has no code though it is for one.
    pub(super) fn new(message: &'a Message, catalogue: &Catalogue, zone: &TimeZone) -> Result<Self, Verdict> {
        let notice = message.notice.as_deref().unwrap_or_default();
        let text = match message.kind {
            Kind::Confirm => &catalogue.confirm,
            Kind::Code => &catalogue.code,
            Kind::Test => &catalogue.test,
            Kind::Notice => catalogue.notice.named(notice).unwrap_or(catalogue.notice.other()),
        };
        let values = Values::of(message, catalogue, zone);
        let fill = |pattern: &String| values.fill(pattern);
        let code = code_of(message)?;
        let good_until = code.map(|_| values.fill(&catalogue.good_until));
        Ok(Self {
            tag: catalogue.tag.clone(),
            subject: values.fill(&text.subject),
            title: values.fill(&text.title),
            body: text.body.iter().map(fill).collect(),
            code,
            after: good_until.into_iter().chain(text.after.iter().map(fill)).collect(),
            facts: facts(message, catalogue, text, &values),
            not_you: (values.fill(&catalogue.not_you), values.fill(&text.not_you)),
            footer: values.fill(&catalogue.footer),
        })
    }
}

/// Only the mails that are for a code show one.
fn code_of(message: &Message) -> Result<Option<&Secret>, Verdict> {
    match (message.kind, &message.code) {
        (Kind::Confirm | Kind::Code, Some(code)) => Ok(Some(code)),
        (Kind::Confirm | Kind::Code, None) => Err(Verdict::failed("the mail came without its code")),
        (Kind::Notice | Kind::Test, _) => Ok(None),
    }
}

fn facts(message: &Message, catalogue: &Catalogue, text: &Text, values: &Values) -> Vec<(String, String)> {
    let labels = &catalogue.labels;
    let some = |value: &Option<String>| value.as_deref().map(|value| clean(value, LONGEST_FACT));
    let is_recovery = message.notice.as_deref() == Some("recovery_used");
    let event = if message.kind == Kind::Notice && *text == *catalogue.notice.other() {
        some(&message.notice)
    } else {
        None
    };
    let service = message.service.as_ref().map(|service| {
        catalogue.services.get(service).cloned().unwrap_or_else(|| clean(service, LONGEST_FACT))
    });
    let all = [
        (&labels.event, event),
        (&labels.account, Some(values.fill(&labels.account_value))),
        (&labels.time, Some(values.time.clone())),
        (&labels.service, service),
        (&labels.address, some(&message.address)),
        if is_recovery {
            (&labels.used, some(&message.device).map(|code| translated(&code, labels)))
        } else {
            (&labels.device, some(&message.device))
        },
        (&labels.detail, some(&message.detail)),
    ];
    let told = |(label, value): (&String, Option<String>)| {
        Some((label.clone(), value.filter(|value| !value.is_empty())?))
    };
    all.into_iter().filter_map(told).collect()
}

/// What let somebody in, `recovery code 3` and the like, in the user's language.
fn translated(code: &str, labels: &Labels) -> String {
    let known = [
        ("recovery code", &labels.recovery_code),
        ("mailed code", &labels.mailed_code),
        ("enrol code", &labels.enrol_code),
    ];
    let found = known.iter().find_map(|(name, label)| Some((label, code.strip_prefix(name)?)));
    found.map_or_else(|| code.to_owned(), |(label, rest)| format!("{label}{rest}"))
}

/// What the placeholders stand for.
struct Values {
    user: String,
    host: String,
    to: String,
    time: String,
    until: String,
}

impl Values {
    fn of(message: &Message, catalogue: &Catalogue, zone: &TimeZone) -> Self {
        let at = |moment, pattern: &str| match Timestamp::from_second(moment) {
            Ok(moment) => moment.to_zoned(zone.clone()).strftime(pattern).to_string(),
            // A number that is no time of this calendar is shown as it came.
            Err(_) => format!("@{moment}"),
        };
        Self {
            user: clean(&message.user, LONGEST_WORD),
            host: clean(&message.host, LONGEST_WORD),
            to: clean(&message.to, LONGEST_FACT),
            time: at(message.at, &catalogue.time),
            until: at(message.expires, &catalogue.clock),
        }
    }

    /// One pass: what was put in is not looked at again, so no name can be a placeholder.
    fn fill(&self, pattern: &str) -> String {
        let mut filled = String::with_capacity(pattern.len().saturating_mul(2));
        let mut rest = pattern;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
            filled.push_str(before);
            filled.push_str(match name {
                "user" => &self.user,
                "box" => &self.host,
                "to" => &self.to,
                "time" => &self.time,
                "until" => &self.until,
                _ => "",
            });
            rest = behind;
        }
        filled.push_str(rest);
        filled
    }
}

/// A value from somebody else as one short line: no control characters, which could end a header or a line, none that
/// are invisible or turn text around.
pub(super) fn clean(value: &str, most: usize) -> String {
    let harmless = value.chars().take(4 * LONGEST_FACT).map(|c| if is_harmless(c) { c } else { ' ' });
    let line = harmless.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A name in a sentence.
const LONGEST_WORD: usize = 64;
/// A value on a line of its own.
const LONGEST_FACT: usize = 256;
