//! The sockets: adopting or binding them, and the pools of workers that serve them.

mod bind;
mod connection;
mod descriptor;
mod pool;

pub use bind::Sockets;
pub(crate) use descriptor::receive;
pub use pool::Pool;
pub use pool::Serve;
