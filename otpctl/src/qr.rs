//! QR codes for terminals and files. Level L, because a screen has no dirt and the code must fit 24 rows.

use std::path::PathBuf;
use std::str::FromStr;

use fast_qr::ECL;
use fast_qr::QRBuilder;
use fast_qr::QRCode;
use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::line::Line;
use crate::output::line::Tone;

pub(crate) mod file;

/// How to show a QR code, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rendering {
    /// As the terminal allows.
    Auto,
    /// Half blocks for a terminal with light text on dark.
    Utf8,
    /// Half blocks with explicit colours.
    Ansi,
    /// Not at all.
    None,
    /// Into a new file.
    Svg(PathBuf),
    /// Into a new file.
    Png(PathBuf),
}

impl FromStr for Rendering {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        match lower.as_str() {
            "auto" => Ok(Self::Auto),
            "utf8" => Ok(Self::Utf8),
            "ansi" => Ok(Self::Ansi),
            "none" => Ok(Self::None),
            _ if lower.ends_with(".svg") => Ok(Self::Svg(text.into())),
            _ if lower.ends_with(".png") => Ok(Self::Png(text.into())),
            _ => Err("write auto, utf8, ansi, none, or a file name ending in .svg or .png".to_owned()),
        }
    }
}

impl Rendering {
    /// The ink for the terminal, or `None` if nothing is to be drawn there.
    pub(crate) fn ink(&self, output: &Output) -> Option<Ink> {
        match self {
            Self::Utf8 => Some(Ink::LightBlocks),
            Self::Ansi => Some(Ink::Paper),
            Self::Auto if !output.is_terminal() => None,
            Self::Auto if output.has_color() => Some(Ink::Paper),
            Self::Auto => Some(Ink::LightBlocks),
            Self::None | Self::Svg(_) | Self::Png(_) => None,
        }
    }
}

/// What the modules are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Black on white, by explicit colours.
    Paper,
    /// Light modules drawn, dark ones left as the background: right where the background is dark.
    LightBlocks,
}

/// A text as a QR code.
pub(crate) struct Symbol {
    code: QRCode,
}

impl Symbol {
    /// Encodes `text`.
    pub(crate) fn of(text: &str) -> Result<Self, Failure> {
        let code = QRBuilder::new(text).ecl(ECL::L).build().map_err(|error| {
            let message =
                format!("the key does not fit a QR code ({error:?}). Use --qr none and type the key");
            Failure::new(Exit::Refused, "qr_too_long", message)
        })?;
        Ok(Self { code })
    }

    /// Modules on a side, with a quiet zone of `quiet` around.
    pub(crate) fn side(&self, quiet: usize) -> usize {
        quiet.saturating_mul(2).saturating_add(self.code.size)
    }

    /// Whether a module is dark, counted from the corner of the quiet zone; outside all is light.
    pub(crate) fn is_dark(&self, column: usize, row: usize, quiet: usize) -> bool {
        let inside = |at: usize| at.checked_sub(quiet).filter(|at| *at < self.code.size);
        let (Some(column), Some(row)) = (inside(column), inside(row)) else { return false };
        let index = row.saturating_mul(self.code.size).saturating_add(column);
        self.code.data.get(index).is_some_and(|module| module.value())
    }

    /// Two modules a character, one above the other.
    pub(crate) fn lines(&self, ink: Ink) -> Vec<Line> {
        (0..self.side(TERMINAL_QUIET)).step_by(2).map(|row| self.line(row, ink)).collect()
    }

    fn line(&self, row: usize, ink: Ink) -> Line {
        let drawn = |column, row: usize| match ink {
            Ink::Paper => self.is_dark(column, row, TERMINAL_QUIET),
            Ink::LightBlocks => !self.is_dark(column, row, TERMINAL_QUIET),
        };
        let block = |column| match (drawn(column, row), drawn(column, row.saturating_add(1))) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        let blocks: String = (0..self.side(TERMINAL_QUIET)).map(block).collect();
        let tone = match ink {
            Ink::Paper => Tone::Paper,
            Ink::LightBlocks => Tone::Plain,
        };
        Line::new().then(tone, blocks)
    }

    /// Black on white with the standard's quiet zone of four modules.
    pub(crate) fn svg(&self) -> Zeroizing<String> {
        let side = self.side(FILE_QUIET);
        let mut path = Zeroizing::new(String::with_capacity(side.saturating_mul(side).saturating_mul(16)));
        for row in 0..side {
            for column in (0..side).filter(|column| self.is_dark(*column, row, FILE_QUIET)) {
                path.push_str(&format!("M{column} {row}h1v1h-1z"));
            }
        }
        let pixels = side.saturating_mul(PIXELS);
        Zeroizing::new(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" \
             viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
             <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{}\" fill=\"#000\"/></svg>\n",
            *path
        ))
    }

    /// Grey levels, row by row, and the side in pixels.
    pub(crate) fn pixels(&self) -> (Zeroizing<Vec<u8>>, u32) {
        let side = self.side(FILE_QUIET);
        let module = |at: usize| at.checked_div(PIXELS).unwrap_or(0);
        let pixels = side.saturating_mul(PIXELS);
        let grey = |column, row| if self.is_dark(module(column), module(row), FILE_QUIET) { 0 } else { 255 };
        let all = (0..pixels).flat_map(|row| (0..pixels).map(move |column| grey(column, row))).collect();
        (Zeroizing::new(all), u32::try_from(pixels).unwrap_or(u32::MAX))
    }
}

/// Half of the standard's four modules: cameras are content, and two rows more would not fit.
const TERMINAL_QUIET: usize = 2;
const FILE_QUIET: usize = 4;
/// For one module.
const PIXELS: usize = 8;

#[cfg(test)]
mod tests;
