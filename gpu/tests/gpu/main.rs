//! Decodes on a GPU, or on a software adapter, and compares with the processor.
//!
//! A missing adapter fails the tests. On Debian, `apt-get install mesa-vulkan-drivers` provides one.

#[path = "../../../tests/common/mod.rs"]
mod common;

mod damage;
mod device;
mod files;
mod interface;
mod round_trips;
