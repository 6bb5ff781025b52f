//! The clock: sends ticks at the periods that the layout asks for, and keeps the wall clock page.
//!
//! It is trusted, because everybody hears it: it takes no request from anyone, waits for its interrupt alone, and what
//! it sends says nothing but that time has passed. When it dies, ticks pause until it is started again; the time of
//! day is read anew from the real-time clock.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;

use clock_core::{pit, rtc, ticks::Due, wall};
use pd::{arch::Ports, time, Doorbell, Irq, Notification, SharedPage};

pd::layout!("clock");
pd::main!(run);

fn run(_start: &'static pd::Start) -> ! {
    let timer = Ports::new(layout::PORTS_TIMER);
    let irq = Irq::new(layout::IRQ_TIMER);
    start_timer(timer);
    keep_wall_clock(Ports::new(layout::PORTS_RTC));

    let now = time::now_us();
    let mut ticks: Vec<(Due, Doorbell)> =
        layout::TICKS.iter().map(|tick| (Due::new(tick.period_us, now), Doorbell::new(tick.signal))).collect();
    let notification = Notification::new(layout::NOTIFICATION);
    loop {
        irq.ack();
        notification.wait();
        let now = time::now_us();
        for (due, receiver) in &mut ticks {
            if due.take(now) {
                receiver.ring();
            }
        }
    }
}

fn start_timer(timer: Ports) {
    let [low, high] = pit::divisor().to_le_bytes();
    timer.write8(pit::CONTROL, pit::MODE);
    timer.write8(pit::CHANNEL_0, low);
    timer.write8(pit::CHANNEL_0, high);
}

fn keep_wall_clock(ports: Ports) {
    let seconds = rtc::read(|register| {
        ports.write8(rtc::INDEX, register);
        ports.read8(rtc::DATA)
    });
    if seconds.is_none() {
        log::warn!("the real-time clock gives no date");
    }
    wall::write(&Page(SharedPage::new(layout::MEMORY_WALL_CLOCK)), time::ticks(), seconds.unwrap_or(0));
}

struct Page(SharedPage);

impl wall::Words for Page {
    fn load(&self, word: usize) -> u64 {
        self.0.load(word)
    }
    fn store(&self, word: usize, value: u64) {
        self.0.store(word, value)
    }
}
