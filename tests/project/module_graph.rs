//! Dependencies between files point one way.
//!
//! An edge leads from a file to the file that defines an item which the first one imports.
//! Re-exports are followed, and are no edges themselves: a `mod.rs` may export what its children
//! define.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Item, UseTree, Visibility};

use crate::common::root;

/// A path of modules and perhaps an item, from the root of the crate.
type Names = Vec<String>;

/// What a file declares, exports and uses.
#[derive(Default)]
struct Module {
    /// Names that the file re-exports, with their paths.
    exports: BTreeMap<String, Names>,
    /// Paths that the file uses outside its tests.
    uses: BTreeSet<Names>,
}

/// The modules of a crate by their paths.
struct Crate(BTreeMap<Names, Module>);

impl Crate {
    fn read(sources: &Path) -> Self {
        let mut modules = BTreeMap::new();
        for file in rust_files(sources) {
            let name = module_name(file.strip_prefix(sources).unwrap());
            // Tests may use what they test.
            if name.last().is_some_and(|name| name == "tests") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
            modules.insert(name.clone(), read_module(&parsed, &name));
        }
        Self(modules)
    }

    /// Returns the module that defines what a path leads to. Follows re-exports.
    fn definition<'m>(&'m self, path: &[String]) -> Option<&'m Names> {
        let mut at = self.0.get_key_value(&Names::new())?;
        for (depth, name) in path.iter().enumerate() {
            let child = [&at.0[..], std::slice::from_ref(name)].concat();
            let child = self.0.get_key_value(&child);
            let rest = &path[depth + 1..];
            // A function may be called like its module, which then is what a longer path leads to.
            if let Some(exported) = at.1.exports.get(name)
                && (rest.is_empty() || child.is_none())
            {
                return self.definition(&[exported, rest].concat());
            }
            let Some(module) = child else { break };
            at = module;
        }
        Some(at.0)
    }

    /// Returns the modules that each module uses.
    fn edges(&self) -> BTreeMap<&Names, BTreeSet<&Names>> {
        let targets = |name, module: &Module| {
            let found = module.uses.iter().filter_map(|path| self.definition(path));
            found.filter(|target| *target != name).collect()
        };
        self.0.iter().map(|(name, module)| (name, targets(name, module))).collect()
    }
}

/// Returns the Rust files of a folder and of the folders in it.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Returns the module that a file is: `frame/mod.rs` is `frame`, `lib.rs` is the root.
fn module_name(file: &Path) -> Names {
    let mut names: Names =
        file.with_extension("").iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        names.pop();
    }
    names
}

fn read_module(file: &syn::File, name: &Names) -> Module {
    let mut module = Module::default();
    for item in &file.items {
        if let Item::Use(used) = item
            && !matches!(used.vis, Visibility::Inherited)
        {
            for path in leaves(&used.tree) {
                let exported = path.last().unwrap().clone();
                module.exports.insert(exported, absolute(&path, name, true));
            }
        }
    }
    let mut visitor = Paths { module: &mut module, name };
    visitor.visit_file(file);
    module
}

/// Collects the paths that lead to the crate's own items.
struct Paths<'m> {
    module: &'m mut Module,
    name: &'m Names,
}

