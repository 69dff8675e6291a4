//! Links libgcc's unwinder into the module. As a library of its own it would be searched, mapped and initialised anew
//! at every login of every host that has not loaded it: more work than all the rest of the module's loading.
//!
//! And keeps the module in a host that has loaded it once: to map, relocate and fault it in again would be two fifths of
//! what a login costs a host that lives on. systemd's NSS modules are linked so too.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-lib=gcc_eh");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
