//! Properties of the repository: the module graph, the public names, the dependencies, the
//! examples.

#[path = "../common/mod.rs"]
mod common;

#[cfg(target_os = "linux")]
mod core_only;
mod exports;
#[cfg(feature = "alloc")]
mod format_example;
mod module_graph;
mod no_c;
