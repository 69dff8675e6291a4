//! PAM stacks as files: read as libpam reads them, walked as libpam walks them, judged, and edited. Nothing here runs a
//! module or asks anybody; `otpctl test` does.

pub(crate) mod authselect;
pub(crate) mod control;
pub(crate) mod edit;
pub(crate) mod flow;
pub(crate) mod judge;
pub(crate) mod line;
pub(crate) mod modules;
pub(crate) mod stack;
pub(crate) mod text;
