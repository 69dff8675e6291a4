//! The HTML of a mail: one column that fits a phone, light and dark, nothing loaded from anywhere, no link.
//!
//! Styles stand in the elements, because some programs drop everything else; the `<style>` adds the dark colours.

use zeroize::Zeroizing;

use super::letter::Letter;

/// Lays out a letter.
pub(super) fn write(letter: &Letter<'_>) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(16 * 1024));
    out.push_str(&head(letter));
    if letter.code.is_some() {
        // Programs show the first words in the list of mails and on locked screens: the code is not to be among them.
        out.push_str(&format!(
            "<div style=\"display:none;max-height:0;overflow:hidden\" aria-hidden=\"true\">{}{}</div>\n",
            escape(&letter.subject),
            FILLER.repeat(80)
        ));
    }
    out.push_str(OPEN);
    out.push_str(&format!(
        "<h1 style=\"margin:0 0 16px;font-size:22px;line-height:1.3;font-weight:600\">{}</h1>\n",
        escape(&letter.title)
    ));
    paragraphs(&mut out, &letter.body);
    if let Some(code) = letter.code {
        out.push_str(CODE);
        out.push_str(&Zeroizing::new(escape(code.expose_secret())));
        out.push_str("</div>\n");
    }
    paragraphs(&mut out, &letter.after);
    facts(&mut out, &letter.facts);
    out.push_str(&format!(
        "<div class=\"warn\" style=\"margin:0 0 20px;padding:14px 16px;background:#fff7e6;border-radius:8px\">\n\
         <p style=\"margin:0 0 4px;font-weight:600\">{}</p>\n<p style=\"margin:0\">{}</p>\n</div>\n",
        escape(&letter.not_you.0),
        prose(&letter.not_you.1)
    ));
    out.push_str(&format!(
        "<p class=\"quiet\" style=\"margin:0;font-size:13px;color:#6b7280\">{}</p>\n",
        escape(&letter.footer)
    ));
    out.push_str(CLOSE);
    out
}

fn head(letter: &Letter<'_>) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n{HEAD}<title>{}</title>\n</head>\n{BODY}",
        escape(&letter.tag),
        escape(&letter.subject)
    )
}

fn paragraphs(out: &mut String, paragraphs: &[String]) {
    for paragraph in paragraphs {
        out.push_str(&format!("<p style=\"margin:0 0 14px\">{}</p>\n", prose(paragraph)));
    }
}

fn facts(out: &mut String, facts: &[(String, String)]) {
    out.push_str(FACTS);
    for (label, value) in facts {
        out.push_str(&format!(
            "<tr><th scope=\"row\" class=\"quiet\" style=\"padding:3px 16px 3px 0;text-align:left;vertical-align:top;\
             font-weight:400;white-space:nowrap;color:#6b7280\">{}</th>\
             <td style=\"padding:3px 0;vertical-align:top;word-break:break-word;overflow-wrap:anywhere\">{}</td></tr>\n",
            escape(label),
            escape(value)
        ));
    }
    out.push_str("</table>\n");
}

/// Sentences, with commands set apart.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(number, part)| match number.is_multiple_of(2) {
        true => escape(part),
        false => format!("{COMMAND}{}</code>", escape(part)),
    });
    parts.collect()
}

/// Text as text, in an element or in an attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

const HEAD: &str = r#"<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">
<style>
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  .page { background: #111315 !important; color: #eceef0 !important; }
  .card { background: #1d2024 !important; }
  .code { background: #2b2f35 !important; color: #ffffff !important; }
  .warn { background: #3a2f14 !important; color: #fdf3d8 !important; }
  .quiet { color: #a3a9b2 !important; }
}
</style>
"#;

const BODY: &str = r#"<body class="page" style="margin:0;padding:0;background:#f1f3f5;color:#1b1e22;font-family:-apple-system,'Segoe UI',Roboto,'Noto Sans','PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif;font-size:16px;line-height:1.5;-webkit-text-size-adjust:100%">
"#;

const OPEN: &str = r#"<table role="presentation" width="100%" cellspacing="0" cellpadding="0" border="0"><tr><td align="center" style="padding:16px 10px">
<table role="presentation" width="100%" cellspacing="0" cellpadding="0" border="0" style="max-width:560px"><tr><td class="card" style="padding:24px 20px;background:#ffffff;border-radius:12px;text-align:left">
"#;

const CODE: &str = r#"<div class="code" style="margin:4px 0 18px;padding:16px 8px;background:#eef1f4;color:#0b0d0f;border-radius:8px;text-align:center;font-family:ui-monospace,'SF Mono',Menlo,Consolas,'Liberation Mono',monospace;font-size:28px;line-height:1.2;font-weight:600;letter-spacing:2px;white-space:nowrap;-webkit-user-select:all;user-select:all">"#;

const COMMAND: &str = r#"<code style="font-family:ui-monospace,'SF Mono',Menlo,Consolas,'Liberation Mono',monospace;font-size:15px;white-space:nowrap">"#;

const FACTS: &str = r#"<table cellspacing="0" cellpadding="0" border="0" style="margin:6px 0 20px;font-size:15px">
"#;

const CLOSE: &str = "</td></tr></table>\n</td></tr></table>\n</body>\n</html>\n";

/// Takes room in a preview and shows nothing.
const FILLER: &str = "&#847;&zwnj;&nbsp;";
