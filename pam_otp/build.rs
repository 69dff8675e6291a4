//! Links libgcc's unwinder into the module. As a library of its own it would be searched, mapped and initialised anew
//! at every login of every host that has not loaded it: more work than all the rest of the module's loading.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-lib=gcc_eh");
}
