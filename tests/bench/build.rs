//! Links the unwinder in. With libgcc_s.so.1 in it, as Rust programs have by default, a caller would load a module that
//! needs that library faster than sshd does.

fn main() {
    println!("cargo:rustc-link-lib=gcc_eh");
    println!("cargo:rerun-if-changed=build.rs");
}
