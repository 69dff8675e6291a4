//! The shape of what is drawn; that it can be read is tested in `tests/cli/qr.rs`.

use super::*;

const URI: &str = "otpauth://totp/nas:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=nas%20%28otpd%29";

fn words(lines: Vec<Line>) -> Vec<String> {
    lines.iter().map(|line| line.spans().map(|(_, words)| words).collect()).collect()
}

#[test]
fn a_usual_key_takes_21_rows_and_41_columns() {
    let symbol = Symbol::of(URI).unwrap();
    for ink in [Ink::Paper, Ink::LightBlocks] {
        let lines = symbol.lines(ink);
        assert_eq!(lines.len(), 21);
        assert!(lines.iter().all(|line| line.width() == 41));
    }
}

#[test]
fn the_two_inks_are_each_others_negative() {
    let symbol = Symbol::of(URI).unwrap();
    let negative = |block| match block {
        '█' => ' ',
        ' ' => '█',
        '▀' => '▄',
        _ => '▀',
    };
    let paper = words(symbol.lines(Ink::Paper));
    let light = words(symbol.lines(Ink::LightBlocks));
    let turned: Vec<String> = paper.iter().map(|line| line.chars().map(negative).collect()).collect();
    assert_eq!(turned, light);
}

#[test]
fn the_quiet_zone_is_light_all_around() {
    let symbol = Symbol::of(URI).unwrap();
    for quiet in [2, 4] {
        let side = symbol.side(quiet);
        for at in 0..side {
            for edge in (0..quiet).chain(side - quiet..side + 2) {
                assert!(!symbol.is_dark(at, edge, quiet) && !symbol.is_dark(edge, at, quiet));
            }
        }
        assert!(symbol.is_dark(quiet, quiet, quiet), "the corner of the finder pattern");
    }
}

#[test]
fn a_text_that_no_symbol_holds_is_refused() {
    assert_eq!(Symbol::of(&"x".repeat(3_000)).err().unwrap().reason, "qr_too_long");
}

#[test]
fn a_rendering_is_a_word_or_a_file_name() {
    assert_eq!("ansi".parse(), Ok(Rendering::Ansi));
    assert_eq!("a/B.SVG".parse(), Ok(Rendering::Svg("a/B.SVG".into())));
    assert_eq!("x.png".parse(), Ok(Rendering::Png("x.png".into())));
    assert!("x.jpg".parse::<Rendering>().is_err());
}
