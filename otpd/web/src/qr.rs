//! QR codes as SVG.

use fast_qr::ECL;
use fast_qr::QRBuilder;

/// A QR code with its quiet zone, level M: one path of squares, `None` if the text is too long for any.
#[must_use]
pub fn svg(text: &str) -> Option<Svg> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let mut path = String::new();
    for row in 0..code.size {
        for (column, module) in code[row].iter().enumerate() {
            if module.value() {
                let (x, y) = (column.saturating_add(QUIET), row.saturating_add(QUIET));
                path.push_str(&format!("M{x} {y}h1v1h-1z"));
            }
        }
    }
    Some(Svg { side: code.size.saturating_add(QUIET.saturating_mul(2)), path })
}

/// What a template draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svg {
    /// Modules, quiet zone included.
    pub side: usize,
    /// The dark ones.
    pub path: String,
}

/// Four modules on each side (ISO/IEC 18004, 5.3.8).
const QUIET: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_in_its_quiet_zone() {
        let svg = svg("otpauth://totp/nas:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=nas").unwrap();
        assert!(svg.path.starts_with("M4 4h1v1h-1z"), "the corner of a finder is dark");
        let coordinates = svg.path.split(['M', 'h']).filter_map(|part| part.split_once(' '));
        for (x, y) in coordinates {
            let within = |text: &str| (4..svg.side - 4).contains(&text.parse().unwrap());
            assert!(within(x) && within(y), "{x} {y}");
        }
        assert!(super::svg(&"x".repeat(4000)).is_none());
    }
}
