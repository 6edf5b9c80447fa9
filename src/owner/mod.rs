//! A volume that one process has, used by others (Linux and macOS).
//!
//! A volume has one owner: the process that activated it. [`serve`] lets that process answer others of the same user on
//! a local socket; [`Client::find`] is their side. Design record 0013 has the reasons.
//!
//! What is asked for are the operations of a [`Volume`](lv::Volume) on inodes, and the volume checks them as if its own
//! process had asked. [`Reach`] has the same calls for a volume of one's own and for one of another process. What keeps
//! copies of the volume's contents, as the kernel of a mounted one, is [`Beside`] it and is told.
//!
//! `place` decides where sockets lie and whom they belong to, `peer` who is at the other end, `frame`, `wire`, `values` and
//! `failure` turn messages into bytes, `hello` begins a connection, `op` lists what can be asked, `asked` answers.

mod asked;
mod beside;
mod client;
mod error;
mod failure;
mod frame;
mod hello;
mod op;
mod peer;
mod place;
mod reach;
mod server;
mod session;
mod values;
mod wire;

pub use beside::{Beside, Changed, Nothing};
pub use client::Client;
pub use error::OwnerError;
pub use hello::Served;
pub use reach::Reach;
pub use server::{Server, serve};
