//! The ends that the layout gives the shell, and what its actions do with them.

use crate::layout;
use alloc::{vec, vec::Vec};
use ipc::display::{Item, Style, RECORD_BYTES};
use ipc::{router, supervisor, CallError};
use pd::{rpc::Client, RingOut};
use shell_core::{lines, send_outbound, send_prompt, trouble, Action};

pub struct Ends {
    display: RingOut,
    router: router::Client<Client>,
    root: supervisor::Client<Client>,
    record: Vec<u8>,
}

impl Ends {
    pub fn open() -> Self {
        Ends {
            display: RingOut::open(layout::RING_OUT_DISPLAY),
            router: router::Client(Client::new(layout::CLIENT_ROUTER)),
            root: supervisor::Client(Client::new(layout::SUPERVISOR)),
            record: vec![0; RECORD_BYTES],
        }
    }

    pub fn act(&mut self, action: Action) {
        match action {
            Action::Show(item) => self.show(&item),
            Action::Prompt(text) => {
                // Which engine it was is what `/why` says.
                if let Err(sentence) = send_prompt(&mut self.router, &text) {
                    self.complain(&sentence);
                }
            }
            Action::Private(command) => {
                let done = self.router.private(command);
                self.check("router", done);
            }
            Action::Outbound(outbound) => {
                if let Err(sentence) = send_outbound(&mut self.router, outbound) {
                    self.complain(&sentence);
                }
            }
            Action::Why => {
                let done = self.router.why();
                self.check("router", done);
            }
            Action::Status => {
                let done = self.root.status();
                self.check("root", done);
            }
            Action::Caps => {
                let done = self.root.caps();
                self.check("root", done);
            }
            Action::Log => {
                let done = self.root.log();
                self.check("root", done);
            }
            Action::Quit => {
                let done = self.root.quit();
                self.check("root", done);
            }
        }
    }

    /// The ring loses the oldest rather than make shell wait.
    pub fn show(&mut self, item: &Item) {
        let sent = ipc::encode(item, &mut self.record).map(|bytes| self.display.push(&[bytes]));
        if !matches!(sent, Some(Ok(()))) {
            log::error!("a record did not fit: {sent:?}");
        }
    }

    fn check(&mut self, server: &str, done: Result<(), CallError>) {
        if let Err(error) = done {
            self.complain(&trouble(server, error));
        }
    }

    fn complain(&mut self, sentence: &str) {
        for item in lines(Style::Error, sentence) {
            self.show(&item);
        }
    }
}
