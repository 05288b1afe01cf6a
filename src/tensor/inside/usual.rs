//! Headers of sources in one of the usual forms, which are described instead of copied where a copy
//! would make the header of the result too long.

use std::collections::BTreeMap;
use std::format;
use std::io::{self, Write};
use std::string::String;
use std::vec::Vec;

use crate::checksum::checksum;
use crate::tensor::metadata::METADATA;
use crate::tensor::write_header::Entry;

/// What a description begins with, and no header does.
const SIGN: &str = "zipnn:";
/// The key that the writer adds to metadata.
const FORMAT: &str = "format";

/// How a header is written: its tensors in the order of their data, behind the metadata, with no
/// blanks but these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usual {
    /// Whether a blank follows each comma and colon, as Python's `json` has it.
    is_spaced: bool,
    has_metadata: bool,
    /// Whether the metadata has the key `format` of its own.
    has_format: bool,
    /// Blanks at the end.
    blanks: usize,
    /// The checksum of the whole text.
    checksum: u64,
}

impl Usual {
    /// Returns how `text` is written, if it is in one of the usual forms. `metadata` and `entries`
    /// are what it says.
    pub(crate) fn of<'a, E: Iterator<Item = Entry<'a>>>(
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

    /// Reads a description; `None` if the text is none.
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

    /// Returns the text of a header in this form, if it is the text that has been described.
    pub(crate) fn text<'a>(
        &self,
        metadata: &BTreeMap<String, String>,
        entries: impl Iterator<Item = Entry<'a>>,
    ) -> Option<String> {
        let mut text = Vec::new();
        self.write(&mut text, metadata, entries).ok()?;
        let len = text.len().checked_add(self.blanks)?;
        // As long as any header may be: the number is only a promise.
        if len as u64 > crate::tensor::Metadata::MAX_HEADER_LEN {
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
        let [comma, colon] = if self.is_spaced { [", ", ": "] } else { [",", ":"] };
        let mut separator = "{";
        if self.has_metadata {
            write!(out, "{{\"{METADATA}\"{colon}{{")?;
            let kept = metadata.iter().filter(|(key, _)| self.has_format || *key != FORMAT);
            for (number, (key, text)) in kept.enumerate() {
                out.write_all(if number > 0 { comma.as_bytes() } else { b"" })?;
                serde_json::to_writer(&mut *out, key)?;
                out.write_all(colon.as_bytes())?;
                serde_json::to_writer(&mut *out, text)?;
            }
            out.write_all(b"}")?;
            separator = comma;
        }
        for Entry { name, dtype, shape, data_offsets: [start, end] } in entries {
            out.write_all(separator.as_bytes())?;
            serde_json::to_writer(&mut *out, name)?;
            write!(out, "{colon}{{\"dtype\"{colon}")?;
            serde_json::to_writer(&mut *out, dtype)?;
            write!(out, "{comma}\"shape\"{colon}[")?;
            for (number, dimension) in shape.iter().enumerate() {
                write!(out, "{}{dimension}", if number > 0 { comma } else { "" })?;
            }
            write!(out, "]{comma}\"data_offsets\"{colon}[{start}{comma}{end}]}}")?;
            separator = comma;
        }
        out.write_all(if separator == "{" { b"{}" } else { b"}" })
    }
}

/// The bytes that a writer is expected to write.
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
    fn usual_forms_come_back() {
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
            let form = Usual::of(&text, &metadata(own), entries).expect(&text);
            assert_eq!(Usual::parse(&form.describe()), Some(form));
            // The writer adds a key.
            let mut written = metadata(own);
            written.entry("format".into()).or_insert_with(|| "pt".into());
            assert_eq!(form.text(&written, entries()).as_deref(), Some(&*text));
            assert_eq!(form.text(&written, entries().take(1)), None);
        }
        let unusual = format!(r#"{{{tensors},"__metadata__":{{}}}}"#);
        for text in [unusual, format!(" {{{tensors}}}"), format!("{{{tensors} }}")] {
            assert_eq!(Usual::of(&text, &BTreeMap::new(), entries), None, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_descriptions() {
        for text in [
            "",
            "{}",
            "zipnn:",
            "zipnn:0,0,0,0",
            "zipnn:2,0,0,0,1",
            "zipnn:0,0,0,01,1",
            "zipnn:0,0,0,0,1,",
        ] {
            assert_eq!(Usual::parse(text), None, "{text}");
        }
        let promise = Usual::parse("zipnn:0,0,0,18446744073709551615,1").unwrap();
        assert_eq!(promise.text(&BTreeMap::new(), entries()), None);
    }
}
