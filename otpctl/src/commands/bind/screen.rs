//! The screen with the QR code: the code on the left, what to do with it and the key on the right, so that all of it
//! and the question below fit on 80 columns and 24 rows.

use otpd_proto::account::Begun;

use crate::key;
use crate::otpauth;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::output::line::wrap;
use crate::qr::Ink;
use crate::qr::Symbol;
use crate::when::Clock;

/// What to show on a terminal of `size` columns and rows (`None`: no matter); without `drawn`, the key alone.
pub(super) fn lines(
    begun: &Begun,
    drawn: Option<(Symbol, Ink)>,
    size: Option<(usize, usize)>,
    clock: &Clock,
) -> Vec<Line> {
    let Some((symbol, ink)) = drawn else { return panel(begun, false, WIDE, clock) };
    let code = symbol.lines(ink);
    let wide = code.first().map_or(0, Line::width);
    let (columns, rows) = size.unwrap_or((80, usize::MAX));
    let beside = columns.saturating_sub(wide).saturating_sub(GAP);
    let has_room = |lines: &[Line]| lines.len().saturating_add(QUESTION) <= rows;
    if beside >= NARROW {
        let both = join(&code, panel(begun, true, beside.min(WIDE), clock), wide);
        if has_room(&both) {
            return both;
        }
    }
    if wide <= columns {
        let above: Vec<Line> =
            code.iter().cloned().chain(panel(begun, true, columns.min(WIDE), clock)).collect();
        if has_room(&above) {
            return above;
        }
    }
    let height = code.len().saturating_add(QUESTION);
    let width = wide.saturating_add(GAP).saturating_add(NARROW);
    let mut lines = vec![
        Line::new().then(Tone::Warn, "The terminal is too small for the QR code:"),
        format!("it has {columns}x{rows}, and {width}x{height} are needed.").into(),
        "Enlarge it and start again, or use --qr FILE.svg, or type the key:".into(),
        Line::new(),
    ];
    lines.extend(panel(begun, false, columns.min(WIDE), clock));
    lines
}

fn join(code: &[Line], panel: Vec<Line>, wide: usize) -> Vec<Line> {
    let rows = code.len().max(panel.len());
    let above = code.len().saturating_sub(panel.len()).checked_div(2).unwrap_or(0);
    let left = code.iter().cloned().chain(std::iter::repeat(Line::new()));
    let right = std::iter::repeat_n(Line::new(), above).chain(panel).chain(std::iter::repeat(Line::new()));
    let pairs = left.zip(right).take(rows);
    let pair = |(left, right): (Line, Line)| {
        if right.width() == 0 { left } else { left.padded(wide.saturating_add(GAP)).append(right) }
    };
    pairs.map(pair).collect()
}

/// The same in words, no line wider than `width`.
fn panel(begun: &Begun, has_code: bool, width: usize, clock: &Clock) -> Vec<Line> {
    let what = if has_code {
        "Scan this with an authenticator app, or type the key into it."
    } else {
        "Type this into an authenticator app:"
    };
    let mut lines: Vec<Line> = wrap(what, width).into_iter().map(Line::from).collect();
    lines.push(Line::new());
    let mut fact = |name: &str, value: &str, tone: Tone| {
        let widest = if name == KEY { FOUR_GROUPS } else { width.saturating_sub(NAME) };
        for (index, part) in wrap(value, widest).into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            lines.push(Line::new().then(Tone::Dim, name).padded(NAME).then(tone, part));
        }
    };
    let entry = otpauth::read(begun.uri.expose_secret());
    if let Some(entry) = &entry {
        fact("Issuer", &entry.issuer, Tone::Plain);
        fact("Account", &entry.account, Tone::Plain);
    }
    fact(KEY, &key::grouped(begun.key.expose_secret()), Tone::Strong);
    if let Some(entry) = &entry {
        fact("Codes", &entry.settings, Tone::Plain);
    }
    fact("Valid", &format!("until {}", clock.hour_and_minute(begun.expires)), Tone::Plain);
    lines
}

const KEY: &str = "Key";
/// Columns of a key's line: a usual key takes two.
const FOUR_GROUPS: usize = 19;
/// Between the code and the words.
const GAP: usize = 2;
/// The narrowest panel: four groups of the key behind a name.
const NARROW: usize = 28;
/// Wider is harder to read.
const WIDE: usize = 60;
/// The names on the left of the panel.
const NAME: usize = 9;
/// The row in which the code is asked for.
const QUESTION: usize = 1;

#[cfg(test)]
mod tests {
    use otpd_proto::Secret;

    use super::*;

    const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

    fn begun(label: &str) -> Begun {
        let uri = format!("otpauth://totp/{label}?secret={SECRET}&issuer=nas");
        let (key, uri) = (Secret::new(SECRET.to_owned()), Secret::new(uri));
        Begun { device: 1, name: "Phone".into(), key, uri, expires: 600 }
    }

    fn shown(label: &str, size: Option<(usize, usize)>) -> Vec<String> {
        let begun = begun(label);
        let drawn = Symbol::of(begun.uri.expose_secret()).unwrap();
        let lines = lines(&begun, Some((drawn, Ink::LightBlocks)), size, &Clock::at(0));
        lines.iter().map(|line| line.spans().map(|(_, words)| words).collect()).collect()
    }

    /// Versions 4, 5 and 6 of the QR code: 33, 37 and 41 modules.
    #[test]
    fn the_question_fits_on_the_same_24_rows_up_to_version_6() {
        for label in ["nas:al", "nas:alice%20%28Phone%29", "nas:alice%20%28the%20work%20phone%20of%20hers%29"]
        {
            let text = shown(label, Some((80, 24)));
            assert!(text.len() < 24, "{label}: {} rows", text.len());
            assert!(text.iter().all(|line| line.chars().count() <= 80));
            assert!(text.iter().any(|line| line.contains('▀')), "{label}: no code");
            let text = text.join("\n");
            assert!(
                text.contains("JBSW Y3DP EHPK 3PXP") && text.contains("Issuer") && text.contains("00:10")
            );
        }
    }

    #[test]
    fn a_small_terminal_is_told_what_it_needs_and_still_gets_the_key() {
        for size in [(80, 20), (40, 24)] {
            let text = shown("nas:alice%20%28Phone%29", Some(size)).join("\n");
            assert!(
                !text.contains('▀') && text.contains("--qr FILE.svg") && text.contains("JBSW Y3DP"),
                "{text}"
            );
            assert!(text.contains(&format!("it has {}x{}", size.0, size.1)), "{text}");
        }
    }

    #[test]
    fn a_narrow_but_high_terminal_has_the_words_below() {
        let text = shown("nas:alice", Some((50, 40)));
        let lowest = text.iter().rposition(|line| line.contains('▀')).unwrap();
        assert!(text.iter().position(|line| line.contains("Issuer")).unwrap() > lowest);
    }
}
