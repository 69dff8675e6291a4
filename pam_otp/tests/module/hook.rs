//! One `pam_sm_*` function of the module, called past libpam.

#![expect(unsafe_code, reason = "opens the module as libpam does")]

use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;
use std::path::Path;

/// The function, and the library that it is in.
pub(crate) struct Hook {
    library: *mut c_void,
    function: Function,
}

type Function = unsafe extern "C" fn(*mut c_void, c_int, c_int, *const *const c_char) -> c_int;

impl Hook {
    pub(crate) fn open(module: &Path, name: &CStr) -> Self {
        let module = CString::new(module.to_str().unwrap()).unwrap();
        // SAFETY: a module, which has no constructors of its own.
        let library = unsafe { libc::dlopen(module.as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null());
        // SAFETY: the library is open and the name ends with NUL.
        let symbol = unsafe { libc::dlsym(library, name.as_ptr()) };
        assert!(!symbol.is_null());
        // SAFETY: libpam calls the symbol with this signature.
        let function = unsafe { std::mem::transmute::<*mut c_void, Function>(symbol) };
        Self { library, function }
    }

    /// Calls it.
    ///
    /// # Safety
    /// `pamh` is null or live; `words` is null, or as many pointers as `count`, each null or a string that ends with
    /// NUL.
    pub(crate) unsafe fn call(
        &self,
        pamh: *mut c_void,
        flags: c_int,
        count: c_int,
        words: *const *const c_char,
    ) -> c_int {
        // SAFETY: the library is open; the rest is the caller's promise.
        unsafe { (self.function)(pamh, flags, count, words) }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        // SAFETY: opened in `open`, and its function is not used any more.
        unsafe { libc::dlclose(self.library) };
    }
}