impl Paths<'_> {
    fn add(&mut self, path: &[String]) {
        if matches!(path[0].as_str(), "crate" | "super" | "self") {
            self.module.uses.insert(absolute(path, self.name, false));
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_use(&mut self, used: &'ast syn::ItemUse) {
        if matches!(used.vis, Visibility::Inherited) {
            leaves(&used.tree).iter().for_each(|path| self.add(path));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path.segments.iter().map(|name| name.ident.to_string()).collect();
        self.add(&names);
        visit::visit_path(self, path);
    }

    /// Tests and other modules within a file are left out: they may use what they test.
    fn visit_item_mod(&mut self, _: &'ast syn::ItemMod) {}
}

/// Returns the paths that a `use` names.
fn leaves(tree: &UseTree) -> Vec<Names> {
    let behind = |name: &syn::Ident, paths: Vec<Names>| {
        paths.into_iter().map(|path| [vec![name.to_string()], path].concat()).collect()
    };
    match tree {
        UseTree::Path(path) => behind(&path.ident, leaves(&path.tree)),
        UseTree::Name(name) if name.ident == "self" => vec![Names::new()],
        UseTree::Name(name) => vec![vec![name.ident.to_string()]],
        UseTree::Rename(name) => vec![vec![name.ident.to_string()]],
        UseTree::Glob(_) => vec![Names::new()],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

/// Returns a path from the root of the crate. A re-export may begin with a child of the module.
fn absolute(path: &[String], module: &Names, is_export: bool) -> Names {
    let mut base = module.clone();
    let mut rest = path;
    match path[0].as_str() {
        "crate" => (base, rest) = (Names::new(), &path[1..]),
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        _ => assert!(is_export, "{path:?}"),
    }
    [&base[..], rest].concat()
}

/// Returns the modules of a cycle, if there is one.
fn find_cycle<T: Ord + Copy>(edges: &BTreeMap<T, BTreeSet<T>>) -> Option<Vec<T>> {
    let mut left = edges.clone();
    // Leaves are no part of a cycle, nor is what only leads to leaves.
    while let Some(leaf) =
        left.iter().find_map(|(&name, targets)| targets.is_empty().then_some(name))
    {
        left.remove(&leaf);
        left.values_mut().for_each(|targets| _ = targets.remove(&leaf));
    }
    let mut path = vec![*left.keys().next()?];
    loop {
        let next = *left[path.last().unwrap()].first().unwrap();
        if let Some(start) = path.iter().position(|&name| name == next) {
            return Some(path.split_off(start));
        }
        path.push(next);
    }
}

fn assert_no_cycle(folder: &str) {
    let modules = Crate::read(&root().join(folder));
    let edges = modules.edges();
    assert!(edges.values().map(BTreeSet::len).sum::<usize>() > 100, "edges are missing");
    if let Some(cycle) = find_cycle(&edges) {
        let names: Vec<_> = cycle.iter().map(|name| name.join("::")).collect();
        panic!("files of {folder} depend on each other: {names:?}");
    }
}

/// Asserts the same for the top-level modules of a crate, which are whole folders.
fn assert_no_cycle_of_folders(folder: &str) {
    let modules = Crate::read(&root().join(folder));
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, targets) in modules.edges() {
        let Some(from) = name.first() else { continue };
        let targets = targets.iter().filter_map(|target| target.first()).map(String::as_str);
        edges.entry(from).or_default().extend(targets.filter(|target| target != from));
    }
    if let Some(cycle) = find_cycle(&edges) {
        panic!("modules of {folder} depend on each other: {cycle:?}");
    }
}

#[test]
fn files_of_the_library_have_no_cycle() {
    assert_no_cycle("src");
}

#[test]
fn modules_of_the_library_have_no_cycle() {
    assert_no_cycle_of_folders("src");
}

#[test]
fn files_of_the_program_have_no_cycle() {
    assert_no_cycle("cli/src");
}

#[test]
fn modules_of_the_program_have_no_cycle() {
    assert_no_cycle_of_folders("cli/src");
}

#[test]
fn cycles_are_found() {
    let edges = |edges: &[(u8, u8)]| {
        let mut all: BTreeMap<u8, BTreeSet<u8>> = (0..5).map(|node| (node, [].into())).collect();
        edges.iter().for_each(|(from, to)| _ = all.get_mut(from).unwrap().insert(*to));
        all
    };
    assert_eq!(find_cycle(&edges(&[(0, 1), (1, 2), (0, 2), (3, 0)])), None);
    assert_eq!(find_cycle(&edges(&[(0, 1), (1, 2), (2, 3), (3, 1)])), Some(vec![1, 2, 3]));
}
