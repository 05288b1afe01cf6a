//! The public names of the library: a new one has to be added to the list below on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::{Attribute, Item, UseTree, Visibility};

use crate::common::root;

/// The names in each public module, without methods, fields and variants.
const EXPORTS: &[(&str, &str)] = &[
    (
        "zipnn",
        "Archive ArchiveError DType DecodeError DecodeErrorKind Decoder EncodeError Encoder \
         Limits Location Options ParseDTypeError PlaneCode Profile Tensor compress compress_append \
         compress_bound compress_into compress_tensor compressed_len decoded_len decompress \
         decompress_into decompress_tensor delta file frame gpu io layout_search legacy parallel \
         push seek simd tensor typed verify",
    ),
    (
        "zipnn::delta",
        "BaseId BaseMap Conversion Delta DeltaDecoder DeltaEncoder MapSegment MapSource \
         MapTensor MappedBase Update UpdateEncoder UpdatedTensor apply compress compress_frame_into \
         decompress decompress_into",
    ),
    ("zipnn::file", "Directory DirectoryEntry FrameWalk Frames push seek"),
    ("zipnn::file::push", "PushDecoder"),
    ("zipnn::file::seek", "FramePart Seeker"),
    (
        "zipnn::frame",
        "Annex Chunk DecodeScratch DecodeTable EncodeScratch Footer Form Frame FrameIndex \
         FrameOpener FramePosition HEADER_LEN Header Keep MAGIC Method OpenOptions \
         OpenedFrame PayloadCheck PlaneLayout Record Scratch Shape SmallTable Table \
         compress_frame_into",
    ),
    ("zipnn::gpu", "Binding Checks ChunkInput Pass Plan Shader"),
    (
        "zipnn::io",
        "Archive ArchiveError Damage Decoder DeltaDecoder DeltaEncoder Encoder EncoderBuilder \
         ReadAt StoredPart",
    ),
    ("zipnn::layout_search", "Segment layout segments"),
    (
        "zipnn::legacy",
        "Summary decode decode_partial is_delta is_legacy may_be_legacy summary trailing_len",
    ),
    (
        "zipnn::parallel",
        "ScratchPool par_compress par_compress_into par_decompress par_decompress_into",
    ),
    (
        "zipnn::tensor",
        "Metadata MetadataError MetadataReader Oddity PlannedFrame RowsError TensorInfo inside plan safetensors",
    ),
    (
        "zipnn::tensor::inside",
        "RestoredHeader Section StoredTensor TensorError TensorReader TensorTarget \
         TensorWriter",
    ),
    ("zipnn::tensor::safetensors", "MAX_HEADER_LEN PREFIX_LEN"),
    ("zipnn::simd", "Level LevelError from_environment level"),
    (
        "zipnn::typed",
        "Element ElementBuf compress_slice compress_slice_into decompress_slice \
         decompress_slice_into decompress_tensor",
    ),
];

/// Returns the names of all public modules, by their paths.
fn exports(sources: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut exports = BTreeMap::new();
    let mut open = vec![(String::from("zipnn"), sources.join("lib.rs"))];
    while let Some((module, file)) = open.pop() {
        let text = fs::read_to_string(&file).unwrap();
        let items =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{file:?}: {error}")).items;
        let names = exports.entry(module.clone()).or_insert_with(BTreeSet::new);
        for item in items {
            let Some(name) = public_module(&item) else {
                names.extend(public_names(&item));
                continue;
            };
            let folder = file.parent().unwrap();
            let nested = [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")];
            let nested = nested.into_iter().find(|path| path.exists()).unwrap();
            open.push((format!("{module}::{name}"), nested));
            names.insert(name);
        }
    }
    exports
}

/// Returns the name of a public module that is part of the documented interface.
fn public_module(item: &Item) -> Option<String> {
    match item {
        Item::Mod(module) if is_public(&module.vis) && !is_hidden(&module.attrs) => {
            Some(module.ident.to_string())
        }
        _ => None,
    }
}

fn public_names(item: &Item) -> Vec<String> {
    let (visibility, name) = match item {
        Item::Use(item) if is_public(&item.vis) => return leaves(&item.tree),
        Item::Fn(item) => (&item.vis, &item.sig.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Const(item) => (&item.vis, &item.ident),
        Item::Static(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        _ => return Vec::new(),
    };
    if is_public(visibility) { vec![name.to_string()] } else { Vec::new() }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|argument| argument == "hidden")
    })
}

/// Returns the names that a `pub use` adds to its module.
fn leaves(tree: &UseTree) -> Vec<String> {
    match tree {
        UseTree::Path(path) => leaves(&path.tree),
        UseTree::Name(name) => vec![name.ident.to_string()],
        UseTree::Rename(name) => vec![name.rename.to_string()],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
        UseTree::Glob(_) => panic!("a glob hides which names are public"),
    }
}

#[test]
fn public_names_are_listed() {
    let found = exports(&root().join("src"));
    let listed: BTreeMap<_, BTreeSet<_>> =
        EXPORTS.iter().map(|(module, names)| (module.to_string(), words(names))).collect();
    let all: BTreeSet<_> = found.keys().chain(listed.keys()).collect();
    for module in all {
        let none = BTreeSet::new();
        let (found, listed) =
            (found.get(module).unwrap_or(&none), listed.get(module).unwrap_or(&none));
        let new: Vec<_> = found.difference(listed).collect();
        let gone: Vec<_> = listed.difference(found).collect();
        assert!(
            new.is_empty() && gone.is_empty(),
            "{module}: add {new:?} to the list in this test, or make them private; remove {gone:?}"
        );
    }
}

fn words(names: &str) -> BTreeSet<String> {
    names.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn names_are_found_in_all_forms() {
    let names = |code: &str| public_names(&syn::parse_str(code).unwrap());
    assert_eq!(names("pub use a::{b, c::{D, E as F}};"), ["b", "D", "F"]);
    assert_eq!(names("pub fn a() {}"), ["a"]);
    assert_eq!(names("pub const A: u8 = 1;"), ["A"]);
    assert!(names("pub(crate) struct A;").is_empty());
    assert!(names("use a::b;").is_empty());
    let module = |code: &str| public_module(&syn::parse_str(code).unwrap());
    assert_eq!(module("pub mod a;"), Some("a".into()));
    assert_eq!(module("#[doc(hidden)] pub mod a;"), None);
    assert_eq!(module("mod a;"), None);
}
