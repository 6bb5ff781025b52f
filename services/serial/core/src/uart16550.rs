//! The 16550 UART: what to write into which register, and when. It never waits for the device.

use alloc::collections::VecDeque;

/// Access to the device's eight registers.
pub trait Registers {
    fn read(&mut self, register: u8) -> u8;
    fn write(&mut self, register: u8, value: u8);
}

/// Received byte, byte to send; with `LINE_DIVISOR` the divisor's low byte.
pub const DATA: u8 = 0;
/// Interrupt enable; with `LINE_DIVISOR` the divisor's high byte.
pub const ENABLE: u8 = 1;
/// Read: why it interrupts. Write: FIFO control.
pub const IDENTIFY: u8 = 2;
pub const LINE_CONTROL: u8 = 3;
pub const MODEM_CONTROL: u8 = 4;
pub const LINE_STATUS: u8 = 5;
pub const MODEM_STATUS: u8 = 6;

const ENABLE_RECEIVE: u8 = 1;
const ENABLE_TRANSMIT: u8 = 2;
const ENABLE_LINE: u8 = 4;
const FIFO_ON_CLEARED_8: u8 = 0x87;
const LINE_8N1: u8 = 3;
const LINE_DIVISOR: u8 = 0x80;
/// Ready to send and receive, and the output that lets interrupts through on a PC.
const MODEM_ON: u8 = 0x0b;
const STATUS_RECEIVED: u8 = 1;
const STATUS_LOST: u8 = 2;
const STATUS_BAD: u8 = 0x1c;
const STATUS_CAN_SEND: u8 = 0x20;
const NO_INTERRUPT: u8 = 1;

/// Bytes that the device takes at once when its queue is empty.
const FIFO: usize = 16;
/// Bytes moved in one direction in one `service`: the rest waits for the next interrupt.
const BURST: usize = 512;

/// The device, and what is to be sent.
pub struct Uart<R> {
    registers: R,
    queue: VecDeque<u8>,
    enabled: u8,
    lost: u64,
}

impl<R: Registers> Uart<R> {
    /// 115200 bits in a second, 8 bits, no parity, queues on.
    pub fn new(mut registers: R) -> Self {
        registers.write(ENABLE, 0);
        registers.write(LINE_CONTROL, LINE_DIVISOR | LINE_8N1);
        registers.write(DATA, 1);
        registers.write(ENABLE, 0);
        registers.write(LINE_CONTROL, LINE_8N1);
        registers.write(IDENTIFY, FIFO_ON_CLEARED_8);
        registers.write(MODEM_CONTROL, MODEM_ON);
        let enabled = ENABLE_RECEIVE | ENABLE_LINE;
        registers.write(ENABLE, enabled);
        Uart { registers, queue: VecDeque::new(), enabled, lost: 0 }
    }

