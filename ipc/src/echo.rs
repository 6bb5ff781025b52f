//! The example of docs/writing-a-server.md: a server gives back what it was given.

use serde::{Deserialize, Serialize};

pub type Text = heapless::String<64>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    pub text: Text,
    /// Calls that the server has answered since its start, this one included.
    pub calls: u32,
}

crate::protocol! {
    version 1;
    /// Gives the text back.
    Echo echo(text: Text) -> Echo;
    /// Panics, so that everybody can see what happens then.
    Fail fail() -> ();
}
