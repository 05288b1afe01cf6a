//! Common forms of headers, which are described instead of copied where a copy would make the
//! header of the result too long.

use std::collections::BTreeMap;
use std::format;
use std::io::{self, Write};
use std::string::String;
use std::vec::Vec;

use crate::checksum::checksum;
use crate::tensor::safetensors::format::{MAX_HEADER_LEN, METADATA};
use crate::tensor::safetensors::write::Entry;

/// Key in the metadata of the source's header, as text or as the description of its form.
///
/// The original ignores it.
pub(crate) const SOURCE_HEADER: &str = "zipnn_source_header";
/// Beginning of a description, which no header has.
const SIGN: &str = "zipnn:";
/// Key that the writer adds to the metadata.
const FORMAT: &str = "format";

/// Form of a header that has the metadata first, then the tensors in the order of their data, and
/// blanks only where the fields below state them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeaderForm {
    /// Whether a blank follows each comma and colon, as Python's `json` writes them.
    is_spaced: bool,
    has_metadata: bool,
    /// Whether the source's metadata contains the key `format`.
    has_format: bool,
    /// Number of blanks at the end.
    blanks: usize,
    /// Checksum of the whole text.
    checksum: u64,
}

impl HeaderForm {
    /// Returns the form of `text`, a header with these metadata and entries, or `None` if it is not
    /// a common one.
    pub(crate) fn detect<'a, E: Iterator<Item = Entry<'a>>>(
        text: &str,
        metadata: &BTreeMap<String, String>,
        entries: impl Fn() -> E,
    ) -> Option<Self> {
        let json = text.trim_end_matches(' ');
        let form = Self {
            is_spaced: false,
            has_metadata: text.starts_with(&format!("{{\"{METADATA}\"")),
            has_format: metadata.contains_key(FORMAT),
            blanks: text.len() - json.len(),
            checksum: checksum(text.as_bytes()),
        };
        [false, true].into_iter().map(|is_spaced| Self { is_spaced, ..form }).find(|form| {
            let mut expected = Expected(json.as_bytes());
            form.write(&mut expected, metadata, entries()).is_ok() && expected.0.is_empty()
        })
    }

    /// Returns the description of the form.
    pub(crate) fn describe(&self) -> String {
        let Self { is_spaced, has_metadata, has_format, blanks, checksum } = *self;
        let [is_spaced, has_metadata, has_format] =
            [is_spaced, has_metadata, has_format].map(u8::from);
        format!("{SIGN}{is_spaced},{has_metadata},{has_format},{blanks},{checksum:x}")
    }

    /// Parses a description. Returns `None` for any other text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.strip_prefix(SIGN)?.split(',');
        let mut flag = || match fields.next()? {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        };
        let (is_spaced, has_metadata, has_format) = (flag()?, flag()?, flag()?);
        let blanks = fields.next()?.parse().ok()?;
        let checksum = u64::from_str_radix(fields.next()?, 16).ok()?;
        let form = Self { is_spaced, has_metadata, has_format, blanks, checksum };
        (form.describe() == text).then_some(form)
    }

    /// Returns a header in this form, or `None` if it differs from the header that was described.
    pub(crate) fn render<'a>(
        &self,
        metadata: &BTreeMap<String, String>,
        entries: impl Iterator<Item = Entry<'a>>,
    ) -> Option<String> {
        let mut text = Vec::new();
        self.write(&mut text, metadata, entries).ok()?;
        let len = text.len().checked_add(self.blanks)?;
        // The file may state any number of blanks.
        if len as u64 > MAX_HEADER_LEN {
            return None;
        }
        text.resize(len, b' ');
        let text = String::from_utf8(text).ok()?;
        (checksum(text.as_bytes()) == self.checksum).then_some(text)
    }

    fn write<'a>(
        &self,
        out: &mut dyn Write,
        metadata: &BTreeMap<String, String>,
        entries: impl Iterator<Item = Entry<'a>>,
    ) -> io::Result<()> {
        let mut separator = "{";
        if self.has_metadata {
            out.write_all(separator.as_bytes())?;
            self.write_metadata(out, metadata)?;
            separator = self.comma();
        }
        for entry in entries {
            out.write_all(separator.as_bytes())?;
            self.write_entry(out, &entry)?;
            separator = self.comma();
        }
        out.write_all(if separator == "{" { b"{}" } else { b"}" })
    }

    fn write_metadata(
        &self,
        out: &mut dyn Write,
        metadata: &BTreeMap<String, String>,
    ) -> io::Result<()> {
        let colon = self.colon();
        write!(out, "\"{METADATA}\"{colon}{{")?;
        let kept = metadata.iter().filter(|(key, _)| self.has_format || *key != FORMAT);
        for (number, (key, text)) in kept.enumerate() {
            out.write_all(if number > 0 { self.comma().as_bytes() } else { b"" })?;
            serde_json::to_writer(&mut *out, key)?;
            out.write_all(colon.as_bytes())?;
            serde_json::to_writer(&mut *out, text)?;
        }
        out.write_all(b"}")
    }

    fn write_entry(&self, out: &mut dyn Write, entry: &Entry<'_>) -> io::Result<()> {
        let Entry { name, dtype, shape, data_offsets: [start, end] } = entry;
        let (comma, colon) = (self.comma(), self.colon());
        serde_json::to_writer(&mut *out, name)?;
        write!(out, "{colon}{{\"dtype\"{colon}")?;
        serde_json::to_writer(&mut *out, dtype)?;
        write!(out, "{comma}\"shape\"{colon}[")?;
        for (number, dimension) in shape.iter().enumerate() {
            write!(out, "{}{dimension}", if number > 0 { comma } else { "" })?;
        }
        write!(out, "]{comma}\"data_offsets\"{colon}[{start}{comma}{end}]}}")
    }

    fn comma(&self) -> &'static str {
        if self.is_spaced { ", " } else { "," }
    }

    fn colon(&self) -> &'static str {
        if self.is_spaced { ": " } else { ":" }
    }
}