    /// Bytes that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How often the device lost received bytes because nobody took them in time.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Queues bytes; [`Uart::service`] sends them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.queue.extend(bytes);
    }

    /// Moves what can be moved, both ways, and says whether the device is quiet: false means that it has more, and
    /// `service` is to be called again. After an interrupt was acknowledged, call it once more: what the device
    /// raised in between is seen only by looking.
    pub fn service(&mut self, mut received: impl FnMut(u8)) -> bool {
        let mut taken = 0;
        while taken < BURST {
            let status = self.registers.read(LINE_STATUS);
            self.lost += u64::from(status & STATUS_LOST != 0);
            if status & STATUS_RECEIVED == 0 {
                break;
            }
            let byte = self.registers.read(DATA);
            taken += 1;
            // A break or a damaged byte is no key.
            if status & STATUS_BAD == 0 {
                received(byte);
            }
        }
        let mut sent = 0;
        while !self.queue.is_empty() && sent < BURST && self.registers.read(LINE_STATUS) & STATUS_CAN_SEND != 0 {
            for byte in self.queue.drain(..FIFO.min(self.queue.len())) {
                self.registers.write(DATA, byte);
                sent += 1;
            }
        }
        // Without something to send, "can send" would interrupt for nothing.
        let wanted = ENABLE_RECEIVE | ENABLE_LINE | if self.queue.is_empty() { 0 } else { ENABLE_TRANSMIT };
        if wanted != self.enabled {
            self.enabled = wanted;
            self.registers.write(ENABLE, wanted);
        }
        taken < BURST && sent < BURST && self.is_quiet()
    }

    /// Reading why the device interrupts takes back "can send", and reading the status what is wrong with the line.
    fn is_quiet(&mut self) -> bool {
        let why = self.registers.read(IDENTIFY);
        if why & NO_INTERRUPT == 0 && why & 0x0e == 0 {
            self.registers.read(MODEM_STATUS);
        }
        why & NO_INTERRUPT != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A device that behaves as QEMU's and a board's do.
    #[derive(Default)]
    struct Device {
        divisor: u16,
        divisor_open: bool,
        enabled: u8,
        modem: u8,
        fifo_on: bool,
        incoming: VecDeque<u8>,
        sending: VecDeque<u8>,
        sent: Vec<u8>,
        can_send_raised: bool,
        overrun: bool,
        reads: usize,
    }

    impl Registers for Device {
        fn read(&mut self, register: u8) -> u8 {
            self.reads += 1;
            match register {
                DATA => self.incoming.pop_front().unwrap_or(0),
                LINE_STATUS => {
                    u8::from(!self.incoming.is_empty())
                        | u8::from(core::mem::take(&mut self.overrun)) << 1
                        | u8::from(self.sending.is_empty()) << 5
                }
                IDENTIFY if self.enabled & ENABLE_RECEIVE != 0 && !self.incoming.is_empty() => 0xc4,
                IDENTIFY if self.enabled & ENABLE_TRANSMIT != 0 && self.can_send_raised => {
                    self.can_send_raised = false;
                    0xc2
                }
                IDENTIFY => 0xc1,
                _ => 0,
            }
        }

        fn write(&mut self, register: u8, value: u8) {
            match register {
                DATA if self.divisor_open => self.divisor = self.divisor & 0xff00 | u16::from(value),
                ENABLE if self.divisor_open => self.divisor = self.divisor & 0xff | u16::from(value) << 8,
                DATA => {
                    assert!(self.sending.len() < FIFO, "the queue of the device overflows");
                    self.sending.push_back(value);
                    self.can_send_raised = false;
                }
                ENABLE => {
                    self.can_send_raised |= value & ENABLE_TRANSMIT != 0 && self.sending.is_empty();
                    self.enabled = value;
                }
                IDENTIFY => self.fifo_on = value & 1 != 0,
                LINE_CONTROL => self.divisor_open = value & LINE_DIVISOR != 0,
                MODEM_CONTROL => self.modem = value,
                _ => {}
            }
        }
    }

    impl Device {
        fn drain(&mut self) {
            self.sent.extend(self.sending.drain(..));
            self.can_send_raised = true;
        }

        fn interrupts(&self) -> bool {
            (self.enabled & ENABLE_RECEIVE != 0 && !self.incoming.is_empty())
                || (self.enabled & ENABLE_TRANSMIT != 0 && self.can_send_raised)
        }
    }

    fn uart() -> Uart<Device> {
        Uart::new(Device::default())
    }

    #[test]
    fn it_is_set_up_for_115200_8n1_with_interrupts() {
        let device = uart().registers;
        assert_eq!((device.divisor, device.divisor_open, device.fifo_on), (1, false, true));
        assert_eq!((device.enabled, device.modem), (ENABLE_RECEIVE | ENABLE_LINE, MODEM_ON));
    }

    #[test]
    fn everything_is_sent_in_order_by_interrupts_alone() {
        let mut uart = uart();
        let text: Vec<u8> = (0..1000).map(|i| i as u8).collect();
        uart.send(&text);
        uart.service(|_| unreachable!());
        assert_ne!(uart.registers.enabled & ENABLE_TRANSMIT, 0);
        for _ in 0..1000 {
            uart.registers.drain();
            if !uart.registers.interrupts() {
                break;
            }
            uart.service(|_| unreachable!());
        }
        assert_eq!(uart.registers.sent, text);
        assert_eq!((uart.waiting(), uart.registers.enabled & ENABLE_TRANSMIT), (0, 0));
    }

    #[test]
    fn a_device_that_takes_nothing_costs_no_time() {
        let mut uart = uart();
        uart.send(&[0; 10_000]);
        uart.service(|_| ());
        let before = uart.registers.reads;
        uart.service(|_| ());
        assert!(uart.registers.reads - before < 5);
    }

    #[test]
    fn a_stream_without_end_does_not_hold_it() {
        struct Endless;
        impl Registers for Endless {
            fn read(&mut self, _: u8) -> u8 {
                STATUS_RECEIVED | STATUS_CAN_SEND
            }
            fn write(&mut self, _: u8, _: u8) {}
        }
        let mut uart = Uart::new(Endless);
        uart.send(&[0; 10_000]);
        let mut count = 0;
        assert!(!uart.service(|_| count += 1));
        assert_eq!(count, BURST);
        assert!(uart.waiting() >= 10_000 - BURST - FIFO);
    }

    #[test]
    fn lost_bytes_are_counted_and_damaged_ones_dropped() {
        let mut uart = uart();
        uart.registers.overrun = true;
        uart.registers.incoming.extend(b"a");
        let mut got = Vec::new();
        uart.service(|byte| got.push(byte));
        assert_eq!((uart.lost(), got.as_slice()), (1, b"a".as_slice()));
    }

    proptest! {
        #[test]
        fn both_directions_keep_their_order(steps in proptest::collection::vec((0u8..4, any::<u8>()), 0..400)) {
            let mut uart = uart();
            let (mut typed, mut got, mut written) = (Vec::new(), Vec::new(), Vec::new());
            for (what, value) in steps {
                match what {
                    0 => { typed.push(value); uart.registers.incoming.push_back(value) }
                    1 => { written.push(value); uart.send(&[value]) }
                    2 => uart.registers.drain(),
                    _ => { uart.service(|byte| got.push(byte)); }
                }
            }
            for _ in 0..500 {
                uart.registers.drain();
                uart.service(|byte| got.push(byte));
            }
            prop_assert_eq!(got, typed);
            prop_assert_eq!(&uart.registers.sent, &written);
        }
    }
}
