//! The example in `docs/FORMAT.md` is a file that decodes to the data beside it.

use zipnn::Limits;

const PAGE: &str = include_str!("../../docs/FORMAT.md");

/// The bytes at the beginning of a line: hexadecimal pairs, one blank between them.
fn pairs(line: &str) -> impl Iterator<Item = u8> {
    let pair = |word: &str| u8::from_str_radix(word, 16).ok().filter(|_| word.len() == 2);
    line.split(' ').map_while(pair)
}

/// The bytes in the block of this name. In the file, each line begins with its offset; lines that
/// begin with `#` tell what follows.
fn block(name: &str) -> Vec<u8> {
    let (_, text) = PAGE.split_once(&format!("```text {name}\n")).unwrap();
    let (text, _) = text.split_once("```").unwrap();
    let mut bytes = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let line = match line.split_once("  ") {
            Some((offset, rest)) => {
                assert_eq!(usize::from_str_radix(offset, 16), Ok(bytes.len()), "{line}");
                rest
            }
            None => line,
        };
        bytes.extend(pairs(line));
    }
    bytes
}

#[test]
fn the_example_decodes() {
    let (data, file) = (block("data"), block("file"));
    assert_eq!(data.len(), 80);
    assert_eq!(zipnn::decompress(&file, &Limits::default()).unwrap(), data);
}