/// Fails as soon as other bytes than the expected ones are written.
struct Expected<'t>(&'t [u8]);

impl Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> impl Iterator<Item = Entry<'static>> {
        let entry = |name, shape, data_offsets| Entry { name, dtype: "BF16", shape, data_offsets };
        [entry("a\"", &[2, 3][..], [0, 12]), entry("b", &[], [12, 14])].into_iter()
    }

    #[test]
    fn rendering_a_common_form_restores_the_text() {
        let tensors = r#""a\"":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"BF16","shape":[],"data_offsets":[12,14]}"#;
        let spaced = tensors.replace(':', ": ").replace(',', ", ");
        let metadata = |text: &str| serde_json::from_str::<BTreeMap<String, String>>(text).unwrap();
        for (text, own) in [
            (format!("{{{tensors}}}"), "{}"),
            (format!("{{{tensors}}}   "), "{}"),
            (format!("{{{spaced}}}"), "{}"),
            (
                format!(r#"{{"__metadata__":{{"format":"np","z":"é"}},{tensors}}}"#),
                r#"{"format":"np","z":"é"}"#,
            ),
            (format!(r#"{{"__metadata__": {{}}, {spaced}}}"#), "{}"),
            (format!(r#"{{"__metadata__":{{"z":"1"}},{tensors}}} "#), r#"{"z":"1"}"#),
        ] {
            let form = HeaderForm::detect(&text, &metadata(own), entries).expect(&text);
            assert_eq!(HeaderForm::parse(&form.describe()), Some(form));
            // The writer adds this key.
            let mut written = metadata(own);
            written.entry("format".into()).or_insert_with(|| "pt".into());
            assert_eq!(form.render(&written, entries()).as_deref(), Some(&*text));
            assert_eq!(form.render(&written, entries().take(1)), None);
        }
        let unusual = format!(r#"{{{tensors},"__metadata__":{{}}}}"#);
        for text in [unusual, format!(" {{{tensors}}}"), format!("{{{tensors} }}")] {
            assert_eq!(HeaderForm::detect(&text, &BTreeMap::new(), entries), None, "{text}");
        }
    }

    #[test]
    fn malformed_descriptions_are_rejected() {
        for text in [
            "",
            "{}",
            "zipnn:",
            "zipnn:0,0,0,0",
            "zipnn:2,0,0,0,1",
            "zipnn:0,0,0,01,1",
            "zipnn:0,0,0,0,1,",
        ] {
            assert_eq!(HeaderForm::parse(text), None, "{text}");
        }
        let promise = HeaderForm::parse("zipnn:0,0,0,18446744073709551615,1").unwrap();
        assert_eq!(promise.render(&BTreeMap::new(), entries()), None);
    }
}
