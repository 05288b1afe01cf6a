//! Owner, group and permissions of results.

use std::fs::{File, Metadata};

/// Gives a private file the owner, group and permissions of its source, as far as the system
/// allows.
///
/// Sets the permissions last, because they would apply to the wrong owner and group before. Leaves
/// out setuid, setgid and sticky bits, which were granted to other contents.
#[cfg(unix)]
pub fn pass_on(source: &Metadata, file: &File) {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    const EVERYONE: u32 = 0o777;
    let mode = source.mode() & EVERYONE;
    // Only the superuser may change the owner.
    let _ = fchown(file, Some(source.uid()), None);
    let has_group = || file.metadata().is_ok_and(|file| file.gid() == source.gid());
    let is_group_passed_on = has_group() || fchown(file, None, Some(source.gid())).is_ok();
    let mode = if is_group_passed_on { mode } else { without_group(mode) };
    let _ = file.set_permissions(Permissions::from_mode(mode));
}

/// Gives a file the permissions of its source, as far as the system allows.
#[cfg(not(unix))]
pub fn pass_on(source: &Metadata, file: &File) {
    let _ = file.set_permissions(source.permissions());
}

/// Returns the permissions of a file whose group could not be set. Members of the source's group
/// are now others, and must not get more permissions than before.
#[cfg(unix)]
fn without_group(mode: u32) -> u32 {
    const OWNER: u32 = 0o700;
    mode & OWNER | mode & mode >> 3 & 0o007
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn others_get_no_more_permissions_than_the_lost_group() {
        for (mode, expected) in
            [(0o640, 0o600), (0o644, 0o604), (0o604, 0o600), (0o777, 0o707), (0o757, 0o705)]
        {
            assert_eq!(without_group(mode), expected, "{mode:o}");
        }
    }
}
