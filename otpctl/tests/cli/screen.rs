//! A terminal's screen as a picture: characters and colours back into pixels, as a camera would see them.

use std::fs::File;
use std::path::Path;
use std::process::Command;

/// Default colours of a terminal, as grey levels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    pub(crate) text: u8,
    pub(crate) background: u8,
}

pub(crate) const DARK: Theme = Theme { text: 220, background: 20 };
pub(crate) const LIGHT: Theme = Theme { text: 30, background: 250 };

/// Decodes the one QR code on a screen of 80 columns that shows `text`.
pub(crate) fn read_qr(text: &str, theme: Theme) -> Option<String> {
    let mut pen = Pen { text: theme.text, background: theme.background };
    let rows: Vec<Vec<(char, Pen)>> = text.lines().map(|line| cells(line, theme, &mut pen)).collect();
    let (width, height) = (80 * CELL, rows.len() * 2 * CELL);
    let mut pixels = vec![theme.background; width * height];
    for (row, cells) in rows.iter().enumerate() {
        for (column, (character, pen)) in cells.iter().enumerate().take(80) {
            let (upper, lower) = match character {
                '█' => (pen.text, pen.text),
                '▀' => (pen.text, pen.background),
                '▄' => (pen.background, pen.text),
                _ => (pen.background, pen.background),
            };
            for y in 0..2 * CELL {
                let start = (row * 2 * CELL + y) * width + column * CELL;
                pixels[start..start + CELL].fill(if y < CELL { upper } else { lower });
            }
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("screen.png");
    write_png(&path, &pixels, width, height);
    read_png(&path)
}

/// Decodes the one QR code in a picture.
pub(crate) fn read_png(path: &Path) -> Option<String> {
    let output = Command::new("zbarimg").args(["-q", "--raw"]).arg(path).output().expect("zbarimg is needed");
    let text = String::from_utf8(output.stdout).unwrap();
    text.strip_suffix('\n').map(str::to_owned)
}

/// Writes grey levels.
pub(crate) fn write_png(path: &Path, pixels: &[u8], width: usize, height: usize) {
    let (columns, rows) = (u32::try_from(width).unwrap(), u32::try_from(height).unwrap());
    let mut encoder = png::Encoder::new(File::create(path).unwrap(), columns, rows);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
}

/// What the next character is drawn with; it lasts over the end of a line.
#[derive(Debug, Clone, Copy)]
struct Pen {
    text: u8,
    background: u8,
}

/// Characters and what they are drawn with; knows the few colours that are used.
fn cells(line: &str, theme: Theme, pen: &mut Pen) -> Vec<(char, Pen)> {
    let mut cells = Vec::new();
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        if character != '\x1b' {
            cells.push((character, *pen));
            continue;
        }
        let sequence: String = rest.by_ref().skip(1).take_while(|character| *character != 'm').collect();
        let numbers: Vec<&str> = sequence.split(';').collect();
        match numbers.as_slice() {
            ["38", "5", "16"] => pen.text = 0,
            ["48", "5", "231"] => pen.background = 255,
            ["0" | ""] => *pen = Pen { text: theme.text, background: theme.background },
            ["39"] => pen.text = theme.text,
            ["49"] => pen.background = theme.background,
            ["1" | "2" | "31" | "32" | "33"] => {}
            _ => panic!("a colour that nobody uses: {sequence}"),
        }
    }
    cells
}

/// Pixels of half a cell's height and of its whole width.
const CELL: usize = 8;
