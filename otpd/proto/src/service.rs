//! `org.varlink.service`: what every Varlink service says of itself, and the errors of the protocol.

use serde::Deserialize;
use serde::Serialize;

/// The interface's name.
pub const INTERFACE: &str = "org.varlink.service";

/// Every interface with its description, as `GetInterfaceDescription` returns it.
pub const DESCRIPTIONS: &[(&str, &str)] = &[
    (INTERFACE, include_str!("interface/org.varlink.service.varlink")),
    (crate::login::INTERFACE, include_str!("interface/org.otpd.Login.varlink")),
    (crate::account::INTERFACE, include_str!("interface/org.otpd.Account.varlink")),
    (crate::admin::INTERFACE, include_str!("interface/org.otpd.Admin.varlink")),
    (crate::mail::INTERFACE, include_str!("interface/org.otpd.Mail.varlink")),
    (crate::web::INTERFACE, include_str!("interface/org.otpd.Web.varlink")),
    (crate::session::INTERFACE, include_str!("interface/org.otpd.Session.varlink")),
    (crate::offline::INTERFACE, include_str!("interface/org.otpd.Offline.varlink")),
];

/// The caller may not call this method on this socket.
pub const PERMISSION_DENIED: &str = "org.varlink.service.PermissionDenied";
/// A parameter is missing, unknown or of the wrong type.
pub const INVALID_PARAMETER: &str = "org.varlink.service.InvalidParameter";
/// The interface has no such method.
pub const METHOD_NOT_FOUND: &str = "org.varlink.service.MethodNotFound";
/// There is no such interface on this socket.
pub const INTERFACE_NOT_FOUND: &str = "org.varlink.service.InterfaceNotFound";
/// Asked for with a flag (`upgrade`) that this service does not have.
pub const METHOD_NOT_IMPLEMENTED: &str = "org.varlink.service.MethodNotImplemented";

/// Result of `GetInfo`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Info {
    /// Who makes it.
    pub vendor: String,
    /// The program.
    pub product: String,
    /// Its version.
    pub version: String,
    /// Where to read on.
    pub url: String,
    /// The interfaces served on this socket.
    pub interfaces: Vec<String>,
}

/// Parameters of `GetInterfaceDescription`.
#[derive(Debug, Serialize, Deserialize)]
pub struct DescribeParameters {
    /// The interface's name.
    pub interface: String,
}

/// Result of `GetInterfaceDescription`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Description {
    /// The interface file.
    pub description: String,
}

/// Parameters of `Refused` in every interface that has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    /// A stable word for programs.
    pub reason: String,
    /// For the person: what is wrong, what to do next.
    pub say: String,
    /// When it is worth trying again, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// Parameters of `Unavailable` in every interface.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unavailable {
    /// For the person: what is wrong, what to do next.
    pub say: String,
}
