//! Requests of the shell to root. Replies are constants; what the person asked for comes on root's display ring.

crate::protocol! {
    version 1;
    /// Shows every PD: state, starts, memory.
    Status status() -> ();
    /// Shows what each PD holds.
    Caps caps() -> ();
    /// Shows the latest log lines.
    Log log() -> ();
    /// Switches the machine off.
    Quit quit() -> ();
}
