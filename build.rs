//! Compiles `proto/` into Rust messages and a descriptor set, with no installed protoc.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

/// Imports every other file.
const ROOT: &str = "base.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build.rs");
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);

    // The server carries the set at run time, so without comments.
    let bare = protox::Compiler::new(["proto"])?
        .include_imports(true)
        .include_source_info(false)
        .open_file(ROOT)?
        .encode_file_descriptor_set();
    fs::write(out_dir.join("openiap.descriptors"), bare)?;

    // The generated code keeps the comments.
    let commented = protox::Compiler::new(["proto"])?
        .include_imports(true)
        .include_source_info(true)
        .open_file(ROOT)?
        .file_descriptor_set();
    prost_build::Config::new()
        .enable_type_names()
        // File parts and attachments are passed on, never edited: share them.
        .bytes([".openiap.Stream.data", ".openiap.WorkitemFile.file"])
        .compile_fds(commented)?;
    Ok(())
}
