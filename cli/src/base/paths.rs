//! Paths of bases, relative to the files that name them.

use std::path::{Component, Path, PathBuf};

/// Returns the path that leads from a directory to a file, with `/` between names.
pub fn relative(directory: &Path, file: &Path) -> String {
    let absolute = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
    };
    let (directory, file) = (absolute(directory), absolute(file));
    let (from, to): (Vec<_>, Vec<_>) =
        (directory.components().collect(), file.components().collect());
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    if shared == 0 {
        // Another drive.
        return file.to_string_lossy().into_owned();
    }
    let up = from[shared..].iter().map(|_| "..".into());
    let down = to[shared..].iter().map(|name| name.as_os_str().to_string_lossy());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// Returns the path that a hint leads to from a directory.
pub fn resolve(directory: &Path, hint: &str) -> PathBuf {
    let mut path = directory.to_owned();
    for component in Path::new(hint).components() {
        match component {
            // Links make `a/..` differ from the directory itself, so that it is kept as it is.
            Component::CurDir => {}
            component => path.push(component),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_from_the_directory_to_the_file() {
        for (directory, file, expected) in [
            ("a/b", "a/b/c.safetensors", "c.safetensors"),
            ("a/b", "a/c/d", "../c/d"),
            ("", "a", "a"),
            ("a/b/c", "d", "../../../d"),
        ] {
            assert_eq!(relative(Path::new(directory), Path::new(file)), expected);
        }
        assert_eq!(resolve(Path::new("a/b"), "../c/d"), Path::new("a/b/../c/d"));
    }
}
