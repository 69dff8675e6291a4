//! A QR code in a file. It holds the key, so the file is new, readable by its owner only, and never written over
//! something else or through somebody's symbolic link.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::Rendering;
use super::Symbol;
use crate::exit::Exit;
use crate::failure::Failure;

/// A new, still empty file; it goes away again unless it is filled.
pub(crate) struct QrFile {
    path: PathBuf,
    file: File,
    is_png: bool,
    is_filled: bool,
}

impl QrFile {
    /// Creates the file that `rendering` names, if it names one; before a key exists, so that a name that does
    /// not work costs nothing.
    pub(crate) fn reserve(rendering: &Rendering) -> Result<Option<Self>, Failure> {
        let (path, is_png) = match rendering {
            Rendering::Svg(path) => (path, false),
            Rendering::Png(path) => (path, true),
            Rendering::Auto | Rendering::Utf8 | Rendering::Ansi | Rendering::None => return Ok(None),
        };
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = created.map_err(|error| Failure::cannot_write(path, &error))?;
        Ok(Some(Self { path: path.clone(), file, is_png, is_filled: false }))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the code.
    pub(crate) fn fill(&mut self, symbol: &Symbol) -> Result<(), Failure> {
        let bytes = if self.is_png { png(symbol)? } else { Zeroizing::new(symbol.svg().as_bytes().to_vec()) };
        let written = self.file.write_all(&bytes).and_then(|()| self.file.flush());
        written.map_err(|error| Failure::cannot_write(&self.path, &error))?;
        self.is_filled = true;
        Ok(())
    }
}

impl Drop for QrFile {
    fn drop(&mut self) {
        if !self.is_filled {
            // Nothing is lost if this fails: the file is empty.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn png(symbol: &Symbol) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (pixels, side) = symbol.pixels();
    let mut bytes = Zeroizing::new(Vec::with_capacity(pixels.len()));
    let mut encoder = png::Encoder::new(&mut *bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&pixels)?;
        writer.finish()
    });
    written
        .map_err(|error| Failure::new(Exit::Refused, "file", format!("cannot make a PNG image: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_file_is_new_private_and_gone_if_never_filled() {
        let directory = tempfile::tempdir().unwrap();
        let rendering = Rendering::Svg(directory.path().join("qr.svg"));
        let file = QrFile::reserve(&rendering).unwrap().unwrap();
        let path = file.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(QrFile::reserve(&rendering).err().unwrap().message.contains("exists already"));
        assert!(path.exists(), "a second attempt must not remove the first one's file");
        drop(file);
        assert!(!path.exists());
        let mut file = QrFile::reserve(&rendering).unwrap().unwrap();
        file.fill(&Symbol::of("x").unwrap()).unwrap();
        drop(file);
        assert!(std::fs::read_to_string(path).unwrap().starts_with("<svg "));
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("qr.png");
        let target = directory.path().join("target");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(QrFile::reserve(&Rendering::Png(link)).is_err());
        assert!(!target.exists());
    }
}
