//! Files that the program generates from its arguments: completions and manual pages.

use crate::program::Place;

#[test]
fn completions_know_every_command() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = place.succeeds(&["completions", shell]);
        for name in ["compress", "flatten", "inside-safetensors", "completions"] {
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
    place.fails(2, &["completions", "tcsh"]);
}

#[test]
fn manual_pages_describe_every_command() {
    let place = Place::new();
    place.succeeds(&["man", "share/man1"]);
    let names = place.names();
    assert!(names.contains(&"share/man1/zipnn.1".to_owned()), "{names:?}");
    let help = place.succeeds(&["--help"]);
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let commands = commands.lines().filter_map(|line| {
        line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split(' ').next()
    });
    for command in commands.filter(|&command| command != "help") {
        let page = place.read(&format!("share/man1/zipnn-{command}.1"));
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains(&format!("zipnn {command}")), "{command}: {page}");
        assert!(page.contains("Exit status"), "{command}");
    }
    // Existing pages are replaced.
    place.succeeds(&["man", "share/man1"]);
    assert_eq!(place.names(), names);
}

#[test]
fn manual_pages_need_a_directory() {
    let place = Place::new();
    let said = place.fails(2, &["man", "-"]);
    assert!(said.contains("several pages") && said.contains("directory"), "{said}");
    assert!(place.names().is_empty());
}
